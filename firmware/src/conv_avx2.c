/* Convolutions on x86-64: sixteen output channels side by side in two registers; 80 KB of stack.
 *
 * The core is compiled for any x86-64, and looks once, when it is loaded, whether this one has AVX2
 * (Haswell, 2013) or sums of four products of bytes (AVX-512 VNNI). Codes go in as x + 128, which is
 * what those take, so every sum is too large by (x_zero + 128) * sum of weights: the bias makes up for it.
 */
#include "kernels.h"

#ifdef WL_X86

#include <immintrin.h>

#define ABREAST 8           /* positions: their sums take as long to come as the next ones to begin */
#define HALF (CHANNELS / 2) /* of a block: eight sums of 32 bits fill a register */
#define CHANNELS 16         /* of a block */
#define QUAD 4              /* codes that meet in one lane of 32 bits */
#define MAP_BYTES 24576     /* of what the windows see */
#define WEIGHT_BYTES 49152  /* of a block of channels */
#define MOST_TAPS 49        /* of a depthwise kernel */

#define AVX2 __attribute__((target("avx2")))
#define VNNI __attribute__((target("avx512f,avx512vnni")))

enum wl_x86 wl_x86;

static void cpuid(uint32_t leaf, uint32_t *a, uint32_t *b, uint32_t *c)
{
    uint32_t d;

    __asm volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(d) : "a"(leaf), "c"(0));
}

/** What this machine has, and its system keeps when it changes programs. */
__attribute__((constructor)) static void look(void)
{
    uint32_t most, a, b, c, kept, above;

    cpuid(0, &most, &b, &c);
    if (most < 7)
        return;
    cpuid(1, &a, &b, &c);
    if (!(c >> 27 & c >> 28 & 1)) /* OSXSAVE, AVX */
        return;
    __asm volatile("xgetbv" : "=a"(kept), "=d"(above) : "c"(0));
    cpuid(7, &a, &b, &c);
    if ((kept & 6) != 6 || !(b >> 5 & 1))
        return;
    wl_x86 = WL_X86_AVX2;
    if ((kept & 0xE6) == 0xE6 && (b >> 16 & c >> 11 & 1)) /* AVX-512 F, VNNI */
        wl_x86 = WL_X86_VNNI;
}

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/** What the windows of an operator see together: rows, codes of a row. */
static int32_t map_rows(const struct wl_op *op)
{
    return (op->out_h - 1) * op->stride_h + op->kernel_h;
}

static int32_t map_row(const struct wl_op *op)
{
    return ((op->out_w - 1) * op->stride_w + op->kernel_w) * op->in_c;
}

static int map_fits(const struct wl_op *op)
{
    return (int64_t)map_rows(op) * map_row(op) <= MAP_BYTES - QUAD;
}

/** The map as x + 128 with its padding around it, which is the zero point: no window leaves it. */
AVX2 static void lay_out(const struct wl_op *op, const int8_t *x, uint8_t *map)
{
    int32_t n_rows = map_rows(op), row = map_row(op), from_row = op->in_w * op->in_c, before = op->pad_left * op->in_c;
    int32_t n = least(from_row, row - before);

    memset(map, op->x_zero + 128, (size_t)(n_rows * row + QUAD)); /* the last quad of a row may reach beyond it */
    map += op->pad_top * row + before;
    for (int32_t i = 0; i < least(op->in_h, n_rows - op->pad_top); i++, map += row, x += from_row)
        for (int32_t k = 0; k < n; k++)
            map[k] = (uint8_t)(x[k] ^ -128);
}

/** What makes codes of the sums of eight channels. */
struct scale {
    __m256i by, by_odd, raise, right, is_right, half;
};

AVX2 static void set_scale(const struct wl_op *op, int32_t c, struct scale *scale)
{
    const __m256i none = _mm256_setzero_si256(), one = _mm256_set1_epi32(1);
    __m256i shift = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(op->by_shift + c)));

    scale->by = _mm256_loadu_si256((const __m256i *)(op->by_q31 + c));
    scale->by_odd = _mm256_srli_epi64(scale->by, 32);
    scale->raise = _mm256_max_epi32(shift, none);
    scale->right = _mm256_max_epi32(_mm256_sub_epi32(none, shift), none);
    scale->is_right = _mm256_cmpgt_epi32(none, shift);
    scale->half = _mm256_sllv_epi32(one, _mm256_sub_epi32(scale->right, one)); /* a shift by -1 leaves nothing */
}

