"""A torch module becomes a graph of real numbers; an operator outside the list stops with its name."""

import operator as python_operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.nn import functional

from device_sim.contract.errors import ContractError
from device_sim.contract.operators import (
    Activation,
    Add,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Pad,
    Pads,
    Pool,
    PoolKind,
    Reshape,
    Shape,
    Sigmoid,
    Softmax,
    output_shape,
)
from export.float_graph import BatchNorm, FloatGraph, FloatOperator, Limit
from training.fakequant import Tracer

NOTHING_HERE = (nn.Dropout, nn.Dropout2d, nn.Identity)


@dataclass(frozen=True, slots=True)
class Value:
    """What a node of the trace gives: a tensor of ours, and how torch would count its elements."""

    name: str
    shape: Shape
    order: NDArray[np.int64] | None = None  # of a flattened map: torch's index for each of our positions


def trace(net: nn.Module, inputs: Mapping[str, Shape], *, name: str, time_major: bool = False) -> FloatGraph:
    """The graph of net.forward.

    inputs          Name of each argument -> its shape in torch without the batch: (c, l), (c, h, w) or (n,)
    time_major      Maps (c, scale, time) are kept as time, scale, c: the order of the device's image
    """
    training = net.training
    net.eval()
    builder = _Builder(net, inputs, time_major)
    try:
        for node in Tracer().trace(net).nodes:
            builder.visit(node)
    finally:
        net.train(training)
    return builder.graph(name)


