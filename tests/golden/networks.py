"""Small integer graphs with seeded weights: one for every kernel, and one that joins them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.graph import PROBABILITY_SCALE, PROBABILITY_ZERO, Graph
from device_sim.contract.operators import (
    Activation,
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
    Sigmoid,
    Softmax,
    output_shape,
)
from device_sim.contract.tensor import DType, Tensor, float32

SEED = 20261121
NO_STRIDE = (1, 1)
NONE, RELU, RELU6 = Activation.NONE, Activation.RELU, Activation.RELU6


class Sketch:
    """Grows a graph operator by operator; every method gives the name of what it wrote."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[str, Tensor] = {}
        self.operators: list[Operator] = []
        self.inputs: list[str] = []

    def input(self, name: str, *shape: int, scale: float = 0.05, zero_point: int = 0) -> str:
        self.inputs.append(name)
        return self._tensor(name, (1, *shape), scale, zero_point)

    def conv(
        self,
        x: str,
        n_out: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = NO_STRIDE,
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        activation: Activation = NONE,
        depthwise: bool = False,
    ) -> str:
        name = f"op{len(self.operators)}"
        channels = self.tensors[x].shape[3]
        shape = (1, *kernel, n_out) if depthwise else (n_out, *kernel, channels)
        weight, bias, scale = self._constants(name, x, shape, 3 if depthwise else 0)
        maker = DepthwiseConv2d if depthwise else Conv2d
        operator = maker(
            name=name, x=x, weight=weight, bias=bias, output=f"{name}.out", stride=stride, pads=Pads(*pads),
            activation=activation,
        )  # fmt: skip
        return self._grow(operator, scale, -128 if activation is not NONE else -3)

    def dense(self, x: str, n_out: int, activation: Activation = NONE) -> str:
        name = f"op{len(self.operators)}"
        weight, bias, scale = self._constants(name, x, (n_out, self.tensors[x].shape[1]), 0)
        operator = FullyConnected(
            name=name, x=x, weight=weight, bias=bias, output=f"{name}.out", activation=activation
        )
        return self._grow(operator, scale, -128 if activation is not NONE else 5)

    def pool(
        self,
        x: str,
        kind: PoolKind,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> str:
        name = f"op{len(self.operators)}"
        operator = Pool(
            name=name, x=x, output=f"{name}.out", kind=kind, kernel=kernel, stride=stride, pads=Pads(*pads)
        )
        return self._grow(operator)

    def add(
        self, x: str, y: str, *, scale: float = 0.07, zero_point: int = -9, activation: Activation = NONE
    ) -> str:
        name = f"op{len(self.operators)}"
        operator = Add(name=name, x=x, y=y, output=f"{name}.out", activation=activation)
        return self._grow(operator, scale, zero_point)

    def pad(self, x: str, *pads: int) -> str:
        name = f"op{len(self.operators)}"
        return self._grow(Pad(name=name, x=x, output=f"{name}.out", pads=Pads(*pads)))

    def reshape(self, x: str, *shape: int) -> str:
        name = f"op{len(self.operators)}"
        operator = Reshape(name=name, x=x, output=f"{name}.out")
        tensor = self.tensors[x]
        self._tensor(operator.output, (1, *shape), tensor.scale, tensor.zero_point)
        self.operators.append(operator)
        return operator.output

    def concat(self, *xs: str, axis: int) -> str:
        name = f"op{len(self.operators)}"
        return self._grow(Concat(name=name, xs=xs, output=f"{name}.out", axis=axis))

    def sigmoid(self, x: str) -> str:
        name = f"op{len(self.operators)}"
        return self._grow(Sigmoid(name=name, x=x, output=f"{name}.out"), PROBABILITY_SCALE, PROBABILITY_ZERO)

    def softmax(self, x: str) -> str:
        name = f"op{len(self.operators)}"
        return self._grow(Softmax(name=name, x=x, output=f"{name}.out"), PROBABILITY_SCALE, PROBABILITY_ZERO)

    def graph(self, *outputs: str) -> Graph:
        return Graph(
            name=self.name,
            tensors=tuple(self.tensors.values()),
            operators=tuple(self.operators),
            inputs=tuple(self.inputs),
            outputs=outputs,
        )

    def _tensor(self, name: str, shape: tuple[int, ...], scale: float, zero_point: int) -> str:
        self.tensors[name] = Tensor(name=name, shape=shape, scales=(float32(scale),), zero_point=zero_point)
        return name

    def _grow(self, operator: Operator, scale: float | None = None, zero_point: int = 0) -> str:
        xs = operator.xs if isinstance(operator, Concat) else (operator.x,)
        if isinstance(operator, Add):
            xs = (operator.x, operator.y)
        weighted = isinstance(operator, Conv2d | DepthwiseConv2d | FullyConnected)
        weight = self.tensors[operator.weight].shape if weighted else ()  # type: ignore[union-attr]
        shape = output_shape(operator, [self.tensors[x].shape for x in xs], weight)
        if scale is None:
            scale, zero_point = self.tensors[xs[0]].scale, self.tensors[xs[0]].zero_point
        self._tensor(operator.output, shape, scale, zero_point)
        self.operators.append(operator)
        return operator.output

    def _constants(self, name: str, x: str, shape: tuple[int, ...], axis: int) -> tuple[str, str, float]:
        """Weight and bias, and an output scale that a usual sum fills."""
        n_out = shape[axis]
        x_scale = self.tensors[x].scale
        scales = tuple(map(float32, self.rng.uniform(0.002, 0.01, n_out)))
        weight = self.rng.integers(-127, 128, shape, np.int8)
        bias = self.rng.integers(-3000, 3001, n_out).astype("<i4")
        self.tensors[f"{name}.weight"] = Tensor(
            name=f"{name}.weight", shape=shape, scales=scales, axis=axis, values=weight
        )
        self.tensors[f"{name}.bias"] = Tensor(
            name=f"{name}.bias",
            shape=(n_out,),
            scales=tuple(float32(x_scale * scale) for scale in scales),
            dtype=DType.I32,
            axis=0,
            values=bias,
        )
        spread = 73 * 73 * np.sqrt(weight.size / n_out)  # of uniform codes times uniform codes
        return f"{name}.weight", f"{name}.bias", float(spread * x_scale * 0.006 / 50)


def graphs() -> dict[str, tuple[str, Graph]]:
    """name -> (why it exists, graph)"""
    made: dict[str, tuple[str, Graph]] = {}

    def keep(why: str, sketch: Sketch, *outputs: str) -> None:
        made[sketch.name] = why, sketch.graph(*outputs)

    s = Sketch("conv", SEED)
    keep(
        "padding on every side, strides that differ, ReLU",
        s,
        s.conv(
            s.input("x", 9, 11, 3, zero_point=7), 5, (3, 5), stride=(2, 3), pads=(1, 2, 2, 1), activation=RELU
        ),
    )
    s = Sketch("conv_row", SEED + 1)
    keep(
        "one dimension as height 1",
        s,
        s.conv(s.input("x", 1, 40, 2, zero_point=-128), 6, (1, 5), stride=(1, 2)),
    )
    s = Sketch("depthwise", SEED + 2)
    keep(
        "two output channels for each input channel, ReLU6",
        s,
        s.conv(
            s.input("x", 7, 8, 3, zero_point=-20),
            6,
            (3, 3),
            pads=(1, 1, 1, 1),
            activation=RELU6,
            depthwise=True,
        ),
    )
    s = Sketch("dense", SEED + 3)
    keep("a dense layer", s, s.dense(s.input("x", 50, zero_point=3), 7))
    s = Sketch("max_pool", SEED + 4)
    keep(
        "a maximum that must not see its padding",
        s,
        s.pool(s.input("x", 6, 7, 4, zero_point=100), PoolKind.MAX, (3, 3), (2, 2), (1, 0, 1, 2)),
    )
    s = Sketch("average_pool", SEED + 5)
    keep(
        "a mean over what is there, half away from zero",
        s,
        s.pool(s.input("x", 6, 6, 3), PoolKind.AVERAGE, (2, 3), (2, 1), (1, 1, 0, 1)),
    )
    s = Sketch("global_pool", SEED + 6)
    keep("a kernel as large as the map", s, s.pool(s.input("x", 4, 5, 6), PoolKind.AVERAGE, (4, 5), (1, 1)))
    s = Sketch("add", SEED + 7)
    keep(
        "addends of different scales, ReLU6",
        s,
        s.add(
            s.input("x", 3, 4, 5, scale=0.05, zero_point=4),
            s.input("y", 3, 4, 5, scale=0.013, zero_point=-70),
            activation=RELU6,
        ),
    )
    s = Sketch("join", SEED + 8)
    padded = s.pad(s.input("x", 2, 3, 2, zero_point=-5), 1, 2, 0, 3)
    keep(
        "pad, reshape, and side inputs joined",
        s,
        s.concat(
            s.reshape(padded, 48), s.input("rr", 10, zero_point=-5), s.input("age", 1, zero_point=-5), axis=1
        ),
    )
    s = Sketch("concat_rows", SEED + 9)
    keep(
        "joined along an axis with more behind it",
        s,
        s.concat(s.input("x", 2, 3, 2), s.input("y", 2, 1, 2), axis=2),
    )
    s = Sketch("sigmoid", SEED + 10)
    keep("a table", s, s.sigmoid(s.input("x", 64, zero_point=10)))
    s = Sketch("softmax", SEED + 11)
    keep("exponentials by table, over the last axis", s, s.softmax(s.input("x", 2, 3, 5, scale=0.02)))
    s = Sketch("joined", SEED + 12)
    keep("branches, a residual, two inputs and two outputs", s, *_joined(s))
    return made


def _joined(s: Sketch) -> tuple[str, ...]:
    image = s.input("image", 12, 10, 1, scale=0.04, zero_point=-11)
    stem = s.conv(image, 8, (3, 3), pads=(1, 1, 1, 1), activation=RELU)
    inner = s.conv(stem, 8, (3, 3), pads=(1, 1, 1, 1))
    total = s.add(stem, inner, scale=s.tensors[inner].scale * 1.3, zero_point=-128, activation=RELU)
    small = s.pool(total, PoolKind.MAX, (2, 2), (2, 2))
    thin = s.conv(small, 8, (3, 3), stride=(2, 2), activation=RELU, depthwise=True)
    flat = s.reshape(thin, 2 * 2 * 8)
    hidden = s.dense(flat, 12, activation=RELU)
    rhythm = s.input("rr", 4, scale=s.tensors[hidden].scale, zero_point=-128)
    logits = s.dense(s.concat(hidden, rhythm, axis=1), 3)
    return logits, s.softmax(logits)


def random_inputs(graph: Graph, n_windows: int, seed: int) -> Mapping[str, NDArray[np.int8]]:
    """Uniform codes; the first two windows hold the extremes."""
    rng = np.random.default_rng(seed)
    made = {}
    for name in graph.inputs:
        x = rng.integers(-128, 128, (n_windows, *graph.tensor(name).shape[1:]), np.int8)
        x[0] = -128
        x[1 % n_windows] = 127
        made[name] = x
    return made
