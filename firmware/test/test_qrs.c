/* Every vector of the R-peak detector, the stream arriving in portions of several lengths. */
#include <string.h>

#include "check.h"
#include "vector.h"
#include "wl.h"

#define MAGIC 0x31514C57
#define HEAD 3

static struct wl_qrs q;
static struct wl_beat_ring beats;

static void run(const char *path, const int32_t *words, uint32_t portion)
{
    uint32_t n_samples = (uint32_t)words[1], n_peaks = (uint32_t)words[2], found = 0;
    const int16_t *samples = (const int16_t *)(words + HEAD);
    const int32_t *peaks = words + HEAD + (n_samples + 1) / 2;

    memset(&beats, 0, sizeof beats);
    wl_qrs_init(&q);
    for (uint32_t i = 0; i < n_samples; i++) {
        beats.x_uv[i % WL_BEAT_SAMPLES] = samples[i];
        if ((i + 1) % portion != 0 && i + 1 != n_samples)
            continue;
        while (wl_qrs_next(&q, &beats, i + 1)) {
            CHECK_EQUAL(path, found < n_peaks ? peaks[found] : -1, q.peak_index);
            found++;
        }
    }
    CHECK_EQUAL(path, n_peaks, found);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s VECTOR.bin ...\n", argv[0]);
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        int32_t *words = read_words(argv[i], MAGIC);

        run(argv[i], words, 1);
        run(argv[i], words, 8);
        run(argv[i], words, 256);
        free(words);
    }
    return checks_done("qrs");
}
