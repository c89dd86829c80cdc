"""Photographs in folders, one a class, in a folder or a zip: for pre-training and nothing else."""

import io
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.data.cache import Cache
from training.data.place import find_place, open_place
from training.quality_nets import COLUMNS, ROWS

SOURCE = "tiny-imagenet-70"
LICENCE = "none stated: ImageNet's research terms presumably apply; for pre-training, never redistributed"
NAMES = ("tiny-imagenet-70.zip", "tiny-imagenet-70")
SUFFIXES = {".jpeg", ".jpg", ".png"}
HELD_OUT_EVERY = 20  # of each class: judges the pre-training
VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Photographs:
    """Decoded once: pictures, their classes, and which are held out."""

    pictures_u8: NDArray[np.uint8]  # [n, 3, side, side]
    labels: NDArray[np.int64]
    is_held_out: NDArray[np.bool_]
    classes: tuple[str, ...]
    digest: str


def read_photographs(data: Path, cache: Cache, side: int) -> Photographs:
    """The set under `data`, each picture side x side."""
    path = find_place(data, source=SOURCE, names=NAMES).path
    members = class_members(path)
    classes = tuple(sorted({PurePosixPath(name).parent.name for name in members}))
    if len(classes) < 2:
        raise ContractError(f"{path}: expected folders of pictures, one a class, got {len(classes)}")
    number = {name: index for index, name in enumerate(classes)}
    labels = np.array([number[PurePosixPath(name).parent.name] for name in members])
    place = open_place(path) if path.is_file() else None
    fingerprint = place.fingerprint() if place is not None else _folder_fingerprint(path, members)
    pictures = cache.array(
        f"photographs-{side}", VERSION, fingerprint, make=lambda: _decoded(path, members, side)
    )
    seen: dict[int, int] = {}
    held_out = []
    for label in labels.tolist():
        held_out.append(seen.get(label, 0) % HELD_OUT_EVERY == 0)
        seen[label] = seen.get(label, 0) + 1
    return Photographs(
        pictures_u8=pictures,
        labels=labels,
        is_held_out=np.array(held_out),
        classes=classes,
        digest=fingerprint,
    )


def as_device_images(pictures_u8: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Grey, 32 x 80 by nearest neighbour, in codes: what a net of the device's image can look at."""
    side = pictures_u8.shape[-1]
    rows = (2 * np.arange(ROWS) + 1) * side // (2 * ROWS)
    columns = (2 * np.arange(COLUMNS) + 1) * side // (2 * COLUMNS)
    chosen = pictures_u8[:, :, rows][:, :, :, columns].astype(np.int32)
    grey = (77 * chosen[:, 0] + 150 * chosen[:, 1] + 29 * chosen[:, 2] + 128) >> 8
    codes: NDArray[np.int8] = (grey - 128).astype(np.int8)
    return codes


def class_members(path: Path) -> list[str]:
    """Pictures that lie in a folder of their own class, in the order of their names."""
    if path.is_file():
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    else:
        names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    return sorted(
        name
        for name in names
        if PurePosixPath(name).suffix.lower() in SUFFIXES and PurePosixPath(name).parent.name
    )


def _decoded(path: Path, members: list[str], side: int) -> NDArray[np.uint8]:
    found = np.empty((len(members), 3, side, side), np.uint8)
    if path.is_file():
        with zipfile.ZipFile(path) as archive:
            for index, name in enumerate(members):
                found[index] = _picture(archive.read(name), f"{path}: {name}", side)
        return found
    for index, name in enumerate(members):
        found[index] = _picture((path / name).read_bytes(), f"{path / name}", side)
    return found


def _picture(content: bytes, where: str, side: int) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            resized = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError) as fault:
        raise ContractError(f"{where}: expected a picture (JPEG or PNG), it cannot be decoded") from fault
    return np.asarray(resized).transpose(2, 0, 1)


def _folder_fingerprint(path: Path, members: list[str]) -> str:
    whole = sha256()
    for name in members:
        whole.update(f"{name}\0{sha256((path / name).read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()
