/* Convolutions of random shapes, and at the ends of every range, against their definition: on each step of this machine. */
#include <stdlib.h>

#include "check.h"
#include "draw.h"
#include "kernels.h"

#define ROOM 24576          /* codes of the largest map, before and behind */
#define MOST_WEIGHTS 65536
#define MOST_CHANNELS 64
#define N_SHAPES 1200

static int8_t weights[MOST_WEIGHTS], shifts[MOST_CHANNELS], x[ROOM], defined[ROOM];
static int32_t biases[MOST_CHANNELS], q31[MOST_CHANNELS];

/** One sum as docs/integers.md defines it: what is padded is a real zero. */
static int32_t sum_at(const struct wl_op *op, int32_t oy, int32_t ox, int32_t c)
{
    int is_depthwise = op->kind == WL_OP_DEPTHWISE_CONV2D;
    int32_t n_deep = is_depthwise ? 1 : op->in_c, sum = op->bias[c];

    for (int32_t i = 0; i < op->kernel_h; i++)
        for (int32_t j = 0; j < op->kernel_w; j++)
            for (int32_t k = 0; k < n_deep; k++) {
                int32_t y = oy * op->stride_h - op->pad_top + i, at = ox * op->stride_w - op->pad_left + j;
                int32_t tap = i * op->kernel_w + j, of = is_depthwise ? c / (op->out_c / op->in_c) : k;
                int32_t w = is_depthwise ? op->weight[tap * op->out_c + c]
                                         : op->weight[(c * op->kernel_h * op->kernel_w + tap) * op->in_c + k];

                if (y >= 0 && y < op->in_h && at >= 0 && at < op->in_w)
                    sum += (x[(y * op->in_w + at) * op->in_c + of] - op->x_zero) * w;
            }
    return sum;
}

static void define(const struct wl_op *op)
{
    int8_t *out = defined;

    for (int32_t oy = 0; oy < op->out_h; oy++)
        for (int32_t ox = 0; ox < op->out_w; ox++)
            for (int32_t c = 0; c < op->out_c; c++) {
                int32_t v = wl_requant(sum_at(op, oy, ox, c), op->by_q31[c], op->by_shift[c]);

                *out++ = wl_activate(v, op->out_zero, op->low, op->high);
            }
}

/** Run an operator in an arena of its very size, so that the sanitizer sees any step outside it. */
static void run(const char *what, struct wl_op op)
{
    int32_t n_in = op.in_h * op.in_w * op.in_c, n_out = op.out_h * op.out_w * op.out_c, at;
    struct wl_graph graph = {&op, 1, n_in + n_out};
    int8_t *arena = malloc((size_t)graph.arena_bytes);

    if (!arena)
        exit(1);
    op.x = n_out, op.out = 0;
    CHECK_EQUAL(what, WL_OK, wl_graph_check(&graph, &at));
    memcpy(arena + op.x, x, (size_t)n_in);
    memset(arena, 0x5a, (size_t)n_out);
    wl_graph_run(&graph, arena);
    CHECK_EQUAL(what, 0, memcmp(arena, defined, (size_t)n_out));
    CHECK_EQUAL("the input stays", 0, memcmp(arena + op.x, x, (size_t)n_in));
    free(arena);
}

/** On every step that this machine has; returns 1 where one of them is not for any x86-64. */
static int compare(const char *what, struct wl_op op)
{
    int is_met = 0;

    define(&op);
#ifdef WL_X86
    enum wl_x86 found = wl_x86;

    is_met = op.kind == WL_OP_CONV2D ? wl_conv2d_fits_avx2(&op) : wl_depthwise_fits_avx2(&op);
    for (int level = WL_X86_ANY; level <= (int)found; level++) {
        wl_x86 = (enum wl_x86)level;
        run(what, op);
    }
    wl_x86 = found;
#else
    run(what, op);
#endif
    return is_met;
}

/** How many windows there are at most, the last one touching the map. */
static int16_t outputs(int32_t in, int32_t pad, int32_t stride)
{
    return (int16_t)draw(1, (in + pad - 1) / stride + 1);
}

static struct wl_op random_op(int kind)
{
    struct wl_op op = {weights, biases, q31, shifts, 0, 0, 0, draw(1, 9), draw(1, 9), draw(1, 40), 1, 1,
                       draw(1, 40), (int16_t)draw(1, 5), (int16_t)draw(1, 5), (int16_t)draw(1, 3),
                       (int16_t)draw(1, 3), 0, 0, (int16_t)draw(-128, 127), 0, (int16_t)draw(-128, 127),
                       (int16_t)draw(-128, 0), (int16_t)draw(1, 127), (uint8_t)kind};

