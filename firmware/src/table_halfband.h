/* Written by firmware.tables.halfband: do not edit.
 * Pairs at offsets 1, 3 .. 13; the centre is 1/2. Worst sum 0.365 * 2^31. */
#ifndef WL_TABLE_HALFBAND_H
#define WL_TABLE_HALFBAND_H

#define WL_HALFBAND_PAIRS 7
#define WL_HALFBAND_HALF 13

static const int16_t wl_halfband_q14[WL_HALFBAND_PAIRS] = {
    5133, -1506, 695, -328, 140, -49, 11
};

#endif
