"""A quantised tensor: shape, integers, and what one step of them is worth."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError

MAX_DIMENSIONS = 4
MAX_ELEMENTS = 1 << 26  # 64 MiB of int8: far past any microcontroller, far below exhausting a host
MAX_CHARACTERS = 128
LOW_I8, HIGH_I8 = -128, 127
LARGEST_F32 = float(np.finfo(np.float32).max)


class DType(StrEnum):
    """How the integers of a tensor are stored; little-endian."""

    I8 = "i8"
    I32 = "i32"

    @property
    def numpy(self) -> "np.dtype[Any]":
        return np.dtype("<i4" if self is DType.I32 else "i1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tensor:
    """An activation, or a constant when it has values; real value = scale * (integer - zero_point)."""

    name: str
    shape: tuple[int, ...]  # activations NHWC or NC with N = 1; weights OHWI, 1HWC or OI
    scales: tuple[float, ...]  # one, or one for each index of axis; each a float32
    dtype: DType = DType.I8
    zero_point: int = 0
    axis: int | None = None
    values: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        self._check_shape()
        self._check_scales()
        self._check_values()

    def _check_shape(self) -> None:
        if not 1 <= len(self.name) <= MAX_CHARACTERS or not self.name.isprintable():
            raise ContractError(
                f"tensor.name: expected 1..{MAX_CHARACTERS} printable characters, got {self.name[:80]!r}"
            )
        if not 1 <= len(self.shape) <= MAX_DIMENSIONS:
            raise ContractError(
                f"{self.name}: shape: expected 1..{MAX_DIMENSIONS} dimensions, got {len(self.shape)}"
            )
        if any(n < 1 for n in self.shape) or math.prod(self.shape) > MAX_ELEMENTS:
            raise ContractError(
                f"{self.name}: shape: expected positive dimensions, at most {MAX_ELEMENTS} elements, "
                f"got {self.shape}"
            )

    def _check_scales(self) -> None:
        expected = 1 if self.axis is None else self._axis_length(self.axis)
        if len(self.scales) != expected:
            raise ContractError(f"{self.name}: scale: expected {expected} of them, got {len(self.scales)}")
        for scale in self.scales:
            if not (0 < scale <= LARGEST_F32 and float32(scale) == scale):
                raise ContractError(f"{self.name}: scale: expected a positive float32, got {scale!r}")
        low, high = (LOW_I8, HIGH_I8) if self.dtype is DType.I8 else (0, 0)
        if not low <= self.zero_point <= high:
            raise ContractError(f"{self.name}: zero_point: expected {low}..{high}, got {self.zero_point}")
        if self.axis is not None and self.zero_point != 0:
            raise ContractError(f"{self.name}: zero_point: expected 0 per channel, got {self.zero_point}")

    def _axis_length(self, axis: int) -> int:
        if not 0 <= axis < len(self.shape):
            raise ContractError(f"{self.name}: axis: expected 0..{len(self.shape) - 1}, got {axis}")
        return self.shape[axis]

    def _check_values(self) -> None:
        if self.values is None:
            if self.dtype is not DType.I8:
                raise ContractError(f"{self.name}: expected values: only int8 tensors are computed")
            return
        if self.values.shape != self.shape or self.values.dtype != self.dtype.numpy:
            raise ContractError(
                f"{self.name}: expected {self.dtype} values of shape {self.shape}, "
                f"got {self.values.dtype} of shape {self.values.shape}"
            )

    @property
    def is_constant(self) -> bool:
        return self.values is not None

    @property
    def scale(self) -> float:
        """The one scale of an activation."""
        assert len(self.scales) == 1, f"{self.name}: has a scale for every channel"
        return self.scales[0]

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.numpy.itemsize

    @property
    def constant(self) -> NDArray[Any]:
        """The values of a constant."""
        assert self.values is not None, f"{self.name}: is computed"
        return self.values

    def channel_scales(self, n_channels: int) -> tuple[float, ...]:
        """One scale for every output channel, also where one serves all."""
        return self.scales if len(self.scales) == n_channels else self.scales * n_channels


def float32(value: float) -> float:
    """The nearest float32, as the double that Python holds; infinite past the largest."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))
