/* The inner steps where a core has vectors of 16 codes and a counter that ends a loop (Cortex-M55), and in C beside them.
 *
 * The last round of such a loop takes what is left of n; sums over a vector must lie in even registers, and what
 * addresses codes that are widened in a low one. Private.
 */
#ifndef WL_STEPS_VECTORS_H
#define WL_STEPS_VECTORS_H

#include "steps.h"
#include "wl_requant.h"

/** Four channels' sums over one window. */
struct wl_four {
    int32_t a, b, c, d;
};

#ifdef WL_MVE

/** n codes times two channels' weights, and the sums of those weights */
static inline struct wl_pair wl_dot_vectors(const int8_t *x, const int8_t *w_a, const int8_t *w_b, int32_t n,
                                            int32_t x_zero, struct wl_pair sum)
{
    int32_t of_a = 0, of_b = 0;

    __asm volatile("dlstp.8 lr, %[n]\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[x]], #16\n\t"
                   "vldrb.8 q1, [%[wa]], #16\n\t"
                   "vmladava.s8 %[a], q0, q1\n\t"
                   "vaddva.s8 %[oa], q1\n\t"
                   "vldrb.8 q1, [%[wb]], #16\n\t"
                   "vmladava.s8 %[b], q0, q1\n\t"
                   "vaddva.s8 %[ob], q1\n\t"
                   "letp lr, 1b"
                   : [x] "+r"(x), [wa] "+r"(w_a), [wb] "+r"(w_b), [a] "+Te"(sum.a), [b] "+Te"(sum.b),
                     [oa] "+Te"(of_a), [ob] "+Te"(of_b)
                   : [n] "r"(n)
                   : "lr", "q0", "q1", "memory");
    sum.a -= x_zero * of_a;
    sum.b -= x_zero * of_b;
    return sum;
}

static inline int32_t wl_sum_codes(const int8_t *w, int32_t n)
{
    int32_t sum = 0;

    __asm volatile("dlstp.8 lr, %[n]\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[w]], #16\n\t"
                   "vaddva.s8 %[s], q0\n\t"
                   "letp lr, 1b"
                   : [w] "+r"(w), [s] "+Te"(sum)
                   : [n] "r"(n)
                   : "lr", "q0", "memory");
    return sum;
}

static inline void wl_copy_codes(int8_t *to, const int8_t *from, int32_t n)
{
    __asm volatile("dlstp.8 lr, %[n]\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[from]], #16\n\t"
                   "vstrb.8 q0, [%[to]], #16\n\t"
                   "letp lr, 1b"
                   : [to] "+r"(to), [from] "+r"(from)
                   : [n] "r"(n)
                   : "lr", "q0", "memory");
}

static inline struct wl_four wl_dot_four(const int8_t *x, const int8_t *w, int32_t n, struct wl_four sum)
{
    const int8_t *w_b = w + n, *w_c = w_b + n, *w_d = w_c + n;

    __asm volatile("dlstp.8 lr, %[n]\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[x]], #16\n\t"
                   "vldrb.8 q1, [%[wa]], #16\n\t"
                   "vmladava.s8 %[a], q0, q1\n\t"
                   "vldrb.8 q2, [%[wb]], #16\n\t"
                   "vmladava.s8 %[b], q0, q2\n\t"
                   "vldrb.8 q1, [%[wc]], #16\n\t"
                   "vmladava.s8 %[c], q0, q1\n\t"
                   "vldrb.8 q2, [%[wd]], #16\n\t"
                   "vmladava.s8 %[d], q0, q2\n\t"
                   "letp lr, 1b"
                   : [x] "+r"(x), [wa] "+r"(w), [wb] "+r"(w_b), [wc] "+r"(w_c), [wd] "+r"(w_d), [a] "+Te"(sum.a),
                     [b] "+Te"(sum.b), [c] "+Te"(sum.c), [d] "+Te"(sum.d)
                   : [n] "r"(n)
                   : "lr", "q0", "q1", "q2", "memory");
    return sum;
}

/* Half away from zero is half up of v + (v >> 31); what is added and cut are four or eight at once. */
static inline void wl_four_codes(struct wl_four sum, const int32_t *by_q31, const int8_t *by_shift, int32_t zero,
                                 int8_t *out)
{
    __asm volatile("vmov q0[2], q0[0], %[a], %[c]\n\t"
                   "vmov q0[3], q0[1], %[b], %[d]\n\t"
                   "vldrw.u32 q1, [%[by]]\n\t"
                   "vldrb.s32 q2, [%[shift]]\n\t"
                   "vqrdmulh.s32 q0, q0, q1\n\t"
                   "vshr.s32 q1, q0, #31\n\t"
                   "vadd.i32 q0, q0, q1\n\t"
                   "vrshl.s32 q0, q0, q2\n\t"
                   "vadd.i32 q0, q0, %[zero]\n\t"
                   "vqmovnb.s32 q0, q0\n\t"
                   "vqmovnb.s16 q0, q0\n\t"
                   "vstrb.32 q0, [%[out]]"
                   :
                   : [a] "r"(sum.a), [b] "r"(sum.b), [c] "r"(sum.c), [d] "r"(sum.d), [by] "r"(by_q31),
                     [shift] "l"(by_shift), [zero] "r"(zero), [out] "l"(out)
                   : "q0", "q1", "q2", "memory");
}

