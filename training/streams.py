"""A recording as the net's input stream: the paper's preprocessing, or what the device computes."""

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from device_sim.frontend import BEAT_HZ, FrontEnd
from training.data.cache import Cache
from training.data.record import Record
from training.nets import WINDOW_SAMPLES

PAPER_BAND_HZ = (0.4, 30.0)
PAPER_ORDER = 3
CODE_SHIFT = 5  # 32 uV per code: +-4.1 mV in int8
CODES_PER_UNIT = 32
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


def beat_stream(record: Record) -> NDArray[np.int16]:
    """The device's beat stream: causal, 0.4-30 Hz, 128 Hz, microvolts.

    Sample k is k/128 s into the recording: the resampler's delay is taken out to the nearest sample, so
    that marks and codes line up.
    """
    front_end = FrontEnd(rate_hz=record.rate_hz, uv_per_count=record.uv_per_count)
    body, tail = front_end.push(record.counts_i32), front_end.flush()
    beat_uv = np.concatenate([body.beat_uv_i16, tail.beat_uv_i16])
    late = round(front_end.delay_us * BEAT_HZ / 1_000_000)
    length = -(-record.length_samples * BEAT_HZ // record.rate_hz)
    return beat_uv[late : late + length]


def beat_codes(record: Record) -> NDArray[np.int8]:
    """The beat stream as a blind net's input: 32 uV per code."""
    return codes_of(beat_stream(record))


def codes_of(beat_uv: NDArray[np.int16]) -> NDArray[np.int8]:
    """32 uV per code, rounded half up as everything in the signal path, saturated."""
    codes = beat_uv.astype(np.int32) + (1 << (CODE_SHIFT - 1)) >> CODE_SHIFT
    return np.clip(codes, -128, 127).astype(np.int8)


def in_net_units(codes: NDArray[np.int8]) -> NDArray[np.float32]:
    """About a millivolt per unit; a power of two, so that the int8 input is exact."""
    scaled: NDArray[np.float32] = codes.astype(np.float32) / CODES_PER_UNIT
    return scaled


def device_windows(record: Record, cache: Cache) -> NDArray[np.float32]:
    """Blind seconds of the device's beat stream, 128 samples each: [n, 128]; the last is filled with zeros.

    Kept under the digest of the codes themselves: a front end that computes the same changes nothing.
    """
    codes = beat_codes(record)
    windows: NDArray[np.float32] = cache.array(
        f"device-windows-{record.source}-{record.name}",
        sha256(codes.tobytes()).hexdigest(),
        VERSION,
        make=lambda: in_net_units(np.pad(codes, (0, -len(codes) % BEAT_HZ)).reshape(-1, WINDOW_SAMPLES)),
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
