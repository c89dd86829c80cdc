"""Channels of one map brought to like size, so that one scale serves them all: by powers of two, so exactly.

A channel that leaves a layer 2^e times smaller and is multiplied by 2^e larger weights behind it changes
nothing in real numbers. In integers it does: all channels of a map share one step, while weights have a
scale for each output channel.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.operators import (
    Activation,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Linear,
    Pad,
    Pool,
    Reshape,
)
from export.float_graph import F64, FloatGraph, every_tensor

Exponents = Mapping[str, tuple[int, ...]]  # by the layer that writes the channels
LARGEST = 6  # 2^6 apart is as far as channels are brought together


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers with nothing between them that could tell a channel's size."""

    before: Linear
    after: Linear


def exponents_of(graph: FloatGraph, inputs: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """How far each channel should shrink, in powers of two.

    A channel's size is what calibration sees of it; against it stands how much its weights matter to the
    layer behind, which would lose precision if they grew.
    """
    reach = _channel_reach(graph, inputs)
    found = {}
    for pair in pairs_of(graph):
        size = reach[pair.before.output]
        alive = size > 0
        if not alive.any():
            continue
        wanted = np.zeros(len(size))
        wanted[alive] = np.log2(size[alive])
        if not isinstance(pair.after, DepthwiseConv2d):  # there each channel has a scale of its own
            share = _share(graph, pair)
            alive &= share > 0
            wanted[alive] = (wanted[alive] - np.log2(share[alive])) / 2
        exponents = np.zeros(len(size), np.int64)
        if alive.any():
            exponents[alive] = np.rint(wanted[alive] - wanted[alive].max())
        found[pair.before.name] = tuple(np.maximum(exponents, -LARGEST).tolist())
    return {name: one for name, one in found.items() if any(one)}


def equalised(graph: FloatGraph, exponents: Exponents) -> FloatGraph:
    """The same function: a channel shrinks by 2^exponent where it is written and grows where it is read."""
    pairs = {pair.before.name: pair for pair in pairs_of(graph)}
    constants = dict(graph.constants)
    for name, steps in exponents.items():
        if name not in pairs:
            raise ContractError(f"calibration: equalisation: {name!r} is no layer that can be equalised")
        pair = pairs[name]
        shrink = np.ldexp(1.0, -np.array(steps))
        if shrink.shape != constants[pair.before.bias].shape:
            raise ContractError(
                f"calibration: equalisation: {name}: expected {len(constants[pair.before.bias])} numbers, "
                f"got {len(steps)}"
            )
        constants[pair.before.weight] = _by_output(pair.before, constants[pair.before.weight], shrink)
        constants[pair.before.bias] = constants[pair.before.bias] * shrink
        constants[pair.after.weight] = _by_input(pair.after, constants[pair.after.weight], 1.0 / shrink)
    return replace(graph, constants=constants)


def pairs_of(graph: FloatGraph) -> Iterator[Pair]:
    for before in graph.operators:
        if not isinstance(before, Linear) or before.activation is Activation.RELU6:
            continue
        reader = graph.only_reader(before.output)
        while isinstance(reader, Pool | Pad | Reshape) and (
            not isinstance(reader, Pool) or reader.activation is not Activation.RELU6
        ):
            reader = graph.only_reader(reader.output)
        if isinstance(reader, Linear):
            yield Pair(before, reader)


def _by_output(layer: Linear, weight: F64, factors: F64) -> F64:
    if isinstance(layer, DepthwiseConv2d):
        return weight * factors
    return weight * factors.reshape(-1, *(1,) * (weight.ndim - 1))


def _by_input(layer: Linear, weight: F64, factors: F64) -> F64:
    """Input channels are a weight's last axis; a flattened map repeats them, a multiplier of channels too."""
    if isinstance(layer, DepthwiseConv2d):
        return weight * np.repeat(factors, weight.shape[3] // len(factors))
    return weight * np.tile(factors, weight.shape[-1] // len(factors))


def _share(graph: FloatGraph, pair: Pair) -> F64:
    """For each channel its largest weight, where an output's largest weight of all is 1."""
    assert isinstance(pair.after, Conv2d | FullyConnected)
    weight = np.abs(graph.constants[pair.after.weight])
    n_channels = len(graph.constants[pair.before.bias])
    rows = weight.reshape(len(weight), -1)
    relative = rows / np.maximum(rows.max(axis=1, keepdims=True), 1e-30)
    share: F64 = relative.reshape(-1, n_channels).max(axis=0)
    return share


def _channel_reach(graph: FloatGraph, inputs: Mapping[str, NDArray[Any]]) -> dict[str, F64]:
    reach: dict[str, F64] = {}
    for values in every_tensor(graph, inputs):
        for name, value in values.items():
            largest = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
            reach[name] = np.maximum(reach[name], largest) if name in reach else largest
    return reach
