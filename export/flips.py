"""Windows whose verdict changes from real numbers to integers: by how little, and from which layer on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.contract.graph import Graph
from device_sim.executor import Executor
from device_sim.requant import Family
from export.float_graph import F64, FloatGraph, evaluate, every_tensor
from export.judged import I8, I64, Asked, classes_of_codes, classes_of_real
from export.quantize import dequantize
from export.shipped import InputSpec

DIVERGING_STEPS = 2.0  # rounding alone moves a code by one or so; a limit or a bad range by more
PORTION = 2048  # windows whose real numbers are held at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What both networks say of the same windows."""

    logits: Mapping[str, F64]  # in real numbers, a number a window
    codes: Mapping[str, I8]  # in integers
    before: I64  # classes in real numbers
    after: I64
    margin: F64  # how far the nearest real logit was from its border

    @property
    def changed(self) -> NDArray[np.int64]:
        """The windows that are called something else."""
        return np.flatnonzero(self.before != self.after)

    @property
    def agreement(self) -> float:
        return 1.0 - len(self.changed) / len(self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One window that is called something else."""

    window: int
    before: int  # the class in real numbers
    after: int  # the class in integers
    margin: float
    first_diverging: str | None  # the first tensor that is off by more than DIVERGING_STEPS of its codes


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipReport:
    """All windows that flipped, of how many."""

    n_windows: int
    flips: tuple[Flip, ...]

    def layers(self) -> dict[str, int]:
        """How often each layer was the first that was off."""
        return dict(Counter(one.first_diverging or "rounding alone" for one in self.flips).most_common())

    def __str__(self) -> str:
        lines = [f"{len(self.flips)} of {self.n_windows} windows are called something else"]
        for one in self.flips:
            where = one.first_diverging or "no layer by more than rounding"
            lines.append(
                f"window {one.window}: {one.before} -> {one.after}, margin {one.margin:.3g}; off: {where}"
            )
        return "\n".join(lines)


def real_logits(
    float_graph: FloatGraph, inputs: Mapping[str, InputSpec], inputs_i8: Mapping[str, I8]
) -> dict[str, F64]:
    """What the real network says of each window, a number for each output."""
    n_windows = len(next(iter(inputs_i8.values())))
    parts = [
        evaluate(
            float_graph,
            {name: one.worth(inputs_i8[name][start : start + PORTION]) for name, one in inputs.items()},
        )
        for start in range(0, n_windows, PORTION)
    ]
    return {name: np.concatenate([part[name].ravel() for part in parts]) for name in float_graph.outputs}


def answers(
    logits: Mapping[str, F64], graph: Graph, inputs_i8: Mapping[str, I8], questions: Sequence[Asked]
) -> Answers:
    """Real numbers beside the core's integers, for the same windows."""
    found = Executor(graph).run(inputs_i8)
    codes = {name: found[name].ravel() for name in logits}
    before, margin = classes_of_real(logits, questions)
    after = classes_of_codes(codes, questions, {name: graph.tensor(name) for name in logits})
    return Answers(logits=logits, codes=codes, before=before, after=after, margin=margin)


def flip_report(
    float_graph: FloatGraph, graph: Graph, inputs_i8: Mapping[str, I8], found: Answers
) -> FlipReport:
    """The changed windows once more, layer by layer; `found` is what `answers` gave for the same ones."""
    flips: list[Flip] = []
    for start in range(0, len(found.changed), PORTION):
        chosen = found.changed[start : start + PORTION]
        portion = {name: codes[chosen] for name, codes in inputs_i8.items()}
        off = _first_diverging(float_graph, graph, portion)
        flips += [
            Flip(
                window=int(window),
                before=int(found.before[window]),
                after=int(found.after[window]),
                margin=float(found.margin[window]),
                first_diverging=layer,
            )
            for window, layer in zip(chosen, off, strict=True)
        ]
    return FlipReport(n_windows=len(found.before), flips=tuple(flips))


def _first_diverging(float_graph: FloatGraph, graph: Graph, inputs_i8: Mapping[str, I8]) -> list[str | None]:
    """For each window the first tensor, in the order of the graph, that more than rounding has moved."""
    n_windows = len(next(iter(inputs_i8.values())))
    found: list[str | None] = [None] * n_windows
    seen = 0
    real = {name: dequantize(codes, graph.tensor(name)) for name, codes in inputs_i8.items()}
    for exact in every_tensor(float_graph, real):
        n = len(exact[graph.inputs[0]])
        portion = {name: codes[seen : seen + n] for name, codes in inputs_i8.items()}
        computed = twin.every_tensor(graph, portion, Family.F1)
        for operator in reversed(graph.operators):
            tensor = graph.tensor(operator.output)
            error = np.abs(dequantize(computed[tensor.name], tensor) - exact[tensor.name]).reshape(n, -1)
            for window in np.flatnonzero(error.max(axis=1) > DIVERGING_STEPS * tensor.scale):
                found[seen + int(window)] = tensor.name
        seen += n
    return found
