"""Every protocol from a recipe to its tables, on seven made-up recordings; and what the commands refuse."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from device_sim.contract.errors import ContractError, DigestError, StreamError
from training.cli import main as train
from training.data.cli import main as data
from training.protocols.cli import main as evaluate
from training.protocols.peaks import main as peaks

TRAIN, TEST = ("101", "106", "108", "109"), ("100", "103", "105")  # what conftest writes
RECIPES = Path(__file__).parents[2] / "training" / "recipes"
RECORDS = ", ".join(f'"{name}"' for name in TRAIN + TEST)
SHORT = [
    ("epochs_max = 60", "epochs_max = 3"),
    ("epochs_max = 30", "epochs_max = 3"),
    ("epochs_min = 10", "epochs_min = 1"),
    ("epochs_min = 30", "epochs_min = 3"),
    ("epochs_max = 8", "epochs_max = 3"),
    ("lr = [1e-3, 1e-2, 1e-1]", "lr = [1e-3]"),
    ("lr = [1e-4, 3e-4, 1e-3]", "lr = [1e-3]"),
    ("lr = [1e-3, 1e-2]", "lr = [1e-2]"),
    ("batch_size = [4, 16, 32]", "batch_size = [16]"),
    ("batch_size = [16, 32]", "batch_size = [16]"),
    ("batch_size = [32]\nis_balanced = [true, false]", "batch_size = [32]\nis_balanced = [true]"),
    ("seeds = [0, 1, 2, 3, 4]", "seeds = [0, 1]"),
    ("seeds = [0, 1, 2]", "seeds = [0, 1]"),
    ("n_folds = 4", "n_folds = 2"),
    ("n_folds = 5", "n_folds = 2"),
    ("epochs_max = 6", "epochs_max = 2"),
    ("epochs_max = 20", "epochs_max = 2"),
    ("n_replay = 600", "n_replay = 40\nfirst_s = 40"),
    ("n_replay = 0", "n_replay = 0\nfirst_s = 40"),
    ("n_replay = 4400", "n_replay = 40\nfirst_s = 40"),
]


def write_recipe(folder: Path, name: str) -> Path:
    """The tree's recipe, small enough for a test."""
    text = (RECIPES / f"{name}.toml").read_text()
    for long, short in SHORT:
        text = text.replace(long, short)
    named = f"records = [{RECORDS}]\n"
    text = re.sub(r"^records = \[.*?\]\n", "", text, flags=re.DOTALL | re.MULTILINE)
    if 'protocol = "P3' in text:
        named = "".join(
            f"{side}_records = [{', '.join(repr(one) for one in names)}]\n"
            for side, names in (("train", TRAIN), ("test", TEST))
        )
    path = folder / f"{name}.toml"
    path.write_text(text.replace("seeds =", f"{named}seeds =", 1))
    return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, made_up: Path) -> Path:
    """A folder for recipes, cache and results that the tests of this module share."""
    return tmp_path_factory.mktemp("bench")


def options(bench: Path, made_up: Path) -> list[str]:
    return ["--data", str(made_up), "--cache", str(bench / "cache")]


def trained(bench: Path, made_up: Path, name: str) -> Path:
    out = bench / name
    if not (out / "run.json").exists():
        recipe = write_recipe(bench, name)
        assert train([str(recipe), "--out", str(out), *options(bench, made_up)]) == 0
    return out


