/* Reset: memory as C expects it, then the job, then a stop that the harness recognises. */
#include <stdint.h>

#define CPACR (*(volatile uint32_t *)0xE000ED88) /* who may use the coprocessors: 10 and 11 are FPU and vectors */
#define RESULT_WORDS 8
#define SYS_WRITE0 0x04
#define SYS_EXIT 0x18
#define EXIT_DONE 0x20026

extern uint32_t _data_load, _data_start, _data_end, _bss_start, _bss_end, _stack_top;
extern volatile uint32_t wl_result[] __attribute__((weak));

int main(void);
void reset(void);
void wl_halt(void);

__attribute__((used, section(".vectors"))) static const void *const vectors[] = {
    &_stack_top,
    (const void *)reset,
};

static void semihosting(uint32_t call, uint32_t value)
{
    register uint32_t r0 __asm("r0") = call;
    register uint32_t r1 __asm("r1") = value;

    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

/** One emulator stops before this function and reads wl_result itself; to another it is said here, in hex. */
__attribute__((noinline)) void wl_halt(void)
{
    char line[RESULT_WORDS * 9 + 1], *at = line;

    for (int i = 0; wl_result && i < RESULT_WORDS; i++) {
        for (int shift = 28; shift >= 0; shift -= 4)
            *at++ = "0123456789abcdef"[wl_result[i] >> shift & 15];
        *at++ = i + 1 < RESULT_WORDS ? ' ' : '\n';
    }
    *at = 0;
    semihosting(SYS_WRITE0, (uint32_t)line);
    semihosting(SYS_EXIT, EXIT_DONE);
    for (;;)
        __asm volatile("nop");
}

void reset(void)
{
    const uint32_t *from = &_data_load;

#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    CPACR |= 0xFu << 20;
#endif
    for (uint32_t *to = &_data_start; to < &_data_end; to++)
        *to = *from++;
    for (uint32_t *to = &_bss_start; to < &_bss_end; to++)
        *to = 0;
    main();
    wl_halt();
}
