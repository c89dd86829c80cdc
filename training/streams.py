"""A recording as the net's input stream: the paper's preprocessing, or what the device computes."""

import numpy as np
from numpy.typing import NDArray

from training.data.cache import Cache
from training.data.record import Record
from training.nets import WINDOW_SAMPLES

PAPER_BAND_HZ = (0.4, 30.0)
PAPER_ORDER = 3
VERSION = "1"  # part of every cache key: raise it when a number below changes


def paper_windows(record: Record, cache: Cache) -> NDArray[np.float32]:
    """Whole-record min-max, zero-phase band-pass, blind seconds, 128 samples each: [n, 128].

    Not causal, and the scale knows the whole recording: inside the paper's protocol only.
    """
    windows: NDArray[np.float32] = cache.array(
        f"paper-windows-{record.source}-{record.name}",
        record.digest,
        record.lead,
        VERSION,
        make=lambda: _paper_windows(record),
    )
    return windows


def _paper_windows(record: Record) -> NDArray[np.float32]:
    from scipy.signal import butter, filtfilt, resample

    counts = record.counts_i32.astype(np.float64)
    scaled = (counts - counts.min()) / (counts.max() - counts.min())
    filtered = filtfilt(*butter(PAPER_ORDER, PAPER_BAND_HZ, btype="bandpass", fs=record.rate_hz), scaled)
    missing = -len(filtered) % record.rate_hz  # the last second is filled up with zeros
    seconds = np.pad(filtered, (0, missing)).reshape(-1, record.rate_hz)
    windows: NDArray[np.float32] = resample(seconds, WINDOW_SAMPLES, axis=1).astype(np.float32)
    return windows
