"""A bundle as a folder of C99: the core, the network as tables, vectors, and a main that checks them."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.operators import Linear
from device_sim.on_board import arrays_of
from device_sim.plan import Plan, plan
from device_sim.program import Op, OpKind, program
from export.about import about_text
from export.c_text import c_array, c_note, c_quoted

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"
TFLITE = "model.tflite"  # of a bundle
NOT_FOR_DEVICES = {"sizes.c"}  # for callers that do not compile wl.h
N_VECTORS = 4
VECTOR_SEED = 20261123
C_TYPES = {"int8": "int8_t", "int32": "int32_t"}


def to_c(bundle: Bundle, folder: Path) -> None:
    """Write the folder, whole or not at all."""
    if folder.exists():
        raise ContractError(f"{folder}: expected no such folder yet; C is not written over what is there")
    if not (FIRMWARE / "src").is_dir():
        raise ContractError(f"{FIRMWARE}: expected the sources of the core; export runs from a checkout")
    memory = plan(bundle.graph)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        fresh = Path(name) / folder.name
        _copy_core(fresh)
        for path, text in _texts(bundle, memory):
            (fresh / path).parent.mkdir(parents=True, exist_ok=True)
            (fresh / path).write_text(text, encoding="utf-8")
        fresh.rename(folder)


def _copy_core(folder: Path) -> None:
    """Headers beside the sources: the Arduino tools look for them nowhere else."""
    (folder / "src").mkdir(parents=True)
    for room in ("include", "src"):
        for path in sorted((FIRMWARE / room).glob("*.[ch]")):
            if path.name not in NOT_FOR_DEVICES:
                shutil.copyfile(path, folder / "src" / path.name)


def _texts(bundle: Bundle, memory: Plan) -> Iterator[tuple[str, str]]:
    """Every file that is written, not copied."""
    yield "src/wl_model.h", _header(bundle, memory)
    yield "src/wl_model.c", _model(bundle, memory)
    yield "wl_vectors.h", _vectors(bundle)
    yield "main.c", MAIN
    yield "plan.json", memory.to_json()
    yield "CMakeLists.txt", CMAKE
    yield "library.properties", _arduino(bundle)
    yield "library.json", _platformio(bundle)
    yield "zephyr/module.yml", ZEPHYR
    yield "zephyr/CMakeLists.txt", ZEPHYR_CMAKE
    if TFLITE in bundle.files:
        yield from _tflm(bundle)


def _header(bundle: Bundle, memory: Plan) -> str:
    graph = bundle.graph
    lines = [
        c_note(bundle, f"the network {bundle.name}"),
        "#ifndef WL_MODEL_H",
        "#define WL_MODEL_H",
        "",
        '#include "wl.h"',
        "",
        f'#define WL_MODEL_DIGEST "{bundle.digest[:12]}"',
        f"#define WL_MODEL_ARENA_BYTES {memory.arena_bytes}",
        f"#define WL_MODEL_LABELS {len(bundle.labels)}",
        "",
        "/* Where inputs and outputs lie in the arena: bytes from its start, and how many. */",
    ]
    for kind, names in (("IN", graph.inputs), ("OUT", graph.outputs)):
        for k, name in enumerate(names):
            lines += [
                f"#define WL_MODEL_{kind}{k} {memory.offset_bytes(name)}",
                f"#define WL_MODEL_{kind}{k}_BYTES {graph.tensor(name).n_bytes} /* {name} */",
            ]
    lines += [
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "extern const struct wl_graph wl_model;",
        "extern const char *const wl_model_labels[WL_MODEL_LABELS];",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _model(bundle: Bundle, memory: Plan) -> str:
    ops = program(bundle.graph, memory)
    layouts = {one.name: one for one in bundle.graph.operators if isinstance(one, Linear)}
    parts = [c_note(bundle, f"the network {bundle.name}"), '#include "wl_model.h"\n']
    for k, op in enumerate(ops):
        of = layouts.get(op.name)
        what = of.weight if of else f"table of {op.name}"
        for field, array in arrays_of(op):
            kind = f"static const {C_TYPES[array.dtype.name]}"
            note = c_note(bundle, what if field == "weight" else f"{field} of {op.name}")
            parts.append(note + c_array(kind, f"op{k}_{field}", array))
    rows = ",\n".join(_row(k, op) for k, op in enumerate(ops))
    parts.append(f"static const struct wl_op ops[{len(ops)}] = {{\n{rows}\n}};\n")
    parts.append(f"const struct wl_graph wl_model = {{ops, {len(ops)}, WL_MODEL_ARENA_BYTES}};\n")
    labels = ", ".join(c_quoted(label) for label in bundle.labels.names)
    parts.append(f"const char *const wl_model_labels[WL_MODEL_LABELS] = {{{labels}}};\n")
    return "\n".join(parts)


def _row(k: int, op: Op) -> str:
    """One operator, every field by its name."""
    numbers = {
        **{field: f"op{k}_{field}" for field, _ in arrays_of(op)},
        **{"x": op.x, "y": op.y, "out": op.out},
        **dict(zip(("in_h", "in_w", "in_c"), op.in_hwc, strict=True)),
        **dict(zip(("out_h", "out_w", "out_c"), op.out_hwc, strict=True)),
        **dict(zip(("kernel_h", "kernel_w"), op.kernel, strict=True)),
        **dict(zip(("stride_h", "stride_w"), op.stride, strict=True)),
        **dict(zip(("pad_top", "pad_left"), op.pad_top_left, strict=True)),
        **{"x_zero": op.x_zero, "y_zero": op.y_zero, "out_zero": op.out_zero},
        **{"low": op.low, "high": op.high, "kind": f"WL_OP_{OpKind(op.kind).name}"},
    }
    fields = [f".{field} = {number}" for field, number in numbers.items()]
    lines = (", ".join(fields[at : at + 6]) for at in range(0, len(fields), 6))
    return "    {" + ",\n     ".join(lines) + "}"


def vectors(graph: Graph) -> tuple[dict[str, NDArray[np.int8]], dict[str, NDArray[np.int8]]]:
    """Seeded windows, never cut from a recording, and what the twin says of them."""
    rng = np.random.default_rng(VECTOR_SEED)
    inputs = {
        name: rng.integers(-128, 128, (N_VECTORS, *graph.tensor(name).shape[1:]), np.int8)
        for name in graph.inputs
    }
    return inputs, twin.run(graph, inputs)


def _vectors(bundle: Bundle) -> str:
    inputs, outputs = vectors(bundle.graph)
    parts = [c_note(bundle, f"{N_VECTORS} seeded windows and the logits of the integer twin")]
    parts.append(f"#define N_VECTORS {N_VECTORS}\n")
    for kind, values in (("in", inputs), ("out", outputs)):
        for k, codes in enumerate(values.values()):
            parts.append(c_array("static const int8_t", f"vector_{kind}{k}", codes))
        parts.append(_ends(kind, len(values)))
    return "\n".join(parts)


def _ends(kind: str, n: int) -> str:
    """For each input or output: its vectors, where it lies, and its length."""
    rows = _rows_of_ends(kind, range(n))
    return f"static const struct end {kind}s[{n}] = {{\n" + ",\n".join(rows) + "\n};\n"


def _rows_of_ends(kind: str, numbers: Iterable[int]) -> Iterator[str]:
    for k in numbers:
        macro = f"WL_MODEL_{kind.upper()}{k}"
        yield f"    {{vector_{kind}{k}, {macro}, {macro}_BYTES}}"


def about(bundle: Bundle) -> str:
    """wl_about.h, which firmware/ports/link is built with."""
    return about_text([bundle])


def _tflm(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """The TensorFlow Lite file as TensorFlow Lite Micro's examples take it; nothing else here needs it."""
    name = bundle.name.replace("-", "_")
    file = bundle.files[TFLITE]
    array = f"g_{name}_model_data"
    note = c_note(bundle, "model.tflite for TensorFlow Lite Micro")
    yield (
        f"tflm/{name}_model_data.h",
        f"{note}#pragma once\n\nextern const unsigned char {array}[];\nextern const int {array}_len;\n",
    )
    data = c_array("alignas(16) const unsigned char", array, np.frombuffer(file, np.uint8))
    yield (
        f"tflm/{name}_model_data.cc",
        f'{note}#include "{name}_model_data.h"\n\n{data}\nconst int {array}_len = {len(file)};\n',
    )