/** The bias of eight channels, less what x + 128 adds: x_zero + 128 times the sums of their weights. */
AVX2 static __m256i bias_of(const struct wl_op *op, int32_t c, __m256i weights)
{
    __m256i bias = _mm256_loadu_si256((const __m256i *)(op->bias + c));

    return _mm256_sub_epi32(bias, _mm256_mullo_epi32(weights, _mm256_set1_epi32(op->x_zero + 128)));
}

/** wl_requant of eight sums. */
AVX2 static inline __m256i requant(__m256i v, const struct scale *scale)
{
    const __m256i half_q31 = _mm256_set1_epi64x((int64_t)1 << 30);
    __m256i raised = _mm256_sllv_epi32(v, scale->raise);
    __m256i even = _mm256_add_epi64(_mm256_mul_epi32(raised, scale->by), half_q31);
    __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(raised, 32), scale->by_odd), half_q31);
    __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    __m256i sign = _mm256_and_si256(_mm256_srai_epi32(high, 31), scale->is_right);

    return _mm256_srav_epi32(_mm256_add_epi32(_mm256_add_epi32(high, sign), scale->half), scale->right);
}

/** Sixteen sums become codes: what is cut to 16 bits before the zero point is added is cut to 8 behind it. */
AVX2 static inline void put_codes(const struct wl_op *op, const struct scale *scale, const __m256i sums[2],
                                  int8_t *out)
{
    __m256i mixed = _mm256_packs_epi32(requant(sums[0], scale), requant(sums[1], scale + 1));
    __m256i v = _mm256_adds_epi16(_mm256_permute4x64_epi64(mixed, 0xD8), _mm256_set1_epi16(op->out_zero));
    __m128i codes = _mm_packs_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

    codes = _mm_max_epi8(_mm_min_epi8(codes, _mm_set1_epi8((int8_t)op->high)), _mm_set1_epi8((int8_t)op->low));
    _mm_storeu_si128((__m128i *)out, codes);
}

/* A kernel over the map: rows of quads that lie a map's row apart. */
struct kernel {
    __m256i bias[2];
    const int8_t *weights;  /* quad by quad, those of the block's channels side by side */
    int32_t n_rows, row;    /* codes of one of its rows */
    int32_t pitch;          /* of the map */
};

static int32_t n_quads(int32_t row)
{
    return (row + QUAD - 1) / QUAD;
}

/** The weights of a block of channels in that order, with zeros behind each row. */
AVX2 static void pack(const struct wl_op *op, int32_t c, int32_t n_rows, int32_t row, int8_t *to)
{
    int32_t n = n_rows * row, n_left = row % QUAD, whole = row - n_left;
    const int8_t *from = op->weight + c * n;

    for (int32_t i = 0; i < n_rows; i++, from += row) {
        for (int32_t at = 0; at < whole; at += QUAD)
            for (int32_t k = 0; k < CHANNELS; k++, to += QUAD)
                memcpy(to, from + k * n + at, QUAD);
        for (int32_t k = 0; n_left && k < CHANNELS; k++)
            for (int32_t j = 0; j < QUAD; j++)
                *to++ = j < n_left ? from[k * n + whole + j] : 0;
    }
}

/** Sums of weights that are packed, of eight channels. */
AVX2 static __m256i sums_of(const int8_t *packed, int32_t n)
{
    const __m256i ones_i8 = _mm256_set1_epi8(1), ones_i16 = _mm256_set1_epi16(1);
    __m256i sums = _mm256_setzero_si256();

    for (int32_t i = 0; i < n; i++, packed += QUAD * CHANNELS) {
        __m256i pairs = _mm256_maddubs_epi16(ones_i8, _mm256_loadu_si256((const __m256i *)packed));

        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, ones_i16));
    }
    return sums;
}

/**
 * Sums of products: eight positions by sixteen channels
 *
 * x + 128 <= 255, |w| <= 128, at most 32,768 of them (wl_graph_check): below 2^30 before the bias,
 * and no pair of products is added in less than 32 bits.
 */
typedef void dots(const struct kernel *kernel, const uint8_t *const x[ABREAST], __m256i sums[ABREAST][2]);

AVX2 static inline int32_t quad_at(const uint8_t *x)
{
    int32_t quad;

    memcpy(&quad, x, sizeof quad);
    return quad;
}

