"""Batch norm, activations, padding and consecutive linear layers are folded into their neighbours."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from device_sim.contract.errors import ContractError
from device_sim.contract.operators import (
    Activation,
    Add,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Linear,
    Operator,
    Pad,
    Pads,
    Pool,
)
from export.float_graph import F64, BatchNorm, FloatGraph, FloatOperator, Limit

HAS_ACTIVATION = (Conv2d, DepthwiseConv2d, FullyConnected, Add, Pool)


def fold(graph: FloatGraph) -> FloatGraph:
    """The same function in the contract's operators alone."""
    for one_pass in (_fold_norms, _fold_limits, _fold_pads, _fold_dense):
        graph = _until_nothing_changes(graph, one_pass)
    for operator in graph.operators:
        if isinstance(operator, BatchNorm | Limit):
            raise ContractError(
                f"export: layer {operator.name!r} ({type(operator).__name__}) stands behind nothing "
                "it could be folded into; nothing was written"
            )
    return graph


def _until_nothing_changes(
    graph: FloatGraph, one_pass: Callable[[FloatGraph], FloatGraph | None]
) -> FloatGraph:
    while (folded := one_pass(graph)) is not None:
        graph = folded
    return graph


def _writer(graph: FloatGraph, name: str) -> FloatOperator | None:
    return next((operator for operator in graph.operators if operator.output == name), None)


def _merged(
    graph: FloatGraph,
    before: FloatOperator,
    after: FloatOperator,
    one: Operator,
    constants: Mapping[str, F64],
) -> FloatGraph:
    """Two neighbours become one, in the place of the first."""
    operators = tuple(
        one if operator is before else operator for operator in graph.operators if operator is not after
    )
    gone = {before.output, after.output} - {one.output}
    shapes = {name: shape for name, shape in graph.shapes.items() if name not in gone}
    used = {name for operator in operators for name in _constant_names(operator)}
    kept = {name: value for name, value in {**graph.constants, **constants}.items() if name in used}
    return replace(graph, operators=operators, shapes=shapes, constants=kept)


def _constant_names(operator: FloatOperator) -> tuple[str, ...]:
    if isinstance(operator, BatchNorm):
        return operator.scale, operator.shift
    if isinstance(operator, Linear):
        return operator.weight, operator.bias
    return ()


def _fold_norms(graph: FloatGraph) -> FloatGraph | None:
    """W x + b, then * s + t: (s W) x + (s b + t). In front of everything it becomes a 1x1 depthwise layer."""
    for norm in graph.operators:
        if not isinstance(norm, BatchNorm):
            continue
        before = _writer(graph, norm.x)
        scale, shift = graph.constants[norm.scale], graph.constants[norm.shift]
        alone = graph.only_reader(norm.x) is norm
        if isinstance(before, Linear) and before.activation is Activation.NONE and alone:
            weight, bias = graph.constants[before.weight], graph.constants[before.bias]
            along_first = (slice(None), *(None,) * (weight.ndim - 1))
            by_channel = scale if isinstance(before, DepthwiseConv2d) else scale[along_first]
            constants = {before.weight: weight * by_channel, before.bias: bias * scale + shift}
            return _merged(graph, before, norm, replace(before, output=norm.output), constants)
        if len(graph.shapes[norm.x]) == 4:
            weight_name, bias_name = f"{norm.name}.weight", f"{norm.name}.bias"
            layer = DepthwiseConv2d(
                name=norm.name, x=norm.x, weight=weight_name, bias=bias_name, output=norm.output
            )
            constants = {weight_name: scale.reshape(1, 1, 1, -1), bias_name: shift}
            return _replaced(graph, norm, layer, constants)
    return None


def _replaced(
    graph: FloatGraph, old: FloatOperator, new: Operator, constants: Mapping[str, F64]
) -> FloatGraph:
    operators = tuple(new if operator is old else operator for operator in graph.operators)
    return replace(graph, operators=operators, constants={**graph.constants, **constants})


def _fold_limits(graph: FloatGraph) -> FloatGraph | None:
    """An activation becomes part of the operator before it, where nobody reads between the two."""
    for limit in graph.operators:
        if not isinstance(limit, Limit):
            continue
        before = _writer(graph, limit.x)
        if (
            isinstance(before, HAS_ACTIVATION)
            and before.activation is Activation.NONE
            and graph.only_reader(limit.x) is limit
        ):
            one = replace(before, output=limit.output, activation=limit.activation)
            return _merged(graph, before, limit, one, {})
    return None


def _fold_pads(graph: FloatGraph) -> FloatGraph | None:
    """Zeros in front of a convolution are its own padding, as long as they are fewer than its kernel."""
    for pad in graph.operators:
        if not isinstance(pad, Pad):
            continue
        after = graph.only_reader(pad.output)
        if not isinstance(after, Conv2d | DepthwiseConv2d):
            continue
        own, added = after.pads, pad.pads
        pads = Pads(
            own.top + added.top, own.left + added.left, own.bottom + added.bottom, own.right + added.right
        )
        height, width = graph.constants[after.weight].shape[1:3]
        if max(pads.top, pads.bottom) < height and max(pads.left, pads.right) < width:
            return _merged(graph, after, pad, replace(after, x=pad.x, pads=pads), {})
    return None


def _fold_dense(graph: FloatGraph) -> FloatGraph | None:
    """Two dense layers with nothing between them are one: W2 (W1 x + b1) + b2."""
    for after in graph.operators:
        if not isinstance(after, FullyConnected):
            continue
        before = _writer(graph, after.x)
        if (
            isinstance(before, FullyConnected)
            and before.activation is Activation.NONE
            and graph.only_reader(before.output) is after
        ):
            first, second = graph.constants[before.weight], graph.constants[after.weight]
            constants = {
                after.weight: np.ascontiguousarray(second @ first),
                after.bias: second @ graph.constants[before.bias] + graph.constants[after.bias],
            }
            return _merged(graph, before, after, replace(after, x=before.x), constants)
    return None
