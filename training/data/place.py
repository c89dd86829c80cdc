"""Where a set lies: a folder, or the zip as it was downloaded."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from device_sim.contract.errors import ContractError, DigestError, StreamError


@dataclass(frozen=True, slots=True)
class Place:
    """Files of one set by plain name; folders inside a zip do not matter."""

    path: Path
    members: dict[str, str]  # plain name -> name inside the folder or the zip

    @property
    def is_zip(self) -> bool:
        return self.path.is_file()

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def fingerprint(self) -> str:
        """SHA-256 over names, sizes and, in a zip, CRCs: changes with the set, and nothing is read."""
        if self.is_zip:
            with _opened(self.path) as archive:
                known = [f"{one.filename} {one.file_size} {one.CRC:08x}" for one in archive.infolist()]
        else:
            known = [f"{name} {(self.path / file).stat().st_size}" for name, file in self.members.items()]
        return sha256("\n".join(sorted(known)).encode()).hexdigest()

    def size_bytes(self, name: str) -> int:
        self._demand(name)
        if not self.is_zip:
            return (self.path / self.members[name]).stat().st_size
        with _opened(self.path) as archive:
            return archive.getinfo(self.members[name]).file_size

    def read(self, name: str) -> bytes:
        self._demand(name)
        if not self.is_zip:
            return (self.path / self.members[name]).read_bytes()
        with _opened(self.path) as archive:
            return _member(archive, self.members[name], self.path)

    def digest(self, names: Sequence[str]) -> str:
        """SHA-256 over names and contents, in the order given."""
        whole = sha256()
        for name in names:
            whole.update(f"{name}\0{sha256(self.read(name)).hexdigest()}\n".encode())
        return whole.hexdigest()

    @contextmanager
    def as_folder(self, names: Sequence[str]) -> Iterator[Path]:
        """A folder that holds these files: the set's own, or a short-lived copy out of the zip."""
        for name in names:
            self._demand(name)
        if not self.is_zip:
            yield self.path
            return
        with TemporaryDirectory() as scratch:
            with _opened(self.path) as archive:  # once: a directory of thousands of files takes its time
                for name in names:
                    (Path(scratch) / name).write_bytes(_member(archive, self.members[name], self.path))
            yield Path(scratch)

    def _demand(self, name: str) -> None:
        if name not in self.members:
            raise StreamError(
                f"{self.path}: expected {name}, it is not there; `wristlead data check` lists what is"
            )


def open_place(path: Path) -> Place:
    """The set at `path`; refuses a path that is neither a folder nor a whole zip."""
    if path.is_dir():
        return Place(path, {entry.name: entry.name for entry in sorted(path.iterdir()) if entry.is_file()})
    if not path.is_file():
        raise StreamError(f"{path}: expected a folder or a zip, there is nothing")
    with _opened(path) as archive:
        files = [name for name in archive.namelist() if not name.endswith("/")]
    return Place(path, {PurePosixPath(name).name: name for name in files})


def find_place(data: Path, *, source: str, names: Sequence[str]) -> Place:
    """The first of `names` (folder or zip) that lies under `data`."""
    if not data.is_dir():
        raise StreamError(
            f"{data}: expected the folder that holds the sets (--data or WRISTLEAD_DATA), it is not there"
        )
    for name in names:
        if (data / name).exists():
            return open_place(data / name)
    raise StreamError(
        f"{data}: {source} is not there (looked for {', '.join(names)}); "
        f"`wristlead data fetch {source}` downloads it"
    )


def check_zip(path: Path) -> int:
    """Read every member against its CRC; the number of files."""
    with _opened(path) as archive:
        broken = archive.testzip()
        if broken is not None:
            raise DigestError(
                f"{path}: {broken}: expected the CRC of the directory, got another; download the zip again"
            )
        return len(archive.namelist())


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as fault:
        raise ContractError(
            f"{path}: expected a whole zip, got {path.stat().st_size} bytes without a directory at the end; "
            "the download stopped half-way, fetch it again"
        ) from fault
    with archive:
        yield archive


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        return archive.read(name)
    except zipfile.BadZipFile as fault:
        raise DigestError(f"{path}: {name}: {fault}; download the zip again") from fault
