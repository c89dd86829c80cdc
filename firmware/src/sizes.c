/* Sizes of the caller's memory, for callers that do not compile wl.h. */
#include "wl.h"

size_t wl_sizeof_frontend(void);
size_t wl_sizeof_image(void);
size_t wl_sizeof_beat_ring(void);
size_t wl_sizeof_qrs(void);
size_t wl_sizeof_beat_maker(void);
size_t wl_sizeof_beat(void);
size_t wl_sizeof_op(void);
size_t wl_sizeof_frame(void);
size_t wl_sizeof_wire(void);
size_t wl_sizeof_network(void);
size_t wl_sizeof_question(void);
size_t wl_sizeof_gate(void);
size_t wl_sizeof_app(void);
size_t wl_sizeof_event(void);
size_t wl_sizeof_stream(void);

size_t wl_sizeof_frontend(void)
{
    return sizeof(struct wl_frontend);
}

size_t wl_sizeof_image(void)
{
    return sizeof(struct wl_image);
}

size_t wl_sizeof_beat_ring(void)
{
    return sizeof(struct wl_beat_ring);
}

size_t wl_sizeof_qrs(void)
{
    return sizeof(struct wl_qrs);
}

size_t wl_sizeof_beat_maker(void)
{
    return sizeof(struct wl_beat_maker);
}

size_t wl_sizeof_beat(void)
{
    return sizeof(struct wl_beat);
}

size_t wl_sizeof_op(void)
{
    return sizeof(struct wl_op);
}

size_t wl_sizeof_frame(void)
{
    return sizeof(struct wl_frame);
}

size_t wl_sizeof_wire(void)
{
    return sizeof(struct wl_wire);
}

size_t wl_sizeof_network(void)
{
    return sizeof(struct wl_network);
}

size_t wl_sizeof_question(void)
{
    return sizeof(struct wl_question);
}

size_t wl_sizeof_gate(void)
{
    return sizeof(struct wl_gate);
}

size_t wl_sizeof_app(void)
{
    return sizeof(struct wl_app);
}

size_t wl_sizeof_event(void)
{
    return sizeof(struct wl_event);
}

size_t wl_sizeof_stream(void)
{
    return sizeof(struct wl_stream);
}
