/**
 * wristlead core: from raw ECG samples to verdicts, in integers.
 *
 * It does: gain to microvolts, resampling to 256 Hz, a DC blocker, four half-band
 * decimators, 30 Morlet wavelets pooled into columns of 16 samples (62.5 ms), a row
 * for wander (LF) and one for muscle noise (HF), logarithm to int8, flags for every
 * column, a 128 Hz stream (0.4-30 Hz) for beats, networks, what their codes mean, and
 * frames for a serial line.
 * It does not: allocate, read a clock, touch a peripheral, use floating point, or
 * call anything but memcpy, memmove and memset.
 *
 * All memory is the caller's and its size is known when compiling; `wristlead export`
 * writes the constant table of an application, one network or a cascade of two:
 *
 *     static struct wl_stream stream;
 *     static int8_t memory[WL_APP_MEMORY_BYTES];
 *     const struct wl_input input = {250, 5, 0, -32768, 32767};   // 5 uV a count
 *
 *     if (wl_stream_init(&stream, &wl_app, &input, memory) != WL_OK) ...
 *     taken = wl_stream_push(&stream, counts, n, 0, events, room, &n_events);
 *
 * The signal path stands alone where no network is wanted:
 *
 *     static struct wl_frontend fe;
 *     static struct wl_image image;
 *     static struct wl_beat_ring beats;
 *
 *     if (wl_frontend_init(&fe, &input, &image, &beats) != WL_OK) ...
 *     n_new = wl_frontend_push(&fe, counts, n, 0);   // any n; columns done by it
 *
 * Column j is centred on input sample 16 j of the 256 Hz stream and lies in
 * image.code[j % WL_IMAGE_COLUMNS] once fe.n_columns > j: 627 samples (2.45 s) after
 * its centre, when the slowest wavelet has seen enough. Its upper rows are there
 * earlier. Beat sample k is centred on 256 Hz sample 2 k and lies in
 * beats.x_uv[k % WL_BEAT_SAMPLES] once fe.n_beats > k. The resampler delays both by
 * half its taps (wl_frontend_delay_us).
 *
 * Counts are of 32 bits: a signal path or a stream runs for 194 days (2^32 samples of
 * 256 Hz, and the detector as long). Before that, start it anew.
 */
#ifndef WL_H
#define WL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WL_RATE_OUT_HZ 256
#define WL_HOP 16           /* samples of the 256 Hz stream a column */
#define WL_OCTAVES 5
#define WL_VOICES 6
#define WL_ROWS 32          /* 30 wavelets from 61.44 Hz downwards, then LF and HF */
#define WL_ROW_LF 30
#define WL_ROW_HF 31
#define WL_IMAGE_COLUMNS 128 /* a window of 80, the 39 still growing, and some slack */
/* Of the 128 Hz stream, 8 s: a beat waits for what is said of its signal. Without a gate 4 s do. */
#ifndef WL_BEAT_SAMPLES
#define WL_BEAT_SAMPLES 1024
#endif
/* A beat may begin before the first sample: its index, modulo 2^32, must meet the ring. */
typedef char wl_beat_samples_is_a_power_of_two[(WL_BEAT_SAMPLES & (WL_BEAT_SAMPLES - 1)) == 0 ? 1 : -1];
#define WL_COLUMN_LAG 39    /* columns between a column's centre and its completion */
#define WL_LIMIT_UV 500000  /* +-300 mV of electrode offset, and room */
#define WL_STREAM_LIMIT_Q2 32764 /* +-8191 uV behind the blocker */

enum wl_status {
    WL_OK = 0,
    WL_BAD_RATE,            /* rate_hz is none of those the resampler has a table for */
    WL_BAD_GAIN,            /* gain_mul is not positive, or gain_shift is above 30 */
    WL_BAD_RAILS,           /* rail_low is not below rail_high */
    WL_BAD_OPERATOR,        /* a kind the executor does not know, or no operator at all */
    WL_BAD_SHAPE,           /* dimensions that do not fit each other, or past the limits of graph.c */
    WL_BAD_ARENA,           /* an operator would read or write outside the arena */
    WL_BAD_CONSTANT,        /* weights, bias, multipliers, zero points or limits out of range */
    WL_BAD_APP              /* a table of an application contradicts itself, or asks for more than there is */
};

