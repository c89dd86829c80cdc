"""What a replay leaves behind: samples, columns and the beat stream, to be written or drawn."""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, StreamError
from device_sim.frontend import BEAT_HZ, ROWS
from device_sim.replay import COLUMN_US, Stride
from device_sim.sources import Gap, Samples, Source

FORMAT = 1


class Trace:
    """Everything of one replay, in memory; raw samples only where a picture asks for them."""

    def __init__(self, source: Source, *, delay_us: int, keep_samples: bool) -> None:
        self.name = source.name
        self.lead = source.lead
        self.rate_hz = source.rate_hz
        self.delay_us = delay_us
        self.uv_per_count = float(source.uv_per_count)
        self._keep_samples = keep_samples
        self._x_uv: list[NDArray[np.float32]] = []
        self._strides: list[Stride] = []

    def add_chunk(self, chunk: Samples | Gap) -> None:
        """Raw samples in microvolts; not a number in a gap."""
        if not self._keep_samples:
            return
        if isinstance(chunk, Gap):
            self._x_uv.append(np.full(chunk.n_samples, np.nan, dtype=np.float32))
        else:
            self._x_uv.append((chunk.counts_i32 * self.uv_per_count).astype(np.float32))

    def add_stride(self, stride: Stride) -> None:
        """The next second of columns and beats."""
        self._strides.append(stride)

    @property
    def x_uv(self) -> NDArray[np.float32]:
        return np.concatenate([np.empty(0, np.float32), *self._x_uv])

    @property
    def codes_ts_i8(self) -> NDArray[np.int8]:
        return np.concatenate([np.empty((0, ROWS), np.int8), *(s.codes_ts_i8 for s in self._strides)])

    @property
    def flags_u8(self) -> NDArray[np.uint8]:
        return np.concatenate([np.empty(0, np.uint8), *(s.flags_u8 for s in self._strides)])

    @property
    def beat_uv_i16(self) -> NDArray[np.int16]:
        return np.concatenate([np.empty(0, np.int16), *(s.beat_uv_i16 for s in self._strides)])

    def write_npz(self, path: Path) -> None:
        """All columns and beats, with the facts that are needed to read them."""

        made = io.BytesIO()  # of a disk that is full, numpy's archive would say more than one line
        np.savez(
            made,
            format=FORMAT,
            codes_ts_i8=self.codes_ts_i8,
            flags_u8=self.flags_u8,
            beat_uv_i16=self.beat_uv_i16,
            column_us=COLUMN_US,
            delay_us=self.delay_us,
            beat_rate_hz=BEAT_HZ,
            source_rate_hz=self.rate_hz,
        )
        write_whole(path, lambda stream: stream.write(made.getbuffer()))

    def write_beats(self, path: Path) -> None:
        """The 128 Hz stream alone."""
        made = io.BytesIO()
        np.save(made, self.beat_uv_i16)
        write_whole(path, lambda stream: stream.write(made.getbuffer()))


def check_writable(path: Path, endings: tuple[str, ...]) -> None:
    """Refuse a file that could not be written, before hours are spent on its content."""
    if path.suffix.lower() not in endings:
        raise ContractError(
            f"{path}: expected a name ending in {' or '.join(endings)}, got {path.suffix or 'none'!r}"
        )
    if path.is_dir():
        raise StreamError(f"{path}: expected a file to write, got a directory")
    if not path.parent.is_dir():
        raise StreamError(f"{path}: expected the folder {path.parent} to exist; make it first")
    if not os.access(path.parent, os.W_OK):
        raise StreamError(f"{path}: expected a folder that can be written, got one without permission")


class GrowingFile:
    """Written beside its place as a run goes; `keep` puts it there, `drop` leaves nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _refusing(path):
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        self._part, self._stream = Path(name), os.fdopen(descriptor, "wb")

    def write(self, data: bytes) -> None:
        self.fill(lambda stream: stream.write(data))

    def fill(self, write: Callable[[BinaryIO], object]) -> None:
        with _refusing(self._path):
            write(self._stream)

    def keep(self) -> None:
        with _refusing(self._path):
            self._stream.close()
            self._part.chmod(0o666 & ~_umask())
            self._part.replace(self._path)

    def drop(self) -> None:
        with suppress(OSError):  # what a full disk would not take is dropped with the rest
            self._stream.close()
        self._part.unlink(missing_ok=True)


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """The whole file or none of it: written beside its place, then renamed; /dev/stdout stays what it is."""
    if path.exists() and not path.is_file():
        with _refusing(path), path.open("wb") as stream:
            write(stream)
        return
    file = GrowingFile(path)
    try:
        file.fill(write)
        file.keep()
    finally:
        file.drop()


@contextmanager
def growing_file(path: Path, *, end: bytes = b"") -> Iterator[GrowingFile]:
    """A file that `end` closes when the run is over, or when whoever watched it had enough."""
    file = GrowingFile(path)
    try:
        try:
            yield file
        except (KeyboardInterrupt, BrokenPipeError):
            file.write(end)
            file.keep()
            raise
        file.write(end)
        file.keep()
    finally:
        file.drop()


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StreamError(f"{path}: expected to write, got: {error.strerror or error}") from None


def _umask() -> int:
    """A temporary file is private; the finished one is as public as any other."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