def _arduino(bundle: Bundle) -> str:
    return (
        f"name=wristlead_{bundle.name.replace('-', '_')}\nversion=0.1.0\nauthor=wristlead\n"
        f"maintainer=wristlead\nsentence=The network {bundle.name} and the wristlead core in C99.\n"
        f"paragraph=Bundle {bundle.digest[:12]}. Not a medical device.\ncategory=Data Processing\n"
        "url=\narchitectures=*\nincludes=wl_model.h\n"
    )


def _platformio(bundle: Bundle) -> str:
    return (
        f'{{\n  "name": "wristlead-{bundle.name}",\n  "version": "0.1.0",\n'
        f'  "description": "Bundle {bundle.digest[:12]} and the wristlead core in C99",\n'
        '  "build": {"includeDir": "src", "srcDir": "src"}\n}\n'
    )


MAIN = """/* Runs the vectors: 0 when every byte is the twin's. */
#include <stdio.h>
#include <string.h>

#include "wl_model.h"

struct end {
    const int8_t *codes;
    int32_t offset, n_bytes;
};

#include "wl_vectors.h"

static int8_t arena[WL_MODEL_ARENA_BYTES];

int main(void)
{
    int n_failures = 0;
    int32_t at;

    if (wl_graph_check(&wl_model, &at) != WL_OK) {
        printf("operator %ld is refused\\n", (long)at);
        return 1;
    }
    for (int v = 0; v < N_VECTORS; v++) {
        for (size_t k = 0; k < sizeof ins / sizeof ins[0]; k++)
            memcpy(arena + ins[k].offset, ins[k].codes + v * ins[k].n_bytes, (size_t)ins[k].n_bytes);
        wl_graph_run(&wl_model, arena);
        for (size_t k = 0; k < sizeof outs / sizeof outs[0]; k++)
            n_failures += memcmp(arena + outs[k].offset, outs[k].codes + v * outs[k].n_bytes,
                                 (size_t)outs[k].n_bytes) != 0;
    }
    printf("%s: %d vectors, %d failures\\n", WL_MODEL_DIGEST, N_VECTORS, n_failures);
    return n_failures != 0;
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
