"""What a tensor refuses, by its name."""

from typing import Any

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from device_sim.contract.tensor import MAX_ELEMENTS, DType, Tensor


def tensor(**changed: Any) -> Tensor:
    fields: dict[str, Any] = {"name": "t", "shape": (1, 4), "scales": (0.5,), "zero_point": 3}
    return Tensor(**(fields | changed))


def test_a_tensor_knows_its_size() -> None:
    assert tensor().n_bytes == 4
    bias = tensor(dtype=DType.I32, zero_point=0, values=np.zeros((1, 4), "<i4"))
    assert bias.n_bytes == 16


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"name": ""}, "tensor.name"),
        ({"name": "a\nb"}, "tensor.name"),
        ({"shape": ()}, "t: shape"),
        ({"shape": (1, 0)}, "t: shape"),
        ({"shape": (1, -4)}, "t: shape"),
        ({"shape": (1, MAX_ELEMENTS + 1)}, "t: shape"),
        ({"shape": (1 << 40, 1 << 40, 1 << 40, 1 << 40)}, "t: shape"),
        ({"scales": ()}, "t: scale"),
        ({"scales": (0.0,)}, "t: scale"),
        ({"scales": (-0.5,)}, "t: scale"),
        ({"scales": (float("nan"),)}, "t: scale"),
        ({"scales": (float("inf"),)}, "t: scale"),
        ({"scales": (0.1,)}, "t: scale"),  # not a float32
        ({"zero_point": 128}, "t: zero_point"),
        ({"zero_point": -129}, "t: zero_point"),
        ({"axis": 2}, "t: axis"),
        ({"axis": 1, "scales": (0.5,) * 4}, "t: zero_point"),
        ({"axis": 1, "zero_point": 0}, "t: scale"),
        ({"values": np.zeros((4, 1), np.int8)}, "t: expected i8"),
        ({"values": np.zeros((1, 4), np.int32)}, "t: expected i8"),
        ({"dtype": DType.I32, "zero_point": 0}, "t: expected values"),
    ],
)
def test_a_tensor_that_makes_no_sense_is_refused(changed: dict[str, Any], where: str) -> None:
    with pytest.raises(ContractError, match=f"^{where}"):
        tensor(**changed)
