/* The kernels of the networks: each takes one operator and the arena. Private. */
#ifndef WL_KERNELS_H
#define WL_KERNELS_H

#include "wl.h"

/* conv.c */
void wl_conv2d(const struct wl_op *op, int8_t *arena);
void wl_depthwise_conv2d(const struct wl_op *op, int8_t *arena);

/* dense.c */
void wl_dense(const struct wl_op *op, int8_t *arena);

/* pool.c */
void wl_max_pool(const struct wl_op *op, int8_t *arena);
void wl_average_pool(const struct wl_op *op, int8_t *arena);

/* elementwise.c */
void wl_add(const struct wl_op *op, int8_t *arena);
void wl_pad(const struct wl_op *op, int8_t *arena);
void wl_copy(const struct wl_op *op, int8_t *arena);
void wl_sigmoid(const struct wl_op *op, int8_t *arena);
void wl_softmax(const struct wl_op *op, int8_t *arena);

/* The part of a window that lies on its map, along one direction. */
struct wl_span {
    int32_t from, to;       /* positions in the kernel, to excluded */
    int32_t at;             /* where from lies on the map */
};

/**
 * Cut a window to its map
 * out             Which output
 * stride, pad     Of the operator, in this direction
 * kernel, length  Positions of the kernel and of the map
 */
static inline struct wl_span wl_window(int32_t out, int32_t stride, int32_t pad, int32_t kernel, int32_t length)
{
    int32_t first = out * stride - pad;
    struct wl_span span = {first < 0 ? -first : 0, kernel, 0};

    if (first + kernel > length)
        span.to = length - first;
    span.at = first + span.from;
    return span;
}

/**
 * Sum of (x - x_zero) * w over n codes
 *
 * |x - x_zero| <= 255, |w| <= 128 and at most 32,768 of them a sum (wl_graph_check):
 * below 2^30, so 32 bits hold it beside a bias of as many.
 */
#ifndef wl_dot
static inline int32_t wl_dot(const int8_t *x, const int8_t *w, int32_t n, int32_t x_zero)
{
    int32_t sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += (x[i] - x_zero) * w[i];

    return sum;
}
#endif

#endif
