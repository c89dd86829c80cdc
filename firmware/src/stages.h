/* The stages of the signal path, in the order a sample meets them. Private. */
#ifndef WL_STAGES_H
#define WL_STAGES_H

#include "wl.h"

#define WL_FLAT_COLUMNS 7 /* 437 ms */

/* resample.c */
const struct wl_resample_design *wl_resample_find(int32_t rate_hz);
void wl_resample_prime(struct wl_frontend *fe, int32_t x_uv);
void wl_resample_put(struct wl_frontend *fe, int32_t x_uv);
int wl_resample_get(struct wl_frontend *fe, int32_t *x_q11);

/* blocker.c */
int16_t wl_blocker(struct wl_frontend *fe, int32_t x_q11);

/* halfband.c */
int wl_halfband(const int16_t *x_q2, int16_t *half_q2, int n_out);

/* cwt.c */
void wl_cwt_hop(struct wl_frontend *fe, uint32_t hop);

/* level.c */
int32_t wl_log2(uint64_t v);
int8_t wl_level(uint64_t power, int32_t log2_unit_q12);

/* bands.c */
void wl_band_high(struct wl_frontend *fe, const int16_t *x_q2, const int16_t *half_q2, uint32_t column);
void wl_band_low(struct wl_frontend *fe, int16_t x_q2, uint32_t column);

/* beat_stream.c */
void wl_beat_hop(struct wl_frontend *fe, const int16_t *x_q2, uint32_t hop);

/* paint.c: one column of dots, from the column of codes it shows */
int32_t wl_paint_place(int32_t dot, int32_t n);
void wl_paint_column(const int8_t *column, const int8_t *colours, int8_t *picture);

/* frontend.c: push until a hop is done (a count makes three samples at most, a hop takes 16); counts taken */
size_t wl_frontend_to_hop(struct wl_frontend *fe, const int32_t *counts, size_t n, uint8_t line);

#endif
