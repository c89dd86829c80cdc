/* A board for tests: its line is stdin and stdout, its clock counts how often it is asked; it ends with its input. */
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

const uint32_t board_ticks_hz = 20000;

static uint32_t ticks, samples;
static int is_over;

void board_begin(void)
{
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
}

int32_t board_receive(void)
{
    int byte = is_over ? EOF : getchar();

    is_over |= byte == EOF;
    return byte == EOF ? -1 : byte;
}

int board_send(uint8_t byte)
{
    putchar(byte);
    return 1;
}

int board_sample(int32_t *count, uint32_t *n_lost)
{
    *n_lost = ++samples % 9999 == 0 ? 40 : 0;
    *count = (int32_t)(samples * 2654435761u >> 22) - 512;
    return samples % 3 == 0;
}

uint32_t board_ticks(void)
{
    return ++ticks;
}

void board_idle(void)
{
    if (is_over) {
        fflush(stdout);
        exit(0);
    }
}

uint8_t board_session(void)
{
    return 255;
}
