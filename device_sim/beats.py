"""Beats as the networks see them, through the C core: template differences and rhythm."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_sim import binding
from device_sim.contract.errors import ContractError

WINDOW_SAMPLES = binding.BEAT_WINDOW
REACH_SAMPLES = WINDOW_SAMPLES // 2 + binding.BEAT_SEARCH  # what must follow a peak
PATIENCE_SAMPLES = 256  # 2 s: the longest a beat waits for the next one


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatWindows:
    """The beats of one recording, in order."""

    shapes_tc_i8: NDArray[np.int8]  # (n, 128, 2): difference from the usual beat, and the beat; 32 uV a code
    rr_i8: NDArray[np.int8]  # (n, 10): log2 ratios of the intervals around the beat, Q6


def beat_windows_of(beat_uv: ArrayLike, peaks: ArrayLike) -> BeatWindows:
    """Every beat of a whole 128 Hz stream, at the peaks a detector or an annotator gave."""
    samples = np.asarray(beat_uv)
    at = np.asarray(peaks)
    if samples.ndim != 1 or samples.dtype != np.int16:
        raise ContractError(f"beat_uv: expected one row of int16, got {samples.dtype} {samples.shape}")
    if at.size and (at.dtype.kind not in "iu" or at.min() < 0 or at.max() >= samples.size):
        raise ContractError(
            f"peaks: expected sample numbers 0..{samples.size - 1}, got {at.min()}..{at.max()}"
        )
    if np.any(np.diff(at) <= 0):
        first = int(np.flatnonzero(np.diff(at) <= 0)[0])
        raise ContractError(f"peaks: expected ascending samples, got {at[first]} before {at[first + 1]}")
    return _made(samples, [int(peak) for peak in at])


class BeatMaker:
    """One wearer, beat after beat: what the core remembers of the usual beat and the usual interval."""

    def __init__(self) -> None:
        self._core = binding.core()
        self._state = (ctypes.c_uint64 * (-(-self._core.wl_sizeof_beat_maker() // 8)))()
        self._ring, self._beat = binding.BeatRing(), binding.Beat()
        self._ring_uv = np.ctypeslib.as_array(self._ring.x_uv)
        self._shape = np.ctypeslib.as_array(self._beat.shape).reshape(WINDOW_SAMPLES, 2)
        self._core.wl_beat_maker_init(self._state)

    def make(
        self, beat_uv: NDArray[np.int16], first: int, peak: int, following: int
    ) -> tuple[NDArray[np.int8], list[int]]:
        """(shape_tc, rr) of the next beat; beat_uv begins at sample `first` and reaches past the peak."""
        start = max(peak - REACH_SAMPLES, 0)
        span = np.arange(start, peak + REACH_SAMPLES) % binding.BEAT_SAMPLES
        self._ring_uv[span] = beat_uv[start - first : peak + REACH_SAMPLES - first]
        self._core.wl_beat_make(self._state, self._ring, peak, following, self._beat)
        return self._shape, list(self._beat.rr)

    def break_off(self) -> None:
        """Before the next beat others may be missing: no interval ends with it."""
        self._core.wl_beat_break(self._state)


def _made(samples: NDArray[np.int16], peaks: list[int]) -> BeatWindows:
    maker = BeatMaker()
    padded = np.concatenate([samples, np.zeros(REACH_SAMPLES, np.int16)])
    shapes = np.empty((len(peaks), WINDOW_SAMPLES, 2), np.int8)
    rr = np.empty((len(peaks), binding.RR_RATIOS), np.int8)
    for i, peak in enumerate(peaks):
        late = peak + PATIENCE_SAMPLES
        following = min(peaks[i + 1], late) if i + 1 < len(peaks) else late
        shapes[i], rr[i] = maker.make(padded, 0, peak, following)
    return BeatWindows(shapes_tc_i8=shapes, rr_i8=rr)