/** Half of the positions: as many sums as there are registers. */
AVX2 static inline void half_of_dots(const struct kernel *kernel, const uint8_t *const x[ABREAST / 2],
                                     __m256i sums[ABREAST / 2][2])
{
    const __m256i low_byte = _mm256_set1_epi16(255);
    const int8_t *w = kernel->weights;
    __m256i sum[ABREAST / 2][2];

    for (int k = 0; k < ABREAST / 2; k++)
        sum[k][0] = kernel->bias[0], sum[k][1] = kernel->bias[1];
    for (int32_t i = 0; i < kernel->n_rows; i++)
        for (int32_t at = i * kernel->pitch, end = at + kernel->row; at < end; at += QUAD, w += QUAD * CHANNELS) {
            __m256i w_a = _mm256_loadu_si256((const __m256i *)w), w_b = _mm256_loadu_si256((const __m256i *)w + 1);
            __m256i even_a = _mm256_srai_epi16(_mm256_slli_epi16(w_a, 8), 8), odd_a = _mm256_srai_epi16(w_a, 8);
            __m256i even_b = _mm256_srai_epi16(_mm256_slli_epi16(w_b, 8), 8), odd_b = _mm256_srai_epi16(w_b, 8);

            for (int k = 0; k < ABREAST / 2; k++) {
                __m256i v = _mm256_set1_epi32(quad_at(x[k] + at));
                __m256i even = _mm256_and_si256(v, low_byte), odd = _mm256_srli_epi16(v, 8);

                sum[k][0] = _mm256_add_epi32(sum[k][0], _mm256_madd_epi16(even, even_a));
                sum[k][1] = _mm256_add_epi32(sum[k][1], _mm256_madd_epi16(even, even_b));
                sum[k][0] = _mm256_add_epi32(sum[k][0], _mm256_madd_epi16(odd, odd_a));
                sum[k][1] = _mm256_add_epi32(sum[k][1], _mm256_madd_epi16(odd, odd_b));
            }
        }
    memcpy(sums, sum, sizeof sum);
}

AVX2 static void dots_avx2(const struct kernel *kernel, const uint8_t *const x[ABREAST], __m256i sums[ABREAST][2])
{
    half_of_dots(kernel, x, sums);
    half_of_dots(kernel, x + ABREAST / 2, sums + ABREAST / 2);
}

VNNI static void dots_vnni(const struct kernel *kernel, const uint8_t *const x[ABREAST], __m256i sums[ABREAST][2])
{
    const int8_t *w = kernel->weights;
    __m512i sum[ABREAST];

    for (int k = 0; k < ABREAST; k++)
        sum[k] = _mm512_loadu_si512(kernel->bias);
    for (int32_t i = 0; i < kernel->n_rows; i++)
        for (int32_t at = i * kernel->pitch, end = at + kernel->row; at < end; at += QUAD, w += QUAD * CHANNELS) {
            __m512i of = _mm512_loadu_si512(w);

            for (int k = 0; k < ABREAST; k++)
                sum[k] = _mm512_dpbusd_epi32(sum[k], _mm512_set1_epi32(quad_at(x[k] + at)), of);
        }
    for (int k = 0; k < ABREAST; k++)
        _mm512_storeu_si512(sums[k], sum[k]);
}

/** A block of channels at every position, eight at a time; the last of them again where they are no multiple. */
AVX2 static void conv_block(const struct wl_op *op, const struct kernel *kernel, const struct scale *scale,
                            const uint8_t *map, int8_t *out)
{
    dots *const dot = wl_x86 == WL_X86_VNNI ? dots_vnni : dots_avx2;
    int32_t n_positions = op->out_h * op->out_w, step = op->stride_w * op->in_c, ox = 0;
    int32_t turn = op->stride_h * map_row(op) - (op->out_w - 1) * step;

    for (int32_t p = 0; p < n_positions; p += ABREAST) {
        __m256i sums[ABREAST][2];
        const uint8_t *x[ABREAST];

        for (int32_t k = 0; k < ABREAST; k++) {
            x[k] = map;
            if (p + k + 1 < n_positions) {
                map += ++ox < op->out_w ? step : turn;
                ox = ox < op->out_w ? ox : 0;
            }
        }
        dot(kernel, x, sums);
        for (int32_t k = 0; k < ABREAST; k++)
            put_codes(op, scale, sums[k], out + least(p + k, n_positions - 1) * op->out_c);
    }
}

int wl_conv2d_fits_avx2(const struct wl_op *op)
{
    int64_t n = op->kernel_h * n_quads(op->kernel_w * op->in_c) * (int64_t)QUAD;

    return wl_x86 != WL_X86_ANY && op->out_c >= CHANNELS && n * CHANNELS <= WEIGHT_BYTES && map_fits(op);
}

