"""Paper 000 from recipe to table on made-up sets; what its own figures say; and what is refused."""

import json
import shutil
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, DigestError
from tests.training.test_external import NAMES, write_cinc, write_hearts, write_noise
from tests.training.test_natural70 import CLASSES, photograph
from training.checkpoint import init_of, read_checkpoint
from training.cli import main as train
from training.data.cache import Cache
from training.jobs import Workers
from training.paper_nets import GoogLeNet
from training.paper_recipe import Arm, PaperRecipe
from training.protocols.cli import main as evaluate
from training.protocols.paper_quality import sets_of
from training.protocols.paper_report import PAPER, PaperMetrics, Scored, judge
from training.quality_splits import external_side
from training.recipe import read_recipe
from training.results_folder import read_metrics
from training.workshop import Workshop

TRAIN, VALIDATION = ("101", "106"), ("105",)
RECIPES = Path(__file__).parents[2] / "training" / "recipes"
ARMS = (
    ("light_cnn_paper_64", "cwt", "scratch"),
    ("light_cnn_paper_64", "cwt", "natural70"),
    ("light_cnn_paper_64", "cwt", "in_domain"),
    ("light_cnn_paper_64", "device-painted", "scratch"),
    ("light_cnn", "device", "scratch"),
    ("light_cnn", "device", "in_domain"),
    ("googlenet", "cwt", "file"),
)
FIT = "lr = 1e-3\nbatch_size = 16\nepochs = 1\nwindows_per_epoch = 32\n"


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hearts, noises, forty short recordings, photographs of three colours, weights of a GoogLeNet."""
    folder = tmp_path_factory.mktemp("paper-sets")
    for index, name in enumerate(TRAIN + VALIDATION):
        write_hearts(folder / "mitdb", name, seed=index)
    for index, name in enumerate(("bw", "em", "ma")):
        write_noise(folder / "nstdb", name, seed=index)
    write_cinc(folder / "training2017.zip")
    with zipfile.ZipFile(folder / "tiny-imagenet-70.zip", "w") as archive:
        for name, colour in CLASSES.items():
            for index in range(20):
                archive.writestr(f"tiny/{name}/{name}_{index}.png", photograph(colour))
    torch.manual_seed(0)
    torch.save(GoogLeNet(10).state_dict(), folder / "googlenet.pth")
    return folder


def written(folder: Path, sets: Path, **changes: str) -> Path:
    """A recipe small enough for a test."""
    weights = sets / "googlenet.pth"
    top = {
        "protocol": '"paper-000"',
        "name": '"paper-000-test"',
        "side": "64",
        "seeds": "[0, 1]",
        "pretrain_seed": "0",
        "n_intervals": "40",
        "n_validation": "20",
        "timing_turns": "1",
        "train_records": json.dumps(TRAIN),
        "validation_records": json.dumps(VALIDATION),
        **changes,
    }
    arms = [f'[[arms]]\nnet = "{net}"\nimage = "{image}"\ninit = "{init}"\n' for net, image, init in ARMS]
    digest = sha256(weights.read_bytes()).hexdigest()
    arms[-1] += f'seeds = [0]\nweights = "{weights}"\nweights_sha256 = "{digest}"\n'
    tables = "".join(f"[{name}]\n{FIT}" for name in ("fit", "natural70", "in_domain"))
    path = folder / "paper-000-test.toml"
    path.write_text(
        "\n".join(f"{key} = {value}" for key, value in top.items()) + f"\n{''.join(arms)}[bench]\n{tables}"
    )
    return path


@pytest.fixture(scope="module")
def trained(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bench = tmp_path_factory.mktemp("paper-bench")
    out = bench / "results"
    assert train([str(written(bench, sets)), "--out", str(out), *options(sets, bench)]) == 0
    return out


def options(sets: Path, bench: Path) -> list[str]:
    return ["--data", str(sets), "--cache", str(bench / "cache")]


def metrics_of(folder: Path, name: str = "metrics.json") -> PaperMetrics:
    metrics = read_metrics(folder / name)
    assert isinstance(metrics, PaperMetrics)
    return metrics


def test_every_arm_has_its_row_and_every_beginning_its_gain(trained: Path) -> None:
    metrics = metrics_of(trained)
    assert [(row.net, row.image, row.began) for row in metrics.means] == list(ARMS)
    assert [row.n_seeds for row in metrics.means] == [2] * 6 + [1]
    assert len(metrics.rows) == 13
    began = [(gain.net, gain.began) for gain in metrics.gains]
    assert began == [
        ("light_cnn_paper_64", "natural70"),
        ("light_cnn_paper_64", "in_domain"),
        ("light_cnn", "in_domain"),
    ]
    for row in metrics.means:
        assert row.auc.low <= row.auc.value <= row.auc.high
        assert row.balanced_accuracy.value == pytest.approx((row.se + row.sp) / 2)


def test_dev_is_judged_and_test_stays_closed(trained: Path) -> None:
    metrics = metrics_of(trained)
    assert metrics.judged_on == "external-dev"
    assert metrics.n_recordings == sum(external_side(name) == "external-dev" for name in NAMES)
    assert not (trained / "external-test.json").exists()


def test_every_checkpoint_says_where_it_began(sets: Path, trained: Path) -> None:
    run = json.loads((trained / "run.json").read_text())
    kept = {name: init_of(trained / name) for name in run["weights_sha256"]}
    assert kept["light_cnn-device-scratch-s0.safetensors"] == "scratch"
    metrics = metrics_of(trained)
    learnt = {(one.net, one.init): one.sha256 for one in metrics.pretraining}
    photographs = learnt["light_cnn_paper_64", "natural70"]
    assert kept["light_cnn_paper_64-cwt-natural70-s0.safetensors"] == f"natural70:{photographs}"
    assert kept["light_cnn-device-in_domain-s0.safetensors"] == f"ssl:{learnt['light_cnn', 'in_domain']}"
    began = next(row.init for row in metrics.rows if row.net == "googlenet")
    assert began == f"file:{sha256((sets / 'googlenet.pth').read_bytes()).hexdigest()}"
    assert "natural70:" in run["init"]
    read_checkpoint(trained / "light_cnn_paper_64-cwt-natural70-s0.safetensors", "light_cnn_paper_64")


def test_one_command_prints_the_papers_table_with_ours_below(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate([str(trained)]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    paper = next(line for line in lines if line.startswith("paper: GoogLeNet"))
    assert paper.split()[3:] == ["0.887", "0.841", "0.886", "0.864", "7.94"]
    head = next(line for line in lines if line.startswith("net "))
    titles = ("Se", "Sp", "Acc", "BA", "AUC", "@0.776", "@0.836", "@0.887", "M MAC", "ms")
    assert [title for title in titles if title in head] == list(titles)
    ours = next(line for line in lines if line.startswith("light_cnn_paper_64, cwt, natural70  "))
    assert ours.split()[-2] == "52.3"
    costs = {(cost.net, cost.shape[-1]): cost for cost in metrics_of(trained).costs}
    assert costs["googlenet", 227].macs == 1_514_566_400
    assert costs["light_cnn_paper", 227].macs == 194_113_200
    assert all(cost.ms > 0 for cost in costs.values())


def test_finished_jobs_are_not_run_again(
    sets: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = metrics_of(trained)
    monkeypatch.setattr("training.image_fit._epoch", lambda *_: pytest.fail("trained again"))
    recipe = trained / "recipe.toml"
    assert train([str(recipe), "--out", str(trained), *options(sets, trained.parent)]) == 0
    after = metrics_of(trained)
    assert replace(after, costs=()) == replace(before, costs=())
    assert "paper: light CNN, empty" in capsys.readouterr().out


def test_opening_the_test_side_takes_thresholds_from_dev_and_is_logged(sets: Path, trained: Path) -> None:
    log = trained.parent / "openings.jsonl"
    command = [str(trained), "--protocol", "external", "--openings", str(log)]
    for _ in range(2):
        assert evaluate([*command, *options(sets, trained.parent)]) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["recipe"] for line in lines] == ["paper-000-test"]
    dev, test = metrics_of(trained), metrics_of(trained, "external-test.json")
    assert [row.threshold for row in dev.rows] == [row.threshold for row in test.rows]
    assert dev.n_recordings + test.n_recordings == len(NAMES)


def test_other_weights_than_devs_are_not_judged(sets: Path, trained: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    text = (copy / "metrics.json").read_text()
    (copy / "metrics.json").write_text(text.replace(metrics_of(copy).rows[0].sha256, "0" * 64))
    log = tmp_path / "openings.jsonl"
    command = [str(copy), "--protocol", "external", "--openings", str(log)]
    with pytest.raises(DigestError, match=r"scratch, seed 0: expected weights 000000000000\.\."):
        evaluate([*command, *options(sets, trained.parent)])
    assert not log.exists()


def test_half_of_the_intervals_are_clean_whichever_record(sets: Path, trained: Path) -> None:
    recipe = read_recipe(trained / "recipe.toml")
    assert isinstance(recipe, PaperRecipe)
    cache = Cache(trained.parent / "cache")
    workshop = Workshop(data=sets, cache=cache, workers=Workers(), tell=lambda _line: None)
    made, validation = sets_of(recipe, workshop)
    assert (len(made), len(validation)) == (40, 20)
    for start in range(0, 40, 20):
        assert int((made.clean[start : start + 20] >= 0.5).sum()) == 10
    assert made.digest != validation.digest


def test_the_papers_own_figures_say_that_nearly_all_of_its_intervals_were_clean() -> None:
    """0.780 = p 0.776 + (1 - p) 0.934 has p = 0.975; 'always clean' beats every row's accuracy."""
    assert PAPER[0].clean_share == pytest.approx(0.975, abs=5e-4)
    assert PAPER[1].clean_share >= 0.979
    assert PAPER[2].clean_share == pytest.approx(0.978, abs=5e-4)
    assert [round(row.balanced_accuracy, 3) for row in PAPER] == [0.855, 0.860, 0.864]
    assert all(row.acc < PAPER[0].clean_share for row in PAPER)


