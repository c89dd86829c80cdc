"""The image of a bundle: the C that export hands out with its windows, and what one run of it says."""

import shutil
import struct
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.drive import FNV_START, fnv_1a
from benchmarks.mcu import image
from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.image import ZIG, Image
from benchmarks.mcu.targets import Memory, Target
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.executor import Executor
from device_sim.plan import plan
from device_sim.program import Op, OpKind, program
from device_sim.requant import Family
from device_sim.vectors import FILE, read_vectors
from export import to_c

MAX_INSTRUCTIONS = 20_000_000_000
NUMBERS_A_LINE = 24
KERNELS = ("graph.c", "conv.c", "conv_vectors.c", "conv_wide.c", "dense.c", "pool.c", "elementwise.c")
I8 = NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Inputs by name, and what the integer twin says of them."""

    inputs: Mapping[str, I8]
    outputs: Mapping[str, I8]

    @property
    def n(self) -> int:
        return len(next(iter(self.inputs.values())))

    def header(self, graph: Graph) -> str:
        """wl_windows.h of graph_main.c."""
        parts = [f"#define N_WINDOWS {self.n}\n"]
        for kind, names, codes in (("in", graph.inputs, self.inputs), ("out", graph.outputs, self.outputs)):
            rows = []
            for k, name in enumerate(names):
                parts.append(_array(f"window_{kind}{k}", codes[name]))
                macro = f"WL_MODEL_{kind.upper()}{k}"
                rows.append(f"    {{window_{kind}{k}, {macro}, {macro}_BYTES}}")
            parts.append(f"static const struct end {kind}s[{len(rows)}] = {{\n" + ",\n".join(rows) + "\n};\n")
        return "\n".join(parts)


def windows_of(bundle: Bundle) -> Windows:
    """The bundle's own vectors; those that its C checks itself with where it has none."""
    if FILE in bundle.files:
        inputs, outputs = read_vectors(bundle, Family.F1)  # the core's own rounding
    else:
        inputs, outputs = to_c.vectors(bundle.graph)
    return Windows(inputs=inputs, outputs=outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One row of the operator table."""

    name: str
    kind: str
    macs: int
    instructions: float  # a window


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one image on one core."""

    target: str
    n_windows: int
    n_wrong: int  # bytes that differ from the twin's
    hash: int
    layers: tuple[Layer, ...]
    functions: Mapping[str, float]  # instructions a window, by function
    stack_bytes: int

    @property
    def instructions(self) -> float:
        """Of the whole network, a window."""
        return sum(layer.instructions for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)


def build(
    bundle: Bundle,
    folder: Path,
    target: Target,
    *,
    compiler: str = ZIG,
    memory: Memory | None = None,
    windows: Windows | None = None,
    defines: tuple[str, ...] = (),
) -> Image:
    """The image; the sources are those that `wristlead export --c` hands out."""
    network = network_of(bundle, folder)
    header = (windows or windows_of(bundle)).header(bundle.graph)
    (folder / "wl_windows.h").write_text(header, encoding="ascii")
    return image.build(
        [*(to_c.FIRMWARE / "src" / name for name in KERNELS), network, *image.port_sources("graph_main.c")],
        folder / f"{target.name}-{compiler}.elf",
        target=target,
        compiler=compiler,
        memory=memory,
        defines=defines,
        includes=(folder, *image.INCLUDES),
    )


def network_of(bundle: Bundle, folder: Path) -> Path:
    """wl_model.c as `wristlead export --c` writes it, its header beside it."""
    return next(path for path in generated(bundle, folder) if path.name == "wl_model.c")


def generated(application: Bundle | Cascade, folder: Path) -> list[Path]:
    """What `wristlead export --c` writes of networks and of the table of the application, headers beside."""
    if not any(folder.glob("wl_*.c")):
        with tempfile.TemporaryDirectory() as name:
            written = Path(name) / "c"
            to_c.to_c(application, written)
            own = {path.name for room in ("src", "include") for path in (to_c.FIRMWARE / room).iterdir()}
            for path in (written / "src").glob("wl_*"):
                if path.name not in own:
                    shutil.copyfile(path, folder / path.name)
    return sorted(folder.glob("wl_*.c"))


def run(of: Image, graph: Graph, emulator: Emulator | None = None) -> Run:
    """Every window once; counts are the same on every machine and under every load."""
    emulator = emulator or Emulator(of)
    emulator.run(jobs={}, max_instructions=MAX_INSTRUCTIONS)
    status, n_windows, n_wrong, fnv = struct.unpack("<4I", emulator.read("wl_result")[:16])
    ops = program(graph, plan(graph))
    if status:
        raise ContractError(f"{of.path.name}: the core refused the network: status {status}")
    functions: Counter[str] = Counter()
    for place, times, code in emulator.blocks():
        if place.region:
            functions[emulator.function_of(place)] += emulator.length_of(code) * times.entered
    return Run(
        target=of.target.name,
        n_windows=n_windows,
        n_wrong=n_wrong,
        hash=fnv,
        layers=tuple(
            Layer(
                name=op.name,
                kind=OpKind(op.kind).name.lower(),
                macs=macs_of(op),
                instructions=emulator.regions[k] / n_windows,
            )
            for k, op in enumerate(ops, start=1)
        ),
        functions={name: n / n_windows for name, n in functions.most_common()},
        stack_bytes=emulator.stack_bytes,
    )


def hash_here(graph: Graph, windows: Windows) -> int:
    """The same windows through the shared library of this machine: FNV-1a over every output."""
    executor = Executor(graph)
    said = executor.run(windows.inputs)
    fnv = FNV_START
    for window in range(windows.n):
        for name in graph.outputs:
            fnv = fnv_1a(fnv, said[name][window].tobytes())
    return fnv


def macs_of(op: Op) -> int:
    """Nominal multiply-accumulates, padding counted."""
    height, width, channels = op.out_hwc
    outputs = height * width * channels
    match op.kind:
        case OpKind.CONV2D:
            return outputs * op.kernel[0] * op.kernel[1] * op.in_hwc[2]
        case OpKind.DEPTHWISE_CONV2D:
            return outputs * op.kernel[0] * op.kernel[1]
        case OpKind.DENSE:
            return outputs * op.in_hwc[2]
        case _:
            return 0


def _array(name: str, codes: I8) -> str:
    numbers = codes.ravel().tolist()
    rows = (numbers[at : at + NUMBERS_A_LINE] for at in range(0, len(numbers), NUMBERS_A_LINE))
    body = ",\n".join("    " + ",".join(map(str, row)) for row in rows)
    return f"static const int8_t {name}[{len(numbers)}] = {{\n{body}\n}};\n"
