/* A network's codes become an event: a mean, thresholds, hysteresis, a calibrated score. */
#include "judge.h"

#include <string.h>

#define CODE_BIAS 128       /* entry code + 128 of a score table */

int32_t wl_mean_q8(int32_t sum, int32_t n)
{
    /* |sum| <= 128 * 64 windows: 2^22 with nine more bits. C divides towards zero; the mean rounds half up. */
    int32_t twice = sum * 512 + n, by = 2 * n, mean = twice / by;

    return twice % by < 0 ? mean - 1 : mean;
}

enum wl_answer wl_answer_of(int32_t accept_q8, int32_t reject_q8, int32_t hold_q8, int32_t mean_q8,
                            enum wl_answer before, int32_t *margin_q8)
{
    int32_t over = mean_q8 - (accept_q8 - (before == WL_YES ? hold_q8 : 0));
    int32_t under = reject_q8 + (before == WL_NO ? hold_q8 : 0) - mean_q8;

    if (over >= 0 && !(before == WL_NO && under >= 0)) {
        *margin_q8 = over;
        return WL_YES;
    }
    if (under >= 0) {
        *margin_q8 = under;
        return WL_NO;
    }
    *margin_q8 = over > under ? over : under;
    return WL_NOT_SURE;
}

/** Windows before this one that a mean may reach back to. */
static int32_t n_past(const struct wl_network *network)
{
    return (network->mean_windows - 1) * network->mean_hops;
}

int32_t wl_judge_bytes(const struct wl_network *network)
{
    return network->n_questions + n_past(network) * (1 + network->n_questions);
}

void wl_judge_init(struct wl_judge *judge, const struct wl_network *network, int8_t *memory)
{
    memset(memory, 0, (size_t)wl_judge_bytes(network));
    memset(memory, WL_NOT_SURE, (size_t)network->n_questions);
    judge->n_windows = 0;
    judge->before = memory;
    judge->past = memory + network->n_questions;
}

int wl_judge_may(const struct wl_network *network, const uint8_t *flag_columns)
{
    for (int32_t i = 0; i < WL_FLAGS; i++)
        if (flag_columns[i] > network->flag_limits[i])
            return 0;

    return 1;
}

/** What is remembered of the window that lies some windows back: usable, then a code for each question. */
static int8_t *remembered(const struct wl_judge *judge, const struct wl_network *network, int32_t back)
{
    uint32_t slot = (judge->n_windows - (uint32_t)back) % (uint32_t)n_past(network);

    return judge->past + slot * (uint32_t)(1 + network->n_questions);
}

/** Mean of this window's code and of the usable ones it is averaged with. */
static int32_t mean_of(const struct wl_judge *judge, const struct wl_network *network, int32_t question,
                       int8_t code)
{
    int32_t sum = code, n = 1;

    for (int32_t k = 1; k < network->mean_windows; k++) {
        int32_t back = k * network->mean_hops;
        const int8_t *window = remembered(judge, network, back);

        if ((uint32_t)back <= judge->n_windows && window[0]) {
            sum += window[1 + question];
            n++;
        }
    }
    return wl_mean_q8(sum, n);
}

static void remember(struct wl_judge *judge, const struct wl_network *network, const int8_t *arena, int usable)
{
    int8_t *window;

    if (n_past(network) > 0) {
        window = remembered(judge, network, 0);
        window[0] = (int8_t)usable;
        for (int32_t k = 0; usable && k < network->n_questions; k++)
            window[1 + k] = arena[network->questions[k].at];
    }
    judge->n_windows++;
}

/** Every question: the first yes names the event, else whoever is not sure, else all said no. */
static void ask(struct wl_judge *judge, const struct wl_network *network, const int8_t *arena,
                struct wl_event *event)
{
    int32_t least_q8 = INT32_MAX, is_unsure = 0, is_named = 0;

    for (int32_t k = 0; k < network->n_questions; k++) {
        const struct wl_question *one = &network->questions[k];
        int32_t mean_q8 = mean_of(judge, network, k, arena[one->at]), margin_q8;
        int32_t score_q15 = one->score_q15[((mean_q8 + 128) >> 8) + CODE_BIAS];
        enum wl_answer said = wl_answer_of(one->accept_q8, one->reject_q8, one->hold_q8, mean_q8,
                                           (enum wl_answer)judge->before[k], &margin_q8);

        judge->before[k] = (int8_t)said;
        if (score_q15 > event->score_q15)
            event->score_q15 = score_q15;
        if (said == WL_YES && !is_named) {
            is_named = 1;
            event->label = (uint8_t)(k + 1);
            event->margin_q8 = margin_q8;
        }
        is_unsure |= said == WL_NOT_SURE;
        if (margin_q8 < least_q8)
            least_q8 = margin_q8;
    }
    if (!is_named) {
        event->label = is_unsure ? WL_UNDECIDED : 0;
        event->margin_q8 = least_q8;
    }
}

/** Every output, one after the other: what a VERDICT frame shows of a network. */
static void copy_logits(const struct wl_network *network, const int8_t *arena, struct wl_event *event)
{
    for (int32_t k = 0; k < network->n_outputs; k++) {
        const struct wl_place *output = &network->outputs[k];

        memcpy(event->logits + event->n_logits, arena + output->at, (size_t)output->n_bytes);
        event->n_logits = (uint8_t)(event->n_logits + output->n_bytes);
    }
}

void wl_judge_window(struct wl_judge *judge, const struct wl_network *network, const int8_t *arena,
                     enum wl_by by, int unsure, struct wl_event *event)
{
    memset(event, 0, sizeof *event);
    event->window = judge->n_windows;
    event->by = (uint8_t)by;
    event->score_q15 = -1;
    if (by == WL_BY_NETWORK) {
        ask(judge, network, arena, event);
        copy_logits(network, arena, event);
    } else {
        memset(judge->before, WL_NOT_SURE, (size_t)network->n_questions);
        event->label = unsure ? WL_UNDECIDED : WL_UNUSABLE;
        if (by == WL_BY_RULE)
            event->score_q15 = network->unusable_score_q15;
    }
    remember(judge, network, arena, by == WL_BY_NETWORK);
}
