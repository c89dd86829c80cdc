"""The integer graph as ONNX in QDQ form: uint8 activations, otherwise the same integers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph, activation_range, real_range
from device_sim.contract.operators import (
    Add,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Operator,
    Pad,
    Pads,
    Pool,
    PoolKind,
    Reshape,
    Shape,
    Sigmoid,
    Softmax,
    kind_of,
)
from device_sim.contract.tensor import DType, Tensor

OPSET = 17
IR_VERSION = 9
UNSIGNED = 128  # what a zero point grows by: x86 runtimes are exact and fastest with uint8
TO_LAST = (0, 2, 3, 1)  # NCHW -> NHWC
TO_FIRST = (0, 3, 1, 2)


def to_onnx(graph: Graph) -> bytes:
    """The file. Maps are NCHW, as ONNX has them; device_sim.runner turns the device's order around."""
    writer = _Writer(graph)
    for operator in graph.operators:
        writer.put(operator)
    ends = [
        [
            helper.make_tensor_value_info(f"{name}", TensorProto.UINT8, onnx_shape(graph.tensor(name)))
            for name in names
        ]
        for names in (graph.inputs, graph.outputs)
    ]
    made = helper.make_graph(writer.nodes, graph.name, ends[0], ends[1], writer.constants)
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="wristlead",
    )
    onnx.checker.check_model(model, full_check=True)
    raw: bytes = model.SerializeToString(deterministic=True)
    return raw


