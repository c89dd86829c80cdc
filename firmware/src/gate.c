/* Whether a beat lies on signal that is good enough: what the first network says of the windows around it. */
#include "gate.h"

#define COLUMNS 80          /* of a window */

void wl_gate_init(struct wl_stream *s)
{
    s->gate_before = WL_NOT_SURE;
    s->is_usable = 0;
}

void wl_gate_hear(struct wl_stream *s, int usable)
{
    const struct wl_gate *gate = s->app->gate;
    uint32_t slot = (s->judge[0].n_windows - 1) % WL_SAID, bit = (uint32_t)1 << slot;

    if (!gate)
        return;
    s->is_usable &= ~bit;
    if (usable) {
        s->is_usable |= bit;
        s->said[slot] = s->arena[s->app->networks[0].questions[gate->question].at];
    }
}

/** The first windows that contain all columns of a beat, at most as many as the gate asks for. */
static struct wl_stretch windows_around(const struct wl_stream *s, struct wl_stretch beat)
{
    uint32_t hop = (uint32_t)s->app->networks[0].hop, most = (uint32_t)s->app->gate->n_windows;
    /* Window w holds columns hop w to hop w + 79; a hop is at most 64, a beat 17: one holds it all. */
    struct wl_stretch windows = {beat.to > COLUMNS ? (beat.to - COLUMNS + hop - 1) / hop : 0, beat.from / hop + 1};

    if (windows.to > windows.from + most)
        windows.to = windows.from + most;
    return windows;
}

int wl_gate_knows(const struct wl_stream *s, struct wl_stretch beat)
{
    return windows_around(s, beat).to <= s->judge[0].n_windows;
}

enum wl_answer wl_gate_answer(struct wl_stream *s, struct wl_stretch beat)
{
    const struct wl_gate *gate = s->app->gate;
    struct wl_stretch windows = windows_around(s, beat);
    int32_t sum = 0, n = 0, margin_q8;

    /* The last of them was judged less than 16 windows ago: WL_SAID holds them all. */
    for (uint32_t w = windows.from; w < windows.to && w < s->judge[0].n_windows; w++)
        if (s->is_usable >> w % WL_SAID & 1) {
            sum += s->said[w % WL_SAID];
            n++;
        }
    if (n == 0) {
        s->gate_before = WL_NOT_SURE;
        return WL_NO;
    }
    s->gate_before = (uint8_t)wl_answer_of(gate->accept_q8, gate->reject_q8, gate->hold_q8, wl_mean_q8(sum, n),
                                           (enum wl_answer)s->gate_before, &margin_q8);
    return (enum wl_answer)s->gate_before;
}
