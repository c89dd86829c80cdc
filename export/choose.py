"""Ranges for a trained net: every method on the same windows; the one that changes fewest verdicts stays."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.graph import Graph
from export.bias_correction import correct_biases
from export.calibrate import STEPS, Method, Range, calibrate, observe, rounded
from export.calibration import Question, bias_steps
from export.equalise import Exponents, equalised, exponents_of
from export.flips import Answers, answers
from export.float_graph import F64, FloatGraph
from export.judged import asked
from export.quantize import quantize
from export.shipped import InputSpec
from export.sqnr import sqnr_db

I8 = NDArray[np.int8]
LOGIT_REACH = 8.0  # temperatures on either side of the threshold: beyond them a score is 0.9997
N_SQNR = 128  # windows, through the twin
N_CORRECTED = 256  # and for the means that bias correction compares


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to quantise, and what it did to windows it was not made from."""

    method: Method
    equalisation: Exponents
    ranges: Mapping[str, Range]
    bias_steps: Mapping[str, tuple[int, ...]]
    graph: Graph
    answers: Answers
    layers_db: Mapping[str, float]  # signal to quantisation noise of every layer

    def __str__(self) -> str:
        how = f"{self.method}{', equalised' if self.equalisation else ''}"
        ratios = ", ".join(f"{name} {one:.1f} dB" for name, one in self.sqnr_db.items())
        return (
            f"{how:24}{len(self.answers.changed):5} of {len(self.answers.before)} verdicts change; {ratios}"
        )

    @property
    def sqnr_db(self) -> dict[str, float]:
        """Of every output."""
        return {name: self.layers_db[name] for name in self.graph.outputs}

    def layers(self) -> Iterator[str]:
        """A line for each layer, in the order they run."""
        width = max(map(len, self.layers_db))
        for name, ratio_db in self.layers_db.items():
            yield f"{name:{width}}{ratio_db:7.1f} dB"

    @property
    def rank(self) -> tuple[int, float]:
        """Fewest changed verdicts, then the clearest logits."""
        return len(self.answers.changed), -sum(self.sqnr_db.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a choice is made with: a folded net, what it decides, and windows of the training side."""

    floats: FloatGraph
    specs: Mapping[str, InputSpec]
    questions: Mapping[str, Question]
    calibration_i8: Mapping[str, I8]
    choosing_i8: Mapping[str, I8]
    choosing_logits: Mapping[str, F64]

    @property
    def calibration(self) -> dict[str, F64]:
        return {name: self.specs[name].worth(x) for name, x in self.calibration_i8.items()}


def first_graph(material: Material) -> Graph:
    """The codes that tuning starts from; the net's own layers, the far tails cut off."""
    ranges = calibrate(material.floats, material.calibration, Method.PERCENTILE)
    codes = {name: one.code for name, one in material.specs.items()}
    return quantize(material.floats, _with_reach(ranges, material.questions), codes)


def candidates(material: Material) -> Iterator[Candidate]:
    """Every method; then the best of them with its channels equalised."""
    found = []
    observed = observe(material.floats, material.calibration)
    for method in Method:
        found.append(_candidate(material, method, {}, observed.ranges(method)))
        yield found[-1]
    exponents = exponents_of(material.floats, material.calibration)
    if exponents:
        method = min(found, key=lambda one: one.rank).method
        ranges = calibrate(equalised(material.floats, exponents), material.calibration, method)
        yield _candidate(material, method, exponents, ranges)


def _candidate(
    material: Material, method: Method, exponents: Exponents, found: Mapping[str, Range]
) -> Candidate:
    floats = equalised(material.floats, exponents)
    ranges = _with_reach(found, material.questions)
    plain = quantize(floats, ranges, {name: one.code for name, one in material.specs.items()})
    few = {name: x[:: max(len(x) // N_CORRECTED, 1)] for name, x in material.calibration_i8.items()}
    graph = correct_biases(floats, plain, few)
    ratios = sqnr_db(floats, graph, {name: x[:N_SQNR] for name, x in material.choosing_i8.items()})
    return Candidate(
        method=method,
        equalisation=exponents,
        ranges=ranges,
        bias_steps=bias_steps(plain, graph),
        graph=graph,
        answers=answers(material.choosing_logits, graph, material.choosing_i8, asked(material.questions)),
        layers_db=ratios,
    )


def _with_reach(ranges: Mapping[str, Range], questions: Mapping[str, Question]) -> dict[str, Range]:
    """A logit spends its codes where verdicts are made: far from the threshold nothing changes any more."""
    cut = dict(ranges)
    for name, one in questions.items():
        low, high = (rounded(one.threshold + side * LOGIT_REACH * one.temperature) for side in (-1.0, 1.0))
        reach = Range(min(0.0, max(low, ranges[name].low)), max(0.0, min(high, ranges[name].high)))
        cut[name] = _between_codes(reach, one.threshold)
    return cut


def _between_codes(reach: Range, threshold: float) -> Range:
    """Wider by what puts the threshold midway between two codes: there rounding favours neither answer."""
    step = (reach.high - reach.low) / STEPS
    n_steps = math.floor(abs(threshold) / step - 0.5) if step > 0 else -1
    if n_steps < 0:  # within half a code of zero, which has a code of its own
        return reach
    wider = abs(threshold) / (n_steps + 0.5) / step
    return Range(rounded(reach.low * wider), rounded(reach.high * wider))
