/* Reset: memory as C expects it, then the job, then a stop that the harness recognises. */
#include <stdint.h>

extern uint32_t _data_load, _data_start, _data_end, _bss_start, _bss_end, _stack_top;

int main(void);
void reset(void);
void wl_halt(void);

__attribute__((used, section(".vectors"))) static const void *const vectors[] = {
    &_stack_top,
    (const void *)reset,
};

__attribute__((noinline)) void wl_halt(void)
{
    for (;;)
        __asm volatile("nop");
}

void reset(void)
{
    const uint32_t *from = &_data_load;

    for (uint32_t *to = &_data_start; to < &_data_end; to++)
        *to = *from++;
    for (uint32_t *to = &_bss_start; to < &_bss_end; to++)
        *to = 0;
    main();
    wl_halt();
}
