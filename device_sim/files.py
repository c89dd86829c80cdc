"""Opening a recording by the ending of its name."""

from collections.abc import Callable
from pathlib import Path

from device_sim.array_file import read_mat4, read_npy, read_npz, read_raw
from device_sim.contract.errors import ContractError, StreamError
from device_sim.edf_file import read_edf
from device_sim.recording import ReadAs, Recording
from device_sim.text_file import read_text
from device_sim.wfdb_file import read_wfdb

READERS: dict[str, Callable[[Path, ReadAs], Recording]] = {
    ".csv": read_text,
    ".txt": read_text,
    ".tsv": read_text,
    ".npz": read_npz,
    ".npy": read_npy,
    ".i16": read_raw,
    ".i32": read_raw,
    ".raw": read_raw,
    ".bin": read_raw,
    ".hea": read_wfdb,
    ".edf": read_edf,
    ".mat": read_mat4,
}
HEADED = (".dat", ".mat", ".atr")  # parts of a WFDB record: its header speaks for them


def read_recording(path: Path, read_as: ReadAs | None = None) -> Recording:
    """One lead of a recording of any supported format, whole and checked."""
    read_as = read_as or ReadAs()
    path = _with_header(path)
    if path.is_dir():
        raise StreamError(f"{path}: expected a file, got a directory; name a recording inside it")
    if not path.exists():
        raise StreamError(f"{path}: expected a recording, found no such file")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ContractError(
            f"{path}: expected a name ending in {' '.join(sorted(READERS))}, got {path.suffix or 'none'!r}"
        )
    if read_as.dtype is not None and reader is not read_raw:
        raise ContractError(f"{path}: --dtype: expected a raw file (.raw, .bin) beside it, got {path.suffix}")
    try:
        return reader(path, read_as)
    except OSError as error:
        if isinstance(error, StreamError):
            raise
        # not every OSError has a text of its own
        raise StreamError(f"{path}: expected a readable file, got: {error.strerror or error}") from None


def _with_header(path: Path) -> Path:
    """The header of a WFDB record, when the caller named another part of it."""
    header = path.with_suffix(".hea")
    if path.suffix.lower() not in HEADED or path.is_dir():
        return path
    if header.exists():
        return header
    if path.suffix.lower() == ".mat":
        return path
    raise StreamError(f"{path}: expected its WFDB header {header.name} beside it, found none")
