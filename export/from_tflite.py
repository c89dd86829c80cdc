"""A foreign int8 TensorFlow Lite file as the integer graph; what has no kernel is refused by its name."""

import struct
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import MAX_OPERATORS, MAX_TENSORS, Graph
from device_sim.contract.operators import (
    NO_PADS,
    Activation,
    Add,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Linear,
    Pad,
    Pads,
    Pool,
    PoolKind,
    Reshape,
    Shape,
    Sigmoid,
    Softmax,
    same_pads,
)
from device_sim.contract.tensor import MAX_DIMENSIONS, DType
from device_sim.requant import Code
from export.foreign import MAX_BYTES, Assembly, activation_named, constant_of, refused, unsupported

IDENTIFIER = b"TFL3"
NO_TENSOR = -1
DAMAGE = (struct.error, IndexError, ValueError, TypeError, KeyError, OverflowError, AttributeError)


def _named(enum: type, lower: bool = False) -> dict[int, str]:
    names = {value: name for name, value in vars(enum).items() if isinstance(value, int)}
    return {value: name.lower() for value, name in names.items()} if lower else names


BUILTINS = _named(schema.BuiltinOperator)
TYPES = _named(schema.TensorType)
ACTIVATIONS = _named(schema.ActivationFunctionType, lower=True)


def from_tflite(raw: bytes, name: str) -> Graph:
    """The graph; a file that is damaged or wants more than there is ends in one line."""
    if raw[4:8] != IDENTIFIER:
        raise ContractError(f"expected a TensorFlow Lite file ({IDENTIFIER.decode()}), got something else")
    if len(raw) > MAX_BYTES:
        raise ContractError(f"expected a TensorFlow Lite file of at most {MAX_BYTES} bytes, got {len(raw)}")
    try:
        return _Reader(raw, name).graph()
    except ContractError:
        raise
    except DAMAGE as fault:
        raise ContractError(f"expected a sound TensorFlow Lite file: {str(fault)[:120]}") from None


