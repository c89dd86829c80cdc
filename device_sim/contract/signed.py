"""A folder whose manifest signs for every byte in it: written whole or not at all, checked before use."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from device_sim.contract.errors import ContractError, DigestError, StreamError
from device_sim.contract.fields import Fields, parse

FORMAT = 1
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 16 << 20
MAX_FILE_BYTES = 128 << 20
MAX_FILES = 32
MAX_FILES_BYTES = 256 << 20  # of all of them together
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_name(name: str, what: str) -> None:
    if not NAME.fullmatch(name):
        raise ContractError(f"{what}.name: expected a-z, 0-9, - and _, got {name[:80]!r}")


def check_file_name(name: str, what: str, taken: tuple[str, ...]) -> None:
    """A plain name, and none of those the folder has a use for."""
    if not FILE_NAME.fullmatch(name) or name in taken:
        raise ContractError(f"{what}.files: expected a plain file name, got {name[:80]!r}")


def digest_of(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of the manifest: keys sorted, no spaces, the digest itself left out."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def listed(files: Mapping[str, bytes]) -> dict[str, str]:
    """What a manifest says of files: the SHA-256 of each."""
    return {name: hashlib.sha256(raw).hexdigest() for name, raw in files.items()}


def write_signed(folder: Path, manifest: dict[str, Any], fill: Callable[[Path], None]) -> str:
    """The folder with its manifest and what `fill` puts beside it, whole or not at all; gives the digest."""
    if folder.exists():
        raise ContractError(f"{folder}: expected no such folder yet; a bundle is not written over another")
    signed = {**manifest, "digest": digest_of(manifest)}

    def fill_signed(fresh: Path) -> None:
        (fresh / MANIFEST).write_text(json.dumps(signed, sort_keys=True, indent=1) + "\n")
        fill(fresh)

    write_folder(folder, fill_signed)
    return str(signed["digest"])


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """What `fill` puts into a new folder, whole or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            fresh = Path(name) / folder.name
            fresh.mkdir()
            fill(fresh)
            os.replace(fresh, folder)
    except OSError as error:
        raise StreamError(
            f"{folder}: expected a folder that can be made, got: {error.strerror or error}"
        ) from None


def read_signed(folder: Path) -> Fields:
    """The fields of a manifest whose digest fits; format and digest are taken out."""
    raw = read_file(folder, MANIFEST, MAX_MANIFEST_BYTES)
    where = f"{folder / MANIFEST}"
    fields = parse(raw, where)
    found_format = fields.take("format")
    if type(found_format) is not int or found_format != FORMAT:
        raise ContractError(
            f"{where}: format: expected {FORMAT}, got {str(found_format)[:40]}; "
            "written by a newer `wristlead export`"
        )
    stated, found = fields.text("digest"), digest_of(json.loads(raw))
    if stated != found:
        raise DigestError(
            f"{where}: digest: expected {stated[:12]!r}.., got {found[:12]}..; "
            "the bundle was edited after export"
        )
    return fields


def read_files(names: Fields, folder: Path, what: str, taken: tuple[str, ...]) -> dict[str, bytes]:
    """Every file that is listed, its digest checked."""
    wanted = tuple(names.names())
    if len(wanted) > MAX_FILES:
        raise ContractError(f"{names.where}: expected at most {MAX_FILES} files, got {len(wanted)}")
    files: dict[str, bytes] = {}
    for name in wanted:
        check_file_name(name, what, taken)
        room_bytes = MAX_FILES_BYTES - sum(map(len, files.values()))
        stated, raw = names.text(name), read_file(folder, name, min(MAX_FILE_BYTES, room_bytes))
        found = hashlib.sha256(raw).hexdigest()
        if found != stated:
            raise DigestError(f"{folder / name}: expected sha256 {stated[:12]!r}.., got {found[:12]}..")
        files[name] = raw
    return files


def read_file(folder: Path, name: str, limit_bytes: int) -> bytes:
    """A plain file of the folder, not larger than it may be."""
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise ContractError(
            f"{path}: expected a file of the bundle, found none; written by `wristlead export`"
        )
    n_bytes = path.stat().st_size
    if n_bytes > limit_bytes:
        raise ContractError(f"{path}: expected at most {limit_bytes} bytes, got {n_bytes}")
    return path.read_bytes()
