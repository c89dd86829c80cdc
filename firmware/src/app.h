/* What an application is made of, checked. Private. */
#ifndef WL_APP_CHECK_H
#define WL_APP_CHECK_H

#include "wl.h"

/** WL_OK: no table of it leads outside the memory it asks for. */
enum wl_status wl_app_check(const struct wl_app *app);

/** Of the largest network: they run one after the other. */
int32_t wl_app_arena_bytes(const struct wl_app *app);

#endif
