"""WFDB recordings: a .hea header and the signal files beside it."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, WristleadError
from device_sim.recording import ReadAs, Recording, check_header_rate, pick_lead, refuse_scale
from device_sim.sources import Annotations, Chunk, Gap, Samples, check_microvolts

T = TypeVar("T")
MISSING = "reading WFDB needs the package `wfdb`: pip install 'wristlead[records]'"
UV_PER_UNIT = {"uV": 1, "mV": 1000, "V": 1_000_000}
DEFAULT_GAIN = Fraction(200)  # a header's gain of 0 means: not calibrated, take 200 counts per mV
BYTES_PER_SAMPLE = {
    "8": Fraction(1),
    "16": Fraction(2),
    "24": Fraction(3),
    "32": Fraction(4),
    "61": Fraction(2),
    "80": Fraction(1),
    "160": Fraction(2),
    "212": Fraction(3, 2),
    "310": Fraction(4, 3),
    "311": Fraction(4, 3),
}
# The value that stands for "no sample here" in each format.
NO_SAMPLE = {"16": -(1 << 15), "24": -(1 << 23), "32": -(1 << 31), "61": -(1 << 15), "80": -(1 << 7)} | {
    "160": -(1 << 15),
    "212": -(1 << 11),
    "310": -(1 << 9),
    "311": -(1 << 9),
}


def read_wfdb(path: Path, read_as: ReadAs) -> Recording:
    """One lead of a record, in the counts of its converter less its baseline."""
    name = str(path)
    refuse_scale(read_as, name=name, kind="a WFDB header")
    wfdb = _wfdb(name)
    if path.stat().st_size == 0:
        raise ContractError(f"{name}: expected a WFDB header, got an empty file")
    record_path = str(path.with_suffix(""))
    header = _asked(lambda: wfdb.rdheader(record_path), name=name, what="a WFDB header")
    _check_header(header, name=name)
    _check_signal_files(header, path)
    leads = tuple(header.sig_name)
    lead = pick_lead(read_as.lead, leads, _first_in_volts(header), name=name)
    column = leads.index(lead)
    rate_hz = Fraction(str(header.fs)) * header.samps_per_frame[column]
    rate_hz = check_header_rate(rate_hz, read_as, name=name)
    digits = _digits(wfdb, record_path, column, name=name)
    baseline = int(header.baseline[column])
    chunks = _chunks(digits, baseline, NO_SAMPLE.get(header.fmt[column]))
    uv_per_count = _uv_per_count(header, column, name=name)
    _check_chunks(chunks, uv_per_count, name=name)
    return Recording(
        name=name,
        kind="WFDB",
        lead=lead,
        leads=leads,
        rate_hz=rate_hz,
        uv_per_count=uv_per_count,
        chunks=chunks,
        rails_counts=read_as.rails_counts or _rails_counts(header, column, chunks),
        annotations=_annotations(wfdb, path, header.samps_per_frame[column]),
    )


def _wfdb(name: str) -> ModuleType:
    try:
        import wfdb
    except ModuleNotFoundError:
        raise WristleadError(f"{name}: {MISSING}") from None
    return wfdb  # type: ignore[no-any-return]


def _asked(ask: Callable[[], T], *, name: str, what: str) -> T:
    """The answer of wfdb; it meets a broken file with whatever exception lay nearest."""
    try:
        return ask()
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ContractError(f"{name}: expected {what}, got one that wfdb cannot read: {reason}") from None


def _check_header(header: Any, *, name: str) -> None:
    segments = getattr(header, "seg_name", None)
    if segments:
        real = next((segment for segment in segments if segment != "~"), segments[0])
        raise ContractError(
            f"{name}: expected one segment, got {len(segments)}; name one, such as {real}.hea"
        )
    if not header.n_sig or not header.sig_name:
        raise ContractError(f"{name}: expected at least one signal, got {header.n_sig or 0}")
    if header.sig_len == 0:
        raise ContractError(f"{name}: expected samples, got a header that says 0")
    if any(gain_name is None for gain_name in header.sig_name):
        raise ContractError(f"{name}: expected a name for every signal, got one without")


def _check_signal_files(header: Any, path: Path) -> None:
    """Each signal file is there and holds what the header promises."""
    for file_name in dict.fromkeys(header.file_name):
        columns = [column for column, other in enumerate(header.file_name) if other == file_name]
        signal_path = path.parent / file_name
        if not signal_path.is_file():
            raise ContractError(f"{path}: expected its signal file {file_name} beside it, found none")
        formats = {header.fmt[column] for column in columns}
        if header.sig_len is None or len(formats) > 1 or not formats <= BYTES_PER_SAMPLE.keys():
            continue  # wfdb works the length out, or reads a compressed format
        n_samples = header.sig_len * sum(header.samps_per_frame[column] for column in columns)
        n_bytes = n_samples * BYTES_PER_SAMPLE[formats.pop()] + (header.byte_offset[columns[0]] or 0)
        found_bytes = signal_path.stat().st_size
        if found_bytes < int(n_bytes):
            raise ContractError(
                f"{signal_path}: expected {int(n_bytes)} bytes ({header.sig_len} samples of {len(columns)} "
                f"signals, says {path.name}), got {found_bytes}; the file is truncated, fetch it again"
            )


def _first_in_volts(header: Any) -> str | None:
    named = zip(header.sig_name, header.units, strict=True)
    return next((lead for lead, unit in named if unit in UV_PER_UNIT), None)


def _digits(wfdb: ModuleType, record_path: str, column: int, *, name: str) -> NDArray[np.int64]:
    record = _asked(
        lambda: wfdb.rdrecord(record_path, physical=False, channels=[column], smooth_frames=False),
        name=name,
        what="the samples of a WFDB record",
    )
    digits = np.asarray(record.e_d_signal[0], dtype=np.int64)
    if not digits.size:
        raise ContractError(f"{name}: expected samples, got none")
    return digits


def _uv_per_count(header: Any, column: int, *, name: str) -> Fraction:
    unit = header.units[column]
    if unit not in UV_PER_UNIT:
        raise ContractError(
            f"{name}: lead {header.sig_name[column]}: expected units of uV, mV or V, got {unit}; "
            "say another --lead"
        )
    gain = Fraction(str(header.adc_gain[column])).limit_denominator(1_000_000)
    if gain < 0:
        raise ContractError(
            f"{name}: lead {header.sig_name[column]}: expected a gain above 0, got {float(gain):g}"
        )
    return UV_PER_UNIT[unit] / (gain or DEFAULT_GAIN)


def _chunks(digits: NDArray[np.int64], baseline: int, no_sample: int | None) -> tuple[Chunk, ...]:
    """Samples, with a Gap wherever the format says that there is none."""
    missing = digits == no_sample if no_sample is not None else np.zeros(digits.shape, dtype=np.bool_)
    edges = [0, *(np.flatnonzero(np.diff(missing)) + 1).tolist(), digits.size]
    chunks: list[Chunk] = []
    for start, end in pairwise(edges):
        if missing[start]:
            chunks.append(Gap(first_index=start, n_samples=end - start, estimated=False))
        else:
            counts = np.asarray(digits[start:end] - baseline, dtype=np.int32)
            chunks.append(Samples(first_index=start, counts_i32=counts))
    return tuple(chunks)


def _check_chunks(chunks: tuple[Chunk, ...], uv_per_count: Fraction, *, name: str) -> None:
    for chunk in chunks:
        if isinstance(chunk, Samples):
            where = partial(_place, name, chunk.first_index)
            check_microvolts(
                chunk.counts_i32.astype(np.int64), uv_per_count, where, advice="is the header's gain right?"
            )


def _place(name: str, first_index: int, index: int) -> str:
    return f"{name}: sample {first_index + index}"


def _rails_counts(header: Any, column: int, chunks: tuple[Chunk, ...]) -> tuple[int, int] | None:
    """The converter's range, unless the samples themselves prove the header wrong about it."""
    bits = header.adc_res[column]
    if not bits:
        return None
    lowest = int(header.adc_zero[column] or 0) - (1 << (bits - 1)) - int(header.baseline[column])
    highest = lowest + (1 << bits) - 1
    seen = [chunk.counts_i32 for chunk in chunks if isinstance(chunk, Samples)]
    if any(counts.min() < lowest or counts.max() > highest for counts in seen):
        return None
    return lowest, highest


def _annotations(wfdb: ModuleType, path: Path, samples_per_frame: int) -> Annotations | None:
    """The reference annotations (.atr), where there are any."""
    atr_path = path.with_suffix(".atr")
    if not atr_path.is_file():
        return None
    record_path = str(path.with_suffix(""))
    found = _asked(lambda: wfdb.rdann(record_path, "atr"), name=str(atr_path), what="WFDB annotations")
    indices_i64 = np.asarray(found.sample, dtype=np.int64) * samples_per_frame
    return Annotations(indices_i64=indices_i64, symbols=tuple(found.symbol))
