"""The operators an integer graph is made of, and the shape each one gives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from device_sim.contract.errors import ContractError

Shape = tuple[int, ...]
MAX_WINDOW = 4096  # of a kernel, a stride or a pad, in either direction


class Activation(StrEnum):
    """What is fused into an operator: limits on its output."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"


class PoolKind(StrEnum):
    MAX = "max"
    AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class Pads:
    """Rows and columns added around a map; written out, as frameworks mean different things by `same`."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def __bool__(self) -> bool:
        return any((self.top, self.left, self.bottom, self.right))


NO_PADS = Pads()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv2d:
    """Every output channel sees every input channel; a 1-D convolution has height 1."""

    name: str
    x: str
    weight: str  # OHWI
    bias: str
    output: str
    stride: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv2d:
    """Output channel c sees input channel c // multiplier alone."""

    name: str
    x: str
    weight: str  # 1HWC
    bias: str
    output: str
    stride: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class FullyConnected:
    name: str
    x: str  # NC
    weight: str  # OI
    bias: str
    output: str
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Pads are left out of the maximum and of the count; a kernel as large as the map pools globally."""

    name: str
    x: str
    output: str
    kind: PoolKind
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: Pads = NO_PADS
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    name: str
    x: str
    y: str
    output: str
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape:
    name: str
    x: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad:
    """Real zeros, so the integers added are the zero point."""

    name: str
    x: str
    output: str
    pads: Pads


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat:
    """Side by side along one axis; how rhythm joins shape."""

    name: str
    xs: tuple[str, ...]
    output: str
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sigmoid:
    name: str
    x: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """Over the last axis."""

    name: str
    x: str
    output: str


Convolution = Conv2d | DepthwiseConv2d
Linear = Conv2d | DepthwiseConv2d | FullyConnected
Operator = Conv2d | DepthwiseConv2d | FullyConnected | Pool | Add | Reshape | Pad | Concat | Sigmoid | Softmax
KINDS: dict[str, type[Operator]] = {
    "conv2d": Conv2d,
    "depthwise_conv2d": DepthwiseConv2d,
    "fully_connected": FullyConnected,
    "pool": Pool,
    "add": Add,
    "reshape": Reshape,
    "pad": Pad,
    "concat": Concat,
    "sigmoid": Sigmoid,
    "softmax": Softmax,
}
KEEPS_SCALE = (Pool, Reshape, Pad, Concat)  # these move integers and cannot change what one is worth


def kind_of(operator: Operator) -> str:
    """The name a manifest uses."""
    return next(kind for kind, one in KINDS.items() if one is type(operator))


def activations_of(operator: Operator) -> tuple[str, ...]:
    """What an operator reads, constants left out."""
    match operator:
        case Add():
            return operator.x, operator.y
        case Concat():
            return operator.xs
        case _:
            return (operator.x,)


def constants_of(operator: Operator) -> tuple[str, ...]:
    """The weight and the bias of a linear operator."""
    if isinstance(operator, Conv2d | DepthwiseConv2d | FullyConnected):
        return operator.weight, operator.bias
    return ()


def output_shape(operator: Operator, inputs: Sequence[Shape], weight: Shape = ()) -> Shape:
    """The shape an operator gives, or one line about why it cannot be applied."""
    where = f"graph: operator {operator.name!r} ({kind_of(operator)})"
    x = inputs[0]
    match operator:
        case Conv2d() | DepthwiseConv2d():
            return _convolved(operator, where, x, weight)
        case FullyConnected():
            if len(x) != 2 or len(weight) != 2 or weight[1] != x[1]:
                raise ContractError(f"{where}: expected input (1, n) and weight (m, n), got {x} and {weight}")
            return x[0], weight[0]
        case Pool():
            _expect_map(where, x)
            height, width = _slid(where, x, operator.kernel, operator.stride, operator.pads)
            _expect_pads_below_kernel(where, operator.pads, operator.kernel)
            return x[0], height, width, x[3]
        case Add():
            if inputs[0] != inputs[1]:
                raise ContractError(f"{where}: expected equal shapes, got {inputs[0]} and {inputs[1]}")
            return x
        case Pad():
            _expect_map(where, x)
            pads = _checked_pads(where, operator.pads)
            return x[0], x[1] + pads.top + pads.bottom, x[2] + pads.left + pads.right, x[3]
        case Concat():
            return _joined(where, operator.axis, inputs)
        case Reshape() | Sigmoid() | Softmax():
            return x


def _convolved(operator: Convolution, where: str, x: Shape, weight: Shape) -> Shape:
    _expect_map(where, x)
    if len(weight) != 4:
        raise ContractError(f"{where}: expected a weight of 4 dimensions, got {weight}")
    if isinstance(operator, Conv2d):
        if weight[3] != x[3]:
            raise ContractError(f"{where}: expected a weight for {x[3]} input channels, got {weight[3]}")
        n_out = weight[0]
    else:
        n_out = weight[3]
        if weight[0] != 1 or n_out % x[3] != 0:
            raise ContractError(
                f"{where}: expected weight (1, h, w, a multiple of {x[3]} channels), got {weight}"
            )
    _expect_pads_below_kernel(where, operator.pads, (weight[1], weight[2]))
    height, width = _slid(where, x, (weight[1], weight[2]), operator.stride, operator.pads)
    return x[0], height, width, n_out


def _slid(
    where: str, x: Shape, kernel: tuple[int, int], stride: tuple[int, int], pads: Pads
) -> tuple[int, int]:
    """Positions of a sliding window, in both directions."""
    for what, pair in (("kernel", kernel), ("stride", stride)):
        if not all(1 <= n <= MAX_WINDOW for n in pair):
            raise ContractError(f"{where}: {what}: expected 1..{MAX_WINDOW}, got {pair}")
    _checked_pads(where, pads)
    room_h = x[1] + pads.top + pads.bottom - kernel[0]
    room_w = x[2] + pads.left + pads.right - kernel[1]
    if room_h < 0 or room_w < 0:
        raise ContractError(f"{where}: kernel {kernel} is larger than its padded input {x[1:3]}")
    return room_h // stride[0] + 1, room_w // stride[1] + 1


def _expect_map(where: str, x: Shape) -> None:
    if len(x) != 4:
        raise ContractError(f"{where}: expected an input (1, h, w, c), got {x}")


def _checked_pads(where: str, pads: Pads) -> Pads:
    found = (pads.top, pads.left, pads.bottom, pads.right)
    if not all(0 <= n <= MAX_WINDOW for n in found):
        raise ContractError(f"{where}: pads: expected 0..{MAX_WINDOW}, got {found}")
    return pads


def _expect_pads_below_kernel(where: str, pads: Pads, kernel: tuple[int, int]) -> None:
    """A window that sees nothing but padding has no maximum."""
    if max(pads.top, pads.bottom) >= kernel[0] or max(pads.left, pads.right) >= kernel[1]:
        raise ContractError(f"{where}: pads: expected less than the kernel {kernel}, got {pads}")


def _joined(where: str, axis: int, inputs: Sequence[Shape]) -> Shape:
    first = inputs[0]
    if not 1 <= axis < len(first):
        raise ContractError(f"{where}: axis: expected 1..{len(first) - 1}, got {axis}")
    for other in inputs[1:]:
        if len(other) != len(first) or other[:axis] != first[:axis] or other[axis + 1 :] != first[axis + 1 :]:
            raise ContractError(
                f"{where}: expected shapes equal but for axis {axis}, got {first} and {other}"
            )
    return (*first[:axis], sum(shape[axis] for shape in inputs), *first[axis + 1 :])


def same_pads(x: Shape, kernel: tuple[int, int], stride: tuple[int, int]) -> Pads:
    """What TensorFlow calls SAME: the output has ceil(n / stride), the odd one goes to the end."""
    before_after = []
    for n, k, s in zip(x[1:3], kernel, stride, strict=True):
        total = max((math.ceil(n / s) - 1) * s + k - n, 0)
        before_after.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = before_after
    return Pads(top=top, left=left, bottom=bottom, right=right)
