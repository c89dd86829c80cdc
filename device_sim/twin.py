"""The integer network in NumPy: the second witness of the core, and the prediction for every runtime."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim import lookup, requant
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph, activation_range, n_output_channels
from device_sim.contract.operators import (
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
    Sigmoid,
    Softmax,
)
from device_sim.contract.tensor import HIGH_I8, LOW_I8, Tensor
from device_sim.requant import Code, Family

I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
BATCH = 32  # windows at once: bounds the memory, not the result


def run(graph: Graph, inputs: Mapping[str, I8], family: Family = Family.F1) -> dict[str, I8]:
    """The outputs, for any number of windows along the first axis of every input."""
    n_windows = check_inputs(graph, inputs)
    parts: list[dict[str, I8]] = []
    for start in range(0, n_windows, BATCH):
        portion = {name: inputs[name][start : start + BATCH] for name in graph.inputs}
        values = _values(graph, portion, family)
        parts.append({name: values[name] for name in graph.outputs})
    return {name: np.concatenate([part[name] for part in parts]) for name in graph.outputs}


def every_tensor(graph: Graph, inputs: Mapping[str, I8], family: Family = Family.F1) -> dict[str, I8]:
    """All that is computed on the way, by the tensor's name: to find the first layer that differs."""
    check_inputs(graph, inputs)
    return _values(graph, inputs, family)


def check_inputs(graph: Graph, inputs: Mapping[str, I8]) -> int:
    """The number of windows; refuses what the graph does not take."""
    if set(inputs) != set(graph.inputs):
        raise ContractError(f"inputs: expected {sorted(graph.inputs)}, got {sorted(inputs)}")
    counts = set()
    for name in graph.inputs:
        shape, found = graph.tensor(name).shape[1:], inputs[name]
        if found.dtype != np.int8 or found.ndim == 0 or found.shape[1:] != shape:
            raise ContractError(
                f"input {name!r}: expected int8 of shape (n, {', '.join(map(str, shape))}), "
                f"got {found.dtype} of shape {found.shape}"
            )
        counts.add(len(found))
    if len(counts) != 1 or 0 in counts:
        raise ContractError(f"inputs: expected the same number of windows, 1 or more, got {sorted(counts)}")
    return counts.pop()


def _values(graph: Graph, inputs: Mapping[str, I8], family: Family) -> dict[str, I8]:
    tensors = graph.by_name
    values = dict(inputs)
    for operator in graph.operators:
        values[operator.output] = apply(operator, tensors, values, family)
    return values


def apply(operator: Operator, tensors: Mapping[str, Tensor], values: Mapping[str, I8], family: Family) -> I8:
    """What one operator writes, from what has been computed before it."""
    output = tensors[operator.output]
    match operator:
        case Conv2d() | DepthwiseConv2d() | FullyConnected():
            steps = _linear(operator, tensors, values[operator.x], family)
        case Add():
            steps = _add(operator, tensors, values, family)
        case Pool():
            codes = _pool(operator, values[operator.x].astype(np.int64), output, family)
            low, high = activation_range(operator, output)
            return np.clip(codes, low, high).astype(np.int8)
        case Reshape():
            return values[operator.x].reshape(-1, *output.shape[1:])
        case Pad():
            return _padded(values[operator.x], operator.pads, output.zero_point)
        case Concat():
            return np.concatenate([values[name] for name in operator.xs], axis=operator.axis)
        case Sigmoid():
            x_tensor = tensors[operator.x]
            table = lookup.sigmoid_table_i8(x_tensor.scale, x_tensor.zero_point)
            return np.take(table, values[operator.x].astype(np.int64) + 128)
        case Softmax():
            return _softmax(values[operator.x].astype(np.int64), tensors[operator.x].scale)
    low, high = activation_range(operator, output)
    return np.clip(steps + output.zero_point, low, high).astype(np.int8)


def _linear(operator: Linear, tensors: Mapping[str, Tensor], x_i8: I8, family: Family) -> I64:
    weight = tensors[operator.weight]
    return requant.requantize(
        sums(operator, tensors, x_i8),
        family,
        x_scale=tensors[operator.x].scale,
        weight_scales=weight.channel_scales(n_output_channels(operator, weight.shape)),
        out_scale=tensors[operator.output].scale,
        is_dense=isinstance(operator, FullyConnected),
    )


