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