class _Builder:
    def __init__(self, net: nn.Module, inputs: Mapping[str, Shape], time_major: bool) -> None:
        self.net = net
        self.input_shapes = inputs
        self.time_major = time_major
        self.values: dict[fx.Node, Value] = {}
        self.shapes: dict[str, Shape] = {}
        self.constants: dict[str, NDArray[np.float64]] = {}
        self.operators: list[FloatOperator] = []
        self.inputs: list[str] = []
        self.outputs: list[str] = []

    def graph(self, name: str) -> FloatGraph:
        return FloatGraph(
            name=name,
            operators=tuple(self.operators),
            constants=self.constants,
            shapes=self.shapes,
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
        )

    def visit(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self.values[node] = self._input(str(node.target))
        elif node.op == "output":
            for one in _flat(node.args[0]):
                self.outputs.append(self.values[one].name)
        elif node.op == "call_module":
            module = self.net.get_submodule(str(node.target))
            self.values[node] = self._module(node, module, self._argument(node, 0))
        elif node.op in ("call_function", "call_method"):
            self.values[node] = self._call(node)
        else:
            self._refuse(node, node.op)

    def _input(self, name: str) -> Value:
        if name not in self.input_shapes:
            raise ContractError(
                f"export: input {name!r}: expected its shape, got {sorted(self.input_shapes)}"
            )
        torch_shape = self.input_shapes[name]
        self.inputs.append(name)
        self.shapes[name] = self._ours(torch_shape)
        return Value(name, self.shapes[name])

    def _ours(self, shape: Shape) -> Shape:
        """(c, l) -> (1, 1, l, c); (c, h, w) -> (1, h, w, c), or (1, w, h, c) when time leads."""
        match shape:
            case (n,):
                return 1, n
            case (c, length):
                return 1, 1, length, c
            case (c, h, w):
                return (1, w, h, c) if self.time_major else (1, h, w, c)
        raise ContractError(f"export: expected a shape of 1 to 3 dimensions without the batch, got {shape}")

    def _argument(self, node: fx.Node, index: int) -> Value:
        source = node.args[index]
        if isinstance(source, fx.Node):
            return self.values[source]
        return self._refuse(node, f"argument {index}: {source}")  # type: ignore[no-any-return]

    def _refuse(self, node: fx.Node, what: object) -> Any:
        raise ContractError(f"export: layer {node.name!r} ({what}) has no int8 kernel; nothing was written")

    def _emit(self, operator: FloatOperator, shape: Shape, order: NDArray[np.int64] | None = None) -> Value:
        self.operators.append(operator)
        self.shapes[operator.output] = shape
        return Value(operator.output, shape, order)

    def _pair(self, value: Any, default: int = 1) -> tuple[int, int]:
        """(height, width) in our order, of what torch takes for one or two directions."""
        pair = value if isinstance(value, Sequence) else (value,)
        if len(pair) == 1:
            pair = (pair[0], pair[0])
        height, width = int(pair[0]), int(pair[1])
        return (width, height) if self.time_major else (height, width)

    def _row(self, value: Any) -> tuple[int, int]:
        """(1, n): what a one-dimensional layer means."""
        return 1, int(value[0] if isinstance(value, Sequence) else value)

    def _module(self, node: fx.Node, module: nn.Module, x: Value) -> Value:
        match module:
            case nn.Conv1d() | nn.Conv2d():
                return self._convolution(node, module, x)
            case nn.Linear():
                return self._dense(node, module, x)
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                return self._norm(node, module, x)
            case nn.ReLU() | nn.ReLU6():
                kind = Activation.RELU6 if isinstance(module, nn.ReLU6) else Activation.RELU
                return self._limit(node, x, kind)
            case nn.MaxPool2d() | nn.AvgPool2d() | nn.MaxPool1d() | nn.AvgPool1d():
                return self._pool_module(node, module, x)
            case nn.AdaptiveAvgPool2d() | nn.AdaptiveAvgPool1d():
                return self._global_pool(node, x, module.output_size)
            case nn.Flatten():
                return self._flatten(node, x)
            case nn.Sigmoid():
                return self._emit(Sigmoid(name=node.name, x=x.name, output=node.name), x.shape)
            case nn.Softmax():
                return self._emit(Softmax(name=node.name, x=x.name, output=node.name), x.shape)
            case _ if isinstance(module, NOTHING_HERE):
                return x
        return self._refuse(node, type(module).__name__)  # type: ignore[no-any-return]

    def _constant(self, name: str, value: torch.Tensor | NDArray[np.float64]) -> str:
        array = value.detach().double().numpy() if isinstance(value, torch.Tensor) else value
        self.constants[name] = np.ascontiguousarray(array)
        return name

    def _convolution(self, node: fx.Node, module: nn.Conv1d | nn.Conv2d, x: Value) -> Value:
        is_row = isinstance(module, nn.Conv1d)
        plain = module.padding_mode == "zeros" and not isinstance(module.padding, str)
        groups, n_in = module.groups, module.in_channels
        if not plain or set(module.dilation) != {1} or groups not in (1, n_in):
            self._refuse(node, f"{type(module).__name__}, padding {module.padding}, groups {groups}")
        one = self._row if is_row else self._pair
        weight = module.weight.detach().double()
        weight_oihw = weight[:, :, None] if is_row else weight
        if self.time_major and not is_row:
            weight_oihw = weight_oihw.transpose(2, 3)
        depthwise = groups == n_in and groups > 1
        layout = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)  # 1HWC, OHWI
        bias = module.bias if module.bias is not None else torch.zeros(module.out_channels)
        pad_h, pad_w = (0, int(module.padding[0])) if is_row else self._pair(module.padding)
        fields: dict[str, Any] = {
            "name": node.name,
            "x": x.name,
            "weight": self._constant(f"{node.name}.weight", weight_oihw.permute(layout)),
            "bias": self._constant(f"{node.name}.bias", bias),
            "output": node.name,
            "stride": one(module.stride),
            "pads": Pads(pad_h, pad_w, pad_h, pad_w),
        }
        made = DepthwiseConv2d(**fields) if depthwise else Conv2d(**fields)
        return self._emit(made, output_shape(made, [x.shape], self.constants[made.weight].shape))

    def _dense(self, node: fx.Node, module: nn.Linear, x: Value) -> Value:
        weight = module.weight.detach().double().numpy()
        if x.order is not None:
            weight = weight[:, x.order]
        bias = module.bias if module.bias is not None else torch.zeros(module.out_features)
        made = FullyConnected(
            name=node.name,
            x=x.name,
            weight=self._constant(f"{node.name}.weight", weight),
            bias=self._constant(f"{node.name}.bias", bias),
            output=node.name,
        )
        return self._emit(made, output_shape(made, [x.shape], weight.shape))

    def _norm(self, node: fx.Node, module: nn.BatchNorm1d | nn.BatchNorm2d, x: Value) -> Value:
        if module.running_mean is None or module.running_var is None:
            self._refuse(node, "batch norm without running statistics")
        assert module.running_mean is not None
        assert module.running_var is not None
        gain = torch.rsqrt(module.running_var.double() + module.eps)
        if module.affine:
            gain = gain * module.weight.detach().double()
        shift = -module.running_mean.double() * gain
        if module.affine:
            shift = shift + module.bias.detach().double()
        made = BatchNorm(
            name=node.name,
            x=x.name,
            scale=self._constant(f"{node.name}.scale", gain),
            shift=self._constant(f"{node.name}.shift", shift),
            output=node.name,
        )
        return self._emit(made, x.shape)

    def _limit(self, node: fx.Node, x: Value, kind: Activation) -> Value:
        made = Limit(name=node.name, x=x.name, output=node.name, activation=kind)
        return self._emit(made, x.shape, x.order)

    def _pool_module(self, node: fx.Node, module: nn.Module, x: Value) -> Value:
        is_row = isinstance(module, nn.MaxPool1d | nn.AvgPool1d)
        kind = PoolKind.MAX if isinstance(module, nn.MaxPool1d | nn.MaxPool2d) else PoolKind.AVERAGE
        settings = {
            name: getattr(module, name, None) for name in ("ceil_mode", "dilation", "count_include_pad")
        }
        one = self._row if is_row else self._pair
        pad_h, pad_w = one(module.padding)
        if is_row:
            pad_h = 0
        return self._pool(
            node, x, kind, one(module.kernel_size), one(module.stride), (pad_h, pad_w), settings
        )

    def _pool(
        self,
        node: fx.Node,
        x: Value,
        kind: PoolKind,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        settings: Mapping[str, Any],
    ) -> Value:
        pads = Pads(*padding, *padding)
        counts_padding = kind is PoolKind.AVERAGE and pads and settings.get("count_include_pad", True)
        if settings.get("ceil_mode") or settings.get("dilation", 1) not in (None, 1) or counts_padding:
            self._refuse(node, f"pool with {dict(settings)}")
        made = Pool(
            name=node.name, x=x.name, output=node.name, kind=kind, kernel=kernel, stride=stride, pads=pads
        )
        return self._emit(made, output_shape(made, [x.shape]))

    def _global_pool(self, node: fx.Node, x: Value, size: Any) -> Value:
        if size not in (1, (1,), (1, 1), [1], [1, 1]):
            self._refuse(node, f"adaptive pool to {size}")
        return self._pool(node, x, PoolKind.AVERAGE, (x.shape[1], x.shape[2]), (1, 1), (0, 0), {})

    def _call(self, node: fx.Node) -> Value:
        target = node.target
        name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
        calls: dict[str, Callable[[fx.Node], Value]] = {
            "relu": lambda n: self._limit(n, self._argument(n, 0), Activation.RELU),
            "relu6": lambda n: self._limit(n, self._argument(n, 0), Activation.RELU6),
            "add": self._sum,
            "cat": self._cat,
            "pad": self._pad,
            "flatten": lambda n: self._flatten(n, self._argument(n, 0)),
            "contiguous": lambda n: self._argument(n, 0),
            "dropout": lambda n: self._argument(n, 0),
            "max_pool2d": lambda n: self._pool_call(n, PoolKind.MAX),
            "avg_pool2d": lambda n: self._pool_call(n, PoolKind.AVERAGE),
            "boolean_dispatch": lambda n: self._pool_call(n, PoolKind.MAX),
            "adaptive_avg_pool2d": lambda n: self._global_pool(n, self._argument(n, 0), n.args[1]),
            "getitem": self._item,
            "transpose": self._transpose,
            "sigmoid": lambda n: self._table(n, Sigmoid),
        }
        if target is functional.max_pool2d:
            name = "max_pool2d"
        if target is python_operator.getitem:
            name = "getitem"
        if name not in calls:
            self._refuse(node, name)
        return calls[name](node)

    def _table(self, node: fx.Node, kind: type[Sigmoid]) -> Value:
        x = self._argument(node, 0)
        return self._emit(kind(name=node.name, x=x.name, output=node.name), x.shape)

    def _sum(self, node: fx.Node) -> Value:
        x, y = self._argument(node, 0), self._argument(node, 1)
        made = Add(name=node.name, x=x.name, y=y.name, output=node.name)
        return self._emit(made, output_shape(made, [x.shape, y.shape]), x.order)

    def _cat(self, node: fx.Node) -> Value:
        sources = [self.values[one] for one in _flat(node.args[0])]
        dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
        if dim not in (1, -1) or (dim == -1 and len(sources[0].shape) != 2):
            self._refuse(node, f"cat along {dim}")
        axis = len(sources[0].shape) - 1  # torch's channels are our last
        made = Concat(name=node.name, xs=tuple(one.name for one in sources), output=node.name, axis=axis)
        order = None
        if axis == 1 and any(one.order is not None for one in sources):
            starts = np.cumsum([0, *(one.shape[1] for one in sources[:-1])])
            own = (one.order if one.order is not None else np.arange(one.shape[1]) for one in sources)
            order = np.concatenate([start + part for start, part in zip(starts, own, strict=True)])
        return self._emit(made, output_shape(made, [one.shape for one in sources]), order)

    def _pad(self, node: fx.Node) -> Value:
        x = self._argument(node, 0)
        amounts = [int(n) for n in node.args[1]]  # type: ignore[union-attr,arg-type]
        mode = node.kwargs.get("mode", node.args[2] if len(node.args) > 2 else "constant")
        value = node.kwargs.get("value", node.args[3] if len(node.args) > 3 else None)
        if (
            mode != "constant"
            or value not in (None, 0, 0.0)
            or len(amounts) not in (2, 4)
            or len(x.shape) != 4
        ):
            self._refuse(node, f"pad, mode {mode}")
        left, right, top, bottom = (*amounts, 0, 0)[:4]
        if self.time_major:
            left, right, top, bottom = top, bottom, left, right
        made = Pad(name=node.name, x=x.name, output=node.name, pads=Pads(top, left, bottom, right))
        return self._emit(made, output_shape(made, [x.shape]))

    def _pool_call(self, node: fx.Node, kind: PoolKind) -> Value:
        names = ("kernel_size", "stride", "padding")
        given = dict(zip(names, node.args[1:], strict=False)) | node.kwargs
        kernel = self._pair(given["kernel_size"])
        stride = self._pair(given["stride"]) if given.get("stride") is not None else kernel
        return self._pool(
            node, self._argument(node, 0), kind, kernel, stride, self._pair(given.get("padding", 0)), given
        )

    def _flatten(self, node: fx.Node, x: Value) -> Value:
        if len(x.shape) == 2:
            return x
        _, a, b, channels = x.shape
        torch_index = np.arange(channels * a * b).reshape(
            (channels, b, a) if self.time_major else (channels, a, b)
        )
        ours = torch_index.transpose(2, 1, 0) if self.time_major else torch_index.transpose(1, 2, 0)
        made = Reshape(name=node.name, x=x.name, output=node.name)
        return self._emit(made, (1, channels * a * b), ours.ravel())

    def _item(self, node: fx.Node) -> Value:
        """x[:, :, None] of a row (a map of height 1 already), y[:, 0] of one logit."""
        x, index = self._argument(node, 0), node.args[1]
        everything = slice(None)
        row = index == (everything, everything, None) and len(x.shape) == 4 and x.shape[1] == 1
        only = index == (everything, 0) and x.shape == (1, 1)
        return x if row or only else self._refuse(node, f"index {index}")

    def _transpose(self, node: fx.Node) -> Value:
        """Rows of the only channel become channels: in time-major order not a byte moves."""
        x = self._argument(node, 0)
        if not (self.time_major and sorted(node.args[1:]) == [1, 2] and x.shape[3] == 1):  # type: ignore[type-var]
            self._refuse(node, f"transpose {node.args[1:]}")
        made = Reshape(name=node.name, x=x.name, output=node.name)
        return self._emit(made, (1, x.shape[1], 1, x.shape[2]))


def _flat(value: Any) -> list[fx.Node]:
    return list(value) if isinstance(value, list | tuple) else [value]