/* One bit each; a column carries all that happened in its 16 samples. */
enum wl_flag {
    WL_RAIL = 1,            /* the converter stood at a rail (or the resampler still sees it) */
    WL_FLAT = 2,            /* part of 7 columns (437 ms) or more without change */
    WL_LEAD_OFF = 4,        /* the caller said so */
    WL_WARM_UP = 8,         /* the slowest wavelet still sees the time before the first sample */
    WL_CLIP = 16,           /* more than +-8.19 mV behind the blocker */
    WL_GAP = 32             /* the caller filled in for lost samples */
};
#define WL_FLAGS 6

/* What the converter delivers: uV = (count * gain_mul) >> gain_shift, rounded. */
struct wl_input {
    int32_t rate_hz;        /* 125 128 200 250 256 300 360 400 500 512 1000 */
    int32_t gain_mul;       /* > 0 */
    int32_t gain_shift;     /* 0..30 */
    int32_t rail_low;       /* counts at or below: railed */
    int32_t rail_high;      /* counts at or above: railed */
};

struct wl_image {
    int8_t code[WL_IMAGE_COLUMNS][WL_ROWS]; /* 20 log2(uV) - 128: 1 uV to 6.9 mV */
    uint8_t flags[WL_IMAGE_COLUMNS];
};

struct wl_beat_ring {
    int16_t x_uv[WL_BEAT_SAMPLES];
};

/* How one rate becomes 256 Hz; the tables are generated (firmware/tables). */
struct wl_resample_design {
    int32_t rate_hz;
    int16_t up, down, n_taps;
    const int16_t *phases_q15; /* the first half of the phases; the others mirror them */
};

/* Samples each stream keeps: the longest wavelet around the column being computed,
 * its pooling offsets, and what waits until the next hop (src/cwt.c). */
#define WL_HISTORY_0 69
#define WL_HISTORY_1 65
#define WL_HISTORY_2 55
#define WL_BEAT_HISTORY 28

/* With WL_RATE_HZ 256 there is no resampler and no memory for one. */
#if defined(WL_RATE_HZ) && WL_RATE_HZ == 256
#define WL_RESAMPLE_HISTORY 1
#else
#define WL_RESAMPLE_HISTORY 128
#endif

/* State of one signal path. Fields are for the core; a caller reads n_columns, n_beats. */
struct wl_frontend {
    uint32_t n_columns;     /* complete columns since the start */
    uint32_t n_beats;       /* beat samples since the start */
    uint32_t n_samples;     /* samples of the 256 Hz stream since the start */
    struct wl_image *image;
    struct wl_beat_ring *beats;

    struct wl_input input;
    int32_t count_min, count_max;
    uint8_t flags;          /* of the column being filled */
    uint8_t flat_run;       /* flat columns in a row, at most WL_FLAT_COLUMNS */
    uint8_t rail_hold;      /* inputs until the resampler has forgotten the last rail */
    uint8_t fill;           /* samples waiting for the next hop */

    const struct wl_resample_design *design;
    int32_t phase;
    int32_t newest;
    int32_t resample_uv[WL_RESAMPLE_HISTORY];

    int32_t base_q11;       /* the blocker's estimate of the baseline */
    int32_t n_clipped;      /* samples in a row at the blocker's limit */
    int16_t x0_q2[WL_HISTORY_0];
    int16_t x1_q2[WL_HISTORY_1];
    int16_t x2_q2[WL_HISTORY_2];
    int16_t x3_q2[WL_HISTORY_2];
    int16_t x4_q2[WL_HISTORY_2];
    uint64_t edge_q18[2][WL_VOICES]; /* power half way between two columns, octaves 0 and 1 */

