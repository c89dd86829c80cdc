/* An ECG front end on an ADC channel, 250 samples a second; a line for each verdict on the console. */
#include <zephyr/drivers/adc.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "wl_app.h"

#define RATE_HZ 250
#define ROOM 4

/* 12 bits over 3.6 V behind a gain of 1100: 0.80 uV a count, as 51 / 64. */
static const struct wl_input input = {RATE_HZ, 51, 6, 1, 4094};
static const struct adc_dt_spec ecg = ADC_DT_SPEC_GET(DT_PATH(zephyr_user));

static struct wl_stream stream;
static int8_t memory[WL_APP_MEMORY_BYTES];

K_TIMER_DEFINE(tick, NULL, NULL);

static void push(int32_t count)
{
    static struct wl_event events[ROOM];
    size_t n_events, n_left = 1;

    do {
        n_left -= wl_stream_push(&stream, &count, n_left, 0, events, ROOM, &n_events);
        for (size_t k = 0; k < n_events; k++)
            printk("%lld us: %s\n", (long long)events[k].t0_us, wl_app_label(&events[k]));
    } while (n_left > 0 || n_events == ROOM);
}

int main(void)
{
    int16_t count = 0;
    struct adc_sequence sequence = {.buffer = &count, .buffer_size = sizeof count};

    if (!adc_is_ready_dt(&ecg) || adc_channel_setup_dt(&ecg) != 0 || adc_sequence_init_dt(&ecg, &sequence) != 0) {
        printk("the ADC is not ready\n");
        return 1;
    }
    if (wl_stream_init(&stream, &wl_app, &input, memory) != WL_OK) {
        printk("the tables or the input are refused\n");
        return 1;
    }
    k_timer_start(&tick, K_USEC(1000000 / RATE_HZ), K_USEC(1000000 / RATE_HZ));
    for (;;) {
        for (uint32_t n_due = k_timer_status_sync(&tick); n_due > 0; n_due--)
            if (adc_read_dt(&ecg, &sequence) == 0)
                push(count);
    }
}
