"""A recording as a page carries it: pooled to a bound, packed, and ready to be zoomed."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.frontend import BEAT_HZ
from device_sim.picture import BYS, DB_PER_CODE, Lane, Said, ecg_limits_mv
from device_sim.replay import COLUMN_US
from device_sim.rpeaks import RPeaks
from device_sim.trace import Trace

# What a page holds of each at most, whatever the recording: 8 MB of HTML where nothing can be compressed.
MAX_SAMPLES, MAX_COLUMNS, MAX_SAID = 1 << 20, 1 << 16, 1 << 16
GAP_UV, LARGEST_UV = -32_768, 32_767  # of 16 bits, around the median: a rail leaves the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One replay, small enough for a page."""

    title: str
    first_s: float
    seconds: float
    x_uv: NDArray[np.int16]  # around the median; lowest and highest in turns where pooled
    rate_hz: float  # of x_uv
    pool: int  # samples behind each pair; 1: every sample is there
    limits_mv: tuple[float, float]
    codes_ts_i8: NDArray[np.int8]
    flags_u8: NDArray[np.uint8]
    column_s: float
    columns_first_s: float
    beats_s: NDArray[np.float64]
    lanes: tuple[Lane, ...]

    @property
    def top_db(self) -> float:
        levels = (int(self.codes_ts_i8.max(initial=-128)) + 128) * DB_PER_CODE
        return max(30.0, float(np.ceil(levels / 10) * 10))

    def to_json(self) -> dict[str, Any]:
        """For picture.js."""
        return {
            "first_s": self.first_s,
            "seconds": self.seconds,
            "low_mv": self.limits_mv[0],
            "high_mv": self.limits_mv[1],
            "top_db": self.top_db,
            "ecg": {"first_s": 0, "rate_hz": self.rate_hz, "x": packed(self.x_uv)},
            "columns": {
                "first_s": self.columns_first_s,
                "step_s": self.column_s,
                "codes": packed(self.codes_ts_i8),
                "flags": packed(self.flags_u8),
            },
            "beats": packed(_ms(self.beats_s)),
            "lanes": [_lane_json(lane) for lane in self.lanes],
        }


def recording_of(trace: Trace, lanes: Sequence[Lane]) -> Recording:
    """Pooled where it is long: extremes of samples, the loudest of columns, every flag."""
    x_uv, codes, flags = trace.x_uv, trace.codes_ts_i8, trace.flags_u8
    pairs, pool = _extremes(_centred(x_uv))
    each = max(1, -(-flags.size // MAX_COLUMNS))
    first_s = (-trace.delay_us - COLUMN_US / 2) / 1e6
    x_mv = np.where(np.isnan(x_uv), np.nan, x_uv / 1000.0)
    return Recording(
        title=f"{Path(trace.name).name}, lead {trace.lead}, {trace.rate_hz} Hz",
        first_s=0.0,
        seconds=max(x_uv.size / trace.rate_hz, COLUMN_US / 1e6),
        x_uv=pairs,
        rate_hz=trace.rate_hz * (2 / pool if pool > 1 else 1),
        pool=pool,
        limits_mv=ecg_limits_mv(x_mv - np.nanmedian(x_mv), trace.rate_hz),
        codes_ts_i8=pooled(codes, each, np.maximum),
        flags_u8=pooled(flags, each, np.bitwise_or),
        column_s=COLUMN_US / 1e6 * each,
        columns_first_s=first_s,
        beats_s=peaks_s(trace),
        lanes=tuple(_thinned(lane) for lane in lanes),
    )


def peaks_s(trace: Trace) -> NDArray[np.float64]:
    """R peaks as the device's own detector finds them."""
    peaks = RPeaks().push(trace.beat_uv_i16)
    return np.asarray(peaks / BEAT_HZ - trace.delay_us / 1e6)


def packed(values: NDArray[Any]) -> str:
    """Differences along the first axis, deflated: what `unpacked` of picture.js takes."""
    start = np.zeros_like(values[:1])
    steps = np.diff(values, axis=0, prepend=start) if values.size else values
    little = steps.astype(values.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()


def _ms(seconds: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.asarray(np.rint(seconds * 1000), np.int32)


def _lane_json(lane: Lane) -> dict[str, Any]:
    words = {word: k for k, word in enumerate(lane.words)}
    scores = [-1 if one.score is None else round(1000 * one.score) for one in lane.said]
    return {
        "label": "beats say" if lane.are_beats else "verdict",
        "words": lane.words,
        "hues": [lane.hue(word) for word in lane.words],
        "areBeats": lane.are_beats,
        "hasScore": any(score >= 0 for score in scores),
        "length_s": lane.seconds,
        "start": packed(_ms(np.array([one.start_s for one in lane.said]))),
        "word": packed(np.array([words[one.word] for one in lane.said], np.uint8)),
        "score": packed(np.array(scores, np.int16)),
        "by": packed(np.array([BYS.index(one.by) for one in lane.said], np.uint8)),
    }


def _centred(x_uv: NDArray[np.float32]) -> NDArray[np.int16]:
    centre = np.nanmedian(x_uv)
    within = np.clip(np.rint(x_uv - centre), -LARGEST_UV, LARGEST_UV)
    return np.where(np.isnan(within), GAP_UV, within).astype(np.int16)


def _extremes(x_uv: NDArray[np.int16]) -> tuple[NDArray[np.int16], int]:
    """Lowest and highest of every `pool` samples where there are too many; a group all gap stays one."""
    if x_uv.size <= MAX_SAMPLES:
        return x_uv, 1
    pool = -(-2 * x_uv.size // MAX_SAMPLES)
    padded = np.concatenate([x_uv, np.full(-x_uv.size % pool, GAP_UV, np.int16)]).reshape(-1, pool)
    highest = padded.max(axis=1)
    lowest = np.where(padded == GAP_UV, LARGEST_UV, padded).min(axis=1)
    lowest = np.where(highest == GAP_UV, GAP_UV, lowest)
    return np.stack([lowest, highest], axis=1).reshape(-1), pool


def pooled(values: NDArray[Any], each: int, join: np.ufunc) -> NDArray[Any]:
    """Every `each` of them joined into one."""
    return values if each == 1 else np.asarray(join.reduceat(values, np.arange(0, len(values), each), axis=0))


def _thinned(lane: Lane) -> Lane:
    """Of neighbours one that is not as wanted, where there is one."""
    each = -(-len(lane.said) // MAX_SAID)
    if each <= 1:
        return lane

    def one_of(some: Sequence[Said]) -> Said:
        return next((one for one in some if one.word != lane.wanted), some[0])

    said = tuple(one_of(lane.said[k : k + each]) for k in range(0, len(lane.said), each))
    return replace(lane, said=said)
