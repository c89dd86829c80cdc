"""A graph in the C core: the operator table, the arena, and windows through them."""

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim import binding, twin
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.plan import Plan, plan
from device_sim.program import Op, program

REFUSALS = {4: "operator", 5: "shape", 6: "arena", 7: "constant"}  # enum wl_status


class Executor:
    """One network, ready to run; the arena is its own."""

    def __init__(self, graph: Graph, memory: Plan | None = None) -> None:
        self._graph = graph
        self.memory = memory or plan(graph)
        self._ops = program(graph, self.memory)
        self._core = binding.core()
        self._table = (binding.Op * len(self._ops))(*map(_row, self._ops))
        self.net = binding.Graph(self._table, len(self._ops), self.memory.arena_bytes)
        self._arena = np.zeros(self.memory.arena_bytes, np.int8)
        at = ctypes.c_int32()
        status = self._core.wl_graph_check(self.net, at)
        if status:
            raise ContractError(
                f"graph: operator {self._ops[at.value].name!r}: the core refused its "
                f"{REFUSALS.get(status, status)}"
            )
        self._views = {name: self._view(name) for name in (*graph.inputs, *graph.outputs)}

    def _view(self, name: str) -> NDArray[np.int8]:
        tensor = self._graph.tensor(name)
        start = self.memory.offset_bytes(name)
        return self._arena[start : start + tensor.n_bytes].reshape(tensor.shape[1:])

    def run(self, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, NDArray[np.int8]]:
        """The outputs, for any number of windows along the first axis of every input."""
        n_windows = twin.check_inputs(self._graph, inputs)
        views = self._views
        outputs = {name: np.empty((n_windows, *views[name].shape), np.int8) for name in self._graph.outputs}
        net, arena = ctypes.byref(self.net), self._arena.ctypes.data
        for window in range(n_windows):
            for name in self._graph.inputs:
                views[name][...] = inputs[name][window]
            self._core.wl_graph_run(net, arena)
            for name, y in outputs.items():
                y[window] = views[name]
        return outputs


def _row(op: Op) -> binding.Op:
    """struct wl_op of one operator; the arrays stay with the operator."""

    def address(array: NDArray[Any] | None) -> int | None:
        return None if array is None else array.ctypes.data

    return binding.Op(
        *map(address, (op.weight, op.bias, op.by_q31, op.by_shift)),
        *(op.x, op.y, op.out),
        *(*op.in_hwc, *op.out_hwc),
        *(*op.kernel, *op.stride, *op.pad_top_left),
        *(op.x_zero, op.y_zero, op.out_zero, op.low, op.high),
        op.kind,
    )
