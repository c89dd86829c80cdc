"""What calibration found for one checkpoint, as it is committed: export needs no recordings to repeat it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from device_sim.contract.bundle import InputKind
from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields, as_integer, as_number, as_text, parse
from device_sim.contract.graph import Graph
from device_sim.contract.labels import Labels
from device_sim.contract.operators import Shape
from device_sim.contract.tensor import MAX_ELEMENTS, Tensor, float32
from device_sim.contract.window import WindowSpec
from device_sim.requant import Code
from export.calibrate import Range
from export.fold import fold
from export.quantize import LARGEST_BIAS, quantize
from export.trace import trace


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One argument of the net: its shape in torch without the batch, and the worth of the device's codes."""

    shape: Shape
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """All that quantising a checkpoint takes beside its weights."""

    net: str  # as training.nets calls it
    name: str  # of the bundle
    input: InputKind
    window: WindowSpec
    labels: Labels
    time_major: bool
    inputs: Mapping[str, InputSpec]
    ranges: Mapping[str, Range]
    bias_steps: Mapping[str, tuple[int, ...]]  # what bias correction adds, by the bias's name


def graph_of(net: nn.Module, calibration: Calibration) -> Graph:
    """The integer graph: nothing but the weights and the committed numbers goes into it."""
    shapes = {name: one.shape for name, one in calibration.inputs.items()}
    floats = fold(trace(net, shapes, name=calibration.name, time_major=calibration.time_major))
    codes = {name: one.code for name, one in calibration.inputs.items()}
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
    """As it is committed."""
    made: dict[str, Any] = {
        "net": calibration.net,
        "name": calibration.name,
        "input": calibration.input.value,
        "window": asdict(calibration.window),
        "labels": list(calibration.labels.names),
        "time_major": calibration.time_major,
        "inputs": {
            name: {"shape": list(one.shape), "scale": one.code.scale, "zero_point": one.code.zero_point}
            for name, one in calibration.inputs.items()
        },
        "ranges": {name: [one.low, one.high] for name, one in calibration.ranges.items()},
        "bias_steps": {name: list(steps) for name, steps in calibration.bias_steps.items()},
    }
    return json.dumps(made, indent=1) + "\n"


def from_json(raw: bytes, where: str) -> Calibration:
    """Reads what to_json wrote; anything else is refused with its field."""
    fields = parse(raw, where)
    kind, window = fields.text("input"), fields.object("window")
    if kind not in tuple(InputKind):
        raise ContractError(f"{where}: input: expected one of {', '.join(InputKind)}, got {kind[:40]!r}")
    rates = {one: window.integer(one, 1, 2**31 - 1) for one in WindowSpec.__dataclass_fields__}
    window.done()
    time_major = fields.take("time_major")
    if not isinstance(time_major, bool):
        raise ContractError(f"{where}: time_major: expected true or false, got {time_major!r:.40}")
    found = Calibration(
        net=fields.text("net"),
        name=fields.text("name"),
        input=InputKind(kind),
        window=WindowSpec(**rates),
        labels=Labels(fields.items("labels", as_text)),
        time_major=time_major,
        inputs=_each(fields.object("inputs"), _input),
        ranges=_each(fields.object("ranges"), _range),
        bias_steps=_each(fields.object("bias_steps"), _steps),
    )
    fields.done()
    return found


def _each(listed: Fields, read: Any) -> dict[str, Any]:
    return {name: read(listed, name) for name in listed.names()}


def _input(listed: Fields, name: str) -> InputSpec:
    one = listed.object(name)
    shape = one.items("shape", lambda item, at: as_integer(item, at, 1, MAX_ELEMENTS))
    code = Code(float32(one.number("scale")), one.integer("zero_point", -128, 127))
    one.done()
    return InputSpec(shape=shape, code=code)


def _range(listed: Fields, name: str) -> Range:
    numbers = listed.items(name, as_number)
    if len(numbers) != 2:
        raise ContractError(f"{listed.where}: {name}: expected a low and a high, got {len(numbers)} numbers")
    return Range(*numbers)


def _steps(listed: Fields, name: str) -> tuple[int, ...]:
    return listed.items(name, lambda item, at: as_integer(item, at, -LARGEST_BIAS, LARGEST_BIAS))
