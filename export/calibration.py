"""What calibration found for one checkpoint, as it is committed: export needs no recordings to repeat it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from torch import nn

from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.fields import Fields, as_integer, as_number, parse
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from device_sim.contract.metrics import check_sha256
from device_sim.contract.tensor import Tensor
from export.calibrate import Method, Range
from export.equalise import LARGEST, Exponents, equalised
from export.float_graph import FloatGraph, with_outputs
from export.fold import fold
from export.quantize import LARGEST_BIAS, quantize
from export.shipped import KINDS, Kind, Rhythm, shipped
from export.trace import trace

T = TypeVar("T")
MAX_RATIOS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one logit decides: yes above the threshold, with the chance sigmoid(logit / temperature)."""

    threshold: float
    temperature: float
    named_from: float | None = None  # a yes has its name from here on; below, it is a yes without one

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ContractError(f"temperature: expected more than 0, got {self.temperature}")
        if self.named_from is not None and self.named_from < self.threshold:
            raise ContractError(
                f"named_from: expected at least the threshold {self.threshold}, got {self.named_from}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """All that quantising a checkpoint takes beside its weights."""

    name: str  # of the bundle
    net: str  # as training.nets calls it
    weights_sha256: str  # of the checkpoint these figures belong to
    input: InputKind
    frontend_sha256: str  # of the front end that the windows came through
    questions: Mapping[str, Question]  # by output, in the order in which they are asked
    rhythm: Rhythm | None
    method: Method
    equalisation: Exponents  # by the layer whose channels shrink
    ranges: Mapping[str, Range]
    bias_steps: Mapping[str, tuple[int, ...]]  # what bias correction adds, by the bias's name

    @property
    def kind(self) -> Kind:
        return KINDS[self.input]

    def check_weights(self, weights: bytes, where: Path) -> None:
        """These figures belong to one checkpoint."""
        found = sha256(weights).hexdigest()
        if found != self.weights_sha256:
            raise DigestError(
                f"{where}: expected sha256 {self.weights_sha256[:12]}.. (calibration), got {found[:12]}..; "
                "calibrate again: wristlead calibrate"
            )


def floats_of(net: nn.Module, *, name: str, kind: InputKind, rhythm: Rhythm | None) -> FloatGraph:
    """The folded graph of what ships."""
    one = KINDS[kind]
    shapes = {key: spec.shape for key, spec in one.inputs.items()}
    traced = trace(shipped(net, kind, rhythm), shapes, name=name, time_major=one.time_major)
    return fold(with_outputs(traced, tuple(one.labels)))


def graph_of(net: nn.Module, calibration: Calibration) -> Graph:
    """The integer graph: nothing but the weights and the committed numbers goes into it."""
    floats = floats_of(net, name=calibration.name, kind=calibration.input, rhythm=calibration.rhythm)
    floats = equalised(floats, calibration.equalisation)
    codes = {name: one.code for name, one in calibration.kind.inputs.items()}
    graph = quantize(floats, calibration.ranges, codes)
    unknown = set(calibration.bias_steps) - {tensor.name for tensor in graph.constants}
    if unknown:
        raise ContractError(
            f"calibration: bias_steps: {sorted(unknown)[0]!r} is no bias of {calibration.net}"
        )
    return replace(graph, tensors=tuple(_moved(one, calibration.bias_steps) for one in graph.tensors))


def _moved(tensor: Tensor, bias_steps: Mapping[str, tuple[int, ...]]) -> Tensor:
    if tensor.name not in bias_steps:
        return tensor
    steps = np.array(bias_steps[tensor.name], np.int64)
    if steps.shape != tensor.shape:
        raise ContractError(
            f"calibration: bias_steps: {tensor.name}: expected {tensor.shape[0]} numbers, got {steps.size}"
        )
    values = np.clip(tensor.constant + steps, -LARGEST_BIAS, LARGEST_BIAS)
    return replace(tensor, values=values.astype("<i4"))


def bias_steps(before: Graph, after: Graph) -> dict[str, tuple[int, ...]]:
    """What bias correction added, where it added anything."""
    found = {}
    for tensor in before.constants:
        steps = after.tensor(tensor.name).constant.astype(np.int64) - tensor.constant
        if steps.any():
            found[tensor.name] = tuple(steps.ravel().tolist())
    return found


def to_json(calibration: Calibration) -> str:
    """As it is committed: one line for each range and each bias."""
    made: dict[str, Any] = {
        "name": calibration.name,
        "net": calibration.net,
        "weights_sha256": calibration.weights_sha256,
        "input": calibration.input.value,
        "frontend_sha256": calibration.frontend_sha256,
        "questions": {name: _without_none(asdict(one)) for name, one in calibration.questions.items()},
        "method": calibration.method.value,
        "equalisation": {name: list(steps) for name, steps in calibration.equalisation.items()},
        "ranges": {name: [one.low, one.high] for name, one in calibration.ranges.items()},
        "bias_steps": {name: list(steps) for name, steps in calibration.bias_steps.items()},
    }
    if calibration.rhythm is not None:
        made["rhythm"] = asdict(calibration.rhythm)
    return _laid_out(made) + "\n"


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _laid_out(value: Any, indent: str = "") -> str:
    """Objects of objects over lines, everything else on one."""
    if not isinstance(value, dict) or not any(isinstance(one, dict | list) for one in value.values()):
        return json.dumps(value)
    inner = indent + " "
    rows = [f"{inner}{json.dumps(name)}: {_laid_out(one, inner)}" for name, one in value.items()]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


def from_json(raw: bytes, where: str) -> Calibration:
    """Reads what to_json wrote; anything else is refused with its field."""
    fields = parse(raw, where)
    found = Calibration(
        name=fields.text("name"),
        net=fields.text("net"),
        weights_sha256=check_sha256(fields.text("weights_sha256"), f"{where}: weights_sha256"),
        input=InputKind(_one_of(fields.text("input"), KINDS, f"{where}: input")),
        frontend_sha256=check_sha256(fields.text("frontend_sha256"), f"{where}: frontend_sha256"),
        questions=_each(fields.object("questions"), _question),
        rhythm=_rhythm(fields.object("rhythm")) if fields.has("rhythm") else None,
        method=Method(_one_of(fields.text("method"), tuple(Method), f"{where}: method")),
        equalisation=_each(fields.object("equalisation"), _exponents),
        ranges=_each(fields.object("ranges"), _range),
        bias_steps=_each(fields.object("bias_steps"), _steps),
    )
    fields.done()
    expected = list(found.kind.labels)
    if list(found.questions) != expected:
        raise ContractError(
            f"{where}: questions: expected {', '.join(expected)}, got {', '.join(found.questions)[:80]!r}"
        )
    return found


def _one_of(value: str, allowed: Any, where: str) -> str:
    if value not in allowed:
        raise ContractError(f"{where}: expected one of {', '.join(allowed)}, got {value[:40]!r}")
    return value


def _each(listed: Fields, read: Callable[[Fields, str], T]) -> dict[str, T]:
    return {name: read(listed, name) for name in listed.names()}


def _question(listed: Fields, name: str) -> Question:
    one = listed.object(name)
    question = Question(
        threshold=one.number("threshold"),
        temperature=one.number("temperature"),
        named_from=one.number("named_from") if one.has("named_from") else None,
    )
    one.done()
    return question


def _rhythm(read: Fields) -> Rhythm:
    rhythm = Rhythm(weights=read.items("weights", as_number), bias=read.number("bias"))
    read.done()
    if not 1 <= len(rhythm.weights) <= MAX_RATIOS:
        raise ContractError(
            f"{read.where}: weights: expected 1..{MAX_RATIOS} numbers, got {len(rhythm.weights)}"
        )
    return rhythm


def _range(listed: Fields, name: str) -> Range:
    numbers = listed.items(name, as_number)
    if len(numbers) != 2:
        raise ContractError(f"{listed.where}: {name}: expected a low and a high, got {len(numbers)} numbers")
    return Range(*numbers)


def _exponents(listed: Fields, name: str) -> tuple[int, ...]:
    return listed.items(name, lambda item, at: as_integer(item, at, -LARGEST, LARGEST))


def _steps(listed: Fields, name: str) -> tuple[int, ...]:
    return listed.items(name, lambda item, at: as_integer(item, at, -LARGEST_BIAS, LARGEST_BIAS))
