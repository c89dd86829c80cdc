"""How much of each layer's signal survives quantisation: signal to quantisation noise, in decibels."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.contract.graph import Graph
from device_sim.requant import Family
from export.float_graph import FloatGraph, every_tensor
from export.quantize import dequantize


def sqnr_db(
    float_graph: FloatGraph,
    graph: Graph,
    inputs_i8: Mapping[str, NDArray[np.int8]],
    family: Family = Family.F1,
) -> dict[str, float]:
    """For every computed tensor, in the order of the graph; both networks see the device's codes."""
    real = {name: dequantize(codes, graph.tensor(name)) for name, codes in inputs_i8.items()}
    signal: dict[str, float] = {}
    noise: dict[str, float] = {}
    seen = 0
    for exact in every_tensor(float_graph, real):
        n = len(exact[graph.inputs[0]])
        portion = {name: codes[seen : seen + n] for name, codes in inputs_i8.items()}
        computed = twin.every_tensor(graph, portion, family)
        seen += n
        for operator in graph.operators:
            name = operator.output
            error = dequantize(computed[name], graph.tensor(name)) - exact[name]
            signal[name] = signal.get(name, 0.0) + float((exact[name] ** 2).sum())
            noise[name] = noise.get(name, 0.0) + float((error**2).sum())
    return {name: _ratio_db(signal[name], noise[name]) for name in signal}


def _ratio_db(signal: float, noise: float) -> float:
    if noise == 0.0:
        return float("inf")
    return 10 * float(np.log10(signal / noise)) if signal > 0.0 else float("-inf")
