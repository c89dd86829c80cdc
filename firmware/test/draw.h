/* Numbers that nobody chose, the same in every run. */
#ifndef WL_DRAW_H
#define WL_DRAW_H

#include <stdint.h>

static uint32_t noise = 2463534242u;

/** A number low..high (a xorshift of 32 bits). */
static int32_t draw(int32_t low, int32_t high)
{
    noise ^= noise << 13;
    noise ^= noise >> 17;
    noise ^= noise << 5;
    return low + (int32_t)(noise % (uint32_t)(high - low + 1));
}

#endif
