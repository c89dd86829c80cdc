/* Every golden vector given on the command line, in one piece and in odd portions. */
#include <string.h>

#include "check.h"
#include "vector.h"
#include "wl.h"

#define MAGIC 0x31464C57
#define HEAD 9

static struct wl_frontend fe;
static struct wl_image image;
static struct wl_beat_ring beats;

static void run(const char *path, const int32_t *words, size_t portion)
{
    const struct wl_input input = {words[1], words[2], words[3], words[4], words[5]};
    size_t n_counts = (size_t)words[6], n_columns = (size_t)words[7], n_beats = (size_t)words[8];
    const int32_t *counts = words + HEAD;
    const int8_t *codes = (const int8_t *)(counts + n_counts);
    const uint8_t *flags = (const uint8_t *)codes + n_columns * WL_ROWS;
    const uint8_t *beat_bytes = flags + n_columns;
    uint32_t column = 0, beat = 0;

    CHECK_EQUAL(path, WL_OK, wl_frontend_init(&fe, &input, &image, &beats));
    for (size_t i = 0; i < n_counts; i += portion) {
        size_t n = n_counts - i < portion ? n_counts - i : portion;

        wl_frontend_push(&fe, counts + i, n, 0);
        for (; column < fe.n_columns && column < n_columns; column++) {
            CHECK_EQUAL(path, 0, memcmp(codes + column * WL_ROWS, image.code[column % WL_IMAGE_COLUMNS], WL_ROWS));
            CHECK_EQUAL(path, flags[column], image.flags[column % WL_IMAGE_COLUMNS]);
        }
        for (; beat < fe.n_beats && beat < n_beats; beat++) {
            int16_t expected;

            memcpy(&expected, beat_bytes + 2 * beat, 2);
            CHECK_EQUAL(path, expected, beats.x_uv[beat % WL_BEAT_SAMPLES]);
        }
    }
    CHECK_EQUAL("columns", n_columns, fe.n_columns);
    CHECK_EQUAL("beat samples", n_beats, fe.n_beats);
}

int main(int argc, char **argv)
{
    static const size_t portions[] = {1, 7, 160, 241};

    if (argc < 2) {
        fprintf(stderr, "usage: %s VECTOR.bin ...\n", argv[0]);
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        int32_t *words = read_words(argv[i], MAGIC);

        for (size_t p = 0; p < sizeof portions / sizeof portions[0]; p++)
            run(argv[i], words, portions[p]);
        free(words);
    }
    return checks_done("front end");
}
