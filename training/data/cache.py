"""What was computed from a recording, kept under the digest of everything it was computed from."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Cache:
    """Memory-mapped `.npy` files; losing the folder costs time and nothing else."""

    folder: Path

    def array(self, *parts: str, make: Callable[[], Array]) -> Array:
        """The array under these parts: mapped when it is there, made and kept when it is not."""
        path = self.path(*parts)
        if not path.exists():
            write_whole(path, lambda stream: np.save(stream, make()))
        mapped: Array = np.load(path, mmap_mode="r")
        return mapped

    def path(self, *parts: str) -> Path:
        """First part readable, for whoever looks into the folder; the digest is of all of them."""
        key = sha256("\0".join(parts).encode()).hexdigest()
        return self.folder / "arrays" / f"{parts[0]}-{key[:32]}.npy"


def write_whole(path: Path, write: Callable[[Any], object]) -> None:
    """Write through a neighbour and a rename: a reader sees all of the file or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as stream:
        try:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            os.unlink(stream.name)
            raise
    os.replace(stream.name, path)


def copy_whole(source: Path, path: Path) -> None:
    content = source.read_bytes()
    write_whole(path, lambda stream: stream.write(content))