    int32_t wander1_q10, wander2_q10; /* LF row: two one-pole low-passes */
    int64_t wander_power_q20;

    int32_t beat_base_q16;  /* second high-pass of the beat stream */
    int16_t beat_q2[WL_BEAT_HISTORY];
};

#define WL_QRS_ENERGIES 128

/* State of the R-peak detector. A caller reads peak_index. */
struct wl_qrs {
    uint32_t n_seen;        /* beat samples looked at */
    uint32_t peak_index;    /* the newest R peak, as a beat sample */

    int32_t sharp_sum;
    uint32_t energy[WL_QRS_ENERGIES];
    uint32_t qrs_sum, beat_sum;
    int32_t mean_q4;
    uint32_t level;         /* energy of a usual beat */
    int32_t last;           /* newest accepted peak */
    uint32_t last_strength;
    int32_t start;          /* of the stretch above the threshold */
    uint32_t strongest;
    uint8_t inside;
};

/**
 * Start a signal path
 * fe, image, beats    The caller's memory; contents do not matter
 * input               Copied
 * return              WL_OK, or what is wrong with input (then nothing was written)
 */
enum wl_status wl_frontend_init(struct wl_frontend *fe, const struct wl_input *input,
                                struct wl_image *image, struct wl_beat_ring *beats);

/**
 * Push samples
 * counts              n converter counts, oldest first
 * line                WL_LEAD_OFF and WL_GAP, true of all of them
 * return              Columns completed: read them before 88 more are (image ring)
 */
int32_t wl_frontend_push(struct wl_frontend *fe, const int32_t *counts, size_t n, uint8_t line);

/* A device without a network that sees pictures defines WL_NO_PICTURES, and its stream has no code for them. */
#define WL_PICTURE_SIDE 64
#define WL_PICTURE_COLUMNS 80 /* 5 s */

/**
 * An image of codes as a colour picture, for a network whose input is one
 * image               WL_PICTURE_COLUMNS columns of WL_ROWS codes
 * colours             Red, green and blue of each code from -128 on: 768 codes of the bundle
 * picture             Dots from top left, rows of the image downwards: 3 * WL_PICTURE_SIDE^2 codes
 */
void wl_paint(const int8_t *image, const int8_t *colours, int8_t *picture);

/** Start a detector. */
void wl_qrs_init(struct wl_qrs *q);

/**
 * Look for the next R peak
 * beats, n_beats      The stream that wl_frontend_push fills; call at least every 256 samples
 * return              1: peak_index is new, call again; 0: all seen
 *
 * A peak is reported when its stretch has ended and the window around it is complete:
 * 313 ms and the rest of the QRS after it, 0.4 s as a rule, 1.1 s at most.
 */
int wl_qrs_next(struct wl_qrs *q, const struct wl_beat_ring *beats, uint32_t n_beats);

#define WL_BEAT_WINDOW 128  /* 1 s, the R peak in its middle */
#define WL_BEAT_SEARCH 4    /* a window may move by this much to meet the template */
#define WL_RR_RATIOS 10

/* A beat, ready for the networks. */
struct wl_beat {
    uint32_t peak_index;
    int8_t shape[WL_BEAT_WINDOW][2]; /* difference from the wearer's usual beat, and the beat: 32 uV a code */
    int8_t rr[WL_RR_RATIOS]; /* log2 ratios of intervals, Q6: +-2 octaves (src/beat_window.c) */
};

/* What is remembered of the wearer. */
struct wl_beat_maker {
    int16_t template_uv[WL_BEAT_WINDOW];
    uint32_t last_peak;
    uint8_t n_beats, n_intervals; /* as far as anybody counts: FIRST_BEATS, FIRST_INTERVALS of beat_window.c */
    uint8_t is_broken;      /* nobody knows what lies between last_peak and the next beat */
    int32_t pre_q12, slow_q12, fast_q12, unrest_q12; /* intervals as log2 of samples */
};

