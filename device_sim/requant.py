"""How a 32-bit sum becomes int8 again: the four rounding families of the runtimes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
ADD_LEFT_SHIFT = 20  # bits an addend is raised by before it is scaled
UNSIGNED = 128  # ONNX Runtime computes with the same codes as uint8


class Family(StrEnum):
    """Who rounds how. The core is F1; a disagreement between a runtime and its family is a bug."""

    F1 = "f1"  # TensorFlow Lite Micro, TensorFlow Lite's first reference kernels: two roundings
    F2 = "f2"  # today's reference kernels: dense layers round once
    F3 = "f3"  # ruy: the second rounding goes half up
    F4 = "f4"  # XNNPACK: float32, half to even
    F4_ORT = "f4-ort"  # ONNX Runtime: the same, and additions and global means in float32 too

    @property
    def is_float(self) -> bool:
        return self in (Family.F4, Family.F4_ORT)


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A positive real number as q31 / 2^31 * 2^shift, with q31 in [2^30, 2^31), or zero."""

    q31: int
    shift: int


def multiplier_of(real: float) -> Multiplier:
    """The nearest multiplier, as TensorFlow Lite finds it; far below 2^-31 it is zero."""
    fraction, exponent = math.frexp(real)
    q31 = math.floor(fraction * (1 << 31) + 0.5)
    if q31 == 1 << 31:
        q31 //= 2
        exponent += 1
    return Multiplier(0, 0) if exponent < -31 else Multiplier(q31, exponent)


def linear_multipliers(x_scale: float, weight_scales: Sequence[float], out_scale: float) -> list[Multiplier]:
    """One for each output channel, from float32 scales in double precision."""
    return [multiplier_of(x_scale * scale / out_scale) for scale in weight_scales]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMultipliers:
    """What an addition scales by: each addend to a common unit, their sum to the output's."""

    x: Multiplier
    y: Multiplier
    out: Multiplier


def add_multipliers(x_scale: float, y_scale: float, out_scale: float) -> AddMultipliers:
    twice = 2.0 * max(x_scale, y_scale)
    return AddMultipliers(
        x=multiplier_of(x_scale / twice),
        y=multiplier_of(y_scale / twice),
        out=multiplier_of(twice / ((1 << ADD_LEFT_SHIFT) * out_scale)),
    )


def _columns(multipliers: Sequence[Multiplier]) -> tuple[I64, I64, I64]:
    """q31, left shift, right shift: one column for each output channel."""
    q31 = np.array([m.q31 for m in multipliers], np.int64)
    shift = np.array([m.shift for m in multipliers], np.int64)
    return q31, np.maximum(shift, 0), np.maximum(-shift, 0)


def _high_product(acc: I64, q31: I64) -> I64:
    """(acc * q31) / 2^31, rounded half up.

    gemmlowp writes this as a nudge by sign and a division that truncates; the two are the same number.
    """
    return (acc * q31 + (1 << 30)) >> 31


def twice_rounded(acc: I64, multipliers: Sequence[Multiplier]) -> I64:
    """F1: the high product, then a shift with half away from zero."""
    q31, left, right = _columns(multipliers)
    high = _high_product(acc << left, q31)
    mask = (np.int64(1) << right) - 1
    threshold = (mask >> 1) + (high < 0)
    rounded: I64 = (high >> right) + ((high & mask) > threshold)
    return rounded


def twice_rounded_up(acc: I64, multipliers: Sequence[Multiplier]) -> I64:
    """F3: the high product, then a shift with half up."""
    q31, left, right = _columns(multipliers)
    high = _high_product(acc << left, q31)
    rounded: I64 = (high + ((np.int64(1) << right) >> 1)) >> right
    return rounded


def once_rounded(acc: I64, multipliers: Sequence[Multiplier]) -> I64:
    """F2's dense layers: one shift of the whole product, half up."""
    q31, left, right = _columns(multipliers)
    shift = 31 - left + right
    rounded: I64 = (acc * q31 + (np.int64(1) << (shift - 1))) >> shift
    return rounded


def float_rounded(acc: I64, x_scale: float, weight_scales: Sequence[float], out_scale: float) -> I64:
    """F4: one float32 multiplication, half to even."""
    ratio = np.float32(x_scale) * np.array(weight_scales, np.float32) / np.float32(out_scale)
    rounded: NDArray[Any] = np.rint(acc.astype(np.float32) * ratio)
    return rounded.astype(np.int64)


