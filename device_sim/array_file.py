"""Recordings that are bare arrays: NPZ, NPY, raw little-endian integers, MATLAB level 4."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.recording import (
    ReadAs,
    Recording,
    Scale,
    check_header_rate,
    check_span,
    counts_of,
    pick_lead,
    scale_of,
    whole,
)

T = TypeVar("T")
RAW_DTYPES = {".i16": "int16", ".i32": "int32"}
FACTS: tuple[str, ...] = ("rate_hz", "uv_per_count")
MAT4_HEADER_BYTES = 20
# type field of MATLAB level 4, little-endian, full matrix: precision in its tens
MAT4_DTYPES = {0: "<f8", 10: "<f4", 20: "<i4", 30: "<i2", 40: "<u2", 50: "u1"}


def read_npz(path: Path, read_as: ReadAs) -> Recording:
    """One array of an NPZ file; scalars `rate_hz` and `uv_per_count` beside it are facts about it."""
    name = str(path)
    arrays = _arrays(path)
    facts = {key: arrays.pop(key) for key in FACTS if key in arrays}
    leads = tuple(key for key, array in arrays.items() if array.ndim > 0)
    default = "x" if "x" in leads else (leads[0] if len(leads) == 1 else None)
    lead = pick_lead(read_as.lead, leads, default, name=name)
    scale = _npz_scale(facts, read_as, name=name)
    rate_hz = None if read_as.rate_hz is None else Fraction(read_as.rate_hz)
    if "rate_hz" in facts:
        rate_hz = check_header_rate(_scalar(facts, "rate_hz", name=name), read_as, name=name)
    return _recording(path, "NPZ", arrays[lead], scale, rate_hz, read_as, lead=lead, leads=leads)


def read_npy(path: Path, read_as: ReadAs) -> Recording:
    """The one array of an NPY file."""
    with path.open("rb") as stream:
        array = _asked(lambda: np.load(stream, allow_pickle=False), path, what="an NPY file")
    return _bare(path, "NPY", array, read_as)


def read_raw(path: Path, read_as: ReadAs) -> Recording:
    """Little-endian integers and nothing else."""
    dtype = RAW_DTYPES.get(path.suffix.lower(), read_as.dtype)
    if dtype is None:
        raise ContractError(f"{path}: expected a sample type, got none; say --dtype int16 or --dtype int32")
    if read_as.dtype not in (None, dtype):
        raise ContractError(f"{path}: expected {dtype} by the file's ending, got --dtype {read_as.dtype}")
    content = path.read_bytes()
    width_bytes = np.dtype(dtype).itemsize
    if len(content) % width_bytes:
        raise ContractError(
            f"{path}: expected a multiple of {width_bytes} bytes ({dtype}), got {len(content)}; "
            "the file is cut short"
        )
    return _bare(
        path, f"raw {dtype}", np.frombuffer(content, dtype=np.dtype(dtype).newbyteorder("<")), read_as
    )


def read_mat4(path: Path, read_as: ReadAs) -> Recording:
    """The first variable of a MATLAB level 4 file, as the CinC challenges pack their signals."""
    content = path.read_bytes()
    if len(content) < MAT4_HEADER_BYTES:
        raise ContractError(f"{path}: expected a MATLAB level 4 header of 20 bytes, got {len(content)} bytes")
    kind, n_rows, n_columns, imaginary, name_bytes = np.frombuffer(
        content[:MAT4_HEADER_BYTES], dtype="<i4"
    ).tolist()
    if kind not in MAT4_DTYPES or imaginary or n_rows != 1:
        raise ContractError(
            f"{path}: expected one row of real numbers in MATLAB level 4, got type {kind}, {n_rows} rows; "
            "give its .hea file, or save the signal as .npz"
        )
    dtype = np.dtype(MAT4_DTYPES[kind])
    start = MAT4_HEADER_BYTES + name_bytes
    if name_bytes < 0 or len(content) - start < n_columns * dtype.itemsize:
        raise ContractError(
            f"{path}: expected {n_columns} samples ({n_columns * dtype.itemsize} bytes), "
            f"got {max(0, len(content) - start)} bytes; the file is cut short"
        )
    return _bare(
        path, "MATLAB 4", np.frombuffer(content, dtype=dtype, count=n_columns, offset=start), read_as
    )


def _bare(path: Path, kind: str, array: NDArray[np.generic], read_as: ReadAs) -> Recording:
    """An array that says nothing about itself."""
    rate_hz = None if read_as.rate_hz is None else Fraction(read_as.rate_hz)
    lead = pick_lead(read_as.lead, ("1",), "1", name=str(path))
    return _recording(
        path, kind, array, scale_of(read_as, name=str(path)), rate_hz, read_as, lead=lead, leads=(lead,)
    )


def _recording(
    path: Path,
    kind: str,
    array: NDArray[np.generic],
    scale: Scale,
    rate_hz: Fraction | None,
    read_as: ReadAs,
    *,
    lead: str,
    leads: tuple[str, ...],
) -> Recording:
    name = str(path)
    values = _one_dimension(array, where=name if leads == ("1",) else f"{name}: array '{lead}'")
    counts_i32 = counts_of(values, scale, lambda index: f"{name}: sample {index}")
    if not scale.whole:
        check_span(values, read_as, name=name)
    return Recording(
        name=name,
        kind=kind,
        lead=lead,
        leads=leads,
        rate_hz=rate_hz,
        uv_per_count=scale.uv_per_count,
        chunks=whole(counts_i32),
        rails_counts=read_as.rails_counts,
    )


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    def members() -> dict[str, NDArray[np.generic]]:
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, Mapping):
            raise ValueError("a single array; rename it to .npy")
        return dict(archive)

    # opened here: numpy leaves a file it opened itself open when it fails
    with path.open("rb") as stream:
        return _asked(members, path, what="an NPZ file of plain arrays")


def _asked(ask: Callable[[], T], path: Path, *, what: str) -> T:
    """The answer of numpy; it meets a broken file with whatever exception lay nearest."""
    try:
        return ask()
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ContractError(f"{path}: expected {what}, got one that numpy cannot read: {reason}") from None


def _npz_scale(facts: Mapping[str, NDArray[np.generic]], read_as: ReadAs, *, name: str) -> Scale:
    if "uv_per_count" not in facts:
        return scale_of(read_as, name=name)
    if read_as.units is not None or read_as.gain_per_mv is not None:
        raise ContractError(
            f"{name}: --units, --gain: expected neither, the file has uv_per_count; leave them out"
        )
    uv_per_count = _scalar(facts, "uv_per_count", name=name)
    if uv_per_count <= 0:
        raise ContractError(f"{name}: uv_per_count: expected more than 0, got {float(uv_per_count):g}")
    return Scale(factor=1, uv_per_count=uv_per_count, whole=True)


def _scalar(facts: Mapping[str, NDArray[np.generic]], key: str, *, name: str) -> Fraction:
    array = facts[key]
    if array.size != 1 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ContractError(f"{name}: {key}: expected one number, got shape {array.shape} of {array.dtype}")
    return Fraction(str(array.reshape(-1)[0].item())).limit_denominator(1_000_000)


def _one_dimension(array: NDArray[np.generic], *, where: str) -> NDArray[np.float64]:
    flat = array.reshape(-1) if array.size == max(array.shape, default=0) else array
    if flat.ndim != 1:
        raise ContractError(f"{where}: expected one dimension, got shape {array.shape}; save one lead")
    if flat.dtype.kind not in "iuf":
        raise ContractError(f"{where}: expected integers or floats, got {flat.dtype}")
    if not flat.size:
        raise ContractError(f"{where}: expected samples, got none")
    return flat.astype(np.float64)  # exact: no count of interest is beyond 2^53
