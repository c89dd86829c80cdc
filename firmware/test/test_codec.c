/* Every vector of the wire, arriving in portions of several lengths; what is whole is encoded again. */
#include <string.h>

#include "check.h"
#include "vector.h"
#include "wl.h"

#define MAGIC 0x31574C57
#define HEAD 5
#define FRAMES 600

static struct wl_frame frames[FRAMES];

static uint32_t words_of(uint32_t n_bytes)
{
    return (n_bytes + 3) / 4;
}

static void check_frame(const char *path, const struct wl_frame *frame, const int32_t *expected)
{
    const uint8_t head[4] = {frame->version, frame->type, frame->session, frame->sequence};

    CHECK_EQUAL(path, 0, memcmp(head, expected, 4));
    CHECK_EQUAL(path, expected[1], frame->n_payload);
    CHECK_EQUAL(path, 0, memcmp(frame->payload, expected + 2, frame->n_payload));
}

/** Decode in portions, never more than room frames at once. */
static uint32_t decoded(struct wl_wire *wire, const uint8_t *stream, uint32_t n, uint32_t portion, uint32_t room)
{
    uint32_t at = 0, found = 0;

    wl_wire_init(wire);
    while (at < n) {
        size_t n_frames, part = n - at < portion ? n - at : portion;
        size_t limit = room < FRAMES - found ? room : FRAMES - found;

        at += (uint32_t)wl_wire_decode(wire, stream + at, part, frames + found, limit, &n_frames);
        found += (uint32_t)n_frames;
        if (limit == 0)
            break;
    }
    return found;
}

static void check_encoding(const char *path, uint32_t n_frames, const uint8_t *stream)
{
    uint8_t bytes[WL_WIRE_BYTES];

    for (uint32_t k = 0; k < n_frames; k++) {
        size_t n = wl_wire_encode(frames + k, bytes);

        CHECK_EQUAL(path, 0, memcmp(bytes, stream, n));
        stream += n;
    }
}

static void run(const char *path, const int32_t *words, uint32_t portion, uint32_t room)
{
    uint32_t n_frames = (uint32_t)words[1], n_damaged = (uint32_t)words[2], n = (uint32_t)words[3];
    const int32_t *expected = words + HEAD;
    const uint8_t *stream;
    struct wl_wire wire;

    for (uint32_t k = 0; k < n_frames; k++)
        expected += 2 + words_of((uint32_t)expected[1]);
    stream = (const uint8_t *)expected;
    CHECK_EQUAL(path, n_frames, decoded(&wire, stream, n, portion, room));
    CHECK_EQUAL(path, n_frames, wire.n_frames);
    CHECK_EQUAL(path, n_damaged, wire.n_damaged);
    expected = words + HEAD;
    for (uint32_t k = 0; k < n_frames; k++) {
        check_frame(path, frames + k, expected);
        expected += 2 + words_of((uint32_t)expected[1]);
    }
    if (words[4])
        check_encoding(path, n_frames, stream);
}

static void check_samples(void)
{
    const int32_t wide[3] = {-8388608, 8388607, -1};
    int32_t many[200] = {0}, counts[WL_WIRE_SAMPLES_16];
    struct wl_frame frame;

    wl_frame_begin(&frame, WL_FRAME_SAMPLES, 7, 9);
    CHECK_EQUAL("samples", 3, wl_frame_put_samples(&frame, 0xFFFFFFFEu, wide, 3, 3, WL_LEAD_OFF));
    CHECK_EQUAL("samples", 17, frame.n_payload);
    CHECK_EQUAL("samples", 3, wl_frame_samples(&frame, counts));
    CHECK_EQUAL("samples", 0, memcmp(wide, counts, sizeof wide));
    CHECK_EQUAL("samples", 0xFFFFFFFEu, wl_frame_get(&frame, 0, 4));
    CHECK_EQUAL("samples", 0x00FFFFFF, wl_frame_get(&frame, 14, 4)); /* behind the end: zero */
    frame.n_payload--;
    CHECK_EQUAL("samples", -1, wl_frame_samples(&frame, counts));

    wl_frame_begin(&frame, WL_FRAME_SAMPLES, 0, 0);
    CHECK_EQUAL("samples", WL_WIRE_SAMPLES_16, wl_frame_put_samples(&frame, 0, many, 200, 2, 0));
    CHECK_EQUAL("samples", WL_WIRE_PAYLOAD, frame.n_payload);
    wl_frame_put(&frame, 1, 1);
    wl_frame_put_bytes(&frame, many, 1);
    CHECK_EQUAL("full", WL_WIRE_PAYLOAD, frame.n_payload);
    wl_frame_begin(&frame, WL_FRAME_SAMPLES, 0, 0);
    CHECK_EQUAL("samples", WL_WIRE_SAMPLES_24, wl_frame_put_samples(&frame, 0, many, 200, 3, 0));
    for (uint32_t byte = 0; byte < 256; byte++) {
        frame.payload[5] = (uint8_t)byte;
        CHECK_EQUAL("width", byte == 3 ? WL_WIRE_SAMPLES_24 : -1, wl_frame_samples(&frame, counts));
    }
    wl_frame_begin(&frame, WL_FRAME_SAMPLES, 0, 0);
    CHECK_EQUAL("empty", -1, wl_frame_samples(&frame, counts));
}

/** n frames of four samples that continue one another. */
static void ramp(uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        const int32_t four[4] = {(int32_t)(4 * k), (int32_t)(4 * k + 1), (int32_t)(4 * k + 2), (int32_t)(4 * k + 3)};

        wl_frame_begin(frames + k, WL_FRAME_SAMPLES, 3, (uint8_t)k);
        wl_frame_put_samples(frames + k, 0xFFFFFFFAu + 4 * k, four, 4, 2, 0);
    }
}

static void check_run(const char *what, size_t n_frames)
{
    static int32_t counts[5 * WL_WIRE_SAMPLES_16];
    size_t n_counts;

    CHECK_EQUAL(what, n_frames, wl_frames_samples(frames, 5, counts, &n_counts));
    CHECK_EQUAL(what, 4 * n_frames, n_counts);
    for (size_t i = 0; i < n_counts; i++)
        CHECK_EQUAL(what, i, counts[i]);
    ramp(5);
}

static void check_runs(void)
{
    ramp(5);
    check_run("run", 5); /* its index wraps */
    frames[3].session = 4;
    check_run("run of a session", 3);
    frames[2].payload[6] = WL_LEAD_OFF;
    check_run("run of a line", 2);
    frames[4].payload[0]++;
    check_run("run until a gap", 4);
    frames[1].type = WL_FRAME_STATUS;
    check_run("run until a message", 1);
    frames[2].version = 2;
    check_run("run of a version", 2);
    frames[0].n_payload--;
    check_run("no run", 0);
    frames[0].type = WL_FRAME_END;
    check_run("no samples", 0);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s VECTOR.bin ...\n", argv[0]);
        return 1;
    }
    CHECK_EQUAL("crc32", 0xCBF43926, wl_crc32(0, (const uint8_t *)"123456789", 9));
    CHECK_EQUAL("crc32", 0xCBF43926, wl_crc32(wl_crc32(0, (const uint8_t *)"1234", 4), (const uint8_t *)"56789", 5));
    check_samples();
    check_runs();
    for (int i = 1; i < argc; i++) {
        int32_t *words = read_words(argv[i], MAGIC);

        run(argv[i], words, 1, 1);
        run(argv[i], words, 7, 2);
        run(argv[i], words, 100000, FRAMES);
        free(words);
    }
    return checks_done("codec");
}
