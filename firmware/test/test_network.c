/* Every network given on the command line, window by window; then tables that must be refused. */
#include <string.h>

#include "check.h"
#include "draw.h"
#include "vector.h"
#include "wl.h"
#include "wl_requant.h"

#define MAGIC 0x314E4C57
#define HEAD 7
#define OP_WORDS 25
#define MAX_OPS 32

static struct wl_op ops[MAX_OPS];

static const void *array_at(const int32_t *words, int32_t at)
{
    return at ? words + at : 0;
}

static void read_op(struct wl_op *op, const int32_t *words, const int32_t *record)
{
    op->kind = (uint8_t)record[0];
    op->x = record[1], op->y = record[2], op->out = record[3];
    op->in_h = record[4], op->in_w = record[5], op->in_c = record[6];
    op->out_h = record[7], op->out_w = record[8], op->out_c = record[9];
    op->kernel_h = (int16_t)record[10], op->kernel_w = (int16_t)record[11];
    op->stride_h = (int16_t)record[12], op->stride_w = (int16_t)record[13];
    op->pad_top = (int16_t)record[14], op->pad_left = (int16_t)record[15];
    op->x_zero = (int16_t)record[16], op->y_zero = (int16_t)record[17], op->out_zero = (int16_t)record[18];
    op->low = (int16_t)record[19], op->high = (int16_t)record[20];
    op->weight = array_at(words, record[21]);
    op->bias = array_at(words, record[22]);
    op->by_q31 = array_at(words, record[23]);
    op->by_shift = array_at(words, record[24]);
}

/** The arena is allocated to the byte, so that the sanitizer sees any step outside it. */
static void run(const char *path, const int32_t *words)
{
    struct wl_graph graph = {ops, words[1], words[2]};
    const int32_t *places = words + HEAD + OP_WORDS * words[1];
    const int8_t *window = (const int8_t *)(words + words[6]);
    int8_t *arena = malloc((size_t)words[2]);
    int32_t at;

    if (!arena || words[1] > MAX_OPS)
        exit(1);
    for (int32_t i = 0; i < words[1]; i++)
        read_op(&ops[i], words, words + HEAD + OP_WORDS * i);
    CHECK_EQUAL(path, WL_OK, wl_graph_check(&graph, &at));

    for (int32_t w = 0; w < words[3]; w++) {
        for (int32_t end = 0; end < words[4] + words[5]; end++) {
            int32_t offset = places[2 * end], n = places[2 * end + 1];

            if (end == words[4])
                wl_graph_run(&graph, arena);
            if (end < words[4])
                memcpy(arena + offset, window, (size_t)n);
            else
                CHECK_EQUAL(path, 0, memcmp(arena + offset, window, (size_t)n));
            window += (n + 3) / 4 * 4;
        }
    }
    free(arena);
}

static const int8_t weight[9 * 4];
static const int32_t bias[4], by_q31[4];
static const int8_t by_shift[4];

/** A 3x3 convolution of a 6x6 map that passes, for the refusals to spoil. */
static struct wl_op sound_op(void)
{
    struct wl_op op = {weight, bias, by_q31, by_shift, 0, 0, 36, 6, 6, 1, 6, 6, 4, 3, 3, 1, 1, 1, 1,
                       0, 0, 0, -128, 127, WL_OP_CONV2D};

    return op;
}

static void refuse(const char *what, enum wl_status expected, struct wl_op op)
{
    struct wl_graph graph = {&op, 1, 36 + 144};
    int32_t at;

    CHECK_EQUAL(what, expected, wl_graph_check(&graph, &at));
}

