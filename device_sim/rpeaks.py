"""R peaks of the 128 Hz beat stream, through the C core."""

import ctypes

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_sim import binding
from device_sim.contract.errors import ContractError

# The detector looks back 151 samples at most; the ring holds 512.
CHUNK_SAMPLES = 256


class RPeaks:
    """One detector: push the beat stream in any portions, take peaks as they are settled."""

    def __init__(self) -> None:
        self._core = binding.core()
        self._state = (ctypes.c_uint64 * (-(-self._core.wl_sizeof_qrs() // 8)))()
        self._head = binding.QrsHead.from_buffer(self._state)
        self._beats = binding.BeatRing()
        self._ring = np.ctypeslib.as_array(self._beats.x_uv)
        self._n_samples = 0
        self._core.wl_qrs_init(self._state)

    def push(self, beat_uv: ArrayLike) -> NDArray[np.int64]:
        """Indices of the R peaks these samples settle, counted from the first sample ever pushed."""
        samples = np.asarray(beat_uv)
        if samples.ndim != 1 or (samples.size and samples.dtype != np.int16):
            raise ContractError(f"beat_uv: expected one row of int16, got {samples.dtype} {samples.shape}")
        peaks: list[int] = []
        for start in range(0, samples.size, CHUNK_SAMPLES):
            chunk = samples[start : start + CHUNK_SAMPLES]
            at = np.arange(self._n_samples, self._n_samples + chunk.size)
            self._ring[at % binding.BEAT_SAMPLES] = chunk
            self._n_samples += chunk.size
            while self._core.wl_qrs_next(self._state, self._beats, self._n_samples):
                peaks.append(int(self._head.peak_index))
        return np.array(peaks, dtype=np.int64)
