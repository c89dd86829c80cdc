/* Dense layers: every output sees every input. */
#include "kernels.h"
#include "wl_requant.h"

/** Two outputs at a time; the last two of an odd number overlap the two before, a single one is its own neighbour. */
void wl_dense(const struct wl_op *op, int8_t *arena)
{
    int32_t n = op->in_c, next = op->out_c > 1, last = op->out_c - 1 - next, c = 0;
    int8_t *out = arena + op->out;
    struct wl_scaling scaling = wl_scaling_of(op);

    for (;; c = c + 2 < last ? c + 2 : last) {
        const int8_t *weight = op->weight + c * n;
        struct wl_pair sum = {op->bias[c], op->bias[c + next]};

        sum = wl_dot(arena + op->x, weight, weight + next * n, n, op->x_zero, sum);
        out[c] = wl_code_of(&scaling, c, sum.a);
        out[c + next] = wl_code_of(&scaling, c + next, sum.b);
        if (c >= last)
            break;
    }
}
