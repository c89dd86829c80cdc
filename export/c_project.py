"""What stands beside generated C: a main that checks it, and what the build systems look for."""

from collections.abc import Iterator, Sequence

from export.c_text import Signed


def main_text(includes: Sequence[str]) -> str:
    return MAIN.replace("INCLUDES", "\n".join(f'#include "{name}"' for name in includes))


def build_texts(application: Signed, include: str) -> Iterator[tuple[str, str]]:
    yield "CMakeLists.txt", CMAKE
    yield "library.properties", _arduino(application, include)
    yield "library.json", _platformio(application)
    yield "zephyr/module.yml", ZEPHYR
    yield "zephyr/CMakeLists.txt", ZEPHYR_CMAKE


def _arduino(bundle: Signed, include: str) -> str:
    return (
        f"name=wristlead_{bundle.name.replace('-', '_')}\nversion=0.1.0\nauthor=wristlead\n"
        f"maintainer=wristlead\nsentence=The network {bundle.name} and the wristlead core in C99.\n"
        f"paragraph=Bundle {bundle.digest[:12]}. Not a medical device.\ncategory=Data Processing\n"
        f"url=\narchitectures=*\nincludes={include}\n"
    )


def _platformio(bundle: Signed) -> str:
    return (
        f'{{\n  "name": "wristlead-{bundle.name}",\n  "version": "0.1.0",\n'
        f'  "description": "Bundle {bundle.digest[:12]} and the wristlead core in C99",\n'
        '  "build": {"includeDir": "src", "srcDir": "src"}\n}\n'
    )


MAIN = """/* Runs the vectors: 0 when every byte is the twin's, and every event of a stream. */
#include <stdio.h>
#include <string.h>

INCLUDES

struct end {
    const int8_t *codes;
    int32_t offset, n_bytes;
};

struct checked {
    const struct wl_graph *graph;
    const char *digest;
    const struct end *ins, *outs;
    size_t n_ins, n_outs;
};

#include "wl_vectors.h"

static int8_t arena[ARENA_BYTES];

static int n_failures_of(const struct checked *network)
{
    int n_failures = 0;

    for (int v = 0; v < N_VECTORS; v++) {
        for (size_t k = 0; k < network->n_ins; k++) {
            const struct end *in = &network->ins[k];

            memcpy(arena + in->offset, in->codes + v * in->n_bytes, (size_t)in->n_bytes);
        }
        wl_graph_run(network->graph, arena);
        for (size_t k = 0; k < network->n_outs; k++) {
            const struct end *out = &network->outs[k];

            n_failures += memcmp(arena + out->offset, out->codes + v * out->n_bytes,
                                 (size_t)out->n_bytes) != 0;
        }
    }
    return n_failures;
}

#ifdef N_EVENTS

static struct wl_stream stream;
static int8_t memory[WL_APP_MEMORY_BYTES];
static struct wl_frame frame;
static uint32_t n_events, crc;

/** Triangular beats on a drift and noise, rough for a while; 256 Hz; the same on every machine. */
static int32_t sample(int64_t at)
{
    int64_t early = at / 192 % 5 == 4, since = (at + early * 38) % 192 - 96;
    int64_t beat_uv = since < 0 ? -since : since, noise_uv = (at * at * 7919 + at * 104729) % 8191 % 61 - 30;

    beat_uv = beat_uv < 10 ? 1000 * (10 - beat_uv) / 10 : 0;
    if (at >= ROUGH_FROM && at < ROUGH_TO)
        noise_uv *= ROUGHNESS;
    return (int32_t)(beat_uv + noise_uv + 400 * (at % 512) / 256);
}

/** Every event as it goes over the wire. */
static void hear(const struct wl_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++, n_events++) {
        wl_frame_begin(&frame, WL_FRAME_VERDICT, 0, 0);
        wl_frame_put_verdict(&frame, &events[i], &wl_app.networks[events[i].network], 0);
        crc = wl_crc32(crc, frame.payload, frame.n_payload);
    }
}

static int stream_fails(void)
{
    const struct wl_input input = {256, 1, 0, -32768, 32767};
    struct wl_event events[4];
    size_t n;

    if (wl_stream_init(&stream, &wl_app, &input, memory) != WL_OK)
        return 1;
    for (int64_t at = 0; at < N_SAMPLES; at++) {
        int32_t count = sample(at);
        uint8_t line = at >= OFF_FROM && at < OFF_TO ? WL_LEAD_OFF : 0;
        size_t taken = 0;

        do {
            taken += wl_stream_push(&stream, &count + taken, 1 - taken, line, events, 4, &n);
            hear(events, n);
        } while (taken < 1 || n == 4);
    }
    do {
        n = wl_stream_finish(&stream, events, 4);
        hear(events, n);
    } while (n == 4);
    printf("stream: %lu events, %s\\n", (unsigned long)n_events,
           n_events == N_EVENTS && crc == EVENTS_CRC ? "every byte equal" : "DIFFERENT");
    return n_events != N_EVENTS || crc != EVENTS_CRC;
}

#else

static int stream_fails(void)
{
    return 0;
}

#endif

int main(void)
{
    int has_failed = 0;
    int32_t at;

    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        int n_failures;

        if (wl_graph_check(networks[i].graph, &at) != WL_OK) {
            printf("operator %ld is refused\\n", (long)at);
            return 1;
        }
        n_failures = n_failures_of(&networks[i]);
        printf("%s: %d vectors, %d failures\\n", networks[i].digest, N_VECTORS, n_failures);
        has_failed |= n_failures != 0;
    }
    return has_failed | stream_fails();
}
"""

CMAKE = """cmake_minimum_required(VERSION 3.13)
project(wl_model C)
file(GLOB WL_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/src/*.c)
add_library(wl_model STATIC ${WL_SOURCES})
target_include_directories(wl_model PUBLIC src)
set_target_properties(wl_model PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF)
add_executable(wl_check main.c)
target_link_libraries(wl_check wl_model)
enable_testing()
add_test(NAME vectors COMMAND wl_check)
"""

ZEPHYR = """name: wristlead
build:
  cmake: zephyr
"""

ZEPHYR_CMAKE = """file(GLOB WL_SOURCES ${CMAKE_CURRENT_SOURCE_DIR}/../src/*.c)
zephyr_library()
zephyr_library_sources(${WL_SOURCES})
zephyr_include_directories(../src)
"""
