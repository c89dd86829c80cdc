"""Windows whose verdict changes from real numbers to integers: by how little, and from which layer on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.requant import Family
from export.float_graph import F64, FloatGraph, every_tensor
from export.quantize import dequantize

DIVERGING_STEPS = 2.0  # rounding alone moves a code by one or so; a limit or a bad range by more


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One window that is called something else."""

    window: int
    before: int  # the class in real numbers
    after: int  # the class in integers
    margin: float  # how far the real logits were from the border
    first_diverging: str | None  # the first tensor that is off by more than DIVERGING_STEPS of its codes


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipReport:
    """All windows that flipped, of how many."""

    n_windows: int
    flips: tuple[Flip, ...]

    @property
    def agreement(self) -> float:
        return 1.0 - len(self.flips) / self.n_windows

    def __str__(self) -> str:
        lines = [f"{len(self.flips)} of {self.n_windows} windows are called something else"]
        for one in self.flips:
            where = one.first_diverging or "no layer by more than rounding"
            lines.append(
                f"window {one.window}: {one.before} -> {one.after}, margin {one.margin:.3g}; off: {where}"
            )
        return "\n".join(lines)


def verdicts(logits: F64, threshold: float) -> tuple[NDArray[np.int64], F64]:
    """(class, distance to the border): one logit against a threshold, several against each other."""
    if logits.ndim != 2:
        raise ContractError(f"logits: expected one row for each window, got shape {logits.shape}")
    if logits.shape[1] == 1:
        beyond = logits[:, 0] - threshold
        return (beyond > 0).astype(np.int64), np.abs(beyond)
    ordered = np.sort(logits, axis=1)
    return logits.argmax(axis=1).astype(np.int64), ordered[:, -1] - ordered[:, -2]


def flip_report(
    float_graph: FloatGraph,
    graph: Graph,
    inputs_i8: Mapping[str, NDArray[np.int8]],
    *,
    output: str,
    threshold: float = 0.0,
    family: Family = Family.F1,
) -> FlipReport:
    """Both networks on the same codes; the logits are one output's."""
    real = {name: dequantize(codes, graph.tensor(name)) for name, codes in inputs_i8.items()}
    flips: list[Flip] = []
    seen = 0
    for exact in every_tensor(float_graph, real):
        n = len(exact[output])
        portion = {name: codes[seen : seen + n] for name, codes in inputs_i8.items()}
        computed = twin.every_tensor(graph, portion, family)
        before, margin = verdicts(exact[output], threshold)
        after, _ = verdicts(dequantize(computed[output], graph.tensor(output)), threshold)
        flips += [
            Flip(
                window=seen + int(k),
                before=int(before[k]),
                after=int(after[k]),
                margin=float(margin[k]),
                first_diverging=_first_diverging(graph, exact, computed, int(k)),
            )
            for k in np.flatnonzero(before != after)
        ]
        seen += n
    return FlipReport(n_windows=seen, flips=tuple(flips))


def _first_diverging(
    graph: Graph, exact: Mapping[str, F64], computed: Mapping[str, NDArray[np.int8]], window: int
) -> str | None:
    for operator in graph.operators:
        tensor = graph.tensor(operator.output)
        error = dequantize(computed[tensor.name][window], tensor) - exact[tensor.name][window]
        if float(np.abs(error).max()) > DIVERGING_STEPS * tensor.scale:
            return tensor.name
    return None
