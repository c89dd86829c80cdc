"""A WFDB recording (formats 212 and 16) into a record, refused when its bytes are not whole."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, DigestError
from training.data.place import Place
from training.data.record import Annotations, Record, pick_lead

BYTES_PER_SAMPLE = {"212": Fraction(3, 2), "16": Fraction(2)}  # 212: two 12-bit samples in three bytes


def read_wfdb(
    place: Place, name: str, *, source: str, licence: str, lead: str | None, annotator: str | None
) -> Record:
    """One lead of recording `name`, every byte checked against its header."""
    files = [f"{name}.hea", f"{name}.dat"] + ([f"{name}.atr"] if annotator else [])
    digest = place.digest(files)
    with place.as_folder(files) as folder:
        header = _header(folder / name)
        _check_size(place, name, header)
        counts = _signals(folder / name, header)
        annotations = _annotations(folder / name, annotator) if annotator else None
    leads = tuple(str(lead_name) for lead_name in header.sig_name)
    column = pick_lead(leads, lead, where=f"{place.path}/{name}.hea")
    return Record(
        name=name,
        source=source,
        rate_hz=int(header.fs),
        lead=leads[column],
        leads=leads,
        counts_i32=np.ascontiguousarray(counts[:, column]),
        baseline_counts=int(header.baseline[column]),
        uv_per_count=1000 / Fraction(str(header.adc_gain[column])),
        is_calibrated=not _gain_is_zero(place.read(f"{name}.hea"), column),
        annotations=annotations,
        label=None,
        licence=licence,
        digest=digest,
    )


def lead_names(place: Place, name: str) -> tuple[str, ...]:
    """What leads recording `name` holds, from its header alone."""
    with place.as_folder([f"{name}.hea"]) as folder:
        return tuple(str(lead) for lead in _header(folder / name).sig_name)


def read_annotations(place: Place, name: str) -> Annotations:
    """The `.atr` marks of recording `name`, without its signal."""
    with place.as_folder([f"{name}.atr"]) as folder:
        return _annotations(folder / name, "atr")


def _header(stem: Path) -> Any:
    import wfdb

    try:
        header = wfdb.rdheader(str(stem))
    except (ValueError, IndexError, AttributeError, TypeError) as fault:
        raise ContractError(f"{stem.name}.hea: expected a WFDB header, got {fault}") from fault
    formats = set(header.fmt or [])
    if not formats <= set(BYTES_PER_SAMPLE):
        raise ContractError(f"{stem.name}.hea: format: expected 212 or 16, got {', '.join(sorted(formats))}")
    return header


def _check_size(place: Place, name: str, header: Any) -> None:
    expected = int(header.sig_len * sum(BYTES_PER_SAMPLE[fmt] for fmt in header.fmt))
    got = place.size_bytes(f"{name}.dat")
    if got != expected:
        raise DigestError(
            f"{place.path}: {name}.dat: expected {expected} bytes for {header.sig_len} samples, got {got}; "
            "fetch it again"
        )


def _signals(stem: Path, header: Any) -> NDArray[np.int32]:
    import wfdb

    counts: NDArray[np.int32] = wfdb.rdrecord(str(stem), physical=False).d_signal.astype(np.int32)
    sums = (counts.astype(np.int64).sum(axis=0) + 0x8000 & 0xFFFF) - 0x8000
    for lead, expected, got in zip(header.sig_name, header.checksum, sums.tolist(), strict=True):
        if (expected - got) & 0xFFFF:
            raise DigestError(f"{stem.name}.dat: {lead}: expected checksum {expected} (its .hea), got {got}")
    return counts


def _annotations(stem: Path, annotator: str) -> Annotations:
    import wfdb

    try:
        marks = wfdb.rdann(str(stem), annotator)
    except (ValueError, IndexError, TypeError, KeyError) as fault:
        raise ContractError(f"{stem.name}.{annotator}: expected WFDB annotations, got {fault}") from fault
    samples = np.asarray(marks.sample, dtype=np.int64)
    if np.any(np.diff(samples) < 0):
        raise ContractError(f"{stem.name}.{annotator}: expected marks in time order")
    return Annotations(
        samples=samples,
        symbols=tuple(marks.symbol),
        aux=tuple(text.rstrip("\0") for text in marks.aux_note),
    )


def _gain_is_zero(header: bytes, column: int) -> bool:
    """WFDB writes gain 0 for 'not calibrated'; the reader hides it behind its default."""
    lines = [
        line for line in header.decode("ascii", "replace").splitlines() if line and not line.startswith("#")
    ]
    return lines[1 + column].split()[2].split("(")[0].split("/")[0] in ("0", "0.0")


def record_names(place: Place) -> Sequence[str]:
    """The names in RECORDS, else the headers that are there."""
    if "RECORDS" in place:
        return place.read("RECORDS").decode("ascii").split()
    return sorted(Path(name).stem for name in place.members if name.endswith(".hea"))
