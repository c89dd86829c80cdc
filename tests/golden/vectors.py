"""Golden vectors: one file a case, read by pytest and by the C tests alike.

qrs/: little-endian int32 magic, n_samples, n_peaks, then samples int16 (padded to four bytes), peaks int32.
frontend/: little-endian: 8 int32 (magic, rate_hz, gain_mul, gain_shift, rail_low, rail_high, n_counts,
n_columns), 1 int32 n_beats, then counts int32, codes int8 [column][32], flags uint8, beats int16.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
SUMS = FOLDER / "SUMS.toml"
MAGIC = 0x31464C57  # "WLF1"
QRS_MAGIC = 0x31514C57  # "WLQ1"


@dataclass(frozen=True, kw_only=True)
class Case:
    rate_hz: int
    gain: tuple[int, int]  # mul, shift
    rails: tuple[int, int]
    counts: NDArray[np.int32]
    codes_ts_i8: NDArray[np.int8]
    flags_u8: NDArray[np.uint8]
    beat_uv_i16: NDArray[np.int16]


def to_bytes(case: Case) -> bytes:
    head = [
        MAGIC,
        case.rate_hz,
        *case.gain,
        *case.rails,
        case.counts.size,
        len(case.flags_u8),
        case.beat_uv_i16.size,
    ]
    parts = [
        np.array(head, "<i4"),
        case.counts.astype("<i4"),
        case.codes_ts_i8,
        case.flags_u8,
        case.beat_uv_i16.astype("<i2"),
    ]
    return b"".join(part.tobytes() for part in parts)


def from_bytes(raw: bytes) -> Case:
    magic, rate_hz, mul, shift, low, high, n_counts, n_columns, n_beats = np.frombuffer(
        raw, "<i4", 9
    ).tolist()
    assert magic == MAGIC, f"not a golden vector: starts with {magic:#x}"
    at = 36
    counts = np.frombuffer(raw, "<i4", n_counts, at)
    codes = np.frombuffer(raw, "i1", n_columns * 32, at := at + 4 * n_counts).reshape(-1, 32)
    flags = np.frombuffer(raw, "u1", n_columns, at := at + 32 * n_columns)
    beats = np.frombuffer(raw, "<i2", n_beats, at + n_columns)
    return Case(
        rate_hz=rate_hz, gain=(mul, shift), rails=(low, high), counts=counts,
        codes_ts_i8=codes, flags_u8=flags, beat_uv_i16=beats,
    )  # fmt: skip


def qrs_to_bytes(beat_uv: NDArray[np.int16], peaks: list[int]) -> bytes:
    padded = np.concatenate([beat_uv, np.zeros(beat_uv.size % 2, np.int16)])
    head = np.array([QRS_MAGIC, beat_uv.size, len(peaks)], "<i4")
    parts = (head, padded.astype("<i2"), np.array(peaks, "<i4"))
    return b"".join(part.tobytes() for part in parts)


def qrs_from_bytes(raw: bytes) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    magic, n_samples, n_peaks = np.frombuffer(raw, "<i4", 3).tolist()
    assert magic == QRS_MAGIC, f"not a vector of the detector: starts with {magic:#x}"
    samples = np.frombuffer(raw, "<i2", n_samples, 12)
    return samples, np.frombuffer(raw, "<i4", n_peaks, 12 + 2 * (n_samples + n_samples % 2))


def golden_cases(group: str) -> list[Path]:
    """The files of a group that SUMS.toml signs for; one that is absent or altered is an error."""
    paths = []
    for name, entry in tomllib.loads(SUMS.read_text(encoding="utf-8")).items():
        path = FOLDER / name
        if path.parent.name != group:
            continue
        if not path.is_file():
            raise FileNotFoundError(f"{name}: signed for in SUMS.toml but not there")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != entry["sha256"]:
            raise ValueError(f"{name}: expected sha256 {entry['sha256'][:12]}.., got {found[:12]}..")
        paths.append(path)
    return sorted(paths)
