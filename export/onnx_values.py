"""What an ONNX file in QDQ form has computed: codes, and numbers that no QuantizeLinear has seen yet."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from device_sim.contract.graph import activation_range
from device_sim.contract.operators import (
    KEEPS_SCALE,
    Activation,
    Add,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Operator,
    Pool,
    PoolKind,
    Shape,
)
from device_sim.contract.tensor import HIGH_I8, LOW_I8, Tensor, float32
from device_sim.requant import Code
from export.foreign import Assembly, refused
from export.onnx_constants import UNSIGNED, Constant, constants_in
from export.onnx_layout import Seen, as_ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An operator whose codes are not known yet: a limit or a QuantizeLinear follows."""

    operator: Operator
    shape: Shape
    low: float = -np.inf
    high: float = np.inf
    weight: Constant | None = None
    bias: Constant | None = None

    @property
    def is_limited(self) -> bool:
        return bool(np.isfinite([self.low, self.high]).any())


class Values:
    """Every value that the file has computed so far; the graph grows behind it."""

    def __init__(self, file: Any, name: str) -> None:
        self.file = file
        self.made = Assembly(name=name)
        self.constants = constants_in(file)
        self.codes: dict[str, Seen] = {}  # name of the file -> integers of the graph
        self.real: dict[str, Seen] = {}  # and what stands between a DequantizeLinear and a QuantizeLinear
        for one in file.input:
            if one.name not in self.constants:
                self._add_input(one)

    def _add_input(self, one: Any) -> None:
        """An input is handed in as codes; what they are worth says the node that reads it."""
        reader = next((node for node in self.file.node if one.name in node.input), None)
        is_real = one.type.tensor_type.elem_type == TensorProto.FLOAT
        if reader is None or reader.op_type != ("QuantizeLinear" if is_real else "DequantizeLinear"):
            raise refused(one.name, "input", "expected codes or a QuantizeLinear behind it; quantise fully")
        shape = tuple(dim.dim_value or 1 for dim in one.type.tensor_type.shape.dim)
        name = self.made.free_name(one.name)
        self.made.activation(name, as_ours(shape, one.name), self.code_of(reader))
        self.made.inputs.append(name)
        (self.real if is_real else self.codes)[one.name] = Seen(source=name, rank=len(shape))

    def output_named(self, name: str) -> str:
        seen = self.codes.get(name) or self.real.get(name)
        if seen is None or not isinstance(seen.source, str):
            raise refused(name, "output", "expected codes; quantise fully")
        if seen.order is not None:
            raise refused(name, "output", "a flattened map in NCHW order; flatten after a transpose")
        return seen.source

    def code_of(self, node: Any) -> Code:
        scale, zero = self.constant(node, 1), None
        if len(node.input) > 2 and node.input[2]:
            zero = self.constant(node, 2).values
        if scale.values.size != 1:
            raise refused(layer_of(node), node.op_type, "expected one scale for an activation")
        worth = float32(float(scale.values.ravel()[0]))
        if zero is None or zero.dtype == np.uint8:
            return Code(worth, (0 if zero is None else int(zero.ravel()[0])) - UNSIGNED)
        if zero.dtype != np.int8:
            raise refused(layer_of(node), node.op_type, f"expected int8 or uint8 codes, got {zero.dtype}")
        return Code(worth, int(zero.ravel()[0]))

    def constant(self, node: Any, k: int) -> Constant:
        name = node.input[k] if len(node.input) > k else ""
        if name not in self.constants:
            raise refused(layer_of(node), node.op_type, f"input {k}: expected a constant")
        return self.constants[name]

    def x(self, node: Any, k: int = 0) -> Seen:
        """An operand whose codes are known; what only moves integers has those of its input."""
        name = node.input[k] if len(node.input) > k else ""
        seen = self.real.get(name)
        if seen is None:
            raise refused(layer_of(node), node.op_type, f"reads {name[:80]!r}: expected dequantised codes")
        if isinstance(seen.source, Pending):
            pending = seen.source
            if (
                not isinstance(pending.operator, KEEPS_SCALE)
                or np.isfinite([pending.low, pending.high]).any()
            ):
                raise refused(
                    layer_of(node), node.op_type, f"reads {name[:80]!r}: expected a QuantizeLinear between"
                )
            x = pending.operator.xs[0] if isinstance(pending.operator, Concat) else pending.operator.x
            tensor = self.made.activations[x]
            seen = self.finished(seen, pending, Code(tensor.scale, tensor.zero_point), name)
            self.real[name] = seen
        return seen

    def map_of(self, node: Any) -> Seen:
        seen = self.x(node)
        if seen.rank == 2 or seen.is_last:
            raise refused(layer_of(node), node.op_type, "expected a map, channels first")
        return seen

    def shape(self, seen: Seen) -> Shape:
        assert isinstance(seen.source, str)
        return self.made.activations[seen.source].shape

    def finished(self, seen: Seen, pending: Pending, code: Code, name: str) -> Seen:
        """The operator goes into the graph under the name of its codes."""
        output = self.made.free_name(name)
        operator = replace(pending.operator, name=output, output=output)
        if isinstance(operator, Pool) and _is_global_mean(operator, self.made.activations[operator.x].shape):
            self.made.global_mean(operator.x, output, code)
            return replace(seen, source=output)
        self.made.activation(output, pending.shape, code)
        operator = _limited(operator, pending, self.made.activations[output])
        if isinstance(operator, Conv2d | DepthwiseConv2d | FullyConnected):
            assert pending.weight is not None
            bias = pending.bias
            self.made.linear(
                replace(
                    operator,
                    weight=self.made.free_name(operator.weight),
                    bias=self.made.free_name(operator.bias),
                ),
                pending.weight.values,
                pending.weight.scales,
                bias.values if bias else None,
                bias.scales if bias else (),
            )
        else:
            self.made.put(operator)
        return replace(seen, source=output)

    def hold(self, node: Any, operator: Operator, seen: Seen, shape: Shape, **constants: Any) -> None:
        self.real[node.output[0]] = replace(seen, source=Pending(operator=operator, shape=shape, **constants))


def layer_of(node: Any) -> str:
    return str(node.name or (node.output[0] if node.output else node.op_type))


def attributes_of(node: Any) -> dict[str, Any]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def _is_global_mean(pool: Pool, shape: Shape) -> bool:
    return pool.kind is PoolKind.AVERAGE and pool.kernel == shape[1:3] and not pool.pads


def _limited(operator: Operator, pending: Pending, output: Tensor) -> Operator:
    """The fused activation whose limits in codes are those of the file."""
    low, high = (_code_of(limit, output) for limit in (pending.low, pending.high))
    if activation_range(operator, output) == (low, high):
        return operator
    for activation in (Activation.RELU, Activation.RELU6):
        if isinstance(operator, Conv2d | DepthwiseConv2d | FullyConnected | Pool | Add):
            fused = replace(operator, activation=activation)
            if activation_range(fused, output) == (low, high):
                return fused
    raise refused(operator.name, "Clip", f"codes {low} to {high}: expected no limits, a ReLU or a ReLU6")


def _code_of(limit: float, output: Tensor) -> int:
    if not np.isfinite(limit):
        return LOW_I8 if limit < 0 else HIGH_I8
    return int(np.clip(np.floor(limit / output.scale + 0.5) + output.zero_point, LOW_I8, HIGH_I8))