def onnx_shape(tensor: Tensor) -> Shape:
    """NHWC -> NCHW."""
    if len(tensor.shape) == 4:
        return tuple(tensor.shape[axis] for axis in TO_FIRST)
    if len(tensor.shape) == 2:
        return tensor.shape
    raise ContractError(f"export: {tensor.name!r}: expected 2 or 4 dimensions for ONNX, got {tensor.shape}")


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        for tensor in graph.tensors:
            self._code(tensor)

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def _code(self, tensor: Tensor) -> None:
        """Scale and zero point as constants."""
        scales = np.array(tensor.scales, np.float32)
        zeros = np.zeros(scales.shape, np.int8 if tensor.dtype is DType.I8 else np.int32)
        if not tensor.is_constant:
            zeros = np.full(scales.shape, tensor.zero_point + UNSIGNED, np.uint8)
        shape = scales.shape if tensor.axis is not None else ()
        self._constant(f"{tensor.name}.scale", scales.reshape(shape))
        self._constant(f"{tensor.name}.zero", zeros.reshape(shape))

    def _node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def _real(self, name: str, reader: str) -> str:
        """Codes to real numbers, once for each reader: that is the pattern runtimes look for."""
        output = f"{reader}.{name}.real"
        if any(node.name == output for node in self.nodes):
            return output  # an operator that reads it twice
        return self._node("DequantizeLinear", (name, f"{name}.scale", f"{name}.zero"), output)

    def _constant_real(self, name: str, values: NDArray[Any], axis: int) -> str:
        """A weight or bias in ONNX's layout."""
        tensor = self.graph.tensor(name)
        self._constant(name, values)
        attributes = {} if tensor.axis is None else {"axis": axis}
        inputs = (name, f"{name}.scale", f"{name}.zero")
        return self._node("DequantizeLinear", inputs, f"{name}.real", **attributes)

    def put(self, operator: Operator) -> None:
        """Real numbers in, the operator, its limits, codes out."""
        real = self._operate(operator)
        output = self.graph.tensor(operator.output)
        if activation_range(operator, output) != (-128, 127):
            low, high = real_range(operator, output)
            limits = (
                self._constant(f"{operator.name}.low", np.array(low, np.float32)),
                self._constant(f"{operator.name}.high", np.array(high, np.float32)),
            )
            real = self._node("Clip", (real, *limits), f"{operator.name}.limited")
        inputs = (real, f"{output.name}.scale", f"{output.name}.zero")
        self._node("QuantizeLinear", inputs, output.name)

    def _operate(self, operator: Operator) -> str:
        where, result = operator.name, f"{operator.name}.result"
        match operator:
            case Conv2d() | DepthwiseConv2d():
                return self._convolution(operator, result)
            case FullyConnected():
                weight = self._constant_real(operator.weight, self.graph.tensor(operator.weight).constant, 0)
                bias = self._constant_real(operator.bias, self.graph.tensor(operator.bias).constant, 0)
                return self._node("Gemm", (self._real(operator.x, where), weight, bias), result, transB=1)
            case Pool():
                return self._pool(operator, result)
            case Add():
                addends = (self._real(operator.x, where), self._real(operator.y, where))
                return self._node("Add", addends, result)
            case Reshape():
                return self._reshape(operator, result)
            case Pad():
                pads = self._constant(f"{where}.pads", _pad_table(operator.pads))
                return self._node("Pad", (self._real(operator.x, where), pads), result, mode="constant")
            case Concat():
                axis = operator.axis
                if len(self.graph.tensor(operator.output).shape) == 4:
                    axis = {1: 2, 2: 3, 3: 1}[axis]
                parts = [self._real(name, where) for name in operator.xs]
                return self._node("Concat", parts, result, axis=axis)
            case Sigmoid():
                return self._node("Sigmoid", (self._real(operator.x, where),), result)
            case Softmax():
                axis = 1  # channels: the last of ours
                return self._node("Softmax", (self._real(operator.x, where),), result, axis=axis)

    def _convolution(self, operator: Conv2d | DepthwiseConv2d, result: str) -> str:
        weight = self.graph.tensor(operator.weight)
        layout = TO_FIRST if isinstance(operator, Conv2d) else (3, 0, 1, 2)  # OIHW of OHWI or 1HWC
        group = 1 if isinstance(operator, Conv2d) else self.graph.tensor(operator.x).shape[3]
        inputs = (
            self._real(operator.x, operator.name),
            self._constant_real(operator.weight, weight.constant.transpose(layout), 0),
            self._constant_real(operator.bias, self.graph.tensor(operator.bias).constant, 0),
        )
        return self._node(
            "Conv",
            inputs,
            result,
            group=group,
            kernel_shape=list(weight.shape[1:3]),
            strides=list(operator.stride),
            pads=_edges(operator.pads),
        )

    def _pool(self, operator: Pool, result: str) -> str:
        attributes: dict[str, Any] = {
            "kernel_shape": list(operator.kernel),
            "strides": list(operator.stride),
            "pads": _edges(operator.pads),
        }
        x = self._real(operator.x, operator.name)
        if operator.kind is PoolKind.MAX:
            return self._node("MaxPool", (x,), result, **attributes)
        return self._node("AveragePool", (x,), result, count_include_pad=0, **attributes)

    def _reshape(self, operator: Reshape, result: str) -> str:
        """In the device's order: channels last, reshape, channels first again."""
        before, after = (self.graph.tensor(name).shape for name in (operator.x, operator.output))
        real = self._real(operator.x, operator.name)
        if not {len(before), len(after)} <= {2, 4}:
            raise ContractError(f"export: layer {operator.name!r} ({kind_of(operator)}): {before} to {after}")
        if len(before) == 4:
            real = self._node("Transpose", (real,), f"{operator.name}.last", perm=TO_LAST)
        shape = self._constant(f"{operator.name}.shape", np.array(after, np.int64))
        is_map = len(after) == 4
        real = self._node("Reshape", (real, shape), f"{operator.name}.reshaped" if is_map else result)
        return self._node("Transpose", (real,), result, perm=TO_FIRST) if is_map else real


def _edges(pads: Pads) -> list[int]:
    return [pads.top, pads.left, pads.bottom, pads.right]


def _pad_table(pads: Pads) -> NDArray[np.int64]:
    """Begins of n, c, h, w, then ends."""
    return np.array([0, 0, pads.top, pads.left, 0, 0, pads.bottom, pads.right], np.int64)
