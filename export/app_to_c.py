"""The table of an application in C, and a stream whose events a device can check itself with."""

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from device_sim import binding
from device_sim.app import App, Network, app_of
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of
from device_sim.fingerprint import stretch
from device_sim.frontend import Flag, FrontEnd
from device_sim.judged import judged_of
from device_sim.pipeline import CascadePipeline, Pipeline, Stream
from device_sim.runner import TwinRunner
from export.c_text import c_array, c_note, c_quoted, c_table

RATE_HZ = 256
CHECK_S = 60
ROUGH, ROUGHNESS = range(20 * RATE_HZ, 32 * RATE_HZ), 25  # samples under noise of so many times the usual
OFF = range(46 * RATE_HZ, 49 * RATE_HZ)  # samples while an electrode is off
INPUTS = ("WL_INPUT_IMAGE", "WL_INPUT_BEAT", "WL_INPUT_BLIND", "WL_INPUT_PICTURE")


def app_texts(application: Bundle | Cascade, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """wl_app.h and wl_app.c; names are those of the networks in C."""
    app = app_of(application)
    yield "src/wl_app.h", _header(application, app, [f'#include "wl_{name}.h"' for name in names])
    what = c_note(application, f"the application {application.name}")
    yield (
        "src/wl_app.c",
        "\n".join([what, '#include "wl_app.h"\n', app_table(app, names), _words(app, names)]),
    )


def app_table(app: App, names: Sequence[str]) -> str:
    """wl_app and all it points to, but for the graphs."""
    parts = [part for name, one in zip(names, app.networks, strict=True) for part in _tables(name, one)]
    rows = [_network(name, one) for name, one in zip(names, app.networks, strict=True)]
    parts.append(c_table("wl_network", "networks", rows))
    gate = "0"
    if app.gate is not None:
        one, gate = app.gate, "&gate"
        parts.append(
            f"static const struct wl_gate gate = {{{one.accept_q8}, {one.reject_q8}, {one.hold_q8}, "
            f"{app.gate_question}, {one.windows}, {int(one.protects)}}};\n"
        )
    parts.append(f"const struct wl_app wl_app = {{networks, {gate}, {len(names)}, {app.memory_bytes}}};\n")
    return "\n".join(parts)


def _header(application: Bundle | Cascade, app: App, includes: Sequence[str]) -> str:
    lines = [
        c_note(application, f"the application {application.name}"),
        "#ifndef WL_APP_H",
        "#define WL_APP_H",
        "",
        *includes,
        "",
        f'#define WL_APP_DIGEST "{application.digest[:12]}"',
        f"#define WL_APP_MEMORY_BYTES {app.memory_bytes} /* the arena, and what judges remember */",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "extern const struct wl_app wl_app;",
        "",
        "/** The word for an event. */",
        "const char *wl_app_label(const struct wl_event *event);",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _words(app: App, names: Sequence[str]) -> str:
    """What a network calls its answers, and what it says where it has none."""
    rows = [
        f"{{wl_{name}_labels, {c_quoted(one.spec.undecided)}, {c_quoted(one.spec.unusable)}}}"
        for name, one in zip(names, app.networks, strict=True)
    ]
    return WORDS + c_table("words", "words", rows) + LABEL


WORDS = """struct words {
    const char *const *labels;
    const char *undecided, *unusable;
};

"""

LABEL = """
const char *wl_app_label(const struct wl_event *event)
{
    const struct words *of = &words[event->network];

    if (event->label == WL_UNDECIDED)
        return of->undecided;
    return event->label == WL_UNUSABLE ? of->unusable : of->labels[event->label];
}
"""


def _tables(name: str, one: Network) -> Iterator[str]:
    """Scores, questions and outputs of one network."""
    questions = []
    for k, question in enumerate(one.spec.questions):
        scores = np.array(question.score_q15)
        said = c_note(one.bundle, f"the calibrated chance of {one.bundle.labels.names[k + 1]!a}")
        yield said + c_array("static const uint16_t", f"{name}_score{k}", scores)
        numbers = (question.accept_q8, question.reject_q8, question.hold_q8, one.at_of(question))
        questions.append(f"{{{name}_score{k}, {', '.join(map(str, numbers))}}}")
    yield c_table("wl_question", f"{name}_questions", questions)
    yield c_table("wl_place", f"{name}_outputs", [f"{{{at}, {n}}}" for at, n in one.outputs])


def _network(name: str, one: Network) -> str:
    """One row of the networks, every field by its name."""
    limits = ("WL_NO_LIMIT" if n == binding.NO_LIMIT else str(n) for n in one.flag_limits)
    bundle = (f"0x{byte:02x}" for byte in bytes.fromhex(one.bundle.digest[:16]))
    fields = {
        **{"graph": f"&wl_{name}", "questions": f"{name}_questions", "outputs": f"{name}_outputs"},
        **{"n_questions": len(one.spec.questions), "n_outputs": len(one.outputs)},
        **{"at": one.at, "at_rr": one.at_rr, "hop": one.hop},
        **{"mean_windows": one.spec.mean_windows, "mean_hops": one.spec.mean_hops},
        **{"unusable_score_q15": one.unusable_score_q15, "flag_limits": "{" + ", ".join(limits) + "}"},
        **{"input": INPUTS[one.input], "bundle": "{" + ", ".join(bundle) + "}"},
        **({"colours": f"wl_{name}_colours"} if one.bundle.painting else {}),
    }
    written = [f".{field} = {value}" for field, value in fields.items()]
    lines = (", ".join(written[at : at + 4]) for at in range(0, len(written), 4))
    return "{" + ",\n     ".join(lines) + "}"


def stream_check(application: Bundle | Cascade) -> str:
    """How many events a stretch of ECG gives on the integer twin, and the CRC-32 of them as they are sent."""
    said = _said_by_the_twin(application)
    return "\n".join(
        [
            c_note(application, f"{CHECK_S} s of a triangular ECG, and what the twin says of them"),
            f"#define N_SAMPLES {CHECK_S * RATE_HZ}",
            f"#define ROUGH_FROM {ROUGH.start}",
            f"#define ROUGH_TO {ROUGH.stop}",
            f"#define ROUGHNESS {ROUGHNESS}",
            f"#define OFF_FROM {OFF.start}",
            f"#define OFF_TO {OFF.stop}",
            f"#define N_EVENTS {len(said)}u",
            f"#define EVENTS_CRC 0x{zlib.crc32(b''.join(said)):08x}u",
            "",
        ]
    )


def rough_stretch() -> NDArray[np.int32]:
    """What sample() of main.c gives: the front end's own stretch, rough for a while."""
    counts = stretch(RATE_HZ, CHECK_S)
    at = np.arange(counts.size, dtype=np.int64)
    noise_uv = ((at * at * 7919 + at * 104_729) % 8191) % 61 - 30
    is_rough = (at >= ROUGH.start) & (at < ROUGH.stop)
    return counts + np.where(is_rough, (ROUGHNESS - 1) * noise_uv, 0).astype(np.int32)


def _said_by_the_twin(application: Bundle | Cascade) -> list[bytes]:
    """VERDICT payloads, in order."""
    front_end = FrontEnd(rate_hz=RATE_HZ, rails_counts=(-32768, 32767))
    bundles = bundles_of(application)
    runners = [TwinRunner(bundle.graph) for bundle in bundles]
    pipeline: Pipeline | CascadePipeline
    if isinstance(application, Cascade):
        pipeline = CascadePipeline(application, runners, delay_us=front_end.delay_us)
    else:
        pipeline = Pipeline(application, runners[0], delay_us=front_end.delay_us)
    stream = Stream(front_end, pipeline, RATE_HZ)
    counts = rough_stretch()
    verdicts = [
        *stream.push(counts[: OFF.start]),
        *stream.push(counts[OFF.start : OFF.stop], line=Flag.LEAD_OFF),
        *stream.push(counts[OFF.stop :]),
        *stream.finish(),
    ]
    of = {bundle.digest: bundle for bundle in bundles}
    return [judged_of(one, of[one.bundle_digest]).pack() for one in verdicts]
