/* Written by firmware.tables.lowpass: do not edit.
 * 30 Hz low-pass: centre tap and the taps beside it. Worst sum 0.365 * 2^31. */
#ifndef WL_TABLE_LOWPASS_H
#define WL_TABLE_LOWPASS_H

#define WL_LOWPASS_HALF 10

static const int16_t wl_lowpass_q14[WL_LOWPASS_HALF + 1] = {
    8252, 5093, -96, -1469, 71, 651, -40, -283, 13, 110, 16
};

#endif
