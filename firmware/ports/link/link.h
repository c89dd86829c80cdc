/* A device's end of docs/protocol.md, for any board that has what board.h asks for. */
#ifndef WL_LINK_H
#define WL_LINK_H

#include "wl_app.h"

enum link_ask {
    ASK_HELLO, ASK_STATUS, ASK_COLUMNS, ASK_TENSOR, ASK_LAYER, ASK_BENCH, ASK_STEP, ASK_LOGITS,
    ASK_INPUT, ASK_SAMPLES /* never asked: what an ANSWER to such a frame is about */
};

enum link_complaint { UNKNOWN_TYPE = 1, MALFORMED, UNKNOWN_ITEM, CONVERTER, NOT_NOW };

/* What a network can tell of itself; export.about writes the tables (wl_about.c). */
struct wl_constant {
    const char *name;
    int32_t row;            /* of the operator table */
    int32_t field;          /* 0 weight, 1 bias, 2 by_q31, 3 by_shift, 4 the numbers of the row itself */
    uint32_t n_bytes;
};

struct wl_layer {
    int32_t n_rows;         /* of the operator table: run so many and the layer is complete */
    struct wl_place out;
};

struct wl_known {
    const struct wl_constant *constants;
    const struct wl_layer *layers;
    const struct wl_place *inputs;
    int32_t n_constants, n_layers, n_inputs;
};

struct wl_about {
    const uint8_t *sha256;  /* the digest of the application: a bundle or a cascade */
    const struct wl_known *networks; /* as wl_app has them */
};

extern const struct wl_about wl_about;

/* line.c: bytes and frames. */
void line_begin(uint8_t session);
/** Another session, counted from 0. */
void line_begin_anew(void);
/** Bytes out, as many as the line takes; 0 where it took none. */
int line_pump(void);
/** A frame that came; 0: none yet. */
const struct wl_frame *line_heard(void);
/** Begin a frame; put what docs/protocol.md says behind it; then line_say. */
struct wl_frame *line_frame(enum wl_frame_type type);
void line_say(void);
/** Room for one frame more, without waiting. */
int line_has_room(void);
struct wl_frame *line_answer(enum link_ask ask, uint32_t item, uint32_t offset, uint32_t n_bytes);
void line_complain(enum link_complaint code, const struct wl_frame *about, const char *text);
void line_verdict(const struct wl_event *event);

/* wearer.c: samples in, columns and verdicts out. Where the tables in flash are refused, nothing comes out. */
void wearer_begin(void);
void wearer_push(const int32_t *counts, size_t n, uint8_t line);
extern uint8_t wearer_says_columns;
/** The arena that the stream's networks share: between two pushes it is nobody's. NULL: the flash is damaged. */
int8_t *wearer_arena(void);

/* bench.c: what a host may do with a device. */
void bench_begin(void);
/** 1: the device is the host's. */
int bench_is_taken(void);
/** A frame of a host that only the bench understands. */
void bench_take(const struct wl_frame *heard);
/** What is still to be said, where the line has room; 1: something was. */
int bench_go_on(void);

#endif
