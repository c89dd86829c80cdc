/* The inner steps of the kernels: with the DSP instructions of a Cortex-M4, M7 or M33, and in C beside them.
 *
 * A quad is four codes, widened to halfwords in the order 0, 2, 1, 3: what SXTB16 makes of a
 * word without and with a turn by a byte, so codes and weights meet without being sorted.
 * Private.
 */
#ifndef WL_STEPS_H
#define WL_STEPS_H

#include <stdint.h>
#include <string.h>

/* Without optimisation a compiler has no registers to spare. WL_PORTABLE: never. */
#if defined(__ARM_FEATURE_DSP) && __ARM_ARCH_PROFILE == 'M' && defined(__OPTIMIZE__) && !defined(WL_PORTABLE)
#ifdef __ARM_FEATURE_MVE
#define WL_MVE              /* vectors of 16 codes: M55 */
#define WL_VECTORS
#else
#define WL_DSP              /* of 4 codes: M4, M7, M33 */
#endif
#define WL_PRODUCTS         /* the upper half of a product in one instruction, rounded */
#define WL_SELDOM static __attribute__((noinline, unused)) /* out of the way of what is frequent */
#else
#define WL_SELDOM static inline
#endif

/* Kernels by vectors, steps_vectors.h and conv_vectors.c; tests ask for them where the steps are in C. */
#if defined(WL_VECTORS) && defined(WL_BLOCKED)
#error "WL_VECTORS and WL_BLOCKED are two ways to lay out the same loops"
#endif

/* Two columns of a convolution as quads: also where a core has few registers and no way to subtract while loading
 * (M0+); where there are vectors, or a compiler makes them of plain loops, it only costs. Tests ask for it. */
#if (defined(WL_DSP) || defined(__ARM_ARCH_6M__)) && !defined(WL_BLOCKED)
#define WL_BLOCKED
#endif

/* Machines with vector registers and a stack of their own: plain loops, which a compiler makes vectors of. */
#if (defined(__SSE2__) || defined(__aarch64__)) && !defined(WL_BLOCKED) && !defined(WL_VECTORS) && !defined(WL_PORTABLE)
#define WL_WIDE
#define WL_WIDE_CODES 512   /* of a window that is laid out, and of channels side by side; more are read where they lie */
#define WL_PRODUCTS
#if defined(__x86_64__) && defined(__GNUC__) && !defined(_WIN32) /* there gcc does not align registers it spills */
#define WL_X86              /* where the machine turns out to have them: steps of AVX2 and newer */
#endif
#endif

/* How many channels of a depthwise convolution go side by side, and most taps of such a kernel. */
#ifdef WL_BLOCKED
#define WL_LANES 4
#endif
#define WL_MAX_TAPS 49

/* Four channels of a pool in one word. */
#if defined(WL_BLOCKED) && !defined(__ARM_ARCH_6M__)
#define WL_WORDS
#endif

/** Two channels' sums over one piece of the input. */
struct wl_pair {
    int32_t a, b;
};

/** Where one position of a depthwise kernel finds its code and its weight. */
struct wl_tap {
    int32_t x, w;
};

#ifdef WL_PRODUCTS

/**
 * The code of a sum that is cut to int8 and nothing less
 * power           2^(32 - right), right 2..31: half away from zero is half up of v + (v >> 31), so a product again
 */
static inline int8_t wl_fast_code(int32_t sum, int32_t by_q31, int32_t power, int32_t zero)
{
#ifdef WL_WIDE
    int32_t v = (int32_t)(((int64_t)sum * by_q31 + ((int64_t)1 << 30)) >> 31);

    v = (int32_t)(((int64_t)(v + (v >> 31)) * power + (int64_t)zero * 4294967296 + ((int64_t)1 << 31)) >> 32) + 128;
    v &= ~(v >> 31); /* cut to 0..255 without a branch: which way it goes nobody can guess */
    v |= (255 - v) >> 31;
    return (int8_t)((v & 255) - 128);
#else
    int32_t v = (int32_t)((uint32_t)sum << 1);

    __asm("smmulr %0, %0, %1\n\t"
          "add %0, %0, %0, asr #31\n\t"
          "smmlar %0, %0, %2, %3\n\t"
          "ssat %0, #8, %0"
          : "+r"(v)
          : "r"(by_q31), "r"(power), "r"(zero));
    return (int8_t)v;
#endif
}

