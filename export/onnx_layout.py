"""Where ONNX has the values of a map, and where the integer graph has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.operators import Pads, Shape, same_pads

Order = NDArray[np.int64]  # for each value of a row of ours: where the file's row has it
TO_LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1)}
TO_FIRST = {3: (0, 2, 1), 4: (0, 3, 1, 2)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A value of the file: who computes it, and how its numbers lie there."""

    source: Any  # a tensor of the graph, or an operator whose codes are not known yet
    rank: int
    is_last: bool = False  # channels last, behind a transpose
    order: Order | None = None  # of a row that was a map


def as_ours(shape: Sequence[int], name: str) -> Shape:
    """NCHW and NCL become NHWC with height 1 for a line; a row stays."""
    if len(shape) not in (2, 3, 4) or shape[0] != 1 or min(shape) < 1:
        raise ContractError(f"{name[:80]!r}: expected a batch of 1 and 2 to 4 dimensions, got {tuple(shape)}")
    if len(shape) == 2:
        return tuple(shape)
    return (1, *((1,) if len(shape) == 3 else ()), *shape[2:], shape[1])


def axis_of(axis: int, seen: Seen) -> int:
    """An axis of the file as one of ours."""
    axis %= seen.rank
    if seen.rank == 2 or axis == 0:
        return axis
    moved = axis if seen.is_last else {1: seen.rank - 1}.get(axis, axis - 1)
    return moved + (4 - seen.rank)  # a line has height 1 before it


def flattened_order(shape: Shape, *, is_last: bool) -> Order | None:
    """Of a map that becomes a row; None where nothing moves."""
    if is_last:
        return None
    _, height, width, channels = shape
    order = np.arange(height * width * channels).reshape(channels, height, width).transpose(1, 2, 0).ravel()
    return None if (order == np.arange(order.size)).all() else order


def kernel_of(lengths: Sequence[int]) -> tuple[int, int]:
    """A line's kernel or stride is one row high."""
    if len(lengths) not in (1, 2):
        raise ContractError(f"kernel and stride: expected 1 or 2 lengths, got {len(lengths)}")
    high, wide = (1, *lengths)[-2:]
    return int(high), int(wide)


def pads_of(attributes: dict[str, Any], x: Shape, kernel: tuple[int, int], stride: tuple[int, int]) -> Pads:
    """Begins, then ends; or by name."""
    named = attributes.get("auto_pad", b"NOTSET")
    if named == b"SAME_UPPER":
        return same_pads(x, kernel, stride)
    if named not in (b"NOTSET", b"VALID"):
        raise ContractError(f"auto_pad: expected NOTSET, VALID or SAME_UPPER, got {named!r}")
    pads = list(attributes.get("pads", ()))
    if not any(pads):
        return Pads()
    if len(pads) == 2:
        return Pads(left=pads[0], right=pads[1])
    top, left, bottom, right = pads
    return Pads(top=top, left=left, bottom=bottom, right=right)


def shape_of(wanted: Sequence[int], before: Sequence[int]) -> tuple[int, ...]:
    """What a Reshape asks for: 0 keeps a length, -1 takes what is left."""
    kept = [before[k] if n == 0 else int(n) for k, n in enumerate(wanted)]
    if kept.count(-1) > 1 or min(kept) < -1:
        raise ContractError(f"reshape: expected lengths and one -1, got {tuple(wanted)[:8]}")
    known = int(np.prod([n for n in kept if n != -1], dtype=object))
    return tuple(int(np.prod(before, dtype=object)) // max(known, 1) if n == -1 else n for n in kept)