    op.pad_top = (int16_t)draw(0, op.kernel_h - 1), op.pad_left = (int16_t)draw(0, op.kernel_w - 1);
    op.out_h = outputs(op.in_h, op.pad_top, op.stride_h), op.out_w = outputs(op.in_w, op.pad_left, op.stride_w);
    if (kind == WL_OP_DEPTHWISE_CONV2D)
        op.out_c = draw(0, 3) ? op.in_c : op.in_c + op.in_c * (op.in_c <= MOST_CHANNELS / 2);
    return op;
}

enum numbers { ANYWHERE, AT_ENDS, SMALL, KINDS };

static int8_t code_of(enum numbers numbers)
{
    return (int8_t)(numbers == AT_ENDS ? -128 + 255 * draw(0, 1) : draw(-128, 127));
}

/** Weights, codes and what follows the sums; |sum| < 2^30 beside any of these biases. Small sums are shifted little. */
static void random_numbers(enum numbers numbers)
{
    int32_t most = numbers == SMALL ? 99 : 1 << 24;

    for (int i = 0; i < MOST_WEIGHTS; i++)
        weights[i] = numbers == SMALL ? (int8_t)(draw(0, 63) ? 0 : draw(-1, 1)) : code_of(numbers);
    for (int i = 0; i < ROOM; i++)
        x[i] = code_of(numbers);
    for (int c = 0; c < MOST_CHANNELS; c++) {
        biases[c] = draw(-most, most);
        q31[c] = draw(0, 9) ? draw(1 << 30, INT32_MAX) : 0;
        shifts[c] = (int8_t)(numbers == SMALL ? draw(-2, 2) : draw(0, 3) ? draw(-16, -8) : draw(-31, 4));
    }
}

static void random_shapes(int kind)
{
    int n_met = 0;

    for (int i = 0; i < N_SHAPES; i++) {
        if (i % 50 == 0)
            random_numbers((enum numbers)(i / 50 % KINDS));
        n_met += compare(kind == WL_OP_CONV2D ? "conv2d" : "depthwise", random_op(kind));
    }
#ifdef WL_X86
    CHECK_EQUAL("shapes for AVX2 came by", wl_x86 != WL_X86_ANY, n_met > N_SHAPES / 4);
#endif
}

/** Every product as large as it can be, both ways: sums of pairs must not be cut to 16 bits. */
static void rails(void)
{
    static const int ends[] = {-128, 127};

    random_numbers(ANYWHERE);
    for (int i = 0; i < 8; i++) {
        struct wl_op op = {weights, biases, q31, shifts, 0, 0, 0, 7, 6, 33, 7, 6, 33, 3, 3, 1, 1, 1, 1, 0, 0, 5,
                           -128, 127, WL_OP_CONV2D};

        memset(weights, ends[i & 1], sizeof weights);
        memset(x, ends[i >> 1 & 1], sizeof x);
        op.x_zero = (int16_t)ends[i >> 2 & 1];
        compare("rails, conv2d", op);
        op.kind = WL_OP_DEPTHWISE_CONV2D;
        compare("rails, depthwise", op);
    }
}

/** Shapes on both sides of what is laid out on the stack: a window of one code more, a map of one row more. */
static void room(void)
{
    struct wl_op deep = {weights, biases, q31, shifts, 0, 0, 0, 3, 1, 1024, 1, 1, 16, 3, 1, 1, 1, 0, 0, -7, 0, 3,
                         -128, 127, WL_OP_CONV2D};
    struct wl_op wide = {weights, biases, q31, shifts, 0, 0, 0, 20, 32, 32, 20, 32, 32, 3, 3, 1, 1, 1, 1, 9, 0, 3,
                         -128, 127, WL_OP_CONV2D};
    int is_x86 = 0;

#ifdef WL_X86
    is_x86 = wl_x86 != WL_X86_ANY;
#endif
    random_numbers(AT_ENDS);
    for (int more = 0; more < 2; more++, deep.in_c++, wide.in_h++, wide.out_h++) {
        CHECK_EQUAL("a deep window", is_x86 && !more, compare("a deep window", deep));
        wide.kind = WL_OP_CONV2D;
        CHECK_EQUAL("a wide map", is_x86 && !more, compare("a wide map", wide));
        wide.kind = WL_OP_DEPTHWISE_CONV2D;
        CHECK_EQUAL("a wide map", is_x86 && !more, compare("a wide map", wide));
    }
}

int main(void)
{
    random_shapes(WL_OP_CONV2D);
    random_shapes(WL_OP_DEPTHWISE_CONV2D);
    rails();
    room();
#ifdef WL_X86
    if (wl_x86 != WL_X86_VNNI)
        printf("kernels: skipped %s: this machine has none\n", wl_x86 ? "VNNI" : "AVX2 and VNNI");
#endif
    return checks_done("kernels");
}