def requantize(
    acc: I64,
    family: Family,
    *,
    x_scale: float,
    weight_scales: Sequence[float],
    out_scale: float,
    is_dense: bool,
) -> I64:
    """Sums (last axis: output channel) in steps of the output, the zero point not yet added."""
    if family.is_float:
        return float_rounded(acc, x_scale, weight_scales, out_scale)
    multipliers = linear_multipliers(x_scale, weight_scales, out_scale)
    if family is Family.F3:
        return twice_rounded_up(acc, multipliers)
    if family is Family.F2 and is_dense:
        return once_rounded(acc, multipliers)
    return twice_rounded(acc, multipliers)


@dataclass(frozen=True, slots=True)
class Code:
    """What an int8 is worth: real = scale * (code - zero_point)."""

    scale: float
    zero_point: int


def add(
    x_i8: I64,
    y_i8: I64,
    family: Family,
    *,
    x_code: Code,
    y_code: Code,
    out_code: Code,
    is_limited: bool,
) -> I64:
    """The sum of two tensors, in steps of the output, its zero point not yet added.

    is_limited      A fused activation cuts the codes: ONNX Runtime then has no integer operator for the sum
    """
    if family is Family.F4_ORT and not is_limited:
        return _add_fused(x_i8, y_i8, x_code, y_code, out_code)
    x, y = x_i8 - x_code.zero_point, y_i8 - y_code.zero_point
    x_scale, y_scale, out_scale = x_code.scale, y_code.scale, out_code.scale
    if family is Family.F4:
        return _add_xnnpack(x, y, x_scale, y_scale, out_scale)
    if family is Family.F4_ORT:
        return _add_float(x, y, x_scale, y_scale, out_scale)
    by = add_multipliers(x_scale, y_scale, out_scale)
    raised_x = twice_rounded(x << ADD_LEFT_SHIFT, [by.x])
    raised_y = twice_rounded(y << ADD_LEFT_SHIFT, [by.y])
    return twice_rounded(raised_x + raised_y, [by.out])


def _add_xnnpack(x: I64, y: I64, x_scale: float, y_scale: float, out_scale: float) -> I64:
    """Both addends times integers of 21 bits at most, one shift, half up."""
    x_ratio = float(np.float32(x_scale) / np.float32(out_scale))
    y_ratio = float(np.float32(y_scale) / np.float32(out_scale))
    shift = 20 - (math.frexp(max(x_ratio, y_ratio))[1] - 1)
    x_by, y_by = round(math.ldexp(x_ratio, shift)), round(math.ldexp(y_ratio, shift))
    return (x * x_by + y * y_by + (1 << (shift - 1))) >> shift


def _add_fused(x_i8: I64, y_i8: I64, x_code: Code, y_code: Code, out_code: Code) -> I64:
    """uint8 codes times float32 ratios, all zero points in one constant, two fused multiply-adds.

    A CPU without fused multiply-adds rounds once more and differs by a step now and then.
    """
    out_scale = np.float32(out_code.scale)
    x_ratio, y_ratio = np.float32(x_code.scale) / out_scale, np.float32(y_code.scale) / out_scale
    x_zero, y_zero, out_zero = (np.float32(code.zero_point + UNSIGNED) for code in (x_code, y_code, out_code))
    fixed = out_zero - (x_ratio * x_zero + y_ratio * y_zero)
    # In double precision nothing is lost before the one rounding to float32 that a fused operation does.
    inner = ((y_i8 + UNSIGNED) * np.float64(y_ratio) + np.float64(fixed)).astype(np.float32)
    outer = ((x_i8 + UNSIGNED) * np.float64(x_ratio) + inner.astype(np.float64)).astype(np.float32)
    rounded: NDArray[Any] = np.rint(outer)
    return rounded.astype(np.int64) - (out_code.zero_point + UNSIGNED)


def _add_float(x: I64, y: I64, x_scale: float, y_scale: float, out_scale: float) -> I64:
    """Real numbers in float32, each operation rounded by itself."""
    real = x.astype(np.float32) * np.float32(x_scale) + y.astype(np.float32) * np.float32(y_scale)
    rounded: NDArray[Any] = np.rint(real / np.float32(out_scale))
    return rounded.astype(np.int64)


def float_mean(total: I64, count: int, scale: float) -> I64:
    """The mean over a whole map, as ONNX Runtime takes it: one float32 multiplication, half to even."""
    ratio = np.float32(scale) / (np.float32(scale) * np.float32(count))
    rounded: NDArray[Any] = np.rint(total.astype(np.float32) * ratio)
    return rounded.astype(np.int64)
