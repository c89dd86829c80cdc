/* Drives meant to overflow something, for the sanitizers to see; and every refusal. */
#include <string.h>

#include "check.h"
#include "stages.h"
#include "table_morlet.h"

#define N_SAMPLES 3000

static struct wl_frontend fe;
static struct wl_image image;
static struct wl_beat_ring beats;
static uint32_t noise = 12345;

/** A plain 32-bit generator (constants of Numerical Recipes). */
static uint32_t next_noise(void)
{
    noise = noise * 1664525u + 1013904223u;
    return noise;
}

static void start(int32_t rate_hz, int32_t gain_mul, int32_t gain_shift)
{
    const struct wl_input input = {rate_hz, gain_mul, gain_shift, INT32_MIN, INT32_MAX};

    CHECK_EQUAL("init", WL_OK, wl_frontend_init(&fe, &input, &image, &beats));
}

static void push(int32_t count)
{
    wl_frontend_push(&fe, &count, 1, 0);
}

/** Full-scale squares of every period, at every rate and at extreme gains. */
static void squares(void)
{
    static const int32_t rates[] = {125, 128, 200, 250, 256, 300, 360, 400, 500, 512, 1000};
    static const int32_t gains[][2] = {{1, 0}, {INT32_MAX, 0}, {INT32_MAX, 30}, {1, 30}};

    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++)
        for (size_t g = 0; g < sizeof gains / sizeof gains[0]; g++)
            for (int period = 1; period < 200; period = period * 2 + 1) {
                start(rates[r], gains[g][0], gains[g][1]);
                for (int i = 0; i < N_SAMPLES; i++)
                    push(i / period % 2 ? INT32_MAX : INT32_MIN);
            }
}

/** Random rails and ramps. */
static void random_rails(void)
{
    for (int round = 0; round < 20; round++) {
        start(256, 1, 0);
        for (int i = 0; i < N_SAMPLES; i++)
            push(next_noise() >> 31 ? WL_LIMIT_UV : -WL_LIMIT_UV);
        for (int i = 0; i < N_SAMPLES; i++)
            push((int32_t)next_noise());
    }
}

/** The stream that drives one wavelet to its worst sum: the sign of each tap, at full scale. */
static void worst_of_each_row(void)
{
    for (int v = 0; v < WL_VOICES; v++)
        for (int part = 0; part < 2; part++)
            for (int flip = -1; flip <= 1; flip += 2) {
                const int16_t *taps = (part ? wl_morlet_im_q15 : wl_morlet_re_q15) + wl_morlet_start[v];

                start(256, 1, 0);
                for (int i = 0; i < WL_HISTORY_0; i++) {
                    int k = i - 33; /* centre of octave 0 in its history */
                    int tap = k < 0 ? (part ? -1 : 1) * (-k <= wl_morlet_half[v] ? taps[-k] : 0)
                                    : (k <= wl_morlet_half[v] ? taps[k] : 0);
                    fe.x0_q2[i] = (int16_t)(tap * flip < 0 ? -WL_STREAM_LIMIT_Q2 : WL_STREAM_LIMIT_Q2);
                }
                memcpy(fe.x1_q2, fe.x0_q2, sizeof fe.x1_q2);
                memcpy(fe.x4_q2, fe.x0_q2 + 6, sizeof fe.x4_q2);
                for (uint32_t hop = 40; hop < 45; hop++)
                    wl_cwt_hop(&fe, hop);
            }
}

static void refusals(void)
{
    static const struct { struct wl_input input; enum wl_status status; } cases[] = {
        {{257, 1, 0, -1, 1}, WL_BAD_RATE},  {{0, 1, 0, -1, 1}, WL_BAD_RATE},
        {{256, 0, 0, -1, 1}, WL_BAD_GAIN},  {{256, -5, 0, -1, 1}, WL_BAD_GAIN},
        {{256, 1, 31, -1, 1}, WL_BAD_GAIN}, {{256, 1, -1, -1, 1}, WL_BAD_GAIN},
        {{256, 1, 0, 1, 1}, WL_BAD_RAILS},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(&fe, 0x5A, sizeof fe);
        CHECK_EQUAL("refused", cases[i].status, wl_frontend_init(&fe, &cases[i].input, &image, &beats));
        CHECK_EQUAL("untouched", 0x5A, ((const uint8_t *)&fe)[sizeof fe - 1]);
    }
}

/** Silence is the floor of every row, whatever its offset. */
static void silence(void)
{
    for (int32_t offset = -300000; offset <= 300000; offset += 100000) {
        start(256, 1, 0);
        for (int i = 0; i < N_SAMPLES; i++)
            push(offset);
        for (uint32_t column = 0; column < fe.n_columns; column++)
            for (int row = 0; row < WL_ROWS; row++)
                if (column + WL_IMAGE_COLUMNS - WL_COLUMN_LAG > fe.n_columns)
                    CHECK_EQUAL("floor", -128, image.code[column % WL_IMAGE_COLUMNS][row]);
    }
}

/** The levels of exact powers: 20 codes an octave of amplitude, ends included. */
static void levels(void)
{
    CHECK_EQUAL("nothing", -128, wl_level(0, 0));
    CHECK_EQUAL("1 uV", -128, wl_level((uint64_t)1 << 18, 18 * 4096));
    CHECK_EQUAL("2 uV", -108, wl_level((uint64_t)4 << 18, 18 * 4096));
    CHECK_EQUAL("1024 uV", 72, wl_level((uint64_t)1 << 38, 18 * 4096));
    CHECK_EQUAL("8192 uV", 127, wl_level((uint64_t)1 << 44, 18 * 4096));
    CHECK_EQUAL("largest", 127, wl_level(UINT64_MAX, 0));
    CHECK_EQUAL("smallest", -128, wl_level(1, 18 * 4096));
}

/** Every code once at least, in buffers without a byte to spare: a dot that looks elsewhere is seen. */
static void pictures(void)
{
    static int8_t codes[WL_PICTURE_COLUMNS * WL_ROWS], colours[256 * 3];
    static int8_t picture[WL_PICTURE_SIDE * WL_PICTURE_SIDE * 3];

    for (int32_t i = 0; i < WL_PICTURE_COLUMNS * WL_ROWS; i++)
        codes[i] = (int8_t)(i % 256 - 128);
    for (int32_t i = 0; i < 256 * 3; i++)
        colours[i] = (int8_t)(next_noise() >> 24);
    wl_paint(codes, colours, picture);
    for (int32_t y = 0; y < WL_PICTURE_SIDE; y++)
        for (int32_t x = 0; x < WL_PICTURE_SIDE; x++)
            for (int32_t c = 0; c < 3; c++) {
                int32_t code = codes[(2 * x + 1) * 80 / 128 * WL_ROWS + (2 * y + 1) * 32 / 128];

                CHECK_EQUAL("dot", colours[3 * (code + 128) + c], picture[3 * (y * WL_PICTURE_SIDE + x) + c]);
            }
}

int main(void)
{
    refusals();
    levels();
    silence();
    squares();
    random_rails();
    worst_of_each_row();
    pictures();
    return checks_done("limits");
}
