/* Frames on a serial line: CRC-32, COBS, and the one payload that is more than a few fields. */
#include <string.h>

#include "wl.h"

#define HEAD 4
#define CRC 4
#define SAMPLES_HEAD 8

/* The reflected polynomial 0xEDB88320, four bits at a time: 64 bytes of table, two steps a byte. */
static const uint32_t crc_of_nibble[16] = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

uint32_t wl_crc32(uint32_t crc, const uint8_t *bytes, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ crc_of_nibble[crc & 15];
        crc = (crc >> 4) ^ crc_of_nibble[crc & 15];
    }
    return ~crc;
}

void wl_frame_begin(struct wl_frame *frame, enum wl_frame_type type, uint8_t session, uint8_t sequence)
{
    frame->version = WL_WIRE_VERSION;
    frame->type = (uint8_t)type;
    frame->session = session;
    frame->sequence = sequence;
    frame->n_payload = 0;
}

void wl_frame_put(struct wl_frame *frame, uint32_t value, int n_bytes)
{
    if (frame->n_payload + n_bytes > WL_WIRE_PAYLOAD)
        return;
    for (int k = 0; k < n_bytes; k++)
        frame->payload[frame->n_payload++] = (uint8_t)(value >> (8 * k));
}

void wl_frame_put_bytes(struct wl_frame *frame, const void *bytes, size_t n_bytes)
{
    if (n_bytes > (size_t)(WL_WIRE_PAYLOAD - frame->n_payload))
        return;
    memcpy(frame->payload + frame->n_payload, bytes, n_bytes);
    frame->n_payload = (uint16_t)(frame->n_payload + n_bytes);
}

void wl_frame_put_verdict(struct wl_frame *frame, const struct wl_event *event, const struct wl_network *network,
                          uint32_t cycles)
{
    int is_refused = event->by == WL_BY_GATE && event->label == WL_UNUSABLE;
    uint64_t t0_us = (uint64_t)event->t0_us;

    wl_frame_put(frame, event->window, 4);
    wl_frame_put(frame, cycles, 4);
    wl_frame_put(frame, (uint32_t)t0_us, 4);
    wl_frame_put(frame, (uint32_t)(t0_us >> 32), 4);
    wl_frame_put(frame, (uint32_t)event->margin_q8, 4);
    wl_frame_put(frame, (uint32_t)(event->score_q15 > INT16_MAX ? INT16_MAX : event->score_q15), 2);
    wl_frame_put(frame, is_refused ? WL_REFUSED : event->label, 1);
    wl_frame_put(frame, event->n_logits, 1);
    wl_frame_put_bytes(frame, network->bundle, sizeof network->bundle);
    wl_frame_put_bytes(frame, event->logits, event->n_logits);
}

uint32_t wl_frame_get(const struct wl_frame *frame, size_t offset, int n_bytes)
{
    uint32_t value = 0;

    for (int k = 0; k < n_bytes && offset + (size_t)k < frame->n_payload; k++)
        value |= (uint32_t)frame->payload[offset + (size_t)k] << (8 * k);
    return value;
}

int32_t wl_frame_put_samples(struct wl_frame *frame, uint32_t first_index, const int32_t *counts, size_t n,
                             int bytes_each, uint8_t line)
{
    size_t room = bytes_each == 2 ? WL_WIRE_SAMPLES_16 : WL_WIRE_SAMPLES_24;

    if (n > room)
        n = room;
    wl_frame_put(frame, first_index, 4);
    wl_frame_put(frame, (uint32_t)n, 1);
    wl_frame_put(frame, (uint32_t)bytes_each, 1);
    wl_frame_put(frame, line, 1);
    wl_frame_put(frame, 0, 1);
    for (size_t i = 0; i < n; i++)
        wl_frame_put(frame, (uint32_t)counts[i], bytes_each);
    return (int32_t)n;
}

int32_t wl_frame_samples(const struct wl_frame *frame, int32_t *counts)
{
    int32_t n = (int32_t)wl_frame_get(frame, 4, 1), bytes_each = (int32_t)wl_frame_get(frame, 5, 1);
    uint32_t sign;

    if ((bytes_each != 2 && bytes_each != 3) || frame->n_payload != SAMPLES_HEAD + n * bytes_each)
        return -1;
    sign = (uint32_t)1 << (8 * bytes_each - 1);
    /* n <= 116 follows: the payload has no more than 240 bytes */
    for (int32_t i = 0; i < n; i++) {
        uint32_t v = wl_frame_get(frame, (size_t)(SAMPLES_HEAD + i * bytes_each), bytes_each);

        counts[i] = (int32_t)(v ^ sign) - (int32_t)sign;
    }
    return n;
}

