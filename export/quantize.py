"""A folded graph and its ranges become the integer graph: int8 per output channel, int32 bias."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import PROBABILITY_SCALE, PROBABILITY_ZERO, Graph, channel_axis
from device_sim.contract.operators import (
    KEEPS_SCALE,
    Linear,
    Operator,
    Sigmoid,
    Softmax,
    activations_of,
)
from device_sim.contract.tensor import HIGH_I8, LOW_I8, DType, Tensor, float32
from device_sim.requant import Code
from export.calibrate import Range, Ranges
from export.float_graph import F64, BatchNorm, FloatGraph, Limit

LARGEST_WEIGHT = 127  # -128 is left out: weights are symmetric
LARGEST_BIAS = 1 << 28  # a quarter of what the core's sums hold
SMALLEST_SCALE = 2.0**-40  # of a tensor that calibration saw as zero throughout


PROBABILITY = Code(PROBABILITY_SCALE, PROBABILITY_ZERO)


def reach_of(code: Code) -> Range:
    """What its 256 codes reach."""
    low, high = (code.scale * (step - code.zero_point) for step in (LOW_I8, HIGH_I8))
    return Range(min(low, 0.0), max(high, 0.0))


def code_of(one: Range) -> Code:
    """256 codes over a range, zero on one of them."""
    scale = float32(max((one.high - one.low) / (HIGH_I8 - LOW_I8), SMALLEST_SCALE))
    zero_point = round(LOW_I8 - one.low / scale)
    return Code(scale, min(max(zero_point, LOW_I8), HIGH_I8))


def quantize(graph: FloatGraph, ranges: Ranges, inputs: Mapping[str, Code]) -> Graph:
    """The integer graph.

    inputs          What the device's codes are worth, for each input: the device decides, not calibration
    """
    operators = _contract_operators(graph)
    codes = _codes(graph, operators, ranges, inputs)
    tensors = [
        Tensor(name=name, shape=shape, scales=(codes[name].scale,), zero_point=codes[name].zero_point)
        for name, shape in graph.shapes.items()
    ]
    for operator in operators:
        if isinstance(operator, Linear):
            tensors += _constants(operator, graph, codes)
    return Graph(
        name=graph.name,
        tensors=tuple(tensors),
        operators=operators,
        inputs=graph.inputs,
        outputs=graph.outputs,
    )


def _contract_operators(graph: FloatGraph) -> tuple[Operator, ...]:
    kept: list[Operator] = []
    for operator in graph.operators:
        if isinstance(operator, BatchNorm | Limit):
            raise ContractError(f"export: layer {operator.name!r} is not folded yet; fold first")
        kept.append(operator)
    return tuple(kept)


def _codes(
    graph: FloatGraph, operators: tuple[Operator, ...], ranges: Ranges, inputs: Mapping[str, Code]
) -> dict[str, Code]:
    """One code for every group of tensors between which integers only move."""
    if set(inputs) != set(graph.inputs):
        raise ContractError(f"export: inputs: expected {sorted(graph.inputs)}, got {sorted(inputs)}")
    fixed = dict(inputs)
    fixed |= {one.output: PROBABILITY for one in operators if isinstance(one, Sigmoid | Softmax)}
    codes: dict[str, Code] = {}
    for group in _groups(graph, operators):
        given = {fixed[name] for name in group if name in fixed}
        wanted = _joined(group, ranges)
        if len(given) > 1:
            raise ContractError(
                f"export: {sorted(group)}: expected one scale for what is joined, got {given}"
            )
        code = given.pop() if given else code_of(wanted)
        reach = reach_of(code)
        if wanted.low < 1.01 * reach.low - code.scale or wanted.high > 1.01 * reach.high + code.scale:
            raise ContractError(
                f"export: {sorted(group)}: values reach {wanted.low:.4g}..{wanted.high:.4g}, "
                f"the fixed scale only {reach.low:.4g}..{reach.high:.4g}"
            )
        codes |= dict.fromkeys(group, code)
    return codes


def _groups(graph: FloatGraph, operators: tuple[Operator, ...]) -> list[set[str]]:
    group_of = {name: {name} for name in graph.shapes}
    for operator in operators:
        if isinstance(operator, KEEPS_SCALE):
            joined = group_of[operator.output].union(*(group_of[name] for name in activations_of(operator)))
            group_of |= dict.fromkeys(joined, joined)
    return list({id(group): group for group in group_of.values()}.values())


def _joined(group: set[str], ranges: Ranges) -> Range:
    missing = sorted(group - set(ranges))
    if missing:
        raise ContractError(f"export: {missing[0]!r}: expected a calibrated range, got none")
    whole = Range(0.0, 0.0)
    for name in group:
        whole = whole.joined(ranges[name])
    return whole


def _constants(operator: Linear, graph: FloatGraph, codes: Mapping[str, Code]) -> tuple[Tensor, Tensor]:
    """Weight and bias of one layer."""
    weight, bias = graph.constants[operator.weight], graph.constants[operator.bias]
    axis, x_scale = channel_axis(operator), codes[operator.x].scale
    scales = weight_scales(weight, bias, axis=axis, x_scale=x_scale)
    along = [1] * weight.ndim
    along[axis] = -1
    steps = np.rint(weight / np.array(scales).reshape(along))
    bias_scales = tuple(float32(x_scale * scale) for scale in scales)
    return (
        Tensor(
            name=operator.weight,
            shape=weight.shape,
            scales=scales,
            axis=axis,
            values=np.clip(steps, -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int8),
        ),
        Tensor(
            name=operator.bias,
            shape=bias.shape,
            scales=bias_scales,
            dtype=DType.I32,
            axis=0,
            values=np.rint(bias / np.array(bias_scales)).astype("<i4"),
        ),
    )


def weight_scales(weight: F64, bias: F64, *, axis: int, x_scale: float) -> tuple[float, ...]:
    """For each output channel: the largest weight is 127, unless the bias then grew past its limit."""
    others = tuple(k for k in range(weight.ndim) if k != axis)
    largest: NDArray[np.float64] = np.abs(weight).max(axis=others) / LARGEST_WEIGHT
    for_bias = np.abs(bias) / (LARGEST_BIAS * x_scale)
    return tuple(float32(max(scale, SMALLEST_SCALE)) for scale in np.maximum(largest, for_bias))


def dequantize(codes: NDArray[np.int8], tensor: Tensor) -> F64:
    """What the codes of an activation are worth."""
    real: F64 = tensor.scale * (codes.astype(np.float64) - tensor.zero_point)
    return real


def to_codes(real: NDArray[np.float64], code: Code) -> NDArray[np.int8]:
    """The nearest codes: what a device would feed."""
    codes = np.clip(np.rint(real / code.scale) + code.zero_point, LOW_I8, HIGH_I8)
    return np.asarray(codes, np.int8)
