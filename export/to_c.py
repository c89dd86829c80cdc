"""A bundle as a folder of C99: the core, the network as tables, vectors, and a main that checks them."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.app import NETS, is_streamed
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.operators import Linear
from device_sim.contract.signed import write_folder
from device_sim.on_board import arrays_of
from device_sim.plan import Plan, plan
from device_sim.program import Op, OpKind, program
from export.about import about_text
from export.app_to_c import app_texts, stream_check
from export.c_project import build_texts, main_text
from export.c_text import c_array, c_note, c_quoted

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"
TFLITE = "model.tflite"  # of a bundle
NOT_FOR_DEVICES = {"sizes.c"}  # for callers that do not compile wl.h
N_VECTORS = 4
VECTOR_SEED = 20261123
MODEL = "model"  # what the network of a single bundle is called in C
C_TYPES = {"int8": "int8_t", "int32": "int32_t"}


def to_c(application: Bundle | Cascade, folder: Path) -> None:
    """Write the folder, whole or not at all."""
    if folder.exists():
        raise ContractError(f"{folder}: expected no such folder yet; C is not written over what is there")
    if not (FIRMWARE / "src").is_dir():
        raise ContractError(f"{FIRMWARE}: expected the sources of the core; export runs from a checkout")

    def fill(fresh: Path) -> None:
        _copy_core(fresh)
        for path, text in _texts(application):
            (fresh / path).parent.mkdir(parents=True, exist_ok=True)
            (fresh / path).write_text(text, encoding="utf-8")

    write_folder(folder, fill)


def _copy_core(folder: Path) -> None:
    """Headers beside the sources: the Arduino tools look for them nowhere else."""
    (folder / "src").mkdir(parents=True)
    for room in ("include", "src"):
        for path in sorted((FIRMWARE / room).glob("*.[ch]")):
            if path.name not in NOT_FOR_DEVICES:
                shutil.copyfile(path, folder / "src" / path.name)


def _texts(application: Bundle | Cascade) -> Iterator[tuple[str, str]]:
    """Every file that is written, not copied."""
    bundles = bundles_of(application)
    names = NETS if isinstance(application, Cascade) else (MODEL,)
    for name, bundle in zip(names, bundles, strict=True):
        memory = plan(bundle.graph)
        yield f"src/wl_{name}.h", _header(bundle, memory, name)
        yield f"src/wl_{name}.c", _model(bundle, memory, name)
        yield "plan.json" if name == MODEL else f"plan-{name}.json", memory.to_json()
        if TFLITE in bundle.files:
            yield from _tflm(bundle)
    includes = [f"wl_{name}.h" for name in names]
    checks = [_vectors(bundle, name) for name, bundle in zip(names, bundles, strict=True)]
    if is_streamed(application):
        yield from app_texts(application, names)
        yield "link/wl_about.c", about_text(application, names)
        yield from (
            (f"link/{path.name}", path.read_text("ascii")) for path in (FIRMWARE / "ports/link").iterdir()
        )
        includes.append("wl_app.h")
        checks.append(stream_check(application))
    yield "wl_vectors.h", "\n".join([*checks, _checked(names)])
    yield "main.c", main_text(includes)
    yield from build_texts(application, includes[-1])


def _header(bundle: Bundle, memory: Plan, name: str) -> str:
    graph, macro = bundle.graph, f"WL_{name.upper()}"
    lines = [
        c_note(bundle, f"the network {bundle.name}"),
        f"#ifndef {macro}_H",
        f"#define {macro}_H",
        "",
        '#include "wl.h"',
        "",
        f'#define {macro}_DIGEST "{bundle.digest[:12]}"',
        f"#define {macro}_ARENA_BYTES {memory.arena_bytes}",
        f"#define {macro}_LABELS {len(bundle.labels)}",
        "",
        "/* Where inputs and outputs lie in the arena: bytes from its start, and how many. */",
    ]
    for kind, names in (("IN", graph.inputs), ("OUT", graph.outputs)):
        for k, tensor in enumerate(names):
            lines += [
                f"#define {macro}_{kind}{k} {memory.offset_bytes(tensor)}",
                f"#define {macro}_{kind}{k}_BYTES {graph.tensor(tensor).n_bytes} /* {tensor} */",
            ]
    lines += [
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        f"extern const struct wl_graph wl_{name};",
        f"extern const char *const wl_{name}_labels[{macro}_LABELS];",
        *([f"extern const int8_t wl_{name}_colours[768];"] if bundle.painting else []),
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _model(bundle: Bundle, memory: Plan, name: str) -> str:
    macro = f"WL_{name.upper()}"
    ops = program(bundle.graph, memory)
    layouts = {one.name: one for one in bundle.graph.operators if isinstance(one, Linear)}
    parts = [c_note(bundle, f"the network {bundle.name}"), f'#include "wl_{name}.h"\n']
    for k, op in enumerate(ops):
        of = layouts.get(op.name)
        what = of.weight if of else f"table of {op.name}"
        for field, array in arrays_of(op):
            kind = f"static const {C_TYPES[array.dtype.name]}"
            said = c_note(bundle, what if field == "weight" else f"{field} of {op.name}")
            parts.append(said + c_array(kind, f"op{k}_{field}", array))
    rows = ",\n".join(_row(k, op) for k, op in enumerate(ops))
    parts.append(f"static const struct wl_op ops[{len(ops)}] = {{\n{rows}\n}};\n")
    parts.append(f"const struct wl_graph wl_{name} = {{ops, {len(ops)}, {macro}_ARENA_BYTES}};\n")
    labels = ", ".join(c_quoted(label) for label in bundle.labels.names)
    parts.append(f"const char *const wl_{name}_labels[{macro}_LABELS] = {{{labels}}};\n")
    if bundle.painting:
        parts.append(c_array("const int8_t", f"wl_{name}_colours", bundle.painting.colours))
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


def _vectors(bundle: Bundle, name: str) -> str:
    inputs, outputs = vectors(bundle.graph)
    parts = [c_note(bundle, f"{N_VECTORS} seeded windows and the logits of the integer twin")]
    for kind, values in (("in", inputs), ("out", outputs)):
        for k, codes in enumerate(values.values()):
            parts.append(c_array("static const int8_t", f"{name}_{kind}{k}", codes))
        parts.append(_ends(kind, len(values), name))
    return "\n".join(parts)


def _ends(kind: str, n: int, name: str) -> str:
    """For each input or output: its vectors, where it lies, and its length."""
    rows = _rows_of_ends(kind, range(n), name)
    return f"static const struct end {name}_{kind}s[{n}] = {{\n" + ",\n".join(rows) + "\n};\n"


def _rows_of_ends(kind: str, numbers: Iterable[int], name: str) -> Iterator[str]:
    for k in numbers:
        macro = f"WL_{name.upper()}_{kind.upper()}{k}"
        yield f"    {{{name}_{kind}{k}, {macro}, {macro}_BYTES}}"


def _checked(names: Sequence[str]) -> str:
    """What main.c goes through."""
    rows = [
        f"    {{&wl_{name}, WL_{name.upper()}_DIGEST, {name}_ins, {name}_outs, "
        f"sizeof {name}_ins / sizeof {name}_ins[0], sizeof {name}_outs / sizeof {name}_outs[0]}}"
        for name in names
    ]
    largest = " > ".join(f"WL_{name.upper()}_ARENA_BYTES" for name in names)
    arena = f"WL_{names[0].upper()}_ARENA_BYTES"
    if len(names) == 2:
        arena = f"({largest} ? {arena} : WL_{names[1].upper()}_ARENA_BYTES)"
    return "\n".join(
        [
            f"#define N_VECTORS {N_VECTORS}",
            f"#define ARENA_BYTES {arena}\n",
            f"static const struct checked networks[{len(rows)}] = {{\n" + ",\n".join(rows) + "\n};\n",
        ]
    )


def _tflm(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """The TensorFlow Lite file as TensorFlow Lite Micro's examples take it; nothing else here needs it."""
    name = bundle.name.replace("-", "_")
    file = bundle.files[TFLITE]
    array = f"g_{name}_model_data"
    said = c_note(bundle, "model.tflite for TensorFlow Lite Micro")
    yield (
        f"tflm/{name}_model_data.h",
        f"{said}#pragma once\n\nextern const unsigned char {array}[];\nextern const int {array}_len;\n",
    )
    data = c_array("alignas(16) const unsigned char", array, np.frombuffer(file, np.uint8))
    yield (
        f"tflm/{name}_model_data.cc",
        f'{said}#include "{name}_model_data.h"\n\n{data}\nconst int {array}_len = {len(file)};\n',
    )