#define REFUSE(status, change) \
    do { \
        struct wl_op op = sound_op(); \
        change; \
        refuse(#change, status, op); \
    } while (0)

static void refusals(void)
{
    static const int32_t huge_bias[4] = {0, 0, INT32_MIN, 0}, negative[4] = {0, -1, 0, 0};
    static const int8_t far[4] = {0, 0, 0, -32};
    struct wl_graph empty = {ops, 0, 0}, absent = {0, 1, 36 + 144};
    int32_t at;

    REFUSE(WL_OK, (void)op);
    REFUSE(WL_BAD_OPERATOR, op.kind = WL_OP_KINDS);
    REFUSE(WL_BAD_OPERATOR, op.kind = 255);
    REFUSE(WL_BAD_SHAPE, op.in_h = 0);
    REFUSE(WL_BAD_SHAPE, op.out_c = -4);
    REFUSE(WL_BAD_SHAPE, op.in_c = INT32_MAX);
    REFUSE(WL_BAD_SHAPE, op.out_h = 8);         /* the last window would see nothing */
    REFUSE(WL_BAD_SHAPE, op.stride_w = 0);
    REFUSE(WL_BAD_SHAPE, op.stride_h = -1);
    REFUSE(WL_BAD_SHAPE, op.kernel_w = 0);
    REFUSE(WL_BAD_SHAPE, op.pad_top = 3);
    REFUSE(WL_BAD_SHAPE, op.pad_left = -1);
    REFUSE(WL_BAD_SHAPE, (op.in_c = 4096, op.in_h = op.in_w = 1, op.out_h = op.out_w = 1));
    REFUSE(WL_BAD_ARENA, op.x = -1);
    REFUSE(WL_BAD_ARENA, op.x = INT32_MAX);
    REFUSE(WL_BAD_ARENA, op.out = 37);
    REFUSE(WL_BAD_ARENA, (op.out = 0, op.x = 0));   /* a convolution needs its input to the end */
    REFUSE(WL_BAD_ARENA, (op.out = 0, op.x = 143));
    REFUSE(WL_OK, (op.out = 0, op.x = 144));
    REFUSE(WL_OK, (op.kind = WL_OP_ADD, op.out_c = 1, op.y = 0, op.out = 0));
    REFUSE(WL_BAD_ARENA, (op.kind = WL_OP_ADD, op.out_c = 1, op.y = 0, op.out = 1));
    REFUSE(WL_BAD_ARENA, (op.kind = WL_OP_ADD, op.out_c = 1, op.y = 145));
    REFUSE(WL_BAD_SHAPE, op.kind = WL_OP_ADD);
    REFUSE(WL_BAD_SHAPE, op.kind = WL_OP_DENSE);
    REFUSE(WL_BAD_SHAPE, op.kind = WL_OP_MAX_POOL);
    REFUSE(WL_BAD_SHAPE, (op.kind = WL_OP_DEPTHWISE_CONV2D, op.in_c = 3));
    REFUSE(WL_BAD_SHAPE, (op.kind = WL_OP_PAD, op.out_c = 1));
    REFUSE(WL_BAD_SHAPE, (op.kind = WL_OP_COPY, op.in_c = 25));
    REFUSE(WL_BAD_SHAPE, (op.kind = WL_OP_SOFTMAX, op.in_c = op.out_c = 257));
    REFUSE(WL_BAD_CONSTANT, op.weight = 0);
    REFUSE(WL_BAD_CONSTANT, op.bias = 0);
    REFUSE(WL_BAD_CONSTANT, op.by_q31 = 0);
    REFUSE(WL_BAD_CONSTANT, op.by_shift = 0);
    REFUSE(WL_BAD_CONSTANT, op.bias = huge_bias);
    REFUSE(WL_BAD_CONSTANT, op.by_q31 = negative);
    REFUSE(WL_BAD_CONSTANT, op.by_shift = far);
    REFUSE(WL_BAD_CONSTANT, op.x_zero = 128);
    REFUSE(WL_BAD_CONSTANT, op.low = -129);
    REFUSE(WL_BAD_CONSTANT, (op.low = 3, op.high = 2));
    CHECK_EQUAL("no operator", WL_BAD_OPERATOR, wl_graph_check(&empty, &at));
    CHECK_EQUAL("no table", WL_BAD_OPERATOR, wl_graph_check(&absent, &at));
    CHECK_EQUAL("no table", 0, at);
}

/** Extremes of the requantisation: nothing may overflow, whatever the table says. */
static void requant_extremes(void)
{
    static const int32_t values[] = {INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX};
    static const int32_t multipliers[] = {0, 1, 1 << 30, INT32_MAX};

    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
        for (size_t m = 0; m < sizeof multipliers / sizeof multipliers[0]; m++)
            for (int shift = -31; shift <= 30; shift++) {
                int8_t code = wl_activate(wl_requant(values[v], multipliers[m], shift), 127, -128, 127);

                if (multipliers[m] == 0 || values[v] == 0)
                    CHECK_EQUAL("nothing", 127, code);
            }
    CHECK_EQUAL("half away from zero", -2, wl_requant(-6, 1 << 30, -1));
    CHECK_EQUAL("half away from zero", 2, wl_requant(6, 1 << 30, -1));
    CHECK_EQUAL("rounded twice", 1, wl_requant(1, 1 << 30, -1));
    CHECK_EQUAL("raised first", 96, wl_requant(6, 1 << 30, 5));
}

#define LENGTH 6            /* of any dimension; a few are one too long or too short */
#define KERNEL 4
#define N_WEIGHTS ((LENGTH + 1) * (LENGTH + 1) * (KERNEL + 1) * (KERNEL + 1))

static struct wl_op random_op(const int8_t *weights, const int32_t *biases, const int32_t *q31, const int8_t *shifts)
{
    struct wl_op op = {weights, biases, q31, shifts, draw(-1, 99), draw(-1, 99), draw(-1, 99),
                       draw(0, LENGTH), draw(0, LENGTH), draw(0, LENGTH),
                       draw(0, LENGTH), draw(0, LENGTH), draw(0, LENGTH), 0, 0, 0, 0, 0, 0,
                       (int16_t)draw(-128, 127), (int16_t)draw(-128, 127), (int16_t)draw(-128, 127),
                       (int16_t)draw(-129, 0), (int16_t)draw(0, 127), (uint8_t)draw(0, WL_OP_KINDS)};

    op.kernel_h = (int16_t)draw(0, KERNEL), op.kernel_w = (int16_t)draw(0, KERNEL);
    op.stride_h = (int16_t)draw(0, 3), op.stride_w = (int16_t)draw(0, 3);
    op.pad_top = (int16_t)draw(-1, 3), op.pad_left = (int16_t)draw(-1, 3);
    if (draw(0, 1)) /* half of them have a chance with the kinds that keep a shape */
        op.out_h = op.in_h, op.out_w = op.in_w, op.out_c = op.in_c;
    return op;
}

/** Random tables: whatever the check lets through must run without a complaint of the sanitizers. */
static void random_tables(void)
{
    static int8_t weights[N_WEIGHTS], shifts[256];
    static int32_t biases[256], q31[256];
    int n_run[WL_OP_KINDS] = {0};
    const int32_t arena_bytes = 300;
    int8_t *arena = malloc((size_t)arena_bytes);

    if (!arena)
        exit(1);
    for (int i = 0; i < N_WEIGHTS; i++)
        weights[i] = (int8_t)draw(-128, 127);
    for (int i = 0; i < 256; i++) {
        biases[i] = draw(1, 1 << 23);
        q31[i] = draw(1 << 30, INT32_MAX);
        shifts[i] = (int8_t)draw(-31, 30);
    }
    memset(arena, 0x5a, (size_t)arena_bytes);
    for (int i = 0; i < 400000; i++) {
        struct wl_op op = random_op(weights, biases, q31, shifts);
        struct wl_graph graph = {&op, 1, arena_bytes};
        int32_t at;

        if (wl_graph_check(&graph, &at) == WL_OK) {
            wl_graph_run(&graph, arena);
            n_run[op.kind]++;
        }
    }
    for (int kind = 0; kind < WL_OP_KINDS; kind++)
        CHECK_EQUAL("every kind was let through", 1, n_run[kind] > 20);
    free(arena);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s VECTOR.bin ...\n", argv[0]);
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        int32_t *words = read_words(argv[i], MAGIC);

        run(argv[i], words);
        free(words);
    }
    refusals();
    requant_extremes();
    random_tables();
    return checks_done("network");
}
