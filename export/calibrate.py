"""The range of every activation, from windows of the calibration split alone."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from export.float_graph import F64, FloatGraph, every_tensor

SIGNIFICANT_BITS = 12  # committed ranges: the last bits of a sum differ between machines
BINS = 4096
PERCENTILE = 99.99
SHRINKS = np.linspace(0.3, 1.0, 71)  # shares of the whole range that the least squares search tries
STEPS = 255  # of int8


class Method(StrEnum):
    MIN_MAX = "min-max"
    PERCENTILE = "percentile"
    MSE = "mse"


@dataclass(frozen=True, slots=True)
class Range:
    """What 256 codes must reach; always with zero in it, which every quantised tensor holds exactly."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= 0.0 <= self.high):
            raise ContractError(f"range: expected finite low <= 0 <= high, got {self.low}, {self.high}")

    def joined(self, other: "Range") -> "Range":
        return Range(min(self.low, other.low), max(self.high, other.high))


Ranges = Mapping[str, Range]


def rounded(value: float) -> float:
    """To 12 significant bits."""
    fraction, exponent = math.frexp(value)
    return math.ldexp(round(fraction * (1 << SIGNIFICANT_BITS)), exponent - SIGNIFICANT_BITS)


@dataclass(frozen=True, slots=True)
class Observed:
    """What calibration windows were seen to reach, and how often what."""

    extremes: Ranges
    histograms: Mapping[str, NDArray[np.int64]]

    def ranges(self, method: Method) -> dict[str, Range]:
        """Every activation's range; a tensor that is zero throughout keeps an empty one."""
        if method is Method.MIN_MAX:
            found = dict(self.extremes)
        else:
            search = _percentile if method is Method.PERCENTILE else _least_squares
            found = {name: search(counts, self.extremes[name]) for name, counts in self.histograms.items()}
        return {name: Range(rounded(one.low), rounded(one.high)) for name, one in found.items()}


def observe(graph: FloatGraph, inputs: Mapping[str, NDArray[Any]]) -> Observed:
    """Twice through the windows: how far, then how often."""
    extremes = _extremes(graph, inputs)
    return Observed(extremes, _histograms(graph, inputs, extremes))


def calibrate(
    graph: FloatGraph, inputs: Mapping[str, NDArray[Any]], method: Method = Method.MIN_MAX
) -> dict[str, Range]:
    """Ranges by one method."""
    if method is Method.MIN_MAX:
        return Observed(_extremes(graph, inputs), {}).ranges(method)
    return observe(graph, inputs).ranges(method)


def _finite(graph: FloatGraph, inputs: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, F64]]:
    for values in every_tensor(graph, inputs):
        for name, value in values.items():
            if not np.isfinite(value).all():
                raise ContractError(f"calibration: {name!r} is not finite; is the checkpoint sound?")
            yield name, value


def _extremes(graph: FloatGraph, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Range]:
    found: dict[str, Range] = {}
    for name, value in _finite(graph, inputs):
        one = Range(min(0.0, float(value.min())), max(0.0, float(value.max())))
        found[name] = one.joined(found[name]) if name in found else one
    return found


def _histograms(
    graph: FloatGraph, inputs: Mapping[str, NDArray[Any]], extremes: Ranges
) -> dict[str, NDArray[np.int64]]:
    counts = {name: np.zeros(BINS, np.int64) for name in extremes}
    for name, value in _finite(graph, inputs):
        one = extremes[name]
        if one.low < one.high:
            counts[name] += np.histogram(value, BINS, (one.low, one.high))[0]
    return counts


def _centres(one: Range) -> F64:
    centres: F64 = one.low + (np.arange(BINS) + 0.5) * (one.high - one.low) / BINS
    return centres


def _percentile(counts: NDArray[np.int64], one: Range) -> Range:
    """Half of what is cut off may lie on either side."""
    total = int(counts.sum())
    if total == 0:
        return one
    share = np.cumsum(counts) / total
    cut = (1 - PERCENTILE / 100) / 2
    centres = _centres(one)
    low = float(centres[np.searchsorted(share, cut)]) if one.low < 0 else 0.0
    high = float(centres[min(int(np.searchsorted(share, 1 - cut)), BINS - 1)])
    return Range(min(0.0, low), max(0.0, high))


def _least_squares(counts: NDArray[np.int64], one: Range) -> Range:
    """The share of the range at which rounding and cutting off cost least together."""
    if not counts.any():
        return one
    centres = _centres(one)

    def cost(shrink: float) -> float:
        low, high = one.low * shrink, one.high * shrink
        step = (high - low) / STEPS
        error = np.rint(np.clip(centres, low, high) / step) * step - centres
        return float((counts * error**2).sum())

    best = min(SHRINKS, key=cost)
    return Range(one.low * float(best), one.high * float(best))
