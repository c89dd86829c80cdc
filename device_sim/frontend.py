"""Samples to columns, flags and the beat stream, through the C core."""

import ctypes
from dataclasses import dataclass
from enum import IntFlag
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_sim import binding
from device_sim.contract.errors import ContractError

RATES_HZ = (125, 128, 200, 250, 256, 300, 360, 400, 500, 512, 1000)
STREAM_HZ = 256  # of the signal path, whatever the source
BEAT_HZ = 128
HOP_SAMPLES = 16  # a column every 62.5 ms
ROWS = binding.ROWS
WAVELET_ROWS = 30
ROW_LF, ROW_HF = 30, 31
NO_RAILS = (-(2**31), 2**31 - 1)
T = TypeVar("T", bound=np.generic)


class Flag(IntFlag):
    """What happened during a column; the bits of enum wl_flag."""

    RAIL = 1
    FLAT = 2
    LEAD_OFF = 4
    WARM_UP = 8
    CLIP = 16
    GAP = 32


NOTHING = Flag(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What became ready, in order and without holes."""

    first_index: int  # column j is centred j/16 s minus FrontEnd.delay_us after the first sample
    codes_ts_i8: NDArray[np.int8]  # (n, 32): 30 wavelets from 61.44 Hz down, LF, HF; 20 log2(uV) - 128
    flags_u8: NDArray[np.uint8]  # (n,): Flag bits
    first_beat_index: int  # beat sample k is centred k/128 s minus the delay after the first
    beat_uv_i16: NDArray[np.int16]  # 128 Hz, 0.4-30 Hz


def row_hz(row: int) -> float:
    """Centre frequency of a wavelet row."""
    if not 0 <= row < WAVELET_ROWS:
        raise ContractError(f"row: expected 0..{WAVELET_ROWS - 1}, got {row}")
    return float(61.44 * 2.0 ** (-row / 6))


def rational_gain(uv_per_count: Fraction | float | int) -> tuple[int, int]:
    """(mul, shift) with mul / 2**shift = uv_per_count: exact where that can be, else within 1 in 2**30."""
    gain = Fraction(uv_per_count)
    if gain <= 0:
        raise ContractError(f"uv_per_count: expected a positive gain, got {uv_per_count}")
    best = next((s for s in range(31) if (gain * 2**s).denominator == 1), 30)
    while best > 0 and round(gain * 2**best) >= 2**31:
        best -= 1
    mul = round(gain * 2**best)
    if not 0 < mul < 2**31:
        raise ContractError(f"uv_per_count: expected 1e-9..2147483647, got {float(gain):g}")
    return mul, best


def input_of(
    rate_hz: int, uv_per_count: Fraction | float | int, rails_counts: tuple[int, int] | None
) -> binding.Input:
    """What the core is told of a converter."""
    if rate_hz not in RATES_HZ:
        raise ContractError(f"rate_hz: expected one of {', '.join(map(str, RATES_HZ))}, got {rate_hz}")
    low, high = rails_counts or NO_RAILS
    if not low < high:
        raise ContractError(f"rails_counts: expected low < high, got {low}, {high}")
    return binding.Input(rate_hz, *rational_gain(uv_per_count), low, high)


class FrontEnd:
    """One signal path: push samples in any portions, take columns as they complete."""

    def __init__(
        self,
        *,
        rate_hz: int,
        uv_per_count: Fraction | float | int = 1,
        rails_counts: tuple[int, int] | None = None,
    ) -> None:
        self._core = binding.core()
        self._state = (ctypes.c_uint64 * (-(-self._core.wl_sizeof_frontend() // 8)))()
        self._head = binding.FrontEndHead.from_buffer(self._state)
        self._image = binding.Image()
        self._beats = binding.BeatRing()
        self._codes = np.ctypeslib.as_array(self._image.code).reshape(binding.IMAGE_COLUMNS, ROWS)
        self._flags = np.ctypeslib.as_array(self._image.flags)
        self._beat_uv = np.ctypeslib.as_array(self._beats.x_uv)
        self._input = input_of(rate_hz, uv_per_count, rails_counts)
        self._last = 0
        self._line = NOTHING
        status = self._core.wl_frontend_init(self._state, self._input, self._image, self._beats)
        if status != 0:
            raise ContractError(
                f"front end: the core refused rate {rate_hz} Hz, gain {uv_per_count}, rails {rails_counts}"
            )

    @property
    def delay_us(self) -> int:
        """How much later than its name says a column was in the source: the resampler's delay."""
        return int(self._core.wl_frontend_delay_us(self._input.rate_hz))

    @property
    def n_columns(self) -> int:
        """Complete columns so far."""
        return int(self._head.n_columns)

    def push(self, counts: ArrayLike, *, line: Flag = NOTHING) -> Columns:
        """Push any number of integer counts; line (LEAD_OFF, GAP) is true of all of them."""
        array = binding.as_counts(counts)
        columns_before, beats_before = int(self._head.n_columns), int(self._head.n_beats)
        codes: list[NDArray[np.int8]] = []
        flags: list[NDArray[np.uint8]] = []
        beats: list[NDArray[np.int16]] = []
        for start in range(0, array.size, self._chunk_counts):
            self._push_chunk(array[start : start + self._chunk_counts], line, codes, flags, beats)
        if array.size:
            self._last, self._line = int(array[-1]), line
        return Columns(
            first_index=columns_before,
            codes_ts_i8=np.concatenate(codes) if codes else np.empty((0, ROWS), np.int8),
            flags_u8=np.concatenate(flags) if flags else np.empty(0, np.uint8),
            first_beat_index=beats_before,
            beat_uv_i16=np.concatenate(beats) if beats else np.empty(0, np.int16),
        )

    def flush(self) -> Columns:
        """Hold the last sample until the last column it belongs to is complete (2.5 s)."""
        hold: int = (binding.COLUMN_LAG + 1) * HOP_SAMPLES * self._input.rate_hz // STREAM_HZ + 64
        return self.push(np.full(hold, self._last, np.int32), line=self._line)

    @property
    def _chunk_counts(self) -> int:
        # A hop makes 8 beat samples and the ring keeps 512: after 64 hops the first would be gone.
        return max(1, 60 * HOP_SAMPLES * int(self._input.rate_hz) // STREAM_HZ)

    def _push_chunk(
        self,
        chunk: NDArray[np.int32],
        line: Flag,
        codes: list[NDArray[np.int8]],
        flags: list[NDArray[np.uint8]],
        beats: list[NDArray[np.int16]],
    ) -> None:
        column, beat = int(self._head.n_columns), int(self._head.n_beats)
        self._take(chunk, line)
        column_end, beat_end = int(self._head.n_columns), int(self._head.n_beats)
        codes.append(unrolled(self._codes, column, column_end))
        flags.append(unrolled(self._flags, column, column_end))
        beats.append(unrolled(self._beat_uv, beat, beat_end))

    def _take(self, chunk: NDArray[np.int32], line: Flag) -> None:
        self._core.wl_frontend_push(self._state, chunk.ctypes.data, chunk.size, int(line))


def unrolled(ring: NDArray[T], start: int, stop: int) -> NDArray[T]:
    """A copy of entries start..stop-1, counted since the beginning, of a ring that holds the latest."""
    size = len(ring)
    first, last = start % size, start % size + stop - start
    if last <= size:
        return ring[first:last].copy()
    return np.concatenate([ring[first:], ring[: last - size]])


def columns_of(
    counts: ArrayLike,
    *,
    rate_hz: int,
    uv_per_count: Fraction | float | int = 1,
    rails_counts: tuple[int, int] | None = None,
) -> Columns:
    """The whole recording at once: every column whose centre it holds, and the beat stream beside it."""
    array = binding.as_counts(counts)
    front_end = FrontEnd(rate_hz=rate_hz, uv_per_count=uv_per_count, rails_counts=rails_counts)
    body = front_end.push(array)
    tail = front_end.flush()
    n_columns = -(-array.size * STREAM_HZ // (rate_hz * HOP_SAMPLES))
    n_beats = -(-array.size * BEAT_HZ // rate_hz)
    return Columns(
        first_index=0,
        codes_ts_i8=np.concatenate([body.codes_ts_i8, tail.codes_ts_i8])[:n_columns],
        flags_u8=np.concatenate([body.flags_u8, tail.flags_u8])[:n_columns],
        first_beat_index=0,
        beat_uv_i16=np.concatenate([body.beat_uv_i16, tail.beat_uv_i16])[:n_beats],
    )