def sums(operator: Linear, tensors: Mapping[str, Tensor], x_i8: I8) -> I64:
    """The 32-bit sums of a linear operator, bias included, before anything is rounded."""
    x_tensor, bias = tensors[operator.x], tensors[operator.bias]
    # Doubles: every sum stays below 2^31 (checked by the graph), so they count exactly, and BLAS is fast.
    x = x_i8.astype(np.float64) - x_tensor.zero_point
    w = tensors[operator.weight].constant.astype(np.float64)
    match operator:
        case Conv2d():
            products = _conv2d(x, w, operator)
        case DepthwiseConv2d():
            products = _depthwise_conv2d(x, w, operator)
        case FullyConnected():
            products = x @ w.T
    total: I64 = products.astype(np.int64) + bias.constant
    return total


def _padded(x: NDArray[Any], pads: Pads, value: int) -> NDArray[Any]:
    widths = ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right), (0, 0))
    return np.pad(x, widths, constant_values=value)


def _taps(
    x: NDArray[Any], kernel: tuple[int, int], stride: tuple[int, int], pads: Pads
) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """For each position (i, j) of the kernel, the inputs it meets, (n, out_h, out_w, c)."""
    padded = _padded(x, pads, 0)
    out_h = (padded.shape[1] - kernel[0]) // stride[0] + 1
    out_w = (padded.shape[2] - kernel[1]) // stride[1] + 1
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = slice(i, i + (out_h - 1) * stride[0] + 1, stride[0])
            columns = slice(j, j + (out_w - 1) * stride[1] + 1, stride[1])
            yield i, j, padded[:, rows, columns, :]


def _conv2d(x: F64, w_ohwi: F64, operator: Conv2d) -> F64:
    kernel = (w_ohwi.shape[1], w_ohwi.shape[2])
    taps = _taps(x, kernel, operator.stride, operator.pads)
    return _total(part @ w_ohwi[:, i, j, :].T for i, j, part in taps)


def _depthwise_conv2d(x: F64, w_1hwc: F64, operator: DepthwiseConv2d) -> F64:
    kernel = (w_1hwc.shape[1], w_1hwc.shape[2])
    repeated = np.repeat(x, w_1hwc.shape[3] // x.shape[3], axis=3)
    taps = _taps(repeated, kernel, operator.stride, operator.pads)
    return _total(part * w_1hwc[0, i, j] for i, j, part in taps)


def _total(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Their sum, in place after the first."""
    iterator = iter(parts)
    total = np.array(next(iterator))
    for part in iterator:
        total += part
    return total


def _add(operator: Add, tensors: Mapping[str, Tensor], values: Mapping[str, I8], family: Family) -> I64:
    names = (operator.x, operator.y, operator.output)
    x_code, y_code, out_code = (Code(tensors[name].scale, tensors[name].zero_point) for name in names)
    return requant.add(
        values[operator.x].astype(np.int64),
        values[operator.y].astype(np.int64),
        family,
        x_code=x_code,
        y_code=y_code,
        out_code=out_code,
        is_limited=activation_range(operator, tensors[operator.output]) != (LOW_I8, HIGH_I8),
    )


def _pool(operator: Pool, x: I64, output: Tensor, family: Family) -> I64:
    if operator.kind is PoolKind.MAX:
        return _max_pool(operator, x)
    if family is Family.F4_ORT and operator.kernel == x.shape[1:3] and not operator.pads:
        total = (x - output.zero_point).sum(axis=(1, 2), keepdims=True)
        return requant.float_mean(total, x.shape[1] * x.shape[2], output.scale) + output.zero_point
    return _average_pool(operator, x)


def _max_pool(operator: Pool, x: I64) -> I64:
    lifted = x + 128  # 0 is the smallest code: what padding adds can then never win
    parts = [part for _, _, part in _taps(lifted, operator.kernel, operator.stride, operator.pads)]
    highest: I64 = np.max(np.stack(parts), axis=0) - 128
    return highest


def _average_pool(operator: Pool, x: I64) -> I64:
    """Half away from zero, over the inputs that are really there."""
    ones = np.ones((1, x.shape[1], x.shape[2], 1), np.int64)
    total, count = (
        _total(part for _, _, part in _taps(of, operator.kernel, operator.stride, operator.pads))
        for of in (x, ones)
    )
    rounded: I64 = np.sign(total) * ((np.abs(total) + count // 2) // count)
    return rounded


def _softmax(x: I64, scale: float) -> I8:
    table_q23 = lookup.softmax_table_q23(scale).astype(np.int64)
    exponentials = table_q23[x.max(axis=-1, keepdims=True) - x]
    total = exponentials.sum(axis=-1, keepdims=True)
    steps = np.minimum((exponentials * 256 + total // 2) // total, 255)
    return np.asarray(steps - 128, np.int8)
