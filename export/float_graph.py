"""A trained network before it is quantised: the contract's operators with real weights."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from device_sim.contract.errors import ContractError
from device_sim.contract.operators import (
    Activation,
    Add,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Linear,
    Operator,
    Pad,
    Pads,
    Pool,
    PoolKind,
    Reshape,
    Shape,
    Sigmoid,
    Softmax,
    activations_of,
)

F64 = NDArray[np.float64]
BATCH = 256  # windows evaluated at once


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm:
    """y = x * scale + shift for each channel; folded away before anything is quantised."""

    name: str
    x: str
    scale: str
    shift: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A ReLU or ReLU6 that stands alone; becomes part of the operator before it."""

    name: str
    x: str
    output: str
    activation: Activation


FloatOperator = Operator | BatchNorm | Limit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FloatGraph:
    """Activations NHWC or NC, weights OHWI, 1HWC or OI, as in the integer graph."""

    name: str
    operators: tuple[FloatOperator, ...]
    constants: Mapping[str, F64]
    shapes: Mapping[str, Shape]  # of every activation, batch 1
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def readers(self, name: str) -> list[FloatOperator]:
        return [operator for operator in self.operators if name in reads(operator)]

    def only_reader(self, name: str) -> FloatOperator | None:
        """The one operator that reads a tensor, if there is exactly one and nobody outside does."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and name not in self.outputs else None


def with_outputs(graph: FloatGraph, names: Sequence[str]) -> FloatGraph:
    """The same graph, its outputs called by these names instead of the layers that give them."""
    if len(names) != len(graph.outputs) or set(names) & (set(graph.shapes) - set(graph.outputs)):
        raise ContractError(f"export: outputs: expected new names for {graph.outputs}, got {tuple(names)}")
    new = dict(zip(graph.outputs, names, strict=True))
    read = {name for operator in graph.operators for name in reads(operator)}
    inside = read & set(new)
    if inside:
        raise ContractError(f"export: output {min(inside)!r}: expected nothing to read it inside the net")
    return replace(
        graph,
        operators=tuple(
            replace(operator, output=new.get(operator.output, operator.output))
            for operator in graph.operators
        ),
        shapes={new.get(name, name): shape for name, shape in graph.shapes.items()},
        outputs=tuple(names),
    )


def reads(operator: FloatOperator) -> tuple[str, ...]:
    """The activations an operator reads."""
    if isinstance(operator, BatchNorm | Limit):
        return (operator.x,)
    return activations_of(operator)


def evaluate(graph: FloatGraph, inputs: Mapping[str, NDArray[Any]]) -> dict[str, F64]:
    """The outputs in double precision, for windows along the first axis."""
    parts = list(_portions(graph, inputs, graph.outputs))
    return {name: np.concatenate([part[name] for part in parts]) for name in graph.outputs}


def every_tensor(graph: FloatGraph, inputs: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, F64]]:
    """Inputs and all that is computed, a portion of the windows at a time."""
    return _portions(graph, inputs, tuple(graph.shapes))


def _portions(
    graph: FloatGraph, inputs: Mapping[str, NDArray[Any]], names: Iterable[str]
) -> Iterator[dict[str, F64]]:
    n_windows = len(next(iter(inputs.values())))
    wanted = tuple(names)
    for start in range(0, n_windows, BATCH):
        values = {
            name: torch.from_numpy(np.asarray(inputs[name][start : start + BATCH], np.float64))
            for name in graph.inputs
        }
        with torch.no_grad():
            for operator in graph.operators:
                values[operator.output] = _apply(operator, graph, values)
        yield {name: values[name].numpy() for name in wanted}


def before_activation(operator: Linear, graph: FloatGraph, x: F64) -> F64:
    """What a linear operator computes of its input, its activation left out."""
    with torch.no_grad():
        y: F64 = _linear(operator, graph, torch.from_numpy(x)).numpy()
    return y


def _constant(graph: FloatGraph, name: str) -> Tensor:
    return torch.from_numpy(np.array(graph.constants[name]))  # folded ones may be read-only views


def _linear(operator: Linear, graph: FloatGraph, x: Tensor) -> Tensor:
    weight, bias = _constant(graph, operator.weight), _constant(graph, operator.bias)
    if isinstance(operator, FullyConnected):
        return functional.linear(x, weight, bias)
    return _convolve(operator, x, weight, bias)


def _apply(operator: FloatOperator, graph: FloatGraph, values: Mapping[str, Tensor]) -> Tensor:
    match operator:
        case Conv2d() | DepthwiseConv2d() | FullyConnected():
            y = _linear(operator, graph, values[operator.x])
        case Pool():
            y = _pool(operator, values[operator.x])
        case Add():
            y = values[operator.x] + values[operator.y]
        case Reshape():
            return values[operator.x].reshape(-1, *graph.shapes[operator.output][1:])
        case Pad():
            return _padded(values[operator.x], operator.pads, 0.0)
        case Concat():
            return torch.cat([values[name] for name in operator.xs], dim=operator.axis)
        case Sigmoid():
            return torch.sigmoid(values[operator.x])
        case Softmax():
            return torch.softmax(values[operator.x], dim=-1)
        case BatchNorm():
            return values[operator.x] * _constant(graph, operator.scale) + _constant(graph, operator.shift)
        case Limit():
            y = values[operator.x]
    return _limited(y, operator.activation)


def _limited(y: Tensor, activation: Activation) -> Tensor:
    match activation:
        case Activation.RELU:
            return torch.relu(y)
        case Activation.RELU6:
            return y.clamp(0.0, 6.0)
        case Activation.NONE:
            return y


def _padded(x_nhwc: Tensor, pads: Pads, value: float) -> Tensor:
    return functional.pad(x_nhwc, (0, 0, pads.left, pads.right, pads.top, pads.bottom), value=value)


def _convolve(operator: Conv2d | DepthwiseConv2d, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    padded = _padded(x, operator.pads, 0.0).permute(0, 3, 1, 2)
    if isinstance(operator, Conv2d):
        y = functional.conv2d(padded, weight.permute(0, 3, 1, 2), bias, operator.stride)
    else:
        groups = x.shape[3]
        y = functional.conv2d(padded, weight.permute(3, 0, 1, 2), bias, operator.stride, groups=groups)
    return y.permute(0, 2, 3, 1)


def _pool(operator: Pool, x: Tensor) -> Tensor:
    if operator.kind is PoolKind.MAX:
        padded = _padded(x, operator.pads, float("-inf")).permute(0, 3, 1, 2)
        return functional.max_pool2d(padded, operator.kernel, operator.stride).permute(0, 2, 3, 1)
    there = _padded(torch.ones_like(x[:1]), operator.pads, 0.0).permute(0, 3, 1, 2)
    mean, share = (
        functional.avg_pool2d(map_, operator.kernel, operator.stride)
        for map_ in (_padded(x, operator.pads, 0.0).permute(0, 3, 1, 2), there)
    )
    return (mean / share).permute(0, 2, 3, 1)