def opinions(init: str, seed: int, quality: float, is_clean: NDArray[np.bool_]) -> Scored:
    rng = np.random.default_rng([seed, int(quality * 10)])
    arm = Arm(net="light_cnn", image="device", init=init)  # type: ignore[arg-type]
    scores = quality * is_clean + rng.standard_normal(len(is_clean))
    return Scored(arm=arm, seed=seed, init=init, sha256="0" * 64, threshold=0.5, scores=scores)


@pytest.mark.parametrize(("quality", "is_gain"), [(1.5, False), (3.0, True)])
def test_a_gain_is_seen_where_there_is_one(quality: float, is_gain: bool) -> None:
    recording = np.arange(1200) // 6
    is_clean = recording % 5 > 0
    scored = [opinions("scratch", seed, 1.5, is_clean) for seed in range(3)]
    scored += [opinions("natural70", seed, quality, is_clean) for seed in range(3, 6)]
    rows, means, gains = judge(scored, is_clean, recording, 200)
    assert (len(rows), len(means), len(gains)) == (6, 2, 1)
    assert (gains[0].auc.low > 0) == is_gain
    assert gains[0].auc.low < gains[0].auc.value < gains[0].auc.high
    expected = means[1].auc.value - means[0].auc.value
    assert gains[0].auc.value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": "32"}, "side: expected 64 or more, got 32"),
        ({"side": "227"}, r"side: expected 64 \(light_cnn_paper_64\), got 227"),
        ({"train_records": '["101", "118"]'}, "train_records: expected records of train, got 118"),
        (
            {"n_validation": "1"},
            "n_intervals, n_validation: expected two or more for each of 1 records, got 1",
        ),
        ({"timing_turns": "0"}, "timing_turns: expected 1 or more, got 0"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(
    sets: Path, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        read_recipe(written(tmp_path, sets, **changes))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('net = "light_cnn"', 'net = "quality_tiny"', "net: expected one of light_cnn, light_cnn_paper"),
        ('image = "device"', 'image = "cwt"', r"image: expected device \(light_cnn\), got cwt"),
        ('weights_sha256 = "', 'hash = "', "hash: unknown key"),
        ('init = "natural70"', 'init = "scratch"', "arms: expected each net, image and init once"),
        (
            'init = "natural70"',
            'init = "file"',
            "init: expected file with googlenet alone, got it with light",
        ),
        ('init = "file"', 'init = "scratch"', "expected both with init = 'file'"),
        ('init = "file"', 'init = "in_domain"', r"init: expected scratch, natural70 or file \(googlenet\)"),
    ],
)
def test_an_arm_that_makes_no_sense_is_refused(
    sets: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = written(tmp_path, sets)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ContractError, match=message):
        read_recipe(path)


def test_a_wrong_file_of_weights_is_found_before_anything_is_trained(
    sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, sets)
    digest = sha256((sets / "googlenet.pth").read_bytes()).hexdigest()
    path.write_text(path.read_text().replace(digest, "0" * 64))
    monkeypatch.setattr("training.protocols.paper_quality.sets_of", lambda *_: pytest.fail("went on"))
    with pytest.raises(DigestError, match=r"googlenet\.pth: expected sha256 0000"):
        train([str(path), "--out", str(tmp_path / "out"), *options(sets, tmp_path)])
    assert not (tmp_path / "out").exists()


def test_the_trees_recipes_are_read() -> None:
    paths = sorted(RECIPES.glob("paper-000*.toml"))
    assert "paper-000.toml" in {path.name for path in paths}
    for path in paths:
        recipe = read_recipe(path)
        assert isinstance(recipe, PaperRecipe)
        assert recipe.n_intervals == 20_000
        assert path.stem == recipe.name
