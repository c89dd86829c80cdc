/* Reads a golden vector as 32-bit words. */
#ifndef WL_VECTOR_H
#define WL_VECTOR_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** The whole file, for the caller to free; ends the test when it is not such a vector. */
static int32_t *read_words(const char *path, int32_t magic)
{
    FILE *file = fopen(path, "rb");
    int32_t *words = 0;
    long n_bytes;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (n_bytes = ftell(file)) < 12) {
        fprintf(stderr, "%s: expected a golden vector, cannot read one\n", path);
        exit(1);
    }
    rewind(file);
    words = malloc((size_t)n_bytes + 4);
    if (!words || fread(words, 1, (size_t)n_bytes, file) != (size_t)n_bytes || words[0] != magic) {
        fprintf(stderr, "%s: expected a golden vector, got something else\n", path);
        exit(1);
    }
    fclose(file);
    return words;
}

#endif
