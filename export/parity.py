"""Every runtime on the same windows, against the twin in the runtime's own rounding."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.apart import run_apart
from device_sim.contract.bundle import read_bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.options import OneLineParser
from device_sim.plan import plan
from device_sim.requant import Family
from device_sim.runner import NEEDS, Backend, Model, model_in
from export.arena import smallest_tflm_arena
from export.to_onnx import to_onnx
from export.to_tflite import to_tflite

I8 = NDArray[np.int8]
Windows = Mapping[str, I8]
SEED = 20261125
MAX_WINDOWS = 1_000_000
RUNTIMES = tuple(backend for backend in Backend if backend is not Backend.TWIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two computations of the same outputs, byte by byte."""

    what: str
    beside: str
    n_bytes: int
    n_different: int
    largest_step: int

    @property
    def share(self) -> float:
        return self.n_different / self.n_bytes

    def __str__(self) -> str:
        return (
            f"{self.what} beside {self.beside}: {self.n_different} of {self.n_bytes} bytes differ, "
            f"by {self.largest_step} at most"
        )


def difference(what: str, one: Windows, beside: str, other: Windows) -> Difference:
    steps = np.concatenate([np.abs(one[name].astype(int) - other[name]).ravel() for name in one])
    return Difference(
        what=what,
        beside=beside,
        n_bytes=steps.size,
        n_different=int(np.count_nonzero(steps)),
        largest_step=int(steps.max()),
    )


def model_of(graph: Graph) -> Model:
    """The graph in every form."""
    return Model(graph=graph, tflite=to_tflite(graph), onnx=to_onnx(graph))


def parity(model: Model, inputs: Windows, backends: Iterable[Backend] = RUNTIMES) -> list[Difference]:
    """For each runtime, how far it is from its prediction: anything but 0 is a bug with a name."""
    predicted: dict[Family, Windows] = {}
    found = []
    for backend in backends:
        family = NEEDS[backend].family
        if family not in predicted:
            predicted[family] = twin.run(model.graph, inputs, family)
        computed = run_apart(backend, model, inputs)
        found.append(difference(backend.value, computed, f"twin {family}", predicted[family]))
    return found


def between_families(graph: Graph, inputs: Windows) -> list[Difference]:
    """How far the roundings themselves are apart, each beside the core's."""
    core = twin.run(graph, inputs, Family.F1)
    others = [family for family in Family if family is not Family.F1]
    return [
        difference(f"twin {family}", twin.run(graph, inputs, family), "twin f1", core) for family in others
    ]


def random_windows(graph: Graph, n_windows: int, seed: int = SEED) -> Windows:
    """Noise of every strength, up to all codes alike: a net sees quiet windows and loud ones."""
    rng = np.random.default_rng(seed)
    made = {}
    for name in graph.inputs:
        tensor = graph.tensor(name)
        shape = tensor.shape[1:]
        strength = rng.uniform(0.05, 1.0, (n_windows, *(1,) * len(shape)))
        codes = tensor.zero_point + strength * rng.uniform(-128, 128, (n_windows, *shape))
        made[name] = np.clip(np.rint(codes), -128, 127).astype(np.int8)
    return made


def main(argv: Sequence[str]) -> int:
    """0 when every byte is as predicted, 1 when one is not."""
    parser = OneLineParser(prog="wristlead parity", description=__doc__, allow_abbrev=False)
    parser.add_argument("bundle", type=Path, help="folder written by `wristlead export`")
    parser.add_argument(
        "--windows", type=int, default=1000, metavar="N", help="random windows (default: 1000)"
    )
    names = [backend.value for backend in RUNTIMES]
    parser.add_argument(
        "--backend", action="append", choices=names, metavar="NAME", help=f"{', '.join(names)} (default: all)"
    )
    args = parser.parse_args(argv)
    if not 1 <= args.windows <= MAX_WINDOWS:
        raise ContractError(f"--windows: expected 1..{MAX_WINDOWS}, got {args.windows}")
    bundle = read_bundle(args.bundle)
    inputs = random_windows(bundle.graph, args.windows)
    print(f"{bundle.name} {bundle.digest[:12]}, {args.windows} random windows", file=sys.stderr)
    n_different = 0
    for backend in args.backend or names:
        (found,) = parity(model_in(bundle, Backend(backend)), inputs, [Backend(backend)])
        n_different += found.n_different
        print(found, flush=True)
    if Backend.TFLM.value in (args.backend or names):
        ours = plan(bundle.graph).arena_bytes
        theirs = smallest_tflm_arena(model_in(bundle, Backend.TFLM).tflite)
        print(f"arena: {ours} bytes, tflm starts with {theirs}")
    return 1 if n_different else 0
