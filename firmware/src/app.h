/* What an application is made of, checked. Private. */
#ifndef WL_APP_CHECK_H
#define WL_APP_CHECK_H

#include "wl.h"

/** The colours of a network that sees pictures; 0 for any other. */
static inline const int8_t *wl_colours(const struct wl_network *network)
{
#ifdef WL_NO_PICTURES
    (void)network;
    return 0;
#else
    return network->input == WL_INPUT_PICTURE ? network->colours : 0;
#endif
}

/** Whether its windows are cut from the ring of columns. */
static inline int wl_sees_columns(const struct wl_network *network)
{
    return network->input == WL_INPUT_IMAGE || wl_colours(network);
}

/** WL_OK: no table of it leads outside the memory it asks for. */
enum wl_status wl_app_check(const struct wl_app *app);

/** Of the largest network: they run one after the other. */
int32_t wl_app_arena_bytes(const struct wl_app *app);

#endif
