/* The kernels of the networks: each takes one operator and the arena. Private. */
#ifndef WL_KERNELS_H
#define WL_KERNELS_H

#include <string.h>

#include "steps.h"
#include "wl.h"
#include "wl_requant.h"

/* conv.c */
void wl_conv2d(const struct wl_op *op, int8_t *arena);
void wl_depthwise_conv2d(const struct wl_op *op, int8_t *arena);

#ifdef WL_WIDE
/* conv_wide.c: windows of at most WL_WIDE_CODES */
void wl_conv2d_wide(const struct wl_op *op, int8_t *arena);
/* as many channels go in as come out, at most WL_WIDE_CODES */
void wl_depthwise_wide(const struct wl_op *op, int8_t *arena);
#endif

#ifdef WL_X86
/* conv_avx2.c; which of its steps this machine runs is found out when the core is loaded, and a test may say less */
enum wl_x86 { WL_X86_ANY = 0, WL_X86_AVX2, WL_X86_VNNI };
extern enum wl_x86 wl_x86;
int wl_conv2d_fits_avx2(const struct wl_op *op);
void wl_conv2d_avx2(const struct wl_op *op, int8_t *arena);
int wl_depthwise_fits_avx2(const struct wl_op *op);
void wl_depthwise_avx2(const struct wl_op *op, int8_t *arena);
#endif

#ifdef WL_VECTORS
#include "steps_vectors.h"

#define WL_VECTOR_CODES 1536    /* of a window that is laid out; a longer one is read where it lies */
#define WL_VECTOR_CHANNELS 256

/* conv_vectors.c: windows of at most WL_VECTOR_CODES, 4 to WL_VECTOR_CHANNELS channels, codes as wl_fast_code's */
void wl_conv2d_vectors(const struct wl_op *op, int8_t *arena);
/* as many channels go in as come out, at least 8, at most WL_MAX_TAPS taps, codes as above */
void wl_depthwise_vectors(const struct wl_op *op, int8_t *arena);
#endif

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
 * Sums of (x - x_zero) * w over n codes, for the weights of two channels
 *
 * |x - x_zero| <= 255, |w| <= 128 and at most 32,768 of them a sum (wl_graph_check):
 * below 2^30, so 32 bits hold it beside a bias of as many.
 */
static inline struct wl_pair wl_dot(const int8_t *x, const int8_t *w_a, const int8_t *w_b, int32_t n, int32_t x_zero,
                                    struct wl_pair sum)
{
#ifdef WL_MVE
    return wl_dot_vectors(x, w_a, w_b, n, x_zero, sum);
#else
    int32_t n_quads = n >> 2;

    if (n_quads)
        sum = wl_dot_quads(x, w_a, w_b, n_quads, x_zero, sum);
    for (int32_t i = 4 * n_quads; i < n; i++) {
        sum.a += (x[i] - x_zero) * w_a[i];
        sum.b += (x[i] - x_zero) * w_b[i];
    }
    return sum;
#endif
}

/** What makes codes of sums, by itself: a kernel that writes codes need not look it up again. */
struct wl_scaling {
    const int32_t *by_q31;
    const int8_t *by_shift;
    int32_t zero, low, high;
    int32_t is_fast;        /* codes are cut to int8 and nothing less, and every shift is below -1 */
};

static inline struct wl_scaling wl_scaling_of(const struct wl_op *op)
{
    struct wl_scaling scaling = {op->by_q31, op->by_shift, op->out_zero, op->low, op->high, 0};

#if defined(WL_PRODUCTS) || defined(WL_VECTORS)
    scaling.is_fast = op->high - op->low == 255;
    for (int32_t c = 0; c < op->out_c; c++)
        scaling.is_fast &= op->by_shift[c] < -1;
#endif
    return scaling;
}

/** The code of a sum of output channel c, by any shift and to any range. */
WL_SELDOM int8_t wl_any_code(const struct wl_scaling *scaling, int32_t c, int32_t sum)
{
    int32_t v = wl_requant(sum, scaling->by_q31[c], scaling->by_shift[c]);

    return wl_activate(v, scaling->zero, scaling->low, scaling->high);
}

/** The code of a sum of output channel c. */
static inline int8_t wl_code_of(const struct wl_scaling *scaling, int32_t c, int32_t sum)
{
#ifdef WL_PRODUCTS
    if (scaling->is_fast)
        return wl_fast_code(sum, scaling->by_q31[c], 1 << (32 + scaling->by_shift[c]), scaling->zero);
#endif
    return wl_any_code(scaling, c, sum);
}

/** The codes of two sums of output channel c. */
static inline void wl_two_codes(const struct wl_scaling *scaling, int32_t c, int32_t sum_a, int32_t sum_b, int8_t *a,
                                int8_t *b)
{
#ifdef WL_PRODUCTS
    if (scaling->is_fast) {
        int32_t by_q31 = scaling->by_q31[c], power = 1 << (32 + scaling->by_shift[c]);

        *a = wl_fast_code(sum_a, by_q31, power, scaling->zero);
        *b = wl_fast_code(sum_b, by_q31, power, scaling->zero);
        return;
    }
#endif
    *a = wl_any_code(scaling, c, sum_a);
    *b = wl_any_code(scaling, c, sum_b);
}

/** n codes, apart from each other; written out, as a call costs more than a short row. */
static inline void wl_move(int8_t *to, const int8_t *from, int32_t n)
{
    for (; n >= 4; n -= 4, to += 4, from += 4)
        memcpy(to, from, 4);
    while (n-- > 0)
        *to++ = *from++;
}

#endif
