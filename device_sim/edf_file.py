"""EDF and EDF+ recordings, read as the integers they hold."""

from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from device_sim.contract.errors import ContractError, WristleadError
from device_sim.recording import ReadAs, Recording, check_header_rate, pick_lead, refuse_scale, whole
from device_sim.sources import Annotations, check_microvolts

MISSING = "reading EDF needs the package `pyedflib`: pip install 'wristlead[records]'"
UV_PER_UNIT = {"uV": 1, "µV": 1, "mV": 1000, "V": 1_000_000}
FIXED_HEADER_BYTES = 256
BYTES_PER_SIGNAL = 256


def read_edf(path: Path, read_as: ReadAs) -> Recording:
    """One signal of the file, in digital counts less the count that stands for zero volts."""
    name = str(path)
    refuse_scale(read_as, name=name, kind="an EDF header")
    _check_length(path)
    pyedflib = _pyedflib(name)
    try:
        reader = pyedflib.EdfReader(name)
    except OSError as error:
        raise ContractError(
            f"{name}: expected an EDF+ file, got one that edflib refuses: {_reason(error)}"
        ) from None
    with reader:
        return _recording(reader, read_as, name=name)


def _pyedflib(name: str) -> ModuleType:
    try:
        import pyedflib
    except ModuleNotFoundError:
        raise WristleadError(f"{name}: {MISSING}") from None
    return pyedflib


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].split(": ", 1)[-1]


def _check_length(path: Path) -> None:
    """The file is as long as its header says; edflib's own words for this name no number."""
    with path.open("rb") as stream:
        head = stream.read(FIXED_HEADER_BYTES)
        if len(head) < FIXED_HEADER_BYTES:
            raise ContractError(f"{path}: expected an EDF header of 256 bytes, got {len(head)} bytes")
        if not head.startswith(b"0       "):
            raise ContractError(f"{path}: expected an EDF header ('0' and seven spaces), got {head[:8]!r}")
        try:
            n_header_bytes, n_records, n_signals = int(head[184:192]), int(head[236:244]), int(head[252:256])
        except ValueError:
            raise ContractError(f"{path}: expected numbers in the EDF header, got text") from None
        stream.seek(FIXED_HEADER_BYTES + 216 * n_signals)
        per_record = stream.read(8 * n_signals)
    if n_records == 0:
        raise ContractError(f"{path}: expected samples, got a header that says 0 data records")
    fields = [per_record[8 * signal : 8 * signal + 8] for signal in range(n_signals)]
    if n_records < 0 or not all(field.strip().isdigit() for field in fields):
        return  # a recording still open, or a header cut short: edflib judges those
    expected_bytes = n_header_bytes + n_records * sum(2 * int(field) for field in fields)
    found_bytes = path.stat().st_size
    if found_bytes < expected_bytes:
        raise ContractError(
            f"{path}: expected {expected_bytes} bytes ({n_records} data records), got {found_bytes}; "
            "the file is truncated, fetch it again"
        )


def _recording(reader: Any, read_as: ReadAs, *, name: str) -> Recording:
    leads = tuple(reader.getSignalLabels())
    if not leads:
        raise ContractError(f"{name}: expected at least one signal, got none")
    lead = pick_lead(read_as.lead, leads, _default_lead(leads), name=name)
    column = leads.index(lead)
    unit = reader.getPhysicalDimension(column).strip()
    if unit not in UV_PER_UNIT:
        raise ContractError(
            f"{name}: lead {lead}: expected units of uV, mV or V, got {unit!r}; say another --lead"
        )
    rate_hz = Fraction(str(reader.getSampleFrequency(column))).limit_denominator(1_000_000)
    rate_hz = check_header_rate(rate_hz, read_as, name=name)
    low, high = reader.getDigitalMinimum(column), reader.getDigitalMaximum(column)
    low_uv, high_uv = (
        Fraction(str(value)) * UV_PER_UNIT[unit]
        for value in (reader.getPhysicalMinimum(column), reader.getPhysicalMaximum(column))
    )
    if high_uv <= low_uv or high <= low:
        raise ContractError(
            f"{name}: lead {lead}: expected a rising scale, got {low}..{high} for {low_uv}..{high_uv} uV"
        )
    uv_per_count = (high_uv - low_uv) / (high - low)
    # Half even; what is left of the offset, under one count, the blocker removes.
    zero_counts = round(low - low_uv / uv_per_count)
    counts_i64 = reader.readSignal(column, digital=True).astype(np.int64) - zero_counts
    check_microvolts(
        counts_i64,
        uv_per_count,
        lambda index: f"{name}: lead {lead}: sample {index}",
        advice="is the header's scale right?",
    )
    return Recording(
        name=name,
        kind="EDF+" if reader.filetype in (1, 3) else "EDF",
        lead=lead,
        leads=leads,
        rate_hz=rate_hz,
        uv_per_count=uv_per_count,
        chunks=whole(np.asarray(counts_i64, dtype=np.int32)),
        rails_counts=read_as.rails_counts or (low - zero_counts, high - zero_counts),
        annotations=_annotations(reader, rate_hz),
    )


def _default_lead(leads: tuple[str, ...]) -> str | None:
    """The only signal, else the first that calls itself an ECG."""
    if len(leads) == 1:
        return leads[0]
    return next((lead for lead in leads if "ECG" in lead.upper() or "EKG" in lead.upper()), None)


def _annotations(reader: Any, rate_hz: Fraction) -> Annotations | None:
    onsets_s, _, texts = reader.readAnnotations()
    if not len(texts):
        return None
    indices_i64 = np.rint(np.asarray(onsets_s, dtype=np.float64) * float(rate_hz)).astype(np.int64)
    return Annotations(indices_i64=indices_i64, symbols=tuple(str(text) for text in texts))
