/* A network over its vectors, as a job: every operator between two marks, every byte compared. */
#include <string.h>

#include "wl_model.h"

struct end {
    const int8_t *codes;
    int32_t offset, n_bytes;
};

#include "wl_windows.h" /* written by benchmarks.mcu.model: N_WINDOWS, ins, outs */

#ifndef WL_TIMES
#define WL_TIMES 1          /* each operator; where only a whole run is counted, a second time tells what one costs */
#endif
#define FNV_START 2166136261u
#define FNV_PRIME 16777619u

struct result {
    uint32_t status;
    uint32_t n_windows;
    uint32_t n_wrong;       /* output bytes that differ from the twin's */
    uint32_t hash;          /* FNV-1a over every output */
    uint32_t n_spare[4];
};

volatile struct result wl_result;

static int8_t arena[WL_MODEL_ARENA_BYTES] __attribute__((aligned(8)));

/* Whoever counts sees this address go by: from here on everything is charged to the region. */
__attribute__((noinline)) void wl_mark(uint32_t region);
__attribute__((noinline)) void wl_mark(uint32_t region)
{
    __asm volatile("" : : "r"(region));
}

static void compare(const struct end *end, int32_t window)
{
    const int8_t *expected = end->codes + window * end->n_bytes;

    for (int32_t i = 0; i < end->n_bytes; i++) {
        int8_t code = arena[end->offset + i];

        wl_result.n_wrong += code != expected[i];
        wl_result.hash = (wl_result.hash ^ (uint8_t)code) * FNV_PRIME;
    }
}

int main(void)
{
    int32_t at;

    wl_result.hash = FNV_START;
    wl_result.status = (uint32_t)wl_graph_check(&wl_model, &at);
    if (wl_result.status != WL_OK)
        return 1;
    for (int32_t window = 0; window < N_WINDOWS; window++) {
        for (size_t k = 0; k < sizeof ins / sizeof ins[0]; k++)
            memcpy(arena + ins[k].offset, ins[k].codes + window * ins[k].n_bytes, (size_t)ins[k].n_bytes);
        for (int32_t i = 0; i < wl_model.n_ops; i++) {
            wl_mark((uint32_t)i + 1);
            for (int32_t times = 0; times < WL_TIMES; times++)
                wl_graph_step(&wl_model, i, arena);
        }
        wl_mark(0);
        for (size_t k = 0; k < sizeof outs / sizeof outs[0]; k++)
            compare(&outs[k], window);
        wl_result.n_windows++;
    }
    return 0;
}
