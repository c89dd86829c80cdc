"""Every runtime on the same windows, against the twin in the runtime's own rounding."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.apart import run_apart
from device_sim.contract.graph import Graph
from device_sim.requant import Family
from device_sim.runner import NEEDS, Backend, Model
from export.to_onnx import to_onnx
from export.to_tflite import to_tflite

I8 = NDArray[np.int8]
Windows = Mapping[str, I8]
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
