"""The integer graph: what export writes once, and every runtime executes."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.operators import (
    KEEPS_SCALE,
    Add,
    Conv2d,
    FullyConnected,
    Linear,
    Operator,
    Pool,
    Reshape,
    Shape,
    Sigmoid,
    Softmax,
    activations_of,
    constants_of,
    kind_of,
    output_shape,
)
from device_sim.contract.tensor import HIGH_I8, LOW_I8, DType, Tensor, float32

MAX_OPERATORS = 1024
MAX_TENSORS = 4096
PROBABILITY_SCALE = 1 / 256  # of sigmoid and softmax: 0..255/256
PROBABILITY_ZERO = -128
MAX_STEPS = 1 << 32  # of the innermost loops: half a minute on a host, days on a microcontroller
MAX_ADD_RATIO = 1 << 19  # past it a sum would be shifted left, out of 32 bits
MAX_CLASSES = 256  # of a softmax: their exponentials must sum in 32 bits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """Operators in the order they run; every tensor has one writer. Refuses what could not run."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.operators) <= MAX_OPERATORS or not 1 <= len(self.tensors) <= MAX_TENSORS:
            raise ContractError(
                f"graph: expected 1..{MAX_OPERATORS} operators and 1..{MAX_TENSORS} tensors, "
                f"got {len(self.operators)} and {len(self.tensors)}"
            )
        _expect_once("tensor", [tensor.name for tensor in self.tensors])
        _expect_once("operator", [operator.name for operator in self.operators])
        _expect_once("input", self.inputs)
        _expect_once("output", self.outputs)
        self._check_ends()
        self._check_order()
        by_name = self.by_name
        for operator in self.operators:
            _check_operator(operator, by_name)
        n_steps = sum(count_steps(operator, by_name) for operator in self.operators)
        if n_steps > MAX_STEPS:
            raise ContractError(f"graph: expected at most {MAX_STEPS} steps a window, got {n_steps}")

    @property
    def by_name(self) -> dict[str, Tensor]:
        return {tensor.name: tensor for tensor in self.tensors}

    def tensor(self, name: str) -> Tensor:
        """One tensor, by its name."""
        return self.by_name[name]

    @property
    def constants(self) -> tuple[Tensor, ...]:
        return tuple(tensor for tensor in self.tensors if tensor.is_constant)

    def _check_ends(self) -> None:
        if not self.inputs or not self.outputs:
            raise ContractError("graph: expected at least one input and one output")
        by_name = self.by_name
        written = {operator.output for operator in self.operators}
        for name in self.inputs:
            if name not in by_name or by_name[name].is_constant or name in written:
                raise ContractError(f"graph: input {name!r}: expected a tensor that nothing writes")
            if by_name[name].shape[0] != 1:
                raise ContractError(f"graph: input {name!r}: expected batch 1, got {by_name[name].shape}")
        for name in self.outputs:
            if name not in written:
                raise ContractError(f"graph: output {name!r}: expected a tensor that an operator writes")

    def _check_order(self) -> None:
        """Every tensor is written before it is read, once, and none is left over."""
        by_name = self.by_name
        ready = set(self.inputs)
        used = set(self.inputs)
        for operator in self.operators:
            where = f"graph: operator {operator.name!r} ({kind_of(operator)})"
            if not activations_of(operator):
                raise ContractError(f"{where}: expected inputs, got none")
            for name in activations_of(operator):
                if name not in ready:
                    raise ContractError(f"{where}: reads {name!r} before anything has written it")
            for name in constants_of(operator):
                if name not in by_name or not by_name[name].is_constant:
                    raise ContractError(f"{where}: expected a constant {name!r}")
            output = operator.output
            if output not in by_name or by_name[output].is_constant or output in ready:
                raise ContractError(f"{where}: expected an output of its own, got {output!r}")
            ready.add(output)
            used |= {*activations_of(operator), *constants_of(operator), output}
        idle = [tensor.name for tensor in self.tensors if tensor.name not in used]
        if idle:
            raise ContractError(f"graph: tensor {idle[0]!r}: nothing uses it")


def _expect_once(what: str, names: Sequence[str]) -> None:
    counts = Counter(names)
    twice = [name for name, n in counts.items() if n > 1]
    if twice:
        raise ContractError(f"graph: {what} {twice[0]!r}: expected once, got it {counts[twice[0]]} times")


def _check_operator(operator: Operator, by_name: dict[str, Tensor]) -> None:
    """Shapes, scales and ranges of one operator."""
    where = f"graph: operator {operator.name!r} ({kind_of(operator)})"
    reads = [by_name[name] for name in activations_of(operator)]
    output = by_name[operator.output]
    for tensor in (*reads, output):
        if tensor.axis is not None:
            raise ContractError(f"{where}: {tensor.name}: expected one scale for an activation")
    weight = by_name[operator.weight] if isinstance(operator, Linear) else None
    found = output_shape(operator, [tensor.shape for tensor in reads], weight.shape if weight else ())
    _check_output_shape(operator, where, found, output.shape)
    if isinstance(operator, KEEPS_SCALE):
        for tensor in reads:
            if (tensor.scale, tensor.zero_point) != (output.scale, output.zero_point):
                raise ContractError(
                    f"{where}: expected the scale and zero point of {tensor.name!r} "
                    f"({tensor.scale:g}, {tensor.zero_point}), got {output.scale:g}, {output.zero_point}"
                )
    if isinstance(operator, Sigmoid | Softmax) and (output.scale, output.zero_point) != (
        PROBABILITY_SCALE,
        PROBABILITY_ZERO,
    ):
        raise ContractError(
            f"{where}: expected output scale 1/256 and zero point -128, "
            f"got {output.scale:g} and {output.zero_point}"
        )
    if isinstance(operator, Softmax) and output.shape[-1] > MAX_CLASSES:
        raise ContractError(f"{where}: expected at most {MAX_CLASSES} classes, got {output.shape[-1]}")
    if isinstance(operator, Add):
        ratio = max(tensor.scale for tensor in reads) / output.scale
        if not ratio < MAX_ADD_RATIO:
            raise ContractError(
                f"{where}: expected scales of the addends below {MAX_ADD_RATIO} times the output's, "
                f"got {ratio:.3g}"
            )
    if isinstance(operator, Linear):
        assert weight is not None
        _check_linear(operator, where, reads[0], weight, by_name[operator.bias], output)


