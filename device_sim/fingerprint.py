"""What the front end computes, as one number: a bundle names the front end it was trained behind."""

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from device_sim.beats import beat_windows_of
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import DigestError
from device_sim.contract.inputs import IMAGES, InputKind
from device_sim.frontend import RATES_HZ, columns_of
from device_sim.rpeaks import RPeaks

SECONDS = 4
SECONDS_OF_BEATS = 120  # until what is learned fast at first, of beats and of intervals, is learned
RATE_OF_BEATS_HZ = 256


@cache
def frontend_sha256(kind: InputKind) -> str:
    """Of what the core makes of the same stretch at every rate: all of its tables, and the code between them.

    Only what the network sees counts: a better R-peak detector leaves an image as it was.
    """
    digest = hashlib.sha256()
    for rate_hz in RATES_HZ:
        columns = columns_of(stretch(rate_hz, SECONDS), rate_hz=rate_hz)
        seen = columns.codes_ts_i8 if kind in IMAGES else columns.beat_uv_i16.astype("<i2")
        digest.update(seen.tobytes() + columns.flags_u8.tobytes())
    if kind is InputKind.BEAT:
        beat_uv = columns_of(
            stretch(RATE_OF_BEATS_HZ, SECONDS_OF_BEATS), rate_hz=RATE_OF_BEATS_HZ
        ).beat_uv_i16
        peaks = RPeaks().push(beat_uv)
        windows = beat_windows_of(beat_uv, peaks)
        digest.update(peaks.astype("<i8").tobytes())
        digest.update(windows.shapes_tc_i8.tobytes() + windows.rr_i8.tobytes())
    return digest.hexdigest()


def check_frontend(bundle: Bundle) -> None:
    """Refuses a bundle that was trained behind another front end."""
    found = frontend_sha256(bundle.input)
    if bundle.frontend_sha256 != found:
        raise DigestError(
            f"{bundle.name}: frontend_sha256: expected {found[:12]}.. (this core), "
            f"got {bundle.frontend_sha256[:12] or 'none'}..; export the bundle again with this version"
        )


def stretch(rate_hz: int, seconds: int) -> NDArray[np.int32]:
    """Triangular beats on noise and a drift, in whole numbers: the same on every machine."""
    n = seconds * rate_hz
    at = np.arange(n, dtype=np.int64)
    interval = rate_hz * 3 // 4
    early = (at // interval) % 5 == 4  # every fifth beat comes a fifth of an interval too soon
    since = np.abs((at + early * (interval // 5)) % interval - interval // 2)
    width = max(1, rate_hz // 25)
    beats_uv = 1000 * np.maximum(0, width - since) // width
    noise_uv = ((at * at * 7919 + at * 104_729) % 8191) % 61 - 30
    drift_uv = 400 * (at % (2 * rate_hz)) // rate_hz
    sum_uv: NDArray[np.int32] = (beats_uv + noise_uv + drift_uv).astype(np.int32)
    return sum_uv