/** Forget the wearer. */
void wl_beat_maker_init(struct wl_beat_maker *m);

/** Between the last beat and the next one beats may be missing: no interval ends with the next. */
void wl_beat_break(struct wl_beat_maker *m);

/**
 * One beat; call it for every R peak, in order
 * beats               Must reach to peak + 67
 * next                The R peak after this one, or peak + 256 where there is none within 2 s
 * beat                Out
 */
void wl_beat_make(struct wl_beat_maker *m, const struct wl_beat_ring *beats, uint32_t peak, uint32_t next,
                  struct wl_beat *beat);

/**
 * Delay of the resampler: subtract it from a column's or beat sample's time
 * return              Microseconds, 0 at 256 Hz; -1 for a rate without a table
 */
int32_t wl_frontend_delay_us(int32_t rate_hz);

/* Kinds of operators a network is made of; the numbers are the ones a bundle's table holds. */
enum wl_op_kind {
    WL_OP_CONV2D = 0,
    WL_OP_DEPTHWISE_CONV2D,
    WL_OP_DENSE,
    WL_OP_MAX_POOL,
    WL_OP_AVERAGE_POOL,
    WL_OP_ADD,
    WL_OP_PAD,
    WL_OP_COPY,             /* a reshape that moves, or one part of a concatenation */
    WL_OP_SIGMOID,
    WL_OP_SOFTMAX,
    WL_OP_KINDS
};

/* One operator. Maps are NHWC with N = 1; int8 throughout. What a kind does not name it ignores. */
struct wl_op {
    const int8_t *weight;   /* OHWI, depthwise HWC, dense OI; sigmoid: 256 codes */
    const int32_t *bias;    /* one for each output channel; softmax: exp(-d steps) Q23, d = 0..255 */
    const int32_t *by_q31;  /* multiplier of each output channel; addition: of x, y and their sum */
    const int8_t *by_shift;
    int32_t x, y, out;      /* where in the arena, bytes */
    int32_t in_h, in_w, in_c;
    int32_t out_h, out_w, out_c;
    int16_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
    int16_t x_zero, y_zero, out_zero;
    int16_t low, high;      /* what the output is cut to */
    uint8_t kind;           /* enum wl_op_kind */
};

/* A network: the table, and the memory it works in. Inputs and outputs lie in the arena
 * where the memory plan says; an input is gone once its last reader has run. */
struct wl_graph {
    const struct wl_op *ops;
    int32_t n_ops;
    int32_t arena_bytes;
};

/**
 * Look at every operator once, before the first run
 * at                  Out: the operator that is refused
 * return              WL_OK: no run can leave the arena, overflow, or divide by zero; WL_BAD_OPERATOR where
 *                     there is no table
 *
 * How much memory the other pointers lead to is the one thing it cannot see.
 */
enum wl_status wl_graph_check(const struct wl_graph *graph, int32_t *at);

/** Run a checked network on what its inputs hold. */
void wl_graph_run(const struct wl_graph *graph, int8_t *arena);

/** Run one operator of it: to meter it, or to look at its output. */
void wl_graph_step(const struct wl_graph *graph, int32_t index, int8_t *arena);

/* What a network is fed. */
enum wl_input_kind {
    WL_INPUT_IMAGE = 0,     /* 80 columns of 32 codes, every hop */
    WL_INPUT_BEAT,          /* the second around an R peak and its difference from the usual beat; intervals */
    WL_INPUT_BLIND,         /* a second of the 128 Hz stream, every hop, 32 uV a code */
#ifndef WL_NO_PICTURES
    WL_INPUT_PICTURE,       /* an image in colours, as wl_paint gives it */
#endif
    WL_INPUT_KINDS
};

/* A question about one code of a network: yes from accept_q8 on, no up to reject_q8, of its mean. */
struct wl_question {
    const uint16_t *score_q15; /* entry code + 128: the calibrated chance of a yes, 0..32768 */
    int32_t accept_q8, reject_q8;
    int32_t hold_q8;        /* an answer is kept until the mean has gone back past its threshold by this */
    int32_t at;             /* of the code in the arena */
};