/* A product fits 16 bits: 255 * 128; even channels are summed in q2, odd ones in q3. */
static inline void wl_eight_sums(const int8_t *x, const int8_t *w, const struct wl_tap *taps, int32_t n_taps,
                                 int32_t x_zero, const int32_t bias[8], int32_t sum[8])
{
    int32_t at_x, at_w;

    __asm volatile("vld20.32 {q2, q3}, [%[b]]\n\t"
                   "vld21.32 {q2, q3}, [%[b]]\n\t"
                   "dls lr, %[n]\n"
                   "1:\n\t"
                   "ldrd %[ax], %[aw], [%[t]], #8\n\t"
                   "add %[ax], %[x]\n\t"
                   "add %[aw], %[w]\n\t"
                   "vldrb.s16 q0, [%[ax]]\n\t"
                   "vldrb.s16 q1, [%[aw]]\n\t"
                   "vsub.i16 q0, q0, %[z]\n\t"
                   "vmullb.s16 q4, q0, q1\n\t"
                   "vmullt.s16 q0, q0, q1\n\t"
                   "vadd.i32 q2, q2, q4\n\t"
                   "vadd.i32 q3, q3, q0\n\t"
                   "le lr, 1b\n\t"
                   "vst20.32 {q2, q3}, [%[s]]\n\t"
                   "vst21.32 {q2, q3}, [%[s]]"
                   : [t] "+r"(taps), [ax] "=&l"(at_x), [aw] "=&l"(at_w)
                   : [b] "r"(bias), [s] "r"(sum), [n] "r"(n_taps), [x] "r"(x), [w] "r"(w), [z] "r"(x_zero)
                   : "lr", "q0", "q1", "q2", "q3", "q4", "memory");
}

static inline void wl_eight_codes(const int32_t sum[8], const int32_t *by_q31, const int8_t *by_shift, int32_t zero,
                                  int8_t *out)
{
    __asm volatile("vld20.32 {q0, q1}, [%[s]]\n\t"
                   "vld21.32 {q0, q1}, [%[s]]\n\t"
                   "vld20.32 {q2, q3}, [%[by]]\n\t"
                   "vld21.32 {q2, q3}, [%[by]]\n\t"
                   "vldrb.s16 q4, [%[shift]]\n\t"
                   "vqrdmulh.s32 q0, q0, q2\n\t"
                   "vqrdmulh.s32 q1, q1, q3\n\t"
                   "vmovlb.s16 q2, q4\n\t"
                   "vmovlt.s16 q3, q4\n\t"
                   "vshr.s32 q4, q0, #31\n\t"
                   "vadd.i32 q0, q0, q4\n\t"
                   "vshr.s32 q4, q1, #31\n\t"
                   "vadd.i32 q1, q1, q4\n\t"
                   "vrshl.s32 q0, q0, q2\n\t"
                   "vrshl.s32 q1, q1, q3\n\t"
                   "vadd.i32 q0, q0, %[zero]\n\t"
                   "vadd.i32 q1, q1, %[zero]\n\t"
                   "vqmovnb.s32 q0, q0\n\t"
                   "vqmovnt.s32 q0, q1\n\t"
                   "vqmovnb.s16 q0, q0\n\t"
                   "vstrb.16 q0, [%[out]]"
                   :
                   : [s] "r"(sum), [by] "r"(by_q31), [shift] "l"(by_shift), [zero] "r"(zero), [out] "l"(out)
                   : "q0", "q1", "q2", "q3", "q4", "memory");
}

#else

/** The sum of n codes, n >= 1. */
static inline int32_t wl_sum_codes(const int8_t *w, int32_t n)
{
    int32_t sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += w[i];
    return sum;
}

/** n codes, n >= 1, apart from each other. */
static inline void wl_copy_codes(int8_t *to, const int8_t *from, int32_t n)
{
    memcpy(to, from, (size_t)n);
}

/** n codes times the weights of four channels, which lie one after the other; n >= 1. */
static inline struct wl_four wl_dot_four(const int8_t *x, const int8_t *w, int32_t n, struct wl_four sum)
{
    for (int32_t i = 0; i < n; i++) {
        sum.a += x[i] * w[i], sum.b += x[i] * w[n + i];
        sum.c += x[i] * w[2 * n + i], sum.d += x[i] * w[3 * n + i];
    }
    return sum;
}

/**
 * Some taps of eight channels of a depthwise convolution
 * taps            Where from x and w on their codes and their weights lie
 * n_taps          At least one
 */
static inline void wl_eight_sums(const int8_t *x, const int8_t *w, const struct wl_tap *taps, int32_t n_taps,
                                 int32_t x_zero, const int32_t bias[8], int32_t sum[8])
{
    for (int32_t k = 0; k < 8; k++) {
        sum[k] = bias[k];
        for (int32_t i = 0; i < n_taps; i++)
            sum[k] += (x[taps[i].x + k] - x_zero) * w[taps[i].w + k];
    }
}

/**
 * The codes of eight channels' sums
 * by_shift        Each below 0
 * out             Cut to int8 and nothing less
 */
static inline void wl_eight_codes(const int32_t sum[8], const int32_t *by_q31, const int8_t *by_shift, int32_t zero,
                                  int8_t *out)
{
    for (int32_t k = 0; k < 8; k++)
        out[k] = wl_activate(wl_requant(sum[k], by_q31[k], by_shift[k]), zero, -128, 127);
}

/** The codes of four channels' sums, as above. */
static inline void wl_four_codes(struct wl_four sum, const int32_t *by_q31, const int8_t *by_shift, int32_t zero,
                                 int8_t *out)
{
    int32_t sums[4] = {sum.a, sum.b, sum.c, sum.d};

    for (int32_t k = 0; k < 4; k++)
        out[k] = wl_activate(wl_requant(sums[k], by_q31[k], by_shift[k]), zero, -128, 127);
}

#endif
#endif
