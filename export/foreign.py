"""A network somebody else quantised becomes the integer graph: what its readers share."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph, channel_axis, n_output_channels
from device_sim.contract.operators import (
    Activation,
    DepthwiseConv2d,
    Linear,
    Operator,
    Pool,
    PoolKind,
    Reshape,
    Shape,
    kind_of,
)
from device_sim.contract.tensor import HIGH_I8, MAX_CHARACTERS, DType, Tensor, float32
from device_sim.requant import Code

MAX_BYTES = 64 << 20  # of a file: far past what a microcontroller holds
BIAS_TOLERANCE = 1e-5  # float32 products of float32 scales, in either order
SUPPORTED = "convolutions, dense layers, pools, additions, reshapes, pads, concatenations, sigmoid, softmax"


def refused(layer: str, operator: str, why: str) -> ContractError:
    return ContractError(f"layer {layer[:80]!r} ({operator[:40]}): {why}; nothing was written")


def unsupported(layer: str, operator: str) -> ContractError:
    return refused(layer, operator, f"no int8 kernel; there are {SUPPORTED}")


def graph_name(stem: str) -> str:
    """A file's name as a bundle may be called."""
    return re.sub(r"[^a-z0-9_-]+", "-", stem.lower()).strip("-_")[:64] or "network"


@dataclass(slots=True, kw_only=True)
class Assembly:
    """Grows in the order of the file; the finished graph is listed as export lists its own."""

    name: str
    inputs: list[str] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    activations: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)

    def graph(self, outputs: Sequence[str]) -> Graph:
        return Graph(
            name=self.name,
            tensors=(*self.activations.values(), *self.constants.values()),
            operators=tuple(self.operators),
            inputs=tuple(self.inputs),
            outputs=tuple(outputs),
        )

    def free_name(self, wanted: str) -> str:
        """The file's own name where it is short, printable and not yet taken."""
        base = "".join(c for c in wanted if c.isprintable())[-MAX_CHARACTERS + 8 :] or "tensor"
        found, number = base, 1
        while found in self.activations or found in self.constants:
            number += 1
            found = f"{base}.{number}"
        return found

    def activation(self, name: str, shape: Shape, code: Code) -> str:
        self.activations[name] = Tensor(
            name=name, shape=shape, scales=(float32(code.scale),), zero_point=code.zero_point
        )
        return name

    def put(self, operator: Operator) -> None:
        self.operators.append(operator)

    def linear(
        self,
        operator: Linear,
        weight: NDArray[np.int8],
        scales: Sequence[float],
        bias: NDArray[np.int32] | None,
        bias_scales: Sequence[float] = (),
    ) -> None:
        """A layer with its constants, the weight in the graph's layout; no bias means zeros."""
        where = operator.name
        n_out = n_output_channels(operator, weight.shape)
        if len(scales) not in (1, n_out):
            raise refused(where, kind_of(operator), f"expected 1 or {n_out} scales, got {len(scales)}")
        axis = channel_axis(operator) if len(scales) == n_out else None
        products = tuple(float32(self.activations[operator.x].scale * scale) for scale in scales)
        if bias is not None:
            stated = np.broadcast_to(np.asarray(bias_scales, np.float64), len(products))
            if (np.abs(stated - products) > BIAS_TOLERANCE * np.array(products)).any():
                raise refused(
                    where, kind_of(operator), "expected a bias in steps of input scale times weight scale"
                )
        values = np.zeros(n_out, np.int32) if bias is None else bias
        self.constants[operator.weight] = Tensor(
            name=operator.weight, shape=weight.shape, scales=tuple(scales), axis=axis,
            values=np.ascontiguousarray(weight, np.int8),
        )  # fmt: skip
        self.constants[operator.bias] = Tensor(
            name=operator.bias, shape=values.shape, scales=products, dtype=DType.I32,
            axis=None if axis is None else 0, values=np.ascontiguousarray(values, "<i4"),
        )  # fmt: skip
        self.put(operator)

    def flattened(self, x: str) -> str:
        """What a dense layer reads: a map goes in value by value, channels last."""
        tensor = self.activations[x]
        if len(tensor.shape) == 2:
            return x
        name = self.free_name(f"{x}.flat")
        shape = (1, int(np.prod(tensor.shape)))
        self.activation(name, shape, Code(tensor.scale, tensor.zero_point))
        self.put(Reshape(name=name, x=x, output=name))
        return name

    def global_mean(self, x: str, output: str, code: Code) -> None:
        """A mean over the whole map keeps the scale, or is a depthwise layer of equal weights.

        The second is the same real number; only the last step of its rounding may be another.
        """
        tensor = self.activations[x]
        _, height, width, channels = tensor.shape
        self.activation(output, (1, 1, 1, channels), code)
        if (tensor.scale, tensor.zero_point) == (float32(code.scale), code.zero_point):
            mean = PoolKind.AVERAGE
            self.put(Pool(name=output, x=x, output=output, kind=mean, kernel=(height, width), stride=(1, 1)))
            return
        weight = np.full((1, height, width, channels), HIGH_I8, np.int8)
        scale = float32(1.0 / (HIGH_I8 * height * width))
        layer = DepthwiseConv2d(
            name=output,
            x=x,
            output=output,
            weight=self.free_name(f"{output}.weight"),
            bias=self.free_name(f"{output}.bias"),
        )
        self.linear(layer, weight, [scale], None)


def constant_of(raw: Any, shape: Shape, dtype: DType, layer: str, what: str) -> NDArray[Any]:
    """Integers of a file, as many as the shape says."""
    values = np.frombuffer(raw, dtype.numpy)
    if values.size != int(np.prod(shape, dtype=object)):
        raise ContractError(
            f"layer {layer[:80]!r}: {what}: expected {shape} {dtype} values, got {len(raw)} bytes"
        )
    return values.reshape(shape)


def activation_named(name: str, layer: str, operator: str) -> Activation:
    if name not in tuple(Activation):
        raise refused(layer, operator, f"fused activation {name}: expected none, relu or relu6")
    return Activation(name)
