/* What codes mean: means, questions, rules, and the gate that is one more question. Private. */
#ifndef WL_JUDGE_H
#define WL_JUDGE_H

#include "wl.h"

enum wl_answer { WL_NO = 0, WL_NOT_SURE, WL_YES };

/** Mean of n codes (1 or more) in Q8, half up. */
int32_t wl_mean_q8(int32_t sum, int32_t n);

/**
 * The answer to a question
 * accept, reject, hold  Q8: yes from accept on, no up to reject; the answer before is given up late
 * margin_q8           Out: how far the mean is from its threshold; negative where it is not sure
 */
enum wl_answer wl_answer_of(int32_t accept_q8, int32_t reject_q8, int32_t hold_q8, int32_t mean_q8,
                            enum wl_answer before, int32_t *margin_q8);

/** Bytes a judge remembers in. */
int32_t wl_judge_bytes(const struct wl_network *network);

/** Forget every window; memory has wl_judge_bytes. */
void wl_judge_init(struct wl_judge *judge, const struct wl_network *network, int8_t *memory);

/** 1 when a window with so many flagged columns may be judged. */
int wl_judge_may(const struct wl_network *network, const uint8_t *flag_columns);

/**
 * The next window of a network
 * by                  WL_BY_NETWORK: its codes lie in the arena; else it was not asked, and why
 * unsure              With WL_BY_GATE: 1 where the gate does not know either
 * event               Out: all but t0, network and flags
 */
void wl_judge_window(struct wl_judge *judge, const struct wl_network *network, const int8_t *arena,
                     enum wl_by by, int unsure, struct wl_event *event);

#endif