static int continues(const struct wl_frame *frame, const struct wl_frame *first, uint32_t next)
{
    return frame->version == first->version && frame->session == first->session &&
           wl_frame_get(frame, 6, 1) == wl_frame_get(first, 6, 1) && wl_frame_get(frame, 0, 4) == next;
}

size_t wl_frames_samples(const struct wl_frame *frames, size_t n, int32_t *counts, size_t *n_counts)
{
    uint32_t next = n ? wl_frame_get(frames, 0, 4) : 0;
    size_t k = 0;

    *n_counts = 0;
    for (; k < n && frames[k].type == WL_FRAME_SAMPLES && continues(frames + k, frames, next); k++) {
        int32_t found = wl_frame_samples(frames + k, counts + *n_counts);

        if (found < 0)
            break;
        *n_counts += (size_t)found;
        next += (uint32_t)found;
    }
    return k;
}

/* Frames are shorter than 254 bytes, so no block of COBS is ever full and none goes on in the next. */
size_t wl_wire_encode(const struct wl_frame *frame, uint8_t *bytes)
{
    uint8_t raw[WL_WIRE_RAW] = {frame->version, frame->type, frame->session, frame->sequence};
    size_t n = HEAD + (size_t)frame->n_payload, code_at = 0, out = 1;
    uint32_t crc;

    memcpy(raw + HEAD, frame->payload, frame->n_payload);
    crc = wl_crc32(0, raw, n);
    for (int k = 0; k < CRC; k++)
        raw[n++] = (uint8_t)(crc >> (8 * k));
    for (size_t i = 0; i < n; i++) {
        if (raw[i] != 0) {
            bytes[out++] = raw[i];
            continue;
        }
        bytes[code_at] = (uint8_t)(out - code_at);
        code_at = out++;
    }
    bytes[code_at] = (uint8_t)(out - code_at);
    bytes[out++] = 0;
    return out;
}

static void start_over(struct wl_wire *wire)
{
    wire->fill = 0;
    wire->begun = 0;
    wire->left = 0;
}

void wl_wire_init(struct wl_wire *wire)
{
    wire->n_frames = 0;
    wire->n_damaged = 0;
    start_over(wire);
}

/* One past the end marks what is too long for a frame. */
static void keep(struct wl_wire *wire, uint8_t byte)
{
    if (wire->fill < WL_WIRE_RAW)
        wire->raw[wire->fill++] = byte;
    else
        wire->fill = WL_WIRE_RAW + 1;
}

/** 1 and the frame, where all that came since the last zero is one. */
static int is_frame(const struct wl_wire *wire, struct wl_frame *frame)
{
    const uint8_t *raw = wire->raw;
    size_t n = wire->fill;
    uint32_t crc = 0;

    if (wire->left != 0 || n < HEAD + CRC || n > WL_WIRE_RAW)
        return 0;
    n -= CRC;
    for (int k = 0; k < CRC; k++)
        crc |= (uint32_t)raw[n + (size_t)k] << (8 * k);
    if (crc != wl_crc32(0, raw, n))
        return 0;
    frame->version = raw[0];
    frame->type = raw[1];
    frame->session = raw[2];
    frame->sequence = raw[3];
    frame->n_payload = (uint16_t)(n - HEAD);
    memcpy(frame->payload, raw + HEAD, n - HEAD);
    return 1;
}

/** The zero that ends a frame; two in a row end nothing. */
static int ended(struct wl_wire *wire, struct wl_frame *frame)
{
    int found = is_frame(wire, frame);

    wire->n_frames += (uint32_t)found;
    wire->n_damaged += (uint32_t)(wire->begun && !found);
    start_over(wire);
    return found;
}

static void take(struct wl_wire *wire, uint8_t byte)
{
    if (wire->left != 0) {
        keep(wire, byte);
        wire->left--;
        return;
    }
    if (wire->begun)
        keep(wire, 0);
    wire->begun = 1;
    wire->left = (uint8_t)(byte - 1);
}

size_t wl_wire_decode(struct wl_wire *wire, const uint8_t *bytes, size_t n, struct wl_frame *frames, size_t room,
                      size_t *n_frames)
{
    size_t i = 0, found = 0;

    while (i < n && found < room) {
        uint8_t byte = bytes[i++];

        if (byte == 0)
            found += (size_t)ended(wire, frames + found);
        else
            take(wire, byte);
    }
    *n_frames = found;
    return i;
}