/* Where a tensor lies in the arena. */
struct wl_place {
    int32_t at, n_bytes;
};

#define WL_NO_LIMIT 32767

/* A network, and what its codes mean: what a bundle says, as constants. */
struct wl_network {
    const struct wl_graph *graph;
    const struct wl_question *questions; /* question k stands for label k + 1; all no is label 0 */
    const struct wl_place *outputs; /* all of them, in the order of the event's logits */
    int32_t n_questions, n_outputs;
    int32_t at, at_rr;      /* where its input lies in the arena, and the intervals' (-1: it wants none) */
    int32_t hop;            /* columns (image) or beat samples (blind) from window to window */
    int32_t mean_windows, mean_hops; /* codes are averaged over so many windows, so many hops apart */
    int32_t unusable_score_q15; /* of a window that is unusable by rule: 0..32768, or -1 for none */
    int16_t flag_limits[WL_FLAGS]; /* columns of a window that may carry a flag, or WL_NO_LIMIT */
    uint8_t input;          /* enum wl_input_kind */
    uint8_t bundle[8];      /* the first bytes of its digest */
#ifndef WL_NO_PICTURES
    const int8_t *colours;  /* of a picture: 768 codes, for wl_paint */
#endif
};

/* What must be said of the signal before a beat is judged: a question to the first network's codes. */
struct wl_gate {
    int32_t accept_q8, reject_q8, hold_q8; /* of the mean over its windows */
    int32_t question;       /* of the first network: whose code */
    int32_t n_windows;      /* the first so many of the windows that contain the beat */
    uint8_t protects;       /* a beat that is not judged is not remembered either (struct wl_beat_maker) */
};

/* One or two networks on one stream. With a gate the first judges the signal and the second its beats. */
struct wl_app {
    const struct wl_network *networks;
    const struct wl_gate *gate; /* or 0 */
    int32_t n_networks;
    int32_t memory_bytes;   /* of the caller's: the arena all networks share, and what judges remember */
};

#define WL_NETWORKS 2
#define WL_LOGITS 16        /* of one network */
#define WL_REFUSED 253      /* of a VERDICT frame: what the gate held back */
#define WL_UNDECIDED 254    /* labels that are no label of the network */
#define WL_UNUSABLE 255

/* Who said it. */
enum wl_by {
    WL_BY_NETWORK = 0,
    WL_BY_RULE,             /* too many flagged columns: nobody was asked */
    WL_BY_GATE              /* the signal is not good enough, or nobody knows: the network was not asked */
};

/* What is said of one window or beat. */
struct wl_event {
    int64_t t0_us;          /* when it begins, from the first sample; a beat's R peak is half a second later */
    uint32_t window;        /* of this network, since the start */
    int32_t margin_q8;      /* codes to the nearest threshold; negative: undecided */
    int32_t score_q15;      /* calibrated chance of any label but the first; -1: not judged */
    uint8_t network;        /* of the application */
    uint8_t label;          /* of the network, or WL_UNDECIDED, WL_UNUSABLE */
    uint8_t by;             /* enum wl_by */
    uint8_t n_logits;       /* 0 where the network was not asked */
    uint8_t flag_columns[WL_FLAGS]; /* columns of the window that carry each flag */
    int8_t logits[WL_LOGITS];
};

/* What a network has said so far. */
struct wl_judge {
    uint32_t n_windows;
    int8_t *before;         /* the last answer to each question */
    int8_t *past;           /* windows that are still averaged: usable, then the code of each question */
};

#define WL_PEAKS 40         /* that wait: seven seconds at the shortest interval */
#define WL_SAID 32          /* windows whose quality may still be asked for */

