/* What the example uses of Zephyr's kernel: declarations alone. */
#include <stddef.h>
#include <stdint.h>

struct k_timer {
    uint32_t n_expired;
};
typedef struct {
    int64_t ticks;
} k_timeout_t;

#define K_TIMER_DEFINE(name, expired, stopped) static struct k_timer name
#define K_USEC(us) ((k_timeout_t){us})

void k_timer_start(struct k_timer *timer, k_timeout_t duration, k_timeout_t period);
uint32_t k_timer_status_sync(struct k_timer *timer);
