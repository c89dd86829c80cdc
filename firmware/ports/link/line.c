/* Bytes and frames on a board's UART: one frame is read at a time, frames wait in a ring to be sent. */
#include "board.h"
#include "link.h"

#define OUT_BYTES 1024u /* four frames */

static struct wl_wire wire;
static struct wl_frame heard, said;
static uint8_t session, sequence;
static uint8_t out[OUT_BYTES];
static uint32_t n_put, n_sent;

void line_begin(uint8_t of_session)
{
    wl_wire_init(&wire);
    session = of_session;
    sequence = 0;
}

void line_begin_anew(void)
{
    session++;
    sequence = 0;
}

int line_pump(void)
{
    uint32_t before = n_sent;

    while (n_sent != n_put && board_send(out[n_sent % OUT_BYTES]))
        n_sent++;
    return n_sent != before;
}

const struct wl_frame *line_heard(void)
{
    int32_t byte;
    size_t n_frames = 0;

    while (n_frames == 0 && (byte = board_receive()) >= 0) {
        uint8_t one = (uint8_t)byte;

        wl_wire_decode(&wire, &one, 1, &heard, 1, &n_frames);
    }
    return n_frames ? &heard : NULL;
}

struct wl_frame *line_frame(enum wl_frame_type type)
{
    wl_frame_begin(&said, type, session, sequence);
    return &said;
}

int line_has_room(void)
{
    return OUT_BYTES - (n_put - n_sent) >= WL_WIRE_BYTES;
}

/** Where there is no room the frame waits: what the converter takes meanwhile is kept by the board. */
void line_say(void)
{
    uint8_t bytes[WL_WIRE_BYTES];
    uint32_t n = (uint32_t)wl_wire_encode(&said, bytes);

    sequence++;
    while (!line_has_room())
        if (!line_pump())
            board_idle();
    for (uint32_t i = 0; i < n; i++)
        out[n_put++ % OUT_BYTES] = bytes[i];
    line_pump();
}

struct wl_frame *line_answer(enum link_ask ask, uint32_t item, uint32_t offset, uint32_t n_bytes)
{
    struct wl_frame *frame = line_frame(WL_FRAME_ANSWER);

    wl_frame_put(frame, ask, 1);
    wl_frame_put(frame, 0, 1);
    wl_frame_put(frame, item, 2);
    wl_frame_put(frame, offset, 4);
    wl_frame_put(frame, n_bytes, 4);
    return frame;
}

void line_complain(enum link_complaint code, const struct wl_frame *about, const char *text)
{
    struct wl_frame *frame = line_frame(WL_FRAME_ERROR);

    wl_frame_put(frame, code, 1);
    wl_frame_put(frame, about->type, 1);
    wl_frame_put(frame, about->type == WL_FRAME_QUERY ? wl_frame_get(about, 2, 2) : 0, 2);
    while (*text)
        wl_frame_put(frame, (uint8_t)*text++, 1);
    line_say();
}

void line_verdict(const struct wl_event *event)
{
    /* cycles of a window in the stream: not counted */
    wl_frame_put_verdict(line_frame(WL_FRAME_VERDICT), event, &wl_app.networks[event->network], 0);
    line_say();
}