def _check_output_shape(operator: Operator, where: str, found: Shape, declared: Shape) -> None:
    if isinstance(operator, Reshape):
        if declared[0] != 1 or math.prod(found) != math.prod(declared):
            raise ContractError(f"{where}: expected {math.prod(found)} elements, batch 1, got {declared}")
    elif found != declared:
        raise ContractError(f"{where}: expected output shape {found}, got {declared}")


def n_output_channels(operator: Linear, weight: Shape) -> int:
    """Output channels of a linear operator: OHWI and OI first, 1HWC last."""
    return weight[0] if isinstance(operator, Conv2d | FullyConnected) else weight[3]


def channel_axis(operator: Linear) -> int:
    """The axis of a weight that counts output channels."""
    return 0 if isinstance(operator, Conv2d | FullyConnected) else 3


def _check_linear(
    operator: Linear, where: str, x: Tensor, weight: Tensor, bias: Tensor, output: Tensor
) -> None:
    n_out = n_output_channels(operator, weight.shape)
    if weight.dtype is not DType.I8 or weight.zero_point != 0 or int(weight.constant.min()) < -127:
        raise ContractError(f"{where}: {weight.name}: expected int8 weights -127..127 with zero point 0")
    if weight.axis not in (None, channel_axis(operator)):
        raise ContractError(
            f"{where}: {weight.name}: axis: expected {channel_axis(operator)}, got {weight.axis}"
        )
    if bias.dtype is not DType.I32 or bias.shape != (n_out,):
        raise ContractError(
            f"{where}: {bias.name}: expected {n_out} int32 values, got {bias.dtype} {bias.shape}"
        )
    expected = [float32(x.scale * scale) for scale in weight.channel_scales(n_out)]
    if list(bias.channel_scales(n_out)) != expected:
        raise ContractError(f"{where}: {bias.name}: scale: expected input scale times weight scale")
    limit = int(accumulator_limits(operator, x, weight, bias).max())
    # One bit is kept free: the rounding of the multiplication may add one.
    ratio = max(expected) / output.scale
    if limit >= 2**30 or not ratio < 2**30 or limit * max(ratio, 1.0) >= 2**30:
        raise ContractError(
            f"{where}: sums reach {limit}, times {ratio:.3g}: expected below 2^30; "
            "the scales do not fit the weights"
        )


def accumulator_limits(operator: Linear, x: Tensor, weight: Tensor, bias: Tensor) -> NDArray[np.int64]:
    """The largest magnitude any input can give the 32-bit sum of each output channel."""
    reach = max(HIGH_I8 - x.zero_point, x.zero_point - LOW_I8)
    axes = tuple(axis for axis in range(weight.constant.ndim) if axis != channel_axis(operator))
    magnitude = np.abs(weight.constant.astype(np.int64)).sum(axis=axes)
    limits: NDArray[np.int64] = magnitude * reach + np.abs(bias.constant.astype(np.int64))
    return limits


def activation_range(operator: Operator, output: Tensor) -> tuple[int, int]:
    """The integers an output may take: int8, cut by the fused activation as TensorFlow Lite cuts it."""
    activation = getattr(operator, "activation", "none")
    low, high = LOW_I8, HIGH_I8
    if activation in ("relu", "relu6"):
        low = max(low, output.zero_point)
    if activation == "relu6" and 6.0 / output.scale < 2 * (HIGH_I8 - LOW_I8):
        # Half away from zero in float32, as the runtimes round a limit.
        six = np.float32(6.0) / np.float32(output.scale)
        high = min(high, output.zero_point + math.floor(float(six) + 0.5))
    return low, high


def real_range(operator: Operator, output: Tensor) -> tuple[float, float]:
    """The same limits in real numbers."""
    low, high = activation_range(operator, output)
    return output.scale * (low - output.zero_point), output.scale * (high - output.zero_point)


def count_steps(operator: Operator, by_name: Mapping[str, Tensor]) -> int:
    """How often the innermost loop of an operator turns for one window."""
    n_out = math.prod(by_name[operator.output].shape)
    if isinstance(operator, Linear):
        weight = by_name[operator.weight].shape
        return n_out * (math.prod(weight) // n_output_channels(operator, weight))
    return n_out * math.prod(operator.kernel) if isinstance(operator, Pool) else n_out


def count_macs(graph: Graph) -> int:
    """Multiply-accumulates of one window."""
    by_name = graph.by_name
    return sum(count_steps(one, by_name) for one in graph.operators if isinstance(one, Linear))