/** Blocks of channels; the last one of a number that is no multiple overlaps the one before. */
AVX2 void wl_conv2d_avx2(const struct wl_op *op, int8_t *arena)
{
    int32_t last = op->out_c - CHANNELS, n_rows = op->kernel_h, row = op->kernel_w * op->in_c;
    uint8_t map[MAP_BYTES];
    int8_t weights[WEIGHT_BYTES];

    if (row == map_row(op)) /* whole rows of the map, one behind the other */
        row *= n_rows, n_rows = 1;
    lay_out(op, arena + op->x, map);
    for (int32_t c = 0;; c = least(c + CHANNELS, last)) {
        struct kernel kernel = {.weights = weights, .n_rows = n_rows, .row = row, .pitch = map_row(op)};
        struct scale scale[2];

        pack(op, c, n_rows, row, weights);
        for (int32_t k = 0; k < 2; k++) {
            kernel.bias[k] = bias_of(op, c + HALF * k, sums_of(weights + HALF * QUAD * k, n_rows * n_quads(row)));
            set_scale(op, c + HALF * k, &scale[k]);
        }
        conv_block(op, &kernel, scale, map, arena + op->out + c);
        if (c == last)
            break;
    }
}

/* Depthwise: a lane is a channel, so its weight stands in the lower half of one, with a zero above. */
struct taps {
    __m256i weights[MOST_TAPS][2], bias[2];
    int32_t at[MOST_TAPS];  /* on the map, from the window's first code */
    int32_t n;
};

AVX2 static void set_taps(const struct wl_op *op, int32_t c, struct taps *taps)
{
    int32_t sums[CHANNELS] = {0};

    taps->n = op->kernel_h * op->kernel_w;
    for (int32_t t = 0; t < taps->n; t++) {
        int32_t wide[CHANNELS];

        for (int32_t k = 0; k < CHANNELS; k++) {
            wide[k] = op->weight[t * op->in_c + c + k];
            sums[k] += wide[k];
            wide[k] &= 0xFFFF;
        }
        memcpy(taps->weights[t], wide, sizeof wide);
        taps->at[t] = t / op->kernel_w * map_row(op) + t % op->kernel_w * op->in_c;
    }
    for (int32_t k = 0; k < 2; k++)
        taps->bias[k] = bias_of(op, c + HALF * k, _mm256_loadu_si256((const __m256i *)sums + k));
}

AVX2 static inline __m256i eight_at(const uint8_t *x)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)x));
}

AVX2 static void depthwise_block(const struct wl_op *op, const struct taps *taps, const struct scale *scale,
                                 const uint8_t *map, int8_t *out)
{
    int32_t row = map_row(op);

    for (int32_t oy = 0; oy < op->out_h; oy++)
        for (int32_t ox = 0; ox < op->out_w; ox++, out += op->out_c) {
            const uint8_t *x = map + oy * op->stride_h * row + ox * op->stride_w * op->in_c;
            __m256i sums[2] = {taps->bias[0], taps->bias[1]};

            for (int32_t t = 0; t < taps->n; t++) {
                const uint8_t *of = x + taps->at[t];

                sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(eight_at(of), taps->weights[t][0]));
                sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(eight_at(of + HALF), taps->weights[t][1]));
            }
            put_codes(op, scale, sums, out);
        }
}

int wl_depthwise_fits_avx2(const struct wl_op *op)
{
    return wl_x86 != WL_X86_ANY && op->out_c == op->in_c && op->out_c >= CHANNELS &&
           op->kernel_h * op->kernel_w <= MOST_TAPS && map_fits(op);
}

AVX2 void wl_depthwise_avx2(const struct wl_op *op, int8_t *arena)
{
    int32_t last = op->out_c - CHANNELS;
    uint8_t map[MAP_BYTES];

    lay_out(op, arena + op->x, map);
    for (int32_t c = 0;; c = least(c + CHANNELS, last)) {
        struct taps taps;
        struct scale scale[2];

        set_taps(op, c, &taps);
        for (int32_t k = 0; k < 2; k++)
            set_scale(op, c + HALF * k, &scale[k]);
        depthwise_block(op, &taps, scale, map + c, arena + op->out + c);
        if (c == last)
            break;
    }
}

#else

typedef int wl_no_x86; /* a file of C declares something */

#endif
