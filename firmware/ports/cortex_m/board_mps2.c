/* The board that QEMU calls mps2-an386: one of its UARTs, a timer as the clock, an ECG in flash for a converter. */
#include "board.h"
#include "wl_ecg.h" /* written by benchmarks.mcu.link: ecg_uv, N_ECG */

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART_DATA REGISTER(0x40004000)
#define UART_STATE REGISTER(0x40004004)
#define UART_CTRL REGISTER(0x40004008)
#define UART_EVENTS REGISTER(0x4000400C)
#define UART_BAUDDIV REGISTER(0x40004010)
#define UART_TX_FULL 1u
#define UART_RX_FULL 2u
#define UART_ON 0xFu /* both ways, with their events */
#define UART_BOTH 3u
#define TIMER_CTRL REGISTER(0x40000000)
#define TIMER_VALUE REGISTER(0x40000004)
#define TIMER_RELOAD REGISTER(0x40000008)
#define TIMER_ON 1u
#define NVIC_ENABLE REGISTER(0xE000E100)
#define NVIC_FORGET REGISTER(0xE000E280)
#define SYSTICK_CTRL REGISTER(0xE000E010)
#define SYSTICK_RELOAD REGISTER(0xE000E014)
#define SYSTICK_ON 7u /* by the core's clock, with its event */
#define ICSR REGISTER(0xE000ED04)
#define ICSR_FORGET_SYSTICK (1u << 25)
#define BAUD 115200u
#define CONVERTER_SAMPLES 64u /* that it keeps until they are fetched: a quarter of a second */

const uint32_t board_ticks_hz = WL_TICKS_HZ;

static uint32_t due_at, due_part; /* ticks, and 256ths of one, of the next sample */
static uint32_t at;               /* in the ECG */
static uint8_t starts __attribute__((section(".noinit"))); /* a reset leaves it as it is */

void board_begin(void)
{
    UART_BAUDDIV = WL_TICKS_HZ / BAUD;
    UART_CTRL = UART_ON;
    NVIC_ENABLE = UART_BOTH; /* its interrupts are 0 and 1 */
    SYSTICK_RELOAD = WL_TICKS_HZ / WL_BOARD_RATE_HZ;
    SYSTICK_CTRL = SYSTICK_ON;
    __asm volatile("cpsid i"); /* they end a wait, and go nowhere */
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CTRL = TIMER_ON;
    due_at = board_ticks();
    starts++;
}

int32_t board_receive(void)
{
    return UART_STATE & UART_RX_FULL ? (int32_t)(UART_DATA & 0xFF) : -1;
}

int board_send(uint8_t byte)
{
    if (UART_STATE & UART_TX_FULL)
        return 0;
    UART_DATA = byte;
    return 1;
}

static void wait_for_the_next(void)
{
    due_part += WL_TICKS_HZ % WL_BOARD_RATE_HZ;
    due_at += WL_TICKS_HZ / WL_BOARD_RATE_HZ + due_part / WL_BOARD_RATE_HZ;
    due_part %= WL_BOARD_RATE_HZ;
    at = at + 1 < N_ECG ? at + 1 : 0;
}

int board_sample(int32_t *count, uint32_t *n_lost)
{
    uint32_t now = board_ticks();

    *n_lost = 0;
    if ((int32_t)(now - due_at) < 0)
        return 0;
    while (now - due_at > CONVERTER_SAMPLES * (WL_TICKS_HZ / WL_BOARD_RATE_HZ)) {
        wait_for_the_next();
        ++*n_lost;
    }
    *count = ecg_uv[at];
    wait_for_the_next();
    return 1;
}

uint32_t board_ticks(void)
{
    return ~TIMER_VALUE; /* it counts down */
}

/** Until a byte, room on the line or a sample; what came since it was looked for ends the wait at once. */
__attribute__((noinline)) void board_idle(void)
{
    __asm volatile("wfi");
    UART_EVENTS = UART_BOTH;
    NVIC_FORGET = UART_BOTH;
    ICSR = ICSR_FORGET_SYSTICK;
}

uint8_t board_session(void)
{
    return starts;
}
