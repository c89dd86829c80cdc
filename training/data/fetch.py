"""Downloads a set from PhysioNet: with progress, continued where it stopped, checksums compared."""

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from device_sim.contract.errors import ContractError, DigestError, StreamError
from training.data import cinc2017, mitdb, nstdb

CHUNK_BYTES = 1 << 16
TIMEOUT_S = 30
SCHEMES = ("https", "http", "file")
SUMS = "SHA256SUMS.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a set is published, and the folder it is put into under the data folder."""

    url: str
    folder: str
    files: tuple[str, ...]
    licence: str


ORIGINS: Mapping[str, Origin] = {
    mitdb.SOURCE: Origin(
        url="https://physionet.org/files/mitdb/1.0.0/",
        folder="mitdb",
        files=("RECORDS", *(f"{name}.{end}" for name in mitdb.RECORDS for end in ("hea", "dat", "atr"))),
        licence=mitdb.LICENCE,
    ),
    nstdb.SOURCE: Origin(
        url="https://physionet.org/files/nstdb/1.0.0/",
        folder="nstdb",
        files=(
            "RECORDS",
            *(f"{name}.{end}" for name in nstdb.RECORDS for end in ("hea", "dat")),
            *(f"{name}.atr" for name in nstdb.NOISY),
        ),
        licence=nstdb.LICENCE,
    ),
    cinc2017.SOURCE: Origin(
        url="https://physionet.org/files/challenge-2017/1.0.0/",
        folder=".",
        files=("training2017.zip",),
        licence=cinc2017.LICENCE,
    ),
}

Tell = Callable[[str], None]


def fetch(source: str, data: Path, *, url: str | None = None, tell: Tell = lambda _line: None) -> Path:
    """Set `source` into its folder under `data`; what is whole already is not downloaded again."""
    if source not in ORIGINS:
        raise ContractError(f"data fetch: expected one of {', '.join(ORIGINS)}, got {source}")
    origin = ORIGINS[source]
    base = (url or origin.url).rstrip("/") + "/"
    if urlsplit(base).scheme not in SCHEMES:
        raise ContractError(f"--url: expected {', '.join(f'{one}://' for one in SCHEMES)}, got {base!r}")
    sums = _sums(base)
    unnamed = [name for name in origin.files if name not in sums]
    if unnamed:
        raise ContractError(f"{base}{SUMS}: expected a checksum for {unnamed[0]}, there is none")
    folder = data / origin.folder
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(origin.files, start=1):
        place = f"{source}: {index} of {len(origin.files)}: {name}"
        _fetch_file(base + name, folder / name, sums[name], _prefixed(tell, place))
    tell(f"{source}: whole, {origin.licence}")
    return folder


def _prefixed(tell: Tell, place: str) -> Tell:
    return lambda text: tell(f"{place}: {text}")


def _fetch_file(url: str, path: Path, expected: str, tell: Tell) -> None:
    """One file: into a `.part` beside it, which a later call continues, and renamed when its sum is right."""
    if path.exists():
        if digest_of(path) == expected:
            tell("there")
            return
        raise DigestError(
            f"{path}: expected sha256 {expected[:12]}.., got another; move it away to fetch it again"
        )
    part = path.with_name(path.name + ".part")
    _download(url, part, tell)
    got = digest_of(part)
    if got != expected:
        part.unlink()
        raise DigestError(f"{url}: expected sha256 {expected[:12]}.., got {got[:12]}..; nothing was kept")
    os.replace(part, path)


def _download(url: str, part: Path, tell: Tell) -> None:
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            is_rest = reply.status == 206  # a server without ranges sends everything again
            total = int(reply.headers.get("Content-Length", 0)) + (start if is_rest else 0)
            with part.open("ab" if is_rest else "wb") as out:
                while chunk := reply.read(CHUNK_BYTES):
                    out.write(chunk)
                    tell(f"{out.tell() / 1e6:.1f} of {total / 1e6:.1f} MB")
    except urllib.error.HTTPError as fault:
        if fault.code != 416:  # 416: the part holds all bytes already
            raise StreamError(f"{url}: {fault.code} {fault.reason}") from fault
    except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as fault:
        raise StreamError(f"{url}: {fault}; run the command again, it continues where it stopped") from fault


def _sums(base: str) -> dict[str, str]:
    try:
        with urllib.request.urlopen(base + SUMS, timeout=TIMEOUT_S) as reply:
            lines = reply.read().decode("utf-8").splitlines()
    except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as fault:
        raise StreamError(f"{base}{SUMS}: {fault}; is there a network?") from fault
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    return {name.strip().lstrip("*"): digest for digest, name in pairs}


def digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        whole = sha256()
        while chunk := stream.read(1 << 20):
            whole.update(chunk)
    return whole.hexdigest()
