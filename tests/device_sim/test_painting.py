"""The picture that a net of photographs sees: the same dots in C, in NumPy and by definition."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from device_sim.binding import core
from device_sim.contract.bundle import read_bundle, write_bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields
from device_sim.contract.inputs import InputKind
from device_sim.contract.painting import SIDE, Painting, painting_from_json, painting_to_json, places
from device_sim.pipeline import OpenBundle
from device_sim.runner import Backend
from device_sim.sources import Samples
from device_sim.synthetic import SyntheticSource, example_scene
from tests.device_sim.bundles import bundle_of, painted

RNG = np.random.default_rng(20261129)
COLOURS = RNG.integers(-128, 128, (256, 3), np.int8)
IMAGES = RNG.integers(-128, 128, (5, 80, 32), np.int8)


def test_a_dot_shows_the_code_whose_middle_is_nearest() -> None:
    for n in (32, 80):
        middles = (np.arange(n) + 0.5) / n
        for dot, place in enumerate(places(n)):
            distances = np.abs(middles - (dot + 0.5) / SIDE)
            assert distances[place] <= distances.min() + 1e-12


def test_a_picture_is_the_image_in_colours() -> None:
    picture = Painting(colours=COLOURS).picture(IMAGES)
    assert picture.shape == (5, 64, 64, 3)
    for y, x in ((0, 0), (63, 63), (10, 50), (31, 32)):
        row, column = (2 * y + 1) * 32 // 128, (2 * x + 1) * 80 // 128
        for k, image in enumerate(IMAGES):
            assert picture[k, y, x].tolist() == COLOURS[int(image[column, row]) + 128].tolist()


def test_the_core_paints_the_same_picture() -> None:
    expected = Painting(colours=COLOURS).picture(IMAGES)
    for image, picture in zip(IMAGES, expected, strict=True):
        said = np.full((SIDE, SIDE, 3), 77, np.int8)
        core().wl_paint(image.ctypes.data, COLOURS.ctypes.data, said.ctypes.data)
        np.testing.assert_array_equal(said, picture)


def test_a_painting_survives_its_json() -> None:
    back = painting_from_json(Fields(painting_to_json(Painting(colours=COLOURS)), "painting"))
    np.testing.assert_array_equal(back.colours, COLOURS)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        ({"colours": [0] * 767}, "expected 768 numbers, got 767"),
        ({"colours": [0] * 767 + [128]}, "-128"),
        ({"colours": "blue"}, "expected a list"),
        ({}, "colours: expected the field"),
        ({"colours": [0] * 768, "side": 9}, "no field of this format"),
    ],
)
def test_a_painting_that_is_none_is_refused(read: dict[str, object], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        painting_from_json(Fields(read, "painting"))


def test_a_painting_belongs_to_a_picture_and_to_nothing_else() -> None:
    bundle = bundle_of(InputKind.IMAGE)
    with pytest.raises(ContractError, match="expected it with input picture, and only there"):
        dataclasses.replace(bundle, painting=Painting(colours=COLOURS))
    with pytest.raises(ContractError, match="expected it with input picture, and only there"):
        dataclasses.replace(bundle, input=InputKind.PICTURE)


def test_a_bundle_of_pictures_judges_the_images_it_would_be_shown(tmp_path: Path) -> None:
    write_bundle(painted(), tmp_path / "b")
    bundle = read_bundle(tmp_path / "b")
    assert bundle.digest == painted().digest
    counts = np.concatenate(
        [one.counts_i32 for one in SyntheticSource(scene=example_scene(), seed=3) if isinstance(one, Samples)]
    )
    said = {}
    for backend in (Backend.CORE, Backend.TWIN):
        with OpenBundle(bundle, backend) as opened:
            said[backend] = opened.run(counts, rate_hz=256)
    assert said[Backend.CORE] == said[Backend.TWIN]
    labels = {one.label for one in said[Backend.CORE]}
    assert {"noisy", "clean"} <= labels
