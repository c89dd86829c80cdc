/* What a device's end of the wire (link.c) asks of its board. */
#ifndef WL_BOARD_H
#define WL_BOARD_H

#include <stdint.h>

#define WL_BOARD_RATE_HZ 256

/** The clock and the UART run, the converter has begun. */
void board_begin(void);

/** The next byte of the line, or -1. A board keeps at least one frame (WL_WIRE_BYTES) until it is asked for. */
int32_t board_receive(void);

/** 1: the byte is on its way; 0: the line is busy. */
int board_send(uint8_t byte);

/**
 * The converter's next sample
 * n_lost              Out: samples before it that nobody fetched in time
 * return              1, or 0 where none is there yet
 */
int board_sample(int32_t *count, uint32_t *n_lost);

/** A clock that counts up, modulo 2^32, board_ticks_hz in a second. */
uint32_t board_ticks(void);
extern const uint32_t board_ticks_hz;

/** Nothing to do until a byte, a sample, or room on the line. */
void board_idle(void);

/** Another number after every start. */
uint8_t board_session(void);

#endif
