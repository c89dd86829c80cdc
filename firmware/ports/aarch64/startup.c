/* Reset of a 64-bit core that only an emulator has: memory as C expects it, the job, a stop that the harness knows.
 * A computer that runs Linux has the core as a library; here its instructions are counted. */
#include <stdint.h>

#define FPEN (3u << 20) /* of CPACR_EL1: vector registers are free to use */

extern uint32_t _data_load, _data_start, _data_end, _bss_start, _bss_end;

int main(void);
void reset(void);
void wl_halt(void);

/* As a Cortex-M's: the stack's top, then where to begin; both lie below 4 GiB. */
__asm(".section .vectors, \"a\"\n\t"
      ".word _stack_top\n\t"
      ".word reset\n\t"
      ".text");

__attribute__((noinline)) void wl_halt(void)
{
    for (;;)
        __asm volatile("nop");
}

void reset(void)
{
    const volatile uint32_t *from = &_data_load;

    __asm volatile("msr cpacr_el1, %0\n\tisb" : : "r"((uint64_t)FPEN));
    for (volatile uint32_t *to = &_data_start; to < &_data_end; to++)
        *to = *from++;
    for (volatile uint32_t *to = &_bss_start; to < &_bss_end; to++)
        *to = 0;
    main();
    wl_halt();
}
