/* An image of codes as a colour picture: for networks that know photographs. */
#include "stages.h"

int32_t wl_paint_place(int32_t dot, int32_t n)
{
    return (2 * dot + 1) * n / (2 * WL_PICTURE_SIDE); /* 127 * 80 fits easily */
}

void wl_paint_column(const int8_t *column, const int8_t *colours, int8_t *picture)
{
    for (int32_t y = 0; y < WL_PICTURE_SIDE; y++) {
        const int8_t *colour = colours + 3 * (column[wl_paint_place(y, WL_ROWS)] + 128);

        for (int32_t c = 0; c < 3; c++)
            picture[3 * WL_PICTURE_SIDE * y + c] = colour[c];
    }
}

void wl_paint(const int8_t *image, const int8_t *colours, int8_t *picture)
{
    for (int32_t x = 0; x < WL_PICTURE_SIDE; x++)
        wl_paint_column(image + WL_ROWS * wl_paint_place(x, WL_PICTURE_COLUMNS), colours, picture + 3 * x);
}
