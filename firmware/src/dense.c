/* Dense layers: every output sees every input. */
#include "kernels.h"
#include "wl_requant.h"

void wl_dense(const struct wl_op *op, int8_t *arena)
{
    const int8_t *x = arena + op->x, *weight = op->weight;
    int8_t *out = arena + op->out;

    for (int32_t c = 0; c < op->out_c; c++) {
        int32_t sum = op->bias[c] + wl_dot(x, weight, op->in_c, op->x_zero);

        sum = wl_requant(sum, op->by_q31[c], op->by_shift[c]);
        out[c] = wl_activate(sum, op->out_zero, op->low, op->high);
        weight += op->in_c;
    }
}
