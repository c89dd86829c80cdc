"""Networks as golden vectors: operator table, arena, windows and their outputs, for C without Python.

network/: little-endian int32 words. Head: magic, n_ops, arena_bytes, n_windows, n_inputs, n_outputs, and
where the windows begin. For each operator OP_WORDS words: the numbers of struct wl_op in its order, kind
first, then where weight, bias, by_q31 and by_shift begin (0: none). For each input, then each output: offset
and length in bytes. Then the arrays, then for each window its inputs and outputs, all padded to four bytes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.contract.graph import Graph
from device_sim.plan import plan
from device_sim.program import Op, program
from tests.golden.networks import SEED, graphs, random_inputs

MAGIC = 0x314E4C57  # "WLN1"
HEAD_WORDS = 7
OP_WORDS = 25
N_WINDOWS = 16


def files() -> dict[str, tuple[str, bytes]]:
    """file -> (why it exists, its bytes)"""
    return {f"network/{name}.bin": (why, to_bytes(graph)) for name, (why, graph) in graphs().items()}


def windows(graph: Graph) -> tuple[dict[str, NDArray[np.int8]], dict[str, NDArray[np.int8]]]:
    """The inputs of a vector, and the twin's outputs."""
    inputs = dict(random_inputs(graph, N_WINDOWS, SEED))
    return inputs, twin.run(graph, inputs)


def to_bytes(graph: Graph) -> bytes:
    memory = plan(graph)
    ops = program(graph, memory)
    ends = (*graph.inputs, *graph.outputs)
    at = HEAD_WORDS + OP_WORDS * len(ops) + 2 * len(ends)
    records: list[int] = []
    arrays: list[bytes] = []
    for op in ops:
        records += _numbers(op)
        for array in (op.weight, op.bias, op.by_q31, op.by_shift):
            raw = b"" if array is None else _padded(array)
            records.append(at if raw else 0)
            arrays.append(raw)
            at += len(raw) // 4
    head = [MAGIC, len(ops), memory.arena_bytes, N_WINDOWS, len(graph.inputs), len(graph.outputs), at]
    places = [n for name in ends for n in (memory.offset_bytes(name), graph.tensor(name).n_bytes)]
    inputs, outputs = windows(graph)
    values = inputs | outputs
    rows = [_padded(values[name][window]) for window in range(N_WINDOWS) for name in ends]
    return np.array([*head, *records, *places], "<i4").tobytes() + b"".join([*arrays, *rows])


def _numbers(op: Op) -> list[int]:
    return [
        *(op.kind, op.x, op.y, op.out),
        *(*op.in_hwc, *op.out_hwc),
        *(*op.kernel, *op.stride, *op.pad_top_left),
        *(op.x_zero, op.y_zero, op.out_zero, op.low, op.high),
    ]


def _padded(array: NDArray[Any]) -> bytes:
    raw = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return raw + bytes(-len(raw) % 4)