class _Reader:
    def __init__(self, raw: bytes, name: str) -> None:
        self.model = schema.Model.GetRootAs(raw, 0)
        n_subgraphs = self.model.SubgraphsLength()
        if n_subgraphs != 1:
            raise ContractError(f"subgraphs: expected 1, got {n_subgraphs}")
        self.subgraph = self.model.Subgraphs(0)
        for what, found, most in (
            ("tensors", self.subgraph.TensorsLength(), MAX_TENSORS),
            ("operators", self.subgraph.OperatorsLength(), MAX_OPERATORS),
        ):
            if not 1 <= found <= most:
                raise ContractError(f"{what}: expected 1..{most}, got {found}")
        self.made = Assembly(name=name)
        self.names: dict[int, str] = {}  # tensor of the file -> of the graph, once something writes it
        self.padded: dict[int, tuple[str, Pads]] = {}  # result of a PAD -> what it pads, and how

    def graph(self) -> Graph:
        for index in self._indices(self.subgraph.InputsLength(), self.subgraph.Inputs):
            first = self._only_reader(index)
            if first is not None and self._kind(first) == "QUANTIZE":
                index = first.Outputs(0)  # the device hands codes
            self.made.inputs.append(self._result(index))
        for k in range(self.subgraph.OperatorsLength()):
            self._read(self.subgraph.Operators(k))
        return self.made.graph([self._name(index, "output", "graph") for index in self._outputs])

    @cached_property
    def _outputs(self) -> list[int]:
        return self._indices(self.subgraph.OutputsLength(), self.subgraph.Outputs)

    def _read(self, operator: Any) -> None:
        kind = self._kind(operator)
        layer = self._label(operator.Outputs(0)) if operator.OutputsLength() == 1 else kind
        if kind not in READERS or operator.OutputsLength() != 1:
            raise unsupported(layer, kind)
        READERS[kind](self, operator, layer)

    def _kind(self, operator: Any) -> str:
        code = self.model.OperatorCodes(self._below(operator.OpcodeIndex(), self.model.OperatorCodesLength()))
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if number == schema.BuiltinOperator.CUSTOM:
            return f"CUSTOM {(code.CustomCode() or b'').decode(errors='replace')}"
        return BUILTINS.get(number, f"operator {number}")

    @staticmethod
    def _below(index: int, n: int) -> int:
        if not 0 <= index < n:
            raise ContractError(f"index: expected 0..{n - 1}, got {index}")
        return index

    @staticmethod
    def _indices(n: int, one: Callable[[int], int]) -> list[int]:
        if not 1 <= n <= MAX_TENSORS:
            raise ContractError(f"ends of the graph: expected 1..{MAX_TENSORS}, got {n}")
        return [one(k) for k in range(n)]

    def _tensor(self, index: int) -> Any:
        return self.subgraph.Tensors(self._below(index, self.subgraph.TensorsLength()))

    def _label(self, index: int) -> str:
        return (self._tensor(index).Name() or b"").decode(errors="replace") or f"tensor {index}"

    def _shape(self, index: int) -> Shape:
        tensor = self._tensor(index)
        n = tensor.ShapeLength()
        if not 0 <= n <= MAX_DIMENSIONS:
            raise ContractError(
                f"{self._label(index)[:80]}: expected at most {MAX_DIMENSIONS} dimensions, got {n}"
            )
        return tuple(tensor.Shape(k) for k in range(n))

    def _scales(self, index: int, layer: str, kind: str) -> tuple[list[float], list[int]]:
        quantization = self._tensor(index).Quantization()
        n = 0 if quantization is None else quantization.ScaleLength()
        if not n:
            raise refused(
                layer, kind, f"{self._label(index)[:80]}: expected int8 with a scale; quantise fully"
            )
        scales, zeros = quantization.ScaleAsNumpy(), quantization.ZeroPointAsNumpy()
        return [float(one) for one in scales], [int(one) for one in np.ravel(zeros)]

    def _code(self, index: int, layer: str, kind: str) -> Code:
        found = TYPES.get(self._tensor(index).Type(), "?")
        if found != "INT8":
            raise refused(
                layer, kind, f"{self._label(index)[:80]}: expected INT8, got {found}; quantise fully"
            )
        scales, zeros = self._scales(index, layer, kind)
        if len(scales) != 1 or len(zeros) != 1:
            raise refused(layer, kind, f"{self._label(index)[:80]}: expected one scale for an activation")
        return Code(scales[0], zeros[0])

    def _result(self, index: int, kind: str = "input") -> str:
        """A tensor that is written here, or handed in."""
        label = self._label(index)
        if index in self.names:
            raise refused(label, kind, "written twice")
        code = self._code(index, label, kind)
        self.names[index] = self.made.activation(self.made.free_name(label), self._shape(index), code)
        return self.names[index]

    def _name(self, index: int, layer: str, kind: str) -> str:
        if index not in self.names:
            raise refused(layer, kind, f"reads {self._label(index)[:80]!r}, which nothing has computed")
        return self.names[index]

    def _input(self, operator: Any, k: int) -> int:
        found: int = operator.Inputs(self._below(k, operator.InputsLength()))
        return found

    def _x(self, operator: Any, layer: str, k: int = 0) -> str:
        return self._name(self._input(operator, k), layer, self._kind(operator))

    @cached_property
    def _readers(self) -> Mapping[int, list[Any]]:
        found: dict[int, list[Any]] = {}
        for k in range(self.subgraph.OperatorsLength()):
            operator = self.subgraph.Operators(k)
            for j in range(min(operator.InputsLength(), MAX_TENSORS)):
                found.setdefault(operator.Inputs(j), []).append(operator)
        return found

    def _only_reader(self, index: int) -> Any:
        readers = self._readers.get(index, [])
        return readers[0] if len(readers) == 1 else None

    def _values(self, index: int, layer: str, dtype: DType) -> NDArray[Any]:
        tensor = self._tensor(index)
        expected = {DType.I8: "INT8", DType.I32: "INT32"}[dtype]
        found = TYPES.get(tensor.Type(), "?")
        if found != expected:
            raise ContractError(
                f"layer {layer[:80]!r}: {self._label(index)[:80]}: expected {expected}, got {found}"
            )
        buffer = self.model.Buffers(self._below(tensor.Buffer(), self.model.BuffersLength()))
        raw = buffer.DataAsNumpy() if buffer.DataLength() else np.zeros(0, np.uint8)
        return constant_of(raw.tobytes(), self._shape(index), dtype, layer, self._label(index)[:80])

    def _options(self, operator: Any, kind: Any) -> Any:
        table, options = operator.BuiltinOptions(), kind()
        if table is None:
            raise ContractError(f"operator {self._kind(operator)}: expected its options, found none")
        options.Init(table.Bytes, table.Pos)
        return options

    def _convolution(self, operator: Any, layer: str) -> None:
        kind = self._kind(operator)
        is_full = kind == "CONV_2D"
        options = self._options(operator, schema.Conv2DOptions if is_full else schema.DepthwiseConv2DOptions)
        if (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
            raise refused(layer, kind, "expected no dilation")
        x, pads = self.padded.get(operator.Inputs(0), (self._x(operator, layer), NO_PADS))
        stride = (options.StrideH(), options.StrideW())
        if options.Padding() == schema.Padding.SAME:
            pads = self._same(x, self._shape(operator.Inputs(1))[1:3], stride, layer)
        maker = Conv2d if is_full else DepthwiseConv2d
        made = maker(
            **self._linear_names(operator, x, layer),
            stride=stride,
            pads=pads,
            activation=self._activation(options, layer, kind),
        )
        self._put_linear(made, operator, layer)

    def _dense(self, operator: Any, layer: str) -> None:
        options = self._options(operator, schema.FullyConnectedOptions)
        x = self.made.flattened(self._x(operator, layer))
        activation = self._activation(options, layer, self._kind(operator))
        made = FullyConnected(**self._linear_names(operator, x, layer), activation=activation)
        self._put_linear(made, operator, layer)

    def _linear_names(self, operator: Any, x: str, layer: str) -> dict[str, str]:
        output = self._result(operator.Outputs(0), self._kind(operator))
        weight = self._label(self._input(operator, 1))
        has_bias = operator.InputsLength() > 2 and operator.Inputs(2) != NO_TENSOR
        bias = self._label(operator.Inputs(2)) if has_bias else f"{layer}.bias"
        return {
            "name": output,
            "x": x,
            "output": output,
            "weight": self.made.free_name(weight),
            "bias": self.made.free_name(bias),
        }

    def _put_linear(self, made: Linear, operator: Any, layer: str) -> None:
        """A dense layer may give a map of one pixel; here it gives a row."""
        kind, weight = self._kind(operator), self._input(operator, 1)
        values = self._values(weight, layer, DType.I8)
        scales, zeros = self._scales(weight, layer, kind)
        if any(zeros):
            raise refused(layer, kind, f"{self._label(weight)[:80]}: expected weights with zero point 0")
        bias: NDArray[Any] | None = None
        bias_scales: list[float] = []
        if operator.InputsLength() > 2 and operator.Inputs(2) != NO_TENSOR:
            bias = self._values(operator.Inputs(2), layer, DType.I32)
            bias_scales, _ = self._scales(operator.Inputs(2), layer, kind)
        self.made.linear(made, values, scales, bias, bias_scales)

    def _activation(self, options: Any, layer: str, kind: str) -> Activation:
        return activation_named(ACTIVATIONS.get(options.FusedActivationFunction(), "?"), layer, kind)

    def _same(self, x: str, kernel: Shape, stride: tuple[int, int], layer: str) -> Pads:
        shape = self.made.activations[x].shape
        if len(shape) != 4 or len(kernel) != 2 or min(stride) < 1:
            raise ContractError(f"layer {layer[:80]!r}: expected a map, a kernel and a stride")
        return same_pads(shape, (kernel[0], kernel[1]), stride)

    def _pool(self, operator: Any, layer: str) -> None:
        kind, options = self._kind(operator), self._options(operator, schema.Pool2DOptions)
        x, output = self._x(operator, layer), self._result(operator.Outputs(0), self._kind(operator))
        kernel, stride = (
            (options.FilterHeight(), options.FilterWidth()),
            (options.StrideH(), options.StrideW()),
        )
        is_same = options.Padding() == schema.Padding.SAME
        self.made.put(
            Pool(
                name=output,
                x=x,
                output=output,
                kind=PoolKind.MAX if kind == "MAX_POOL_2D" else PoolKind.AVERAGE,
                kernel=kernel,
                stride=stride,
                pads=self._same(x, kernel, stride, layer) if is_same else NO_PADS,
                activation=self._activation(options, layer, kind),
            )
        )

    def _mean(self, operator: Any, layer: str) -> None:
        """Over the whole map; with or without the two ones that are left of it."""
        kind, x = self._kind(operator), self._x(operator, layer)
        axes = {int(axis) % 4 for axis in self._values(self._input(operator, 1), layer, DType.I32).ravel()}
        if len(self.made.activations[x].shape) != 4 or axes != {1, 2}:
            raise refused(layer, kind, f"expected a mean over height and width, got axes {sorted(axes)}")
        index = operator.Outputs(0)
        code, wanted = self._code(index, layer, kind), self._shape(index)
        output = self._result(index, kind)
        if len(wanted) == 4:
            self.made.global_mean(x, output, code)
            return
        mean = self.made.free_name(f"{output}.mean")
        self.made.global_mean(x, mean, code)
        self.made.put(Reshape(name=output, x=mean, output=output))

    def _add(self, operator: Any, layer: str) -> None:
        kind = self._kind(operator)
        activation = self._activation(self._options(operator, schema.AddOptions), layer, kind)
        x, y = (self._x(operator, layer, k) for k in (0, 1))
        output = self._result(operator.Outputs(0), kind)
        self.made.put(Add(name=output, x=x, y=y, output=output, activation=activation))

    def _concat(self, operator: Any, layer: str) -> None:
        kind, options = self._kind(operator), self._options(operator, schema.ConcatenationOptions)
        self._expect_no_activation(options, layer, kind)
        xs = tuple(self._x(operator, layer, k) for k in range(min(operator.InputsLength(), MAX_TENSORS)))
        output = self._result(operator.Outputs(0), kind)
        axis = options.Axis() % len(self.made.activations[output].shape)
        self.made.put(Concat(name=output, xs=xs, output=output, axis=axis))

    def _expect_no_activation(self, options: Any, layer: str, kind: str) -> None:
        if self._activation(options, layer, kind) is not Activation.NONE:
            raise refused(layer, kind, "expected no fused activation")

    def _pad(self, operator: Any, layer: str) -> None:
        """Becomes part of the convolution that alone reads it."""
        kind, x, index = self._kind(operator), self._x(operator, layer), operator.Outputs(0)
        table = self._values(self._input(operator, 1), layer, DType.I32)
        if table.shape != (4, 2) or table[0].any() or table[3].any():
            raise refused(layer, kind, "expected padding of height and width alone")
        (top, bottom), (left, right) = table[1:3].tolist()
        pads = Pads(top=top, left=left, bottom=bottom, right=right)
        output = self._result(index, kind)
        if self._joins_its_reader(index, pads):
            del self.made.activations[output]
            self.padded[index] = (x, pads)
            return
        self.made.put(Pad(name=output, x=x, output=output, pads=pads))

    def _joins_its_reader(self, index: int, pads: Pads) -> bool:
        reader = self._only_reader(index)
        if reader is None or index in self._outputs or self._kind(reader) not in CONVOLUTIONS:
            return False
        options = self._options(reader, CONVOLUTIONS[self._kind(reader)])
        kernel = self._shape(self._input(reader, 1))[1:3]
        return (
            options.Padding() == schema.Padding.VALID
            and len(kernel) == 2
            and max(pads.top, pads.bottom) < kernel[0]
            and max(pads.left, pads.right) < kernel[1]
        )

    def _plain(self, operator: Any, layer: str) -> None:
        """One input, one output, nothing to say beside."""
        kind, x = self._kind(operator), self._x(operator, layer)
        if kind == "SOFTMAX" and self._options(operator, schema.SoftmaxOptions).Beta() != 1.0:
            raise refused(layer, kind, "expected beta 1")
        output = self._result(operator.Outputs(0), kind)
        self.made.put(PLAIN[kind](name=output, x=x, output=output))

    def _quantize(self, operator: Any, layer: str) -> None:
        """At the start nothing is left of it; inside it would change what codes are worth."""
        if operator.Outputs(0) not in self.names:
            raise unsupported(layer, self._kind(operator))

    def _dequantize(self, operator: Any, layer: str) -> None:
        """At the end: who reads the codes knows what they are worth."""
        index = operator.Outputs(0)
        if index not in self._outputs or self._readers.get(index):
            raise unsupported(layer, self._kind(operator))
        self.names[index] = self._x(operator, layer)


PLAIN: Mapping[str, type[Reshape | Sigmoid | Softmax]] = {
    "RESHAPE": Reshape,
    "LOGISTIC": Sigmoid,
    "SOFTMAX": Softmax,
}
CONVOLUTIONS = {"CONV_2D": schema.Conv2DOptions, "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptions}
READERS: Mapping[str, Callable[[_Reader, Any, str], None]] = {
    **dict.fromkeys(CONVOLUTIONS, _Reader._convolution),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), _Reader._pool),
    **dict.fromkeys(PLAIN, _Reader._plain),
    "FULLY_CONNECTED": _Reader._dense,
    "MEAN": _Reader._mean,
    "ADD": _Reader._add,
    "CONCATENATION": _Reader._concat,
    "PAD": _Reader._pad,
    "QUANTIZE": _Reader._quantize,
    "DEQUANTIZE": _Reader._dequantize,
}
