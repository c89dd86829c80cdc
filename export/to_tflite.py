"""The integer graph as a TensorFlow Lite file, written with the official schema: same graph, same bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.operators import (
    NO_PADS,
    Activation,
    Add,
    Concat,
    Conv2d,
    Convolution,
    DepthwiseConv2d,
    FullyConnected,
    Operator,
    Pad,
    Pads,
    Pool,
    PoolKind,
    Reshape,
    Sigmoid,
    Softmax,
    kind_of,
    same_pads,
)
from device_sim.contract.tensor import DType, Tensor

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
ALL_DEPRECATED_CODES = 127  # codes past it do not fit the old field; none of ours is
TYPES = {DType.I8: schema.TensorType.INT8, DType.I32: schema.TensorType.INT32}
ACTIVATIONS = {
    Activation.NONE: schema.ActivationFunctionType.NONE,
    Activation.RELU: schema.ActivationFunctionType.RELU,
    Activation.RELU6: schema.ActivationFunctionType.RELU6,
}
# Operator -> the lowest version that every runtime takes for int8.
VERSIONS = {
    schema.BuiltinOperator.CONV_2D: 3,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    schema.BuiltinOperator.FULLY_CONNECTED: 5,
    schema.BuiltinOperator.MAX_POOL_2D: 2,
    schema.BuiltinOperator.AVERAGE_POOL_2D: 2,
    schema.BuiltinOperator.ADD: 2,
    schema.BuiltinOperator.RESHAPE: 1,
    schema.BuiltinOperator.PAD: 2,
    schema.BuiltinOperator.CONCATENATION: 2,
    schema.BuiltinOperator.LOGISTIC: 2,
    schema.BuiltinOperator.SOFTMAX: 2,
}


def to_tflite(graph: Graph, metadata: Mapping[str, bytes] | None = None) -> bytes:
    """The file; metadata (labels, digests) is kept beside the graph under its names."""
    writer = _Writer(graph)
    for operator in graph.operators:
        writer.put(operator)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(writer.model(metadata or {}).Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.buffers: list[Any] = [schema.BufferT()]  # number 0 stays empty: a tensor without values
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: list[int] = []
        self.index = {tensor.name: self._tensor(tensor) for tensor in graph.tensors}

    def model(self, metadata: Mapping[str, bytes]) -> Any:
        subgraph = schema.SubGraphT()
        subgraph.name = self.graph.name
        subgraph.tensors, subgraph.operators = self.tensors, self.operators
        subgraph.inputs = [self.index[name] for name in self.graph.inputs]
        subgraph.outputs = [self.index[name] for name in self.graph.outputs]
        model = schema.ModelT()
        model.version = SCHEMA_VERSION
        model.description = "wristlead"
        model.metadata = [self._metadata(name, metadata[name]) for name in sorted(metadata)]
        model.subgraphs, model.buffers = [subgraph], self.buffers
        model.operatorCodes = [_operator_code(code) for code in self.codes]
        return model

    def _metadata(self, name: str, value: bytes) -> Any:
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, self._buffer(value)
        return entry

    def _buffer(self, raw: bytes) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(raw, np.uint8)
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def _tensor(self, tensor: Tensor) -> int:
        quantization = schema.QuantizationParametersT()
        quantization.scale = list(tensor.scales)
        quantization.zeroPoint = [tensor.zero_point] * len(tensor.scales)
        quantization.quantizedDimension = tensor.axis or 0
        made = schema.TensorT()
        made.name, made.shape, made.type = tensor.name, list(tensor.shape), TYPES[tensor.dtype]
        made.quantization = quantization
        made.buffer = self._buffer(tensor.constant.tobytes()) if tensor.is_constant else 0
        self.tensors.append(made)
        return len(self.tensors) - 1

    def _integers(self, name: str, values: NDArray[np.int32]) -> int:
        """A constant that shapes something and has no scale."""
        made = schema.TensorT()
        made.name, made.shape, made.type = name, list(values.shape), schema.TensorType.INT32
        made.buffer = self._buffer(values.astype("<i4").tobytes())
        self.tensors.append(made)
        return len(self.tensors) - 1

    def put(self, operator: Operator) -> None:
        """One operator, and a PAD before it where its padding is neither SAME nor VALID."""
        match operator:
            case Conv2d() | DepthwiseConv2d():
                self._convolution(operator)
            case FullyConnected():
                options = schema.FullyConnectedOptionsT()
                options.fusedActivationFunction = ACTIVATIONS[operator.activation]
                names = (operator.x, operator.weight, operator.bias)
                self._emit("FULLY_CONNECTED", self._at(*names), operator.output, options)
            case Pool():
                self._pool(operator)
            case Add():
                options = schema.AddOptionsT()
                options.fusedActivationFunction = ACTIVATIONS[operator.activation]
                self._emit("ADD", self._at(operator.x, operator.y), operator.output, options)
            case Reshape():
                self._reshape(operator)
            case Pad():
                self._emit("PAD", self._pad_inputs(operator), operator.output, schema.PadOptionsT())
            case Concat():
                options = schema.ConcatenationOptionsT()
                options.axis = operator.axis
                self._emit("CONCATENATION", self._at(*operator.xs), operator.output, options)
            case Sigmoid():
                self._emit("LOGISTIC", self._at(operator.x), operator.output, None)
            case Softmax():
                options = schema.SoftmaxOptionsT()
                options.beta = 1.0
                self._emit("SOFTMAX", self._at(operator.x), operator.output, options)

    def _at(self, *names: str) -> list[int]:
        return [self.index[name] for name in names]

    def _emit(self, builtin: str, inputs: Sequence[int], output: str, options: Any) -> None:
        code = getattr(schema.BuiltinOperator, builtin)
        if code not in self.codes:
            self.codes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = self.codes.index(code)
        made.inputs, made.outputs = list(inputs), [self.index[output]]
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.operators.append(made)

    def _pad_inputs(self, pad: Pad) -> list[int]:
        pads = pad.pads
        table = np.array([[0, 0], [pads.top, pads.bottom], [pads.left, pads.right], [0, 0]], np.int32)
        return [self.index[pad.x], self._integers(f"{pad.name}.pads", table)]

    def _convolution(self, operator: Convolution) -> None:
        x, weight = self.graph.tensor(operator.x), self.graph.tensor(operator.weight)
        scheme = _scheme(x.shape, weight.shape[1:3], operator.stride, operator.pads)
        name = operator.x if scheme is not None else self._padded(operator, x)
        is_full = isinstance(operator, Conv2d)
        options = schema.Conv2DOptionsT() if is_full else schema.DepthwiseConv2DOptionsT()
        options.padding = schema.Padding.VALID if scheme is None else scheme
        # Never left out: with a stride of 0 one runtime computes nonsense without a word.
        options.strideH, options.strideW = operator.stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = ACTIVATIONS[operator.activation]
        if not is_full:
            options.depthMultiplier = weight.shape[3] // x.shape[3]
        inputs = self._at(name, operator.weight, operator.bias)
        self._emit("CONV_2D" if is_full else "DEPTHWISE_CONV_2D", inputs, operator.output, options)

    def _padded(self, operator: Convolution, x: Tensor) -> str:
        """The map with its zero points around it, as a tensor of its own."""
        pads = operator.pads
        _, height, width, channels = x.shape
        shape = (1, height + pads.top + pads.bottom, width + pads.left + pads.right, channels)
        name = f"{operator.name}.padded"
        self.index[name] = self._tensor(
            Tensor(name=name, shape=shape, scales=x.scales, zero_point=x.zero_point)
        )
        self.put(Pad(name=name, x=operator.x, output=name, pads=pads))
        return name

    def _pool(self, operator: Pool) -> None:
        scheme = _scheme(self.graph.tensor(operator.x).shape, operator.kernel, operator.stride, operator.pads)
        if scheme is None:
            raise ContractError(
                f"export: layer {operator.name!r} ({kind_of(operator)}): TensorFlow Lite has no pool with "
                f"padding {operator.pads}, only SAME and VALID; nothing was written"
            )
        options = schema.Pool2DOptionsT()
        options.padding = scheme
        options.strideH, options.strideW = operator.stride
        options.filterHeight, options.filterWidth = operator.kernel
        options.fusedActivationFunction = ACTIVATIONS[operator.activation]
        builtin = "MAX_POOL_2D" if operator.kind is PoolKind.MAX else "AVERAGE_POOL_2D"
        self._emit(builtin, self._at(operator.x), operator.output, options)

    def _reshape(self, operator: Reshape) -> None:
        shape = np.array(self.graph.tensor(operator.output).shape, np.int32)
        options = schema.ReshapeOptionsT()
        options.newShape = shape.tolist()
        inputs = [self.index[operator.x], self._integers(f"{operator.name}.shape", shape)]
        self._emit("RESHAPE", inputs, operator.output, options)


def _operator_code(code: int) -> Any:
    assert code <= ALL_DEPRECATED_CODES
    made = schema.OperatorCodeT()
    made.builtinCode = made.deprecatedBuiltinCode = code
    made.version = VERSIONS[code]
    return made


def _scheme(x: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, int], pads: Pads) -> int | None:
    """VALID, SAME, or neither."""
    if pads == NO_PADS:
        return int(schema.Padding.VALID)
    same = same_pads(x, (kernel[0], kernel[1]), stride)
    return int(schema.Padding.SAME) if pads == same else None
