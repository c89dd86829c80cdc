"""The constants of an ONNX file, and what a step of them is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from device_sim.contract.errors import ContractError
from device_sim.contract.tensor import MAX_ELEMENTS, float32

UNSIGNED = 128  # what uint8 codes lie above ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Integers or numbers of the file; behind a DequantizeLinear also what a step is worth."""

    values: NDArray[Any]
    scales: tuple[float, ...] = ()


def constants_in(file: Any) -> dict[str, Constant]:
    """Initializers and Constant nodes; a file beside the file is not read."""
    found = {one.name: one for one in file.initializer}
    for node in file.node:
        if node.op_type == "Constant" and len(node.attribute) == 1 and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    return {name: Constant(values=_values(one, name)) for name, one in found.items()}


def _values(one: Any, name: str) -> NDArray[Any]:
    if one.data_location == TensorProto.EXTERNAL or one.external_data:
        raise ContractError(f"{name[:80]!r}: expected its values in the file, got the name of another one")
    if min(one.dims, default=0) < 0:
        raise ContractError(f"{name[:80]!r}: expected lengths of 0 or more, got {one.dims[:8]}")
    if int(np.prod(one.dims, dtype=object)) > MAX_ELEMENTS:
        raise ContractError(
            f"{name[:80]!r}: expected at most {MAX_ELEMENTS} elements, got {list(one.dims)[:8]}"
        )
    return np.asarray(numpy_helper.to_array(one))


def dequantised(values: Constant, scale: Constant, zero: Constant | None, name: str) -> Constant:
    """int8 or int32 with zero point 0; uint8 around 128 becomes int8."""
    numbers = values.values
    offset = 0 if numbers.dtype != np.uint8 else UNSIGNED
    zeros = np.zeros(1) if zero is None else zero.values
    if numbers.dtype not in (np.int8, np.uint8, np.int32) or (zeros != offset).any():
        raise ContractError(
            f"{name[:80]!r}: expected int8 or int32 with zero point 0, got {numbers.dtype}, {zeros.max()}"
        )
    if offset:
        numbers = (numbers.astype(np.int16) - offset).astype(np.int8)
    return Constant(values=numbers, scales=tuple(float32(float(one)) for one in scale.values.ravel()))


def scalar(constants: Mapping[str, Constant], name: str, default: float) -> float:
    if not name:
        return default
    if name not in constants or constants[name].values.size != 1:
        raise ContractError(f"{name[:80]!r}: expected one constant number")
    return float(constants[name].values.ravel()[0])