/* One stream: everything from the samples to the events. A caller reads frontend, image, beats and judge. */
struct wl_stream {
    const struct wl_app *app;
    int8_t *arena;
    struct wl_image image;
    struct wl_beat_ring beats;
    struct wl_frontend frontend;
    struct wl_qrs qrs;
    struct wl_beat_maker maker;
    struct wl_judge judge[WL_NETWORKS];

    uint64_t n_counts;      /* pushed since the start */
    int32_t last_count;
    uint32_t n_columns, n_beats; /* known: what lies behind the end is not */
    uint32_t peaks[WL_PEAKS]; /* that no verdict is out on, oldest first */
    uint8_t broken[WL_PEAKS]; /* 1: samples are missing between a peak and the one before */
    uint32_t n_peaks;
    uint32_t n_watched;     /* columns whose line has been looked at */
    uint32_t n_held;        /* counts made up since the end */
    int8_t said[WL_SAID];   /* codes of the gate's question, window by window */
    uint32_t is_usable;     /* a bit for each of them */
    uint8_t gate_before;
    uint8_t last_line;
    uint8_t is_broken;      /* samples are missing since the last peak */
    uint8_t ending, no_peak_follows, over;
};

/**
 * Start a stream
 * app                 Constants; must stay
 * input               Copied
 * memory              app->memory_bytes of the caller's; must stay, contents do not matter
 * return              WL_OK, or what is wrong with the input or the tables
 */
enum wl_status wl_stream_init(struct wl_stream *s, const struct wl_app *app, const struct wl_input *input,
                              int8_t *memory);

/**
 * Push samples
 * counts              n converter counts, oldest first
 * line                WL_LEAD_OFF and WL_GAP, true of all of them
 * events, room        Out: what they complete, in order, at most room (1 or more) of them
 * n_events            Out: how many
 * return              Counts taken. Fewer than n, or n_events == room: call again with the rest, even with
 *                     none; nothing is lost meanwhile
 *
 * The events of a stream are the same for any portions and any room: after each column first those of the
 * first network, then those of the second. A window is judged 2.5 s after its end; a beat without a gate when
 * its next one is known and its columns are complete, 2.9 to 3.5 s after its peak; with a gate when its windows
 * are judged, at most 7 s after it.
 */
size_t wl_stream_push(struct wl_stream *s, const int32_t *counts, size_t n, uint8_t line,
                      struct wl_event *events, size_t room, size_t *n_events);

/**
 * The end: what the recording still gives when its last sample is held
 * return              How many events; call until there are fewer than room
 *
 * The last beat, whose next one nobody saw, is not judged. Then only wl_stream_init helps.
 */
size_t wl_stream_finish(struct wl_stream *s, struct wl_event *events, size_t room);

/** Memory that the tables of an application ask for: its arena and its judges; -1 where they contradict themselves. */
int32_t wl_app_memory_bytes(const struct wl_app *app);

/* The wire: frames between a device and its host, the same code at both ends. docs/protocol.md
 * has every byte. A frame is a head of four bytes, a payload and a CRC-32, COBS-encoded, then a
 * zero; so short that COBS costs one byte, whatever it holds. */
#define WL_WIRE_VERSION 1
#define WL_WIRE_PAYLOAD 240
#define WL_WIRE_RAW (4 + WL_WIRE_PAYLOAD + 4)
#define WL_WIRE_BYTES (1 + WL_WIRE_RAW + 1) /* the longest frame on the wire */
#define WL_WIRE_SAMPLES_16 116 /* as many as one frame takes */
#define WL_WIRE_SAMPLES_24 77

enum wl_frame_type {
    WL_FRAME_HELLO = 1,     /* what the device is: rate, gain, lead, digests */
    WL_FRAME_SAMPLES,
    WL_FRAME_STATUS,
    WL_FRAME_COLUMN,
    WL_FRAME_VERDICT,
    WL_FRAME_QUERY,         /* from a host, as are INPUT and, on the bench, SAMPLES */
    WL_FRAME_ANSWER,
    WL_FRAME_ERROR,
    WL_FRAME_END,           /* nothing follows: the index the next sample would have had */
    WL_FRAME_INPUT          /* bytes of a network's input, on the bench */
};

