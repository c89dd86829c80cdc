"""The operator table of the core: what a graph and its memory plan become, for C and for ctypes alike."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim import lookup, requant
from device_sim.contract.graph import Graph, activation_range, n_output_channels
from device_sim.contract.operators import (
    Add,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Operator,
    Pad,
    Pool,
    PoolKind,
    Reshape,
    Sigmoid,
    Softmax,
    activations_of,
)
from device_sim.contract.tensor import Tensor
from device_sim.plan import Plan
from device_sim.requant import Multiplier


class OpKind(IntEnum):
    """enum wl_op_kind."""

    CONV2D = 0
    DEPTHWISE_CONV2D = 1
    DENSE = 2
    MAX_POOL = 3
    AVERAGE_POOL = 4
    ADD = 5
    PAD = 6
    COPY = 7
    SIGMOID = 8
    SOFTMAX = 9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Op:
    """struct wl_op, field by field; arrays where it has pointers."""

    name: str  # of the graph's operator
    kind: OpKind
    x: int
    out: int
    in_hwc: tuple[int, int, int]
    out_hwc: tuple[int, int, int]
    y: int = 0
    weight: NDArray[np.int8] | None = None
    bias: NDArray[np.int32] | None = None
    by_q31: NDArray[np.int32] | None = None
    by_shift: NDArray[np.int8] | None = None
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad_top_left: tuple[int, int] = (0, 0)
    x_zero: int = 0
    y_zero: int = 0
    out_zero: int = 0
    low: int = -128
    high: int = 127


def program(graph: Graph, plan: Plan) -> tuple[Op, ...]:
    """The table; a reshape in place leaves no row, a concatenation one for each part."""
    offsets = {place.name: place.offset_bytes for place in plan.places}
    tensors = graph.by_name
    return tuple(op for operator in graph.operators for op in _rows(operator, tensors, offsets))


def _rows(operator: Operator, tensors: Mapping[str, Tensor], offsets: Mapping[str, int]) -> Iterator[Op]:
    if isinstance(operator, Concat):
        yield from _joined(operator, tensors, offsets)
        return
    x, output = tensors[activations_of(operator)[0]], tensors[operator.output]
    if isinstance(operator, Reshape):
        if offsets[operator.x] != offsets[operator.output]:
            yield _copy(operator.name, offsets[operator.x], offsets[operator.output], 1, x.n_bytes, x.n_bytes)
        return
    low, high = activation_range(operator, output)
    ends: dict[str, Any] = {
        "name": operator.name,
        "x": offsets[x.name],
        "out": offsets[output.name],
        "in_hwc": _hwc(x.shape),
        "out_hwc": _hwc(output.shape),
        "x_zero": x.zero_point,
        "out_zero": output.zero_point,
        "low": low,
        "high": high,
    }
    yield Op(**ends, **_particulars(operator, tensors, offsets))


def _hwc(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(1, h, w, c) as it is; (1, c) and (1, n, c) with ones before."""
    height, width, channels = (1, 1, 1, *shape[1:])[-3:]
    return height, width, channels


def _particulars(
    operator: Operator, tensors: Mapping[str, Tensor], offsets: Mapping[str, int]
) -> dict[str, Any]:
    """The fields that only some kinds have."""
    match operator:
        case Conv2d() | DepthwiseConv2d():
            kind = OpKind.CONV2D if isinstance(operator, Conv2d) else OpKind.DEPTHWISE_CONV2D
            kernel = tensors[operator.weight].shape[1:3]
            return {
                "kind": kind,
                "kernel": kernel,
                "stride": operator.stride,
                "pad_top_left": (operator.pads.top, operator.pads.left),
                **_constants(operator, tensors),
            }
        case FullyConnected():
            return {"kind": OpKind.DENSE, **_constants(operator, tensors)}
        case Pool():
            return {
                "kind": OpKind.MAX_POOL if operator.kind is PoolKind.MAX else OpKind.AVERAGE_POOL,
                "kernel": operator.kernel,
                "stride": operator.stride,
                "pad_top_left": (operator.pads.top, operator.pads.left),
            }
        case Add():
            return _addition(operator, tensors, offsets)
        case Pad():
            return {"kind": OpKind.PAD, "pad_top_left": (operator.pads.top, operator.pads.left)}
        case Sigmoid():
            x = tensors[operator.x]
            return {"kind": OpKind.SIGMOID, "weight": lookup.sigmoid_table_i8(x.scale, x.zero_point)}
        case Softmax():
            return {
                "kind": OpKind.SOFTMAX,
                "bias": lookup.softmax_table_q23(tensors[operator.x].scale),
            }
        case _:
            raise AssertionError(f"{operator.name}: has no row of its own")


def _constants(
    operator: Conv2d | DepthwiseConv2d | FullyConnected, tensors: Mapping[str, Tensor]
) -> dict[str, Any]:
    weight = tensors[operator.weight]
    scales = weight.channel_scales(n_output_channels(operator, weight.shape))
    multipliers = requant.linear_multipliers(
        tensors[operator.x].scale, scales, tensors[operator.output].scale
    )
    return {
        "weight": np.ascontiguousarray(weight.constant, np.int8),
        "bias": np.ascontiguousarray(tensors[operator.bias].constant, np.int32),
        **_by(multipliers),
    }


def _by(multipliers: list[Multiplier]) -> dict[str, Any]:
    return {
        "by_q31": np.array([by.q31 for by in multipliers], np.int32),
        "by_shift": np.array([by.shift for by in multipliers], np.int8),
    }


def _addition(operator: Add, tensors: Mapping[str, Tensor], offsets: Mapping[str, int]) -> dict[str, Any]:
    y = tensors[operator.y]
    by = requant.add_multipliers(tensors[operator.x].scale, y.scale, tensors[operator.output].scale)
    return {"kind": OpKind.ADD, "y": offsets[y.name], "y_zero": y.zero_point, **_by([by.x, by.y, by.out])}


def _joined(operator: Concat, tensors: Mapping[str, Tensor], offsets: Mapping[str, int]) -> Iterator[Op]:
    """Each input's rows, one beside the other."""
    shape = tensors[operator.output].shape
    pitch, at = prod(shape[operator.axis :]), offsets[operator.output]
    for name in operator.xs:
        row = prod(tensors[name].shape[operator.axis :])
        yield _copy(operator.name, offsets[name], at, prod(shape[: operator.axis]), row, pitch)
        at += row


def _copy(name: str, x: int, out: int, n_rows: int, row_bytes: int, pitch_bytes: int) -> Op:
    return Op(
        name=name,
        kind=OpKind.COPY,
        x=x,
        out=out,
        in_hwc=(n_rows, 1, row_bytes),
        out_hwc=(n_rows, 1, pitch_bytes),
    )
