"""What of a network lies in a device: its constants by name, its layers by their place in the arena."""

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.graph import Graph
from device_sim.contract.operators import Linear
from device_sim.plan import Plan
from device_sim.program import Op

ARRAYS = ("weight", "bias", "by_q31", "by_shift")  # fields of struct wl_op that are pointers
FIELDS = (*ARRAYS, "row")  # of struct wl_constant
ROW = struct.Struct("<9i11hB")  # the other fields, without a hole between them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constant:
    """An array in flash, or the numbers of a row of the operator table."""

    name: str
    row: int
    field: str  # one of FIELDS
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An operator of the graph: complete once so many rows of the table have run."""

    name: str
    n_rows: int
    offset_bytes: int  # of its output in the arena
    n_bytes: int


def constants_on_board(graph: Graph, ops: Sequence[Op]) -> tuple[Constant, ...]:
    """In the order of the operator table; tensors under the names that the manifest gives them."""
    linear = {one.name: one for one in graph.operators if isinstance(one, Linear)}
    found: dict[str, Constant] = {}
    for row, op in enumerate(ops):
        for field, array in arrays_of(op):
            of = linear.get(op.name)
            name = getattr(of, field, None) or f"{op.name}/{field}"
            if name in found:  # a second copy, for another operator
                name = f"{name} for {op.name}"
            found[name] = Constant(
                name=name, row=row, field=field, raw=array.astype(array.dtype.newbyteorder("<")).tobytes()
            )
        name = f"{op.name}/row {row}"
        found[name] = Constant(name=name, row=row, field="row", raw=_numbers(op))
    return tuple(found.values())


def layers_on_board(graph: Graph, plan: Plan, ops: Sequence[Op]) -> tuple[Layer, ...]:
    """One for each operator, as the manifest lists them."""
    rows, n_rows, layers = Counter(op.name for op in ops), 0, []
    for operator in graph.operators:
        n_rows += rows[operator.name]
        layers.append(
            Layer(
                name=operator.name,
                n_rows=n_rows,
                offset_bytes=plan.offset_bytes(operator.output),
                n_bytes=graph.tensor(operator.output).n_bytes,
            )
        )
    return tuple(layers)


def arrays_of(op: Op) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays of a row, under their fields' names."""
    for field in ARRAYS:
        array = getattr(op, field)
        if array is not None:
            yield field, np.ascontiguousarray(array)


def _numbers(op: Op) -> bytes:
    return ROW.pack(
        *(op.x, op.y, op.out, *op.in_hwc, *op.out_hwc),
        *(*op.kernel, *op.stride, *op.pad_top_left),
        *(op.x_zero, op.y_zero, op.out_zero, op.low, op.high, op.kind),
    )