struct wl_frame {
    uint8_t version;
    uint8_t type;           /* enum wl_frame_type */
    uint8_t session;        /* another number after every restart */
    uint8_t sequence;       /* frames sent so far, modulo 256 */
    uint16_t n_payload;     /* 0..WL_WIRE_PAYLOAD */
    uint8_t payload[WL_WIRE_PAYLOAD];
};

/* State of a receiver. A caller reads n_frames, n_damaged. */
struct wl_wire {
    uint32_t n_frames;
    uint32_t n_damaged;     /* stretches between two zeros that were no frame */
    uint16_t fill;
    uint8_t begun;          /* something came since the last zero */
    uint8_t left;           /* bytes until the next COBS code */
    uint8_t raw[WL_WIRE_RAW];
};

/** CRC-32 (IEEE 802.3) of n more bytes; crc is 0 at the start, then what came back. */
uint32_t wl_crc32(uint32_t crc, const uint8_t *bytes, size_t n);

/** Begin a frame with no payload; put what docs/protocol.md says, then encode. */
void wl_frame_begin(struct wl_frame *frame, enum wl_frame_type type, uint8_t session, uint8_t sequence);

/** Append to the payload, little-endian; n_bytes is 1..4. What does not fit is left out. */
void wl_frame_put(struct wl_frame *frame, uint32_t value, int n_bytes);
void wl_frame_put_bytes(struct wl_frame *frame, const void *bytes, size_t n_bytes);

/** n_bytes (1..4) of the payload at an offset; what lies behind its end reads as zeros. */
uint32_t wl_frame_get(const struct wl_frame *frame, size_t offset, int n_bytes);

/**
 * The payload of a VERDICT frame
 * network             Of the application: event->network
 * cycles              It took; 0: not counted
 */
void wl_frame_put_verdict(struct wl_frame *frame, const struct wl_event *event, const struct wl_network *network,
                          uint32_t cycles);

/**
 * Append the payload of a SAMPLES frame
 * counts              n of them, each within bytes_each (2 or 3) bytes
 * line                WL_LEAD_OFF and WL_RAIL, true of all of them
 * return              How many fitted
 */
int32_t wl_frame_put_samples(struct wl_frame *frame, uint32_t first_index, const int32_t *counts, size_t n,
                             int bytes_each, uint8_t line);

/**
 * The counts of a SAMPLES frame
 * counts              Out, room for WL_WIRE_SAMPLES_16
 * return              How many; -1 where the payload contradicts itself
 */
int32_t wl_frame_samples(const struct wl_frame *frame, int32_t *counts);

/**
 * The counts of SAMPLES frames that continue one another
 * frames, n           In the order they came
 * counts              Out, room for n * WL_WIRE_SAMPLES_16
 * n_counts            Out: how many
 * return              Frames from the first on that are of one version, session and line, each beginning
 *                     where the one before ended; 0 where the first is no sound SAMPLES frame
 */
size_t wl_frames_samples(const struct wl_frame *frames, size_t n, int32_t *counts, size_t *n_counts);

/**
 * A frame as it goes over the wire
 * bytes               Out, room for WL_WIRE_BYTES
 * return              How many bytes, the closing zero included
 */
size_t wl_wire_encode(const struct wl_frame *frame, uint8_t *bytes);

/** Start a receiver. Until the first zero it cannot know where a frame begins. */
void wl_wire_init(struct wl_wire *wire);

/**
 * Take bytes as they come, in any portions
 * frames, room        Out: frames that are whole, at most room of them
 * n_frames            Out: how many
 * return              Bytes taken: n, or fewer where room was full; call again with the rest
 */
size_t wl_wire_decode(struct wl_wire *wire, const uint8_t *bytes, size_t n, struct wl_frame *frames, size_t room,
                      size_t *n_frames);

#ifdef __cplusplus
}
#endif

#endif
