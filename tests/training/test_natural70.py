"""Photographs are read from a zip or from folders alike, decoded once, and what is none is named."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device_sim.contract.errors import ContractError, StreamError
from training.data.cache import Cache
from training.natural70 import HELD_OUT_EVERY, as_device_images, read_photographs

CLASSES = {"n01": (255, 0, 0), "n02": (0, 255, 0), "n03": (0, 0, 255)}
PER_CLASS = 21


def photograph(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(buffer, "PNG")
    return buffer.getvalue()


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny-imagenet-70/classes.csv", "n01,red\n")
        for name, colour in CLASSES.items():
            for index in range(PER_CLASS):
                archive.writestr(f"tiny-imagenet-70/{name}/{name}_{index}.png", photograph(colour))


def write_folders(path: Path) -> None:
    for name, colour in CLASSES.items():
        (path / name).mkdir(parents=True)
        for index in range(PER_CLASS):
            (path / name / f"{name}_{index}.png").write_bytes(photograph(colour))


def test_a_zip_and_folders_give_the_same_photographs(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write_zip(tmp_path / "a" / "tiny-imagenet-70.zip")
    write_folders(tmp_path / "b" / "tiny-imagenet-70")
    cache = Cache(tmp_path / "cache")
    packed, plain = (read_photographs(tmp_path / where, cache, 16) for where in ("a", "b"))
    assert packed.classes == plain.classes == tuple(CLASSES)
    assert np.array_equal(packed.pictures_u8, plain.pictures_u8)
    assert packed.pictures_u8.shape == (63, 3, 16, 16)
    for label, colour in enumerate(CLASSES.values()):
        own = packed.pictures_u8[packed.labels == label]
        assert set(map(tuple, own.transpose(0, 2, 3, 1).reshape(-1, 3).tolist())) == {colour}


def test_every_class_holds_some_photographs_out(tmp_path: Path) -> None:
    write_folders(tmp_path / "tiny-imagenet-70")
    read = read_photographs(tmp_path, Cache(tmp_path / "cache"), 16)
    assert np.bincount(read.labels[read.is_held_out]).tolist() == [-(-PER_CLASS // HELD_OUT_EVERY)] * 3


def test_photographs_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folders(tmp_path / "tiny-imagenet-70")
    first = read_photographs(tmp_path, Cache(tmp_path / "cache"), 16)
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("decoded again"))
    again = read_photographs(tmp_path, Cache(tmp_path / "cache"), 16)
    assert np.array_equal(first.pictures_u8, again.pictures_u8)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    write_folders(tmp_path / "tiny-imagenet-70")
    (tmp_path / "tiny-imagenet-70" / "n02" / "n02_3.png").write_bytes(b"no picture")
    with pytest.raises(ContractError, match=r"n02_3\.png: expected a picture \(JPEG or PNG\)"):
        read_photographs(tmp_path, Cache(tmp_path / "cache"), 16)


def test_one_class_is_none(tmp_path: Path) -> None:
    (tmp_path / "tiny-imagenet-70" / "n01").mkdir(parents=True)
    (tmp_path / "tiny-imagenet-70" / "n01" / "x.png").write_bytes(photograph((1, 2, 3)))
    with pytest.raises(ContractError, match="expected folders of pictures, one a class, got 1"):
        read_photographs(tmp_path, Cache(tmp_path / "cache"), 16)


def test_where_there_are_no_photographs_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="tiny-imagenet-70 is not there"):
        read_photographs(tmp_path, Cache(tmp_path / "cache"), 16)


def test_a_photograph_becomes_grey_codes_of_the_devices_shape() -> None:
    pictures = np.zeros((3, 3, 64, 64), np.uint8)
    pictures[1] = 255
    pictures[2, :, :, 32:] = 200
    codes = as_device_images(pictures)
    assert codes.shape == (3, 32, 80)
    assert set(codes[0].ravel()) == {-128}
    assert set(codes[1].ravel()) == {127}
    assert (codes[2, :, :40] == -128).all()
    assert (codes[2, :, 40:] == 72).all()
