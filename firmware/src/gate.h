/* Whether a beat lies on signal that is good enough. Private. */
#ifndef WL_GATE_H
#define WL_GATE_H

#include "judge.h"

/** Columns of the second around a peak: from..to - 1. */
struct wl_stretch {
    uint32_t from, to;
};

struct wl_stretch wl_columns_of(uint32_t first_sample, uint32_t n_samples);

/** Start without an answer. */
void wl_gate_init(struct wl_stream *s);

/** A window of the first network is judged. */
void wl_gate_hear(struct wl_stream *s, int usable);

/** 1 when the windows that a beat in these columns waits for are judged. */
int wl_gate_knows(const struct wl_stream *s, struct wl_stretch beat);

/** Whether a beat in these columns may be judged: by the windows that are. */
enum wl_answer wl_gate_answer(struct wl_stream *s, struct wl_stretch beat);

#endif
