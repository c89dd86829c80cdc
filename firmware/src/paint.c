/* An image of codes as a colour picture: for networks that know photographs. */
#include "wl.h"

/** The code whose middle is nearest to that of dot k: 127 * 80 fits easily. */
static inline int32_t place(int32_t k, int32_t n)
{
    return (2 * k + 1) * n / (2 * WL_PICTURE_SIDE);
}

void wl_paint(const int8_t *image, const int8_t *colours, int8_t *picture)
{
    for (int32_t y = 0; y < WL_PICTURE_SIDE; y++)
        for (int32_t x = 0; x < WL_PICTURE_SIDE; x++) {
            int32_t code = image[place(x, WL_PICTURE_COLUMNS) * WL_ROWS + place(y, WL_ROWS)];
            const int8_t *colour = colours + 3 * (code + 128);

            *picture++ = colour[0];
            *picture++ = colour[1];
            *picture++ = colour[2];
        }
}