#endif

#ifdef WL_DSP

/** Both halves of a word as zero point, negative. */
static inline int32_t wl_twice(int32_t zero)
{
    return (int32_t)((uint32_t)-zero << 16 | ((uint32_t)-zero & 0xFFFFu));
}

#define WL_DOT_QUAD \
    "ldr %[xo], [%[x]], #4\n\t" \
    "ldr %[o], [%[wa]], #4\n\t" \
    "sxtab16 %[xe], %[z], %[xo]\n\t" \
    "sxtab16 %[xo], %[z], %[xo], ror #8\n\t" \
    "sxtb16 %[e], %[o]\n\t" \
    "sxtb16 %[o], %[o], ror #8\n\t" \
    "smlad %[a], %[xe], %[e], %[a]\n\t" \
    "smlad %[a], %[xo], %[o], %[a]\n\t" \
    "ldr %[o], [%[wb]], #4\n\t" \
    "sxtb16 %[e], %[o]\n\t" \
    "sxtb16 %[o], %[o], ror #8\n\t" \
    "smlad %[b], %[xe], %[e], %[b]\n\t" \
    "smlad %[b], %[xo], %[o], %[b]\n\t"

static inline struct wl_pair wl_dot_quads(const int8_t *x, const int8_t *w_a, const int8_t *w_b, int32_t n_quads,
                                          int32_t x_zero, struct wl_pair sum)
{
    int32_t zeros = wl_twice(x_zero), x_even, x_odd, even, odd;

    /* Two quads a round; an odd one is entered in the middle. */
    __asm volatile("tst %[n], #1\n\t"
                   "it ne\n\t"
                   "addne %[n], #1\n\t"
                   "bne 2f\n"
                   "1:\n\t" WL_DOT_QUAD
                   "2:\n\t" WL_DOT_QUAD
                   "subs %[n], #2\n\t"
                   "bne 1b"
                   : [x] "+r"(x), [wa] "+r"(w_a), [wb] "+r"(w_b), [n] "+r"(n_quads), [a] "+r"(sum.a),
                     [b] "+r"(sum.b), [xe] "=&r"(x_even), [xo] "=&r"(x_odd), [e] "=&r"(even), [o] "=&r"(odd)
                   : [z] "r"(zeros)
                   : "memory", "cc");
    return sum;
}

static inline void wl_widen_quads(const int8_t *x, int32_t n_quads, int32_t x_zero, int16_t *to)
{
    int32_t zeros = wl_twice(x_zero), even, odd;

    __asm volatile("1:\n\t"
                   "ldr %[o], [%[x]], #4\n\t"
                   "sxtab16 %[e], %[z], %[o]\n\t"
                   "sxtab16 %[o], %[z], %[o], ror #8\n\t"
                   "str %[e], [%[to]], #8\n\t"
                   "str %[o], [%[to]], #8\n\t"
                   "subs %[n], #1\n\t"
                   "bne 1b"
                   : [x] "+r"(x), [to] "+r"(to), [n] "+r"(n_quads), [e] "=&r"(even), [o] "=&r"(odd)
                   : [z] "r"(zeros)
                   : "memory", "cc");
}

