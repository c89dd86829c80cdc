"""Recipes: what is in the tree is read, what makes no sense is refused in one line."""

from pathlib import Path

import pytest

from device_sim.contract.errors import ContractError, StreamError
from training.recipe import PersonalRecipe, read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "training" / "recipes").glob("*.toml"))
P1 = next(path for path in RECIPES if path.stem == "p1-paper")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_tree_is_read_and_bears_its_files_name(path: Path) -> None:
    assert read_recipe(path).name == path.stem


def test_the_papers_grid_has_18_points() -> None:
    recipe = read_recipe(P1)
    assert isinstance(recipe, PersonalRecipe)
    points = recipe.individual_grid.points(recipe.individual)
    assert len(set(points)) == 18
    assert {point.lr for point in points} == {1e-3, 1e-2, 1e-1}


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ('net = "cardiacnet"', 'net = "cardianet"', "net: expected one of cardiacnet"),
        ('rule = "A"', 'rule = "Z"', "rule: expected one of A"),
        ("split_seed = 42", "split_sede = 42", "split_sede: unknown key; did you mean split_seed"),
        ("split_seed = 42", "", "split_seed: expected a value, it is missing"),
        ("split_seed = 42", "split_seed = true", "split_seed: expected int, got True"),
        ("seeds = [0, 1, 2, 3, 4]", "seeds = []", "seeds: expected a list that is not empty"),
        ("seeds = [0, 1, 2, 3, 4]", 'seeds = ["one"]', "seeds: expected int, got 'one'"),
        ('stream = "paper"', 'stream = "radio"', "stream: expected one of paper, paper-first-column, device"),
        ("epochs_min = 10", "epochs_min = 99", "epochs_min: expected at most epochs_max 30, got 99"),
        ("plateau_factor = 0.5", "has_cosine = true", "has_cosine: contradicts plateau_patience"),
        (
            'protocol = "P1"',
            'protocol = "P9"',
            "expected one of P1, P2, P3-blind, P3-beat, external, paper-000, got 'P9'",
        ),
        ("[individual]", "[individual", "expected TOML"),
        ("plateau_factor = 0.5", "plateau_factor = nan", "expected finite numbers, got nan"),
        ("plateau_factor = 0.5", "plateau_factor = -inf", "expected finite numbers, got -inf"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line(tmp_path: Path, line: str, instead: str, said: str) -> None:
    text = P1.read_text()
    assert line in text
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace(line, instead, 1))
    with pytest.raises(ContractError) as caught:
        read_recipe(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="expected a TOML file, there is nothing"):
        read_recipe(tmp_path / "none.toml")


def test_blind_seconds_have_no_rhythm_to_adapt(tmp_path: Path) -> None:
    text = (P1.parent / "p2-device.toml").read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace("[adapt]\n", "[adapt]\nown_rhythm_weight = 1.0\n", 1))
    with pytest.raises(ContractError, match="own_rhythm_weight: expected in P3-beat only"):
        read_recipe(path)


def test_a_border_may_not_cost_more_than_a_point(tmp_path: Path) -> None:
    text = (P1.parent / "p3-beat-cardiacnet.toml").read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace("border_slack = 0.005", "border_slack = 0.02", 1))
    with pytest.raises(ContractError, match=r"border_slack: expected 0\.\.0\.01, got 0\.02"):
        read_recipe(path)
