"""Labels from finished nets: what they say of each window, in the share asked for, from whole runs only."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.errors import ContractError, DigestError
from training import teachers
from training.checkpoint import write_checkpoint
from training.data.cache import Cache
from training.metrics import sigmoid
from training.nets import make_net
from training.provenance import digest_of_file
from training.quality_fit import clean_logits
from training.quality_recipe import ExternalRecipe
from training.quality_set import QualitySet
from training.recipe import read_recipe
from training.teachers import taught

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
SEEDS = (0, 1)


def windows() -> QualitySet:
    rng = np.random.default_rng(7)
    return QualitySet(
        codes_ts_i8=rng.integers(-60, 60, (400, 32)).astype(np.int8),
        starts=np.arange(0, 320, 16),
        clean=rng.random(20).astype(np.float32),
        digest="made up",
    )


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `finished` with two nets, as `wristlead train` would leave it."""
    folder = tmp_path / "finished"
    folder.mkdir()
    text = (RECIPES / "quality-tiny-alone.toml").read_text()
    (folder / "recipe.toml").write_text(text.replace("seeds = [0, 1, 2]", f"seeds = {list(SEEDS)}"))
    for seed in SEEDS:
        net = make_net("quality_tiny", seed=seed)
        write_checkpoint(folder / f"weights-s{seed}.safetensors", "quality_tiny", net.state_dict())
    lines = [f'"{path.name}": "{digest_of_file(path)}"' for path in sorted(folder.glob("*.safetensors"))]
    (folder / "run.json").write_text(f'{{"weights_sha256": {{{", ".join(lines)}}}}}')
    monkeypatch.setattr(teachers, "RESULTS", tmp_path)
    return folder


def test_a_label_is_part_measurement_and_part_what_the_teachers_mean(results: Path, tmp_path: Path) -> None:
    train = windows()
    found = taught(train, ["finished"], 0.75, Cache(tmp_path / "cache"))
    images = train.windows(np.arange(len(train)))
    said = np.mean([clean_logits(make_net("quality_tiny", seed=seed), images) for seed in SEEDS], axis=0)
    assert np.allclose(found.clean, 0.25 * train.clean + 0.75 * sigmoid(said), atol=1e-6)
    assert np.array_equal(found.windows(np.arange(20)), images)
    assert found.digest not in (
        train.digest,
        taught(train, ["finished"], 0.5, Cache(tmp_path / "cache")).digest,
    )


def test_without_teachers_labels_stay_what_they_are(tmp_path: Path) -> None:
    train = windows()
    assert taught(train, [], 0.0, Cache(tmp_path)) is train


def test_a_teacher_whose_weights_were_changed_is_refused(results: Path, tmp_path: Path) -> None:
    (results / "weights-s1.safetensors").write_bytes((results / "weights-s0.safetensors").read_bytes())
    with pytest.raises(DigestError, match=r"weights-s1\.safetensors: expected sha256"):
        taught(windows(), ["finished"], 0.5, Cache(tmp_path / "cache"))


@pytest.mark.parametrize(("names", "share"), [((), 0.5), (("finished",), 0.0), (("finished",), 1.5)])
def test_a_share_without_teachers_makes_no_sense(names: tuple[str, ...], share: float) -> None:
    recipe = read_recipe(RECIPES / "quality-tiny-alone.toml")
    assert isinstance(recipe, ExternalRecipe)
    with pytest.raises(ContractError, match="teacher_share: expected above 0 and at most 1 with teachers"):
        replace(recipe, teachers=names, teacher_share=share)