#define WL_BLOCK_QUAD \
    "ldr %[o], [%[wa]], #4\n\t" \
    "ldr %[t], [%[wb]], #4\n\t" \
    "ldrd %[xa], %[xb], [%[x]], #8\n\t" \
    "sxtb16 %[e], %[o]\n\t" \
    "smlad %[s0], %[xa], %[e], %[s0]\n\t" \
    "smlad %[s1], %[xb], %[e], %[s1]\n\t" \
    "sxtb16 %[e], %[t]\n\t" \
    "smlad %[s2], %[xa], %[e], %[s2]\n\t" \
    "smlad %[s3], %[xb], %[e], %[s3]\n\t" \
    "ldrd %[xa], %[xb], [%[x]], #8\n\t" \
    "sxtb16 %[o], %[o], ror #8\n\t" \
    "smlad %[s0], %[xa], %[o], %[s0]\n\t" \
    "smlad %[s1], %[xb], %[o], %[s1]\n\t" \
    "sxtb16 %[t], %[t], ror #8\n\t" \
    "smlad %[s2], %[xa], %[t], %[s2]\n\t" \
    "smlad %[s3], %[xb], %[t], %[s3]\n\t"

static inline void wl_block_quads(const int16_t *x, const int8_t *w_a, const int8_t *w_b, int32_t n_quads,
                                  int32_t sum[4])
{
    int32_t s0 = sum[0], s1 = sum[1], s2 = sum[2], s3 = sum[3], even, odd, third, x_a, x_b;

    /* Two quads a round; an odd one is entered in the middle. */
    __asm volatile("tst %[n], #1\n\t"
                   "it ne\n\t"
                   "addne %[n], #1\n\t"
                   "bne 2f\n"
                   "1:\n\t" WL_BLOCK_QUAD
                   "2:\n\t" WL_BLOCK_QUAD
                   "subs %[n], #2\n\t"
                   "bne 1b"
                   : [x] "+r"(x), [wa] "+r"(w_a), [wb] "+r"(w_b), [n] "+r"(n_quads), [s0] "+r"(s0), [s1] "+r"(s1),
                     [s2] "+r"(s2), [s3] "+r"(s3), [e] "=&r"(even), [o] "=&r"(odd), [t] "=&r"(third),
                     [xa] "=&r"(x_a), [xb] "=&r"(x_b)
                   :
                   : "memory", "cc");
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}

static inline void wl_side_by_side(const int8_t *x, const int8_t *w, const struct wl_tap *taps, int32_t n_taps,
                                    int32_t x_zero, int32_t sum[WL_LANES])
{
    int32_t s0 = sum[0], s1 = sum[1], s2 = sum[2], s3 = sum[3], zeros = wl_twice(x_zero), x_even, x_odd, even, odd;

    __asm volatile("1:\n\t"
                   "ldrd %[xo], %[o], [%[t]], #8\n\t"
                   "ldr %[xo], [%[x], %[xo]]\n\t"
                   "ldr %[o], [%[w], %[o]]\n\t"
                   "sxtab16 %[xe], %[z], %[xo]\n\t"
                   "sxtab16 %[xo], %[z], %[xo], ror #8\n\t"
                   "sxtb16 %[e], %[o]\n\t"
                   "sxtb16 %[o], %[o], ror #8\n\t"
                   "smlabb %[s0], %[xe], %[e], %[s0]\n\t"
                   "smlabb %[s1], %[xo], %[o], %[s1]\n\t"
                   "smlatt %[s2], %[xe], %[e], %[s2]\n\t"
                   "smlatt %[s3], %[xo], %[o], %[s3]\n\t"
                   "subs %[n], #1\n\t"
                   "bne 1b"
                   : [t] "+r"(taps), [n] "+r"(n_taps), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3),
                     [xe] "=&r"(x_even), [xo] "=&r"(x_odd), [e] "=&r"(even), [o] "=&r"(odd)
                   : [x] "r"(x), [w] "r"(w), [z] "r"(zeros)
                   : "memory", "cc");
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}

/** The higher of each two codes. */
static inline void wl_higher_four(int8_t *best, const int8_t *x)
{
    int32_t high, code, spare;

    memcpy(&high, best, 4);
    memcpy(&code, x, 4);
    __asm("ssub8 %1, %0, %2\n\t"
          "sel %0, %0, %2"
          : "+r"(high), "=&r"(spare)
          : "r"(code)
          : "cc");
    memcpy(best, &high, 4);
}

