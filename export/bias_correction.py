"""What rounding the weights does to the mean of each channel is taken back through its bias."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.contract.graph import Graph
from device_sim.contract.operators import Linear
from device_sim.contract.tensor import Tensor
from device_sim.requant import Family
from export.float_graph import F64, FloatGraph, before_activation, every_tensor
from export.quantize import LARGEST_BIAS, dequantize


def correct_biases(float_graph: FloatGraph, graph: Graph, inputs_i8: Mapping[str, NDArray[np.int8]]) -> Graph:
    """The same graph with other biases: layer by layer, so that each sees the corrected ones before it.

    inputs_i8       Windows of the calibration split
    """
    real = {name: dequantize(codes, graph.tensor(name)) for name, codes in inputs_i8.items()}
    exact = _joined(float_graph, real)
    tensors, values = graph.by_name, dict(inputs_i8)
    for operator in graph.operators:
        if isinstance(operator, Linear):
            wanted = before_activation(operator, float_graph, exact[operator.x])
            found = twin.sums(operator, tensors, values[operator.x])
            tensors[operator.bias] = _moved(tensors[operator.bias], wanted, found)
        values[operator.output] = twin.apply(operator, tensors, values, Family.F1)
    return replace(graph, tensors=tuple(tensors[tensor.name] for tensor in graph.tensors))


def _joined(float_graph: FloatGraph, real: Mapping[str, F64]) -> dict[str, F64]:
    portions = list(every_tensor(float_graph, real))
    return {name: np.concatenate([portion[name] for portion in portions]) for name in portions[0]}


def _moved(bias: Tensor, wanted: F64, found: NDArray[np.int64]) -> Tensor:
    """A bias moved by the mean difference of its channel, in its own steps."""
    all_but_channel = tuple(range(found.ndim - 1))
    steps = (wanted / np.array(bias.scales) - found).mean(axis=all_but_channel)
    values = np.clip(bias.constant + np.rint(steps), -LARGEST_BIAS, LARGEST_BIAS)
    return replace(bias, values=values.astype("<i4"))
