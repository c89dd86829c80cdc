"""The paper's net on the device's image: what ships paints as training painted, half a code apart at most."""

from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from training.evaluate import finished
from training.images import pictures_of_codes
from training.painted import CODES_PER_UNIT, painted_net, painting
from training.paper_recipe import PaperRecipe
from training.recipe import read_recipe

RESULTS = Path(__file__).parents[2] / "training/results/paper-000-device"


def test_a_picture_is_trainings_picture_half_a_code_apart() -> None:
    codes_st_i8 = np.random.default_rng(4).integers(-128, 128, (3, 32, 80), np.int8)
    trained_on = pictures_of_codes(codes_st_i8, 64).astype(np.float64) / 127.5 - 1  # [n, 3, rows, time]
    ships = painting().picture(codes_st_i8.transpose(0, 2, 1)).astype(np.float64) / CODES_PER_UNIT
    assert np.abs(ships.transpose(0, 3, 1, 2) - trained_on).max() <= 0.5 / CODES_PER_UNIT + 1e-12


def test_black_and_bright_are_exact() -> None:
    assert {int(painting().colours.min()), int(painting().colours.max())} == {-127, 127}


def test_the_net_that_ships_is_the_one_from_scratch() -> None:
    one = finished(RESULTS, 0)
    assert one.weights.name == "light_cnn_paper_64-device-painted-scratch-s0.safetensors"
    assert one.net == "light_cnn_paper_64"
    assert list(one.thresholds) == ["clean"]


def test_a_recipe_without_a_painted_net_is_refused() -> None:
    recipe = read_recipe(Path(__file__).parents[2] / "training/recipes/paper-000.toml")
    assert isinstance(recipe, PaperRecipe)
    with pytest.raises(ContractError, match="arms: expected device-painted from scratch"):
        painted_net(recipe, 0)