@pytest.mark.parametrize("name", ["p1-paper", "p1-device", "p2-device", "p3-blind", "p3-beat"])
def test_a_recipe_becomes_results(
    bench: Path, made_up: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = trained(bench, made_up, name)
    capsys.readouterr()
    run = json.loads((out / "run.json").read_bytes())
    assert run["recipe"] == name
    assert set(run["data"]) == set(TRAIN + TEST if name[:2] in ("p1", "p2") else TRAIN)
    assert run["versions"]["torch"].startswith("2.")
    assert list(out.glob("*.png")) or name.startswith("p2")
    assert all((out / file).exists() for file in run["weights_sha256"])
    assert evaluate([str(out)]) == 0
    assert "balanced accuracy" in capsys.readouterr().out


def test_training_again_writes_the_same_results(
    bench: Path, made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From an empty cache: the same seeds, the same machine, the same weights and figures."""
    first = trained(bench, made_up, "p3-beat")
    recipe = bench / "p3-beat.toml"
    arguments = ["--out", str(tmp_path / "again"), "--data", str(made_up), "--cache", str(tmp_path / "cache")]
    assert train([str(recipe), *arguments, "--jobs", "2"]) == 0
    for name in ("metrics.json", "verdict.json", "weights-s0.safetensors", "weights-s1.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (first / name).read_bytes(), name


@pytest.mark.parametrize("name", ["p3-blind", "p3-beat"])
def test_the_test_side_is_opened_once_and_logged(
    bench: Path, made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out, log = shutil.copytree(trained(bench, made_up, name), tmp_path / name), tmp_path / "openings.jsonl"
    arguments = [str(out), "--protocol", "P3", "--openings", str(log), *options(bench, made_up)]
    assert evaluate(arguments) == 0
    assert evaluate(arguments) == 0
    assert len(log.read_text().splitlines()) == 1
    rule = json.loads((out / "verdict.json").read_bytes())
    (out / "verdict.json").write_text(json.dumps({**rule, "abnormal": rule["abnormal"] + 0.125}))
    assert evaluate(arguments) == 0  # the same nets under another rule: another look
    assert len(log.read_text().splitlines()) == 2
    judged = json.loads((out / "p3-ds2.json").read_bytes())
    assert {row["record"] for row in judged["records"]} == set(TEST)
    best = next(one for one in judged["figures"] if one["name"] == "balanced accuracy")
    assert best["gross"] > 0.7  # wide upside-down beats are easy, early ones need the rhythm


def test_p4_tunes_to_the_first_part_and_judges_the_rest(
    bench: Path, made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, log = trained(bench, made_up, "p3-beat"), tmp_path / "openings.jsonl"
    assert evaluate([str(out), "--protocol", "P3", "--openings", str(log), *options(bench, made_up)]) == 0
    assert evaluate([str(out), "--protocol", "P4", "--openings", str(log), *options(bench, made_up)]) == 0
    whole, rest = (json.loads((out / f"p{n}-ds2.json").read_bytes()) for n in (3, 4))
    assert rest["protocol"] == "P4"
    assert n_beats(rest) < 0.7 * n_beats(whole)  # the first 40 of 100 s are not judged
    assert (out / "p4-folds.json").exists()
    assert len(log.read_text().splitlines()) == 2


def n_beats(metrics: dict[str, Any]) -> int:
    return sum(sum(row["abnormal"].values()) for row in metrics["records"])


def test_p4_needs_a_recipe_that_says_how(bench: Path, made_up: Path, tmp_path: Path) -> None:
    out = trained(bench, made_up, "p3-blind")
    shutil.copytree(out, tmp_path / "blind")
    shutil.copy(out / "verdict.json", tmp_path / "blind" / "verdict-adapted.json")
    with pytest.raises(ContractError, match=r"P4: expected a recipe with an \[adapt\] table"):
        evaluate([str(tmp_path / "blind"), "--protocol", "P4", *options(bench, made_up)])


def test_one_checkpoint_of_a_folder_is_judged_alone(
    bench: Path, made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = trained(bench, made_up, "p3-beat")
    shutil.copytree(out, tmp_path / "one")
    weights = tmp_path / "one" / "weights-s1.safetensors"
    log = ["--openings", str(tmp_path / "log")]
    assert evaluate([str(weights), "--protocol", "P3", *log, *options(bench, made_up)]) == 0
    assert json.loads((tmp_path / "one" / "p3-ds2.json").read_bytes())["seeds"] == [1]


def test_weights_of_another_net_are_refused(bench: Path, made_up: Path, tmp_path: Path) -> None:
    beat, blind = trained(bench, made_up, "p3-beat"), trained(bench, made_up, "p3-blind")
    shutil.copytree(beat, tmp_path / "mixed")
    shutil.copy(blind / "weights-s0.safetensors", tmp_path / "mixed" / "weights-s0.safetensors")
    with pytest.raises(ContractError, match=r"expected the weights of beat_tiny.*it holds cardiacnet"):
        evaluate([str(tmp_path / "mixed"), "--protocol", "P3", *options(bench, made_up)])


def test_changed_weights_are_refused(bench: Path, made_up: Path, tmp_path: Path) -> None:
    shutil.copytree(trained(bench, made_up, "p3-beat"), tmp_path / "changed")
    path = tmp_path / "changed" / "weights-s0.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DigestError, match=r"weights-s0\.safetensors: expected sha256"):
        evaluate([str(path.parent), "--protocol", "P3", *options(bench, made_up)])


def test_results_of_another_recipe_are_not_overwritten(bench: Path, made_up: Path, tmp_path: Path) -> None:
    out = trained(bench, made_up, "p3-beat")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    other = tmp_path / "other.toml"
    other.write_text((bench / "p3-beat.toml").read_text().replace("lr = 2e-3", "lr = 1e-3"))
    with pytest.raises(ContractError, match="nothing was overwritten"):
        train([str(other), "--out", str(out), *options(bench, made_up)])
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_no_data_is_one_line(bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WRISTLEAD_DATA", raising=False)
    recipe = write_recipe(tmp_path, "p1-paper")
    with pytest.raises(StreamError, match=r"--data: expected .*, or WRISTLEAD_DATA"):
        train([str(recipe), "--out", str(tmp_path / "out")])
    with pytest.raises(StreamError, match="it is not there"):
        train([str(recipe), "--out", str(tmp_path / "out"), "--data", str(tmp_path / "nowhere")])
    assert not (tmp_path / "out").exists()


def test_what_cannot_hold_results_is_refused_before_the_work(
    bench: Path, made_up: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    recipe = str(write_recipe(bench, "p3-beat"))
    where = options(bench, made_up)
    with pytest.raises(ContractError, match="file: expected a folder for results, got a file"):
        train([recipe, "--out", str(tmp_path / "file"), *where])
    with pytest.raises(ContractError, match="file: expected a folder for results, got a file"):
        peaks(["--out", str(tmp_path / "file"), *where])
    for jobs in ("0", "99999999999"):
        with pytest.raises(ContractError, match=rf"--jobs: expected 1\.\.256, got {jobs}"):
            train([recipe, "--out", str(tmp_path / "out"), "--jobs", jobs, *where])
    with pytest.raises(StreamError, match="expected a TOML file, got a folder"):
        train([str(tmp_path)])
    with pytest.raises(StreamError, match="or weights in one; got neither"):
        evaluate([str(tmp_path / "file")])


def test_a_wrong_option_is_one_line() -> None:
    with pytest.raises(ContractError, match=r"wristlead train: .*see --help"):
        train(["recipe.toml", "--epochs", "3"])
    with pytest.raises(ContractError, match=r"wristlead data fetch: .*see --help"):
        data(["fetch", "ptbxl"])


def test_p1_has_no_stranger_to_judge(bench: Path, made_up: Path) -> None:
    out = trained(bench, made_up, "p1-paper")
    with pytest.raises(ContractError):
        evaluate([str(out), "--protocol", "P3", *options(bench, made_up)])


def test_check_tells_broken_from_whole_by_its_exit_code(
    made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "training2017.zip").write_bytes(b"half")
    assert data(["check", str(tmp_path)]) == 1
    assert "half-way" in capsys.readouterr().out
    (tmp_path / "training2017.zip").unlink()
    assert data(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("not there") == 3
