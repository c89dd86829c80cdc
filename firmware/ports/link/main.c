/* A device: what its converter takes goes through the network and over the line; a host may ask. */
#include "board.h"
#include "link.h"

#define BLOCK 16 /* samples a frame: sixteen frames a second */
#define STATUS_SAMPLES 256u
#define HELLO_SAMPLES 1024u
#ifndef SESSION_SAMPLES
#define SESSION_SAMPLES 0x80000000u /* 97 days: then the stream begins anew, half way to where its counts end (wl.h) */
#endif
#define NO_RAILS_LOW 0x80000000u
#define NO_RAILS_HIGH 0x7FFFFFFFu

static int32_t block[BLOCK], n_block, last;
static uint32_t index; /* of the next sample */
static uint32_t n_overflow;

static void put_text(struct wl_frame *frame, const char *text, int32_t n_bytes)
{
    for (; n_bytes > 0; n_bytes--)
        wl_frame_put(frame, *text ? (uint8_t)*text++ : 0, 1);
}

static void say_hello(void)
{
    struct wl_frame *frame = line_frame(WL_FRAME_HELLO);

    wl_frame_put(frame, WL_BOARD_RATE_HZ, 2);
    wl_frame_put(frame, 2, 1); /* bytes a sample */
    wl_frame_put(frame, 0, 1);
    wl_frame_put(frame, 1, 4); /* a microvolt a count */
    wl_frame_put(frame, 0, 4);
    wl_frame_put(frame, NO_RAILS_LOW, 4);
    wl_frame_put(frame, NO_RAILS_HIGH, 4);
    put_text(frame, "II", 8);
    put_text(frame, "link/1", 16);
    wl_frame_put_bytes(frame, wl_about.sha256, 32);
    line_say();
}

static void say_status(void)
{
    struct wl_frame *frame = line_frame(WL_FRAME_STATUS);

    wl_frame_put(frame, index, 4);
    wl_frame_put(frame, n_overflow, 4);
    wl_frame_put(frame, 0, 2); /* no battery */
    wl_frame_put(frame, 255, 1);
    wl_frame_put(frame, 0, 1);
    line_say();
}

/** What is lost is held, as a host does that misses samples. */
static void fill(uint32_t n_lost)
{
    n_overflow += n_lost;
    index += n_lost;
    for (; n_lost > 0; n_lost--)
        wearer_push(&last, 1, WL_GAP);
}

static void say_block(void)
{
    struct wl_frame *frame = line_frame(WL_FRAME_SAMPLES);

    wl_frame_put_samples(frame, index - (uint32_t)n_block, block, (size_t)n_block, 2, 0);
    line_say();
    wearer_push(block, (size_t)n_block, 0);
    n_block = 0;
    if (index % STATUS_SAMPLES == 0)
        say_status();
    if (index % HELLO_SAMPLES == 0)
        say_hello();
}

/** What is lost just then is lost between two sessions. */
static void begin_anew(void)
{
    if (n_block)
        say_block();
    index = n_overflow = 0;
    line_begin_anew();
    bench_begin();
}

/** One sample of the converter, where one is there; on the bench it is thrown away. */
static int take_sample(void)
{
    uint32_t n_lost;
    int32_t count;

    if (!board_sample(&count, &n_lost))
        return 0;
    if (bench_is_taken()) {
        index = n_overflow = 0;
        n_block = 0;
        return 1;
    }
    if (index >= SESSION_SAMPLES) {
        begin_anew();
        n_lost = 0;
    }
    if (n_lost) {
        if (n_block)
            say_block();
        fill(n_lost);
    }
    if (index == 0)
        say_hello();
    block[n_block++] = last = count;
    index++;
    if (index % BLOCK == 0)
        say_block();
    return 1;
}

static void answer(const struct wl_frame *heard)
{
    uint32_t ask = wl_frame_get(heard, 0, 1), item = wl_frame_get(heard, 2, 2);

    if (heard->version != WL_WIRE_VERSION ||
        (heard->type != WL_FRAME_QUERY && heard->type != WL_FRAME_INPUT && heard->type != WL_FRAME_SAMPLES)) {
        line_complain(UNKNOWN_TYPE, heard, "no host sends this");
    } else if (heard->type == WL_FRAME_QUERY && heard->n_payload != 4) {
        line_complain(MALFORMED, heard, "QUERY has 4 bytes");
    } else if (heard->type == WL_FRAME_QUERY && ask == ASK_HELLO) {
        say_hello();
    } else if (heard->type == WL_FRAME_QUERY && ask == ASK_STATUS) {
        say_status();
    } else if (heard->type == WL_FRAME_QUERY && ask == ASK_COLUMNS && item <= 1) {
        wearer_says_columns = (uint8_t)item;
        line_answer(ASK_COLUMNS, item, 0, 0);
        line_say();
    } else {
        bench_take(heard);
    }
}

int main(void)
{
    board_begin();
    line_begin(board_session());
    bench_begin();
    for (;;) {
        const struct wl_frame *heard = line_heard();
        int busy = heard != NULL;

        if (heard)
            answer(heard);
        busy |= take_sample();
        busy |= bench_go_on();
        busy |= line_pump();
        if (!busy)
            board_idle();
    }
}