/** To the sums of four channels, in the order 0, 2, 1, 3. */
static inline void wl_add_four(int16_t *sum, const int8_t *x)
{
    int32_t even, odd, code;

    memcpy(&even, sum, 4);
    memcpy(&odd, sum + 2, 4);
    memcpy(&code, x, 4);
    __asm("sxtab16 %0, %0, %2\n\t"
          "sxtab16 %1, %1, %2, ror #8"
          : "+r"(even), "+r"(odd)
          : "r"(code));
    memcpy(sum, &even, 4);
    memcpy(sum + 2, &odd, 4);
}

#else

#ifndef WL_MVE

/** n_quads * 4 codes, each less the zero point, times two channels' weights; n_quads >= 1. */
static inline struct wl_pair wl_dot_quads(const int8_t *x, const int8_t *w_a, const int8_t *w_b, int32_t n_quads,
                                          int32_t x_zero, struct wl_pair sum)
{
    for (int32_t i = 0; i < 4 * n_quads; i++) {
        sum.a += (x[i] - x_zero) * w_a[i];
        sum.b += (x[i] - x_zero) * w_b[i];
    }
    return sum;
}
#endif

#ifdef WL_BLOCKED

/**
 * Codes as quads of halfwords, less the zero point, into one of two columns
 * n_quads         At least one
 * to              Halfwords 0, 1 of every four are this column's: the two columns alternate by words
 */
static inline void wl_widen_quads(const int8_t *x, int32_t n_quads, int32_t x_zero, int16_t *to)
{
    for (int32_t i = 0; i < n_quads; i++, x += 4, to += 8) {
        to[0] = (int16_t)(x[0] - x_zero), to[1] = (int16_t)(x[2] - x_zero);
        to[4] = (int16_t)(x[1] - x_zero), to[5] = (int16_t)(x[3] - x_zero);
    }
}

/**
 * Two columns times the weights of two channels
 * x               Both columns, word by word
 * n_quads         At least one
 * sum             Channel a of both columns, channel b of both columns
 */
static inline void wl_block_quads(const int16_t *x, const int8_t *w_a, const int8_t *w_b, int32_t n_quads,
                                  int32_t sum[4])
{
    for (int32_t i = 0; i < n_quads; i++, x += 8, w_a += 4, w_b += 4)
        for (int32_t column = 0; column < 2; column++) {
            const int16_t *of = x + 2 * column;

            sum[column] += of[0] * w_a[0] + of[1] * w_a[2] + of[4] * w_a[1] + of[5] * w_a[3];
            sum[2 + column] += of[0] * w_b[0] + of[1] * w_b[2] + of[4] * w_b[1] + of[5] * w_b[3];
        }
}

#endif

#ifdef WL_WORDS

/** The higher of each two codes. */
static inline void wl_higher_four(int8_t *best, const int8_t *x)
{
    for (int32_t k = 0; k < 4; k++)
        best[k] = x[k] > best[k] ? x[k] : best[k];
}

/** To the sums of four channels, in the order 0, 2, 1, 3. */
static inline void wl_add_four(int16_t *sum, const int8_t *x)
{
    sum[0] = (int16_t)(sum[0] + x[0]), sum[1] = (int16_t)(sum[1] + x[2]);
    sum[2] = (int16_t)(sum[2] + x[1]), sum[3] = (int16_t)(sum[3] + x[3]);
}
#endif

#ifdef WL_LANES

/**
 * Some channels of a depthwise convolution
 * taps            Where from x and w on their codes and their weights lie
 * n_taps          At least one
 */
static inline void wl_side_by_side(const int8_t *x, const int8_t *w, const struct wl_tap *taps, int32_t n_taps,
                                    int32_t x_zero, int32_t sum[WL_LANES])
{
    for (int32_t i = 0; i < n_taps; i++)
        for (int32_t k = 0; k < WL_LANES; k++)
            sum[k] += (x[taps[i].x + k] - x_zero) * w[taps[i].w + k];
}

#endif
#endif
#endif
