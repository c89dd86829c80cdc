"""The external protocol from recipe to tables, on made-up sets; and what it refuses."""

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, DigestError
from training.checkpoint import read_checkpoint
from training.cinc_windows import cut, read_windows
from training.cli import main as train
from training.data.cache import Cache
from training.data.place import open_place
from training.data.quality_marks import accuses
from training.evaluate import CLEAN, IMAGE, finished, on_external_test
from training.jobs import Workers
from training.protocols.cli import main as evaluate
from training.protocols.external import BASELINE, qrs_prominence
from training.protocols.external_report import ExternalMetrics
from training.protocols.integers_report import IntegerMetrics
from training.quality_fit import clean_logits
from training.quality_splits import external_side
from training.recipe import read_recipe
from training.results_folder import RESULTS, read_metrics
from training.workshop import Workshop

RECIPE = Path(__file__).parents[2] / "training" / "recipes" / "quality-tiny.toml"
TUNE = RECIPE.parent / "in-domain" / "quality-tiny.toml"
TRAIN, VALIDATION = ("101", "106", "108"), ("105", "112")
NAMES = tuple(f"A{index:05d}" for index in range(1, 41))
LABELS = ("N", "A", "O", "~")
RATE_HZ = 360


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five recordings with beats, ten minutes of three noises, forty short recordings with labels."""
    folder = tmp_path_factory.mktemp("quality-sets")
    for index, name in enumerate(TRAIN + VALIDATION):
        write_hearts(folder / "mitdb", name, seed=index)
    for index, name in enumerate(("bw", "em", "ma")):
        write_noise(folder / "nstdb", name, seed=index)
    write_cinc(folder / "training2017.zip")
    return folder


def beats(
    n_samples: int, rate_hz: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Millivolts, and where the beats are."""
    x_mv = 0.01 * rng.standard_normal(n_samples)
    at = np.arange(rate_hz // 2, n_samples - rate_hz // 2, round(rate_hz * rng.uniform(0.7, 0.9)))
    reach = np.arange(-rate_hz // 6, rate_hz // 6)
    for one in at:
        x_mv[one + reach] += np.exp(-0.5 * (reach / (0.015 * rate_hz)) ** 2)
    return x_mv, at


def write_hearts(folder: Path, name: str, *, seed: int) -> None:
    import wfdb

    folder.mkdir(exist_ok=True)
    x_mv, at = beats(RATE_HZ * 100, RATE_HZ, np.random.default_rng(seed))
    write_signal(folder, name, x_mv, ["MLII", "V5"])
    wfdb.wrann(name, "atr", sample=at, symbol=["N"] * len(at), write_dir=str(folder))


def write_noise(folder: Path, name: str, *, seed: int) -> None:
    folder.mkdir(exist_ok=True)
    noise = np.convolve(np.random.default_rng(seed).standard_normal(RATE_HZ * 600), np.ones(9) / 9, "same")
    write_signal(folder, name, noise, ["noise1", "noise2"])


def write_signal(folder: Path, name: str, x_mv: NDArray[np.float64], leads: list[str]) -> None:
    import wfdb

    counts = np.clip(np.rint(x_mv * 200 + 1024), 0, 2047).astype(np.int64)
    wfdb.wrsamp(
        name,
        fs=RATE_HZ,
        units=["mV", "mV"],
        sig_name=leads,
        d_signal=np.stack([counts, counts], axis=1),
        fmt=["212", "212"],
        adc_gain=[200.0, 200.0],
        baseline=[1024, 1024],
        write_dir=str(folder),
    )


def write_cinc(path: Path) -> None:
    """Every fourth recording is noise; the last is shorter than a window."""
    from scipy.io import savemat

    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        for index, name in enumerate(NAMES):
            rng = np.random.default_rng(index)
            label = LABELS[index % 4]
            x_mv, _ = beats(300 * (4 if name == NAMES[-1] else int(rng.integers(9, 25))), 300, rng)
            if label == "~":
                x_mv = np.convolve(rng.standard_normal(len(x_mv)), np.ones(7) / 3, "same")
            buffer = io.BytesIO()
            savemat(buffer, {"val": np.rint(x_mv * 1000).astype(np.int16)[None]}, format="4")
            archive.writestr(f"training2017/{name}.mat", buffer.getvalue())
            rows.append((name, label))
        table = io.StringIO()
        csv.writer(table).writerows(rows)
        archive.writestr("training2017/REFERENCE.csv", table.getvalue())


def written(folder: Path, **changes: str) -> Path:
    """The tree's recipe, small enough for a test."""
    text = RECIPE.read_text()
    short = {
        "name": '"quality-tiny"',
        "seeds": "[0, 1]",
        "hours": "0.12",
        "validation_hours": "0.06",
        "train_records": json.dumps(TRAIN),
        "validation_records": json.dumps(VALIDATION),
        **changes,
    }
    fit = {"epochs": "3", "windows_per_epoch": "256", "batch_size": "32"}
    head, tail = text.split("[bench]")
    dropped = {*short, "teachers", "teacher_share"}
    lines = [line for line in head.splitlines() if line.split(" =")[0] not in dropped]
    head = "\n".join([*lines, *(f"{key} = {value}" for key, value in short.items())])
    tail = "\n".join(
        f"{line.split(' =')[0]} = {fit[line.split(' =')[0]]}" if line.split(" =")[0] in fit else line
        for line in tail.splitlines()
    )
    path = folder / "quality-tiny.toml"
    path.write_text(f"{head}\n[bench]{tail}\n")
    return path


@pytest.fixture(scope="module")
def trained(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bench = tmp_path_factory.mktemp("quality-bench")
    out = bench / "results"
    assert train([str(written(bench)), "--out", str(out), *options(sets, bench)]) == 0
    return out


def options(sets: Path, bench: Path) -> list[str]:
    return ["--data", str(sets), "--cache", str(bench / "cache")]


def test_training_looks_at_dev_and_leaves_test_closed(trained: Path) -> None:
    metrics = read_metrics(trained / "metrics.json")
    assert isinstance(metrics, ExternalMetrics)
    assert metrics.judged_on == "external-dev"
    assert metrics.n_recordings == sum(external_side(name) == "external-dev" for name in NAMES)
    assert not (trained / "external-test.json").exists()
    run = json.loads((trained / "run.json").read_text())
    for name in ("roc-dev.png", "calibration-dev.png"):
        assert (trained / name).read_bytes().startswith(b"\x89PNG")
    assert set(run["weights_sha256"]) == {"weights-s0.safetensors", "weights-s1.safetensors"}
    assert run["splits"]["noise seconds"]["train"] == [0, 1080]


def test_the_baseline_stands_in_the_nets_table_and_blanked_rows_beside_them(trained: Path) -> None:
    metrics = read_metrics(trained / "metrics.json")
    assert isinstance(metrics, ExternalMetrics)
    scorers = list(dict.fromkeys(row.scorer for row in metrics.rows))
    assert scorers == [
        BASELINE,
        *(f"quality_tiny s{seed}{tail}" for seed in (0, 1) for tail in ("", ", blanked")),
    ]
    assert {row.view for row in metrics.rows} == {"5 s", "15 s, causal", "5 s, not the first", "recording"}
    for row in metrics.rows:
        one = next(one for one in row.figures if one.name == "AUC")
        assert one.low <= one.value <= one.high
        assert row.value("BA, best possible") >= row.value("BA, MIT-BIH") - 1e-12
        assert row.value("BA, dev") == pytest.approx(row.value("BA, best possible"))


def test_a_curve_is_the_tables_figures_between_all_and_nothing(trained: Path) -> None:
    metrics = read_metrics(trained / "metrics.json")
    assert isinstance(metrics, ExternalMetrics)
    assert len(metrics.rocs) == len(metrics.rows)
    for roc in metrics.rocs:
        assert list(roc.specificity) == sorted(roc.specificity, reverse=True)
        area = float(np.mean(roc.specificity))
        assert area == pytest.approx(metrics.row(roc.scorer, roc.view).value("AUC"), abs=0.02)


def test_the_nets_know_made_up_noise(trained: Path) -> None:
    metrics = read_metrics(trained / "metrics.json")
    assert isinstance(metrics, ExternalMetrics)
    assert metrics.row("quality_tiny s0", "recording").value("AUC") > 0.9


def test_opening_the_test_side_is_logged_once_and_uses_devs_thresholds(
    sets: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = trained.parent / "openings.jsonl"
    command = [str(trained), "--protocol", "external", "--openings", str(log)]
    for _ in range(2):
        assert evaluate([*command, *options(sets, trained.parent)]) == 0
    assert "judged on external-test" in capsys.readouterr().out
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["recipe"], line["protocol"]) for line in lines] == [("quality-tiny", "external")]
    dev, test = read_metrics(trained / "metrics.json"), read_metrics(trained / "external-test.json")
    assert isinstance(dev, ExternalMetrics)
    assert isinstance(test, ExternalMetrics)
    assert test.thresholds == dev.thresholds
    assert dev.n_recordings + test.n_recordings == len(NAMES)
    assert evaluate([str(trained)]) == 0
    assert capsys.readouterr().out.count("judged on external-") == 2


def test_integers_are_judged_on_external_test_beside_the_net_they_stand_for(
    sets: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of a logit is coarse enough here to change verdicts; real numbers passed through change none."""
    results = tmp_path / "results"
    shutil.copytree(trained, results / "net")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.evaluate.RESULTS", results)
    one, calibration = finished(results / "net", 0), tmp_path / "calibration.json"
    calibration.write_text("{}")
    net = read_checkpoint(one.weights, "quality_tiny")

    def judged(step: float) -> IntegerMetrics:
        def said(inputs: Mapping[str, NDArray[np.int8]]) -> NDArray[np.float64]:
            logits = clean_logits(net, inputs[IMAGE][..., 0].transpose(0, 2, 1))
            return np.rint(logits / step) * step if step else logits

        text = on_external_test(one, said, graph_sha256="ab" * 32, calibration=calibration, data=sets)
        assert "judged on external-test" in text
        found = read_metrics(results / "net" / "external-test-int8-s0.json")
        assert isinstance(found, IntegerMetrics)
        return found

    exact, coarse = judged(0.0), judged(4.0)
    assert exact.threshold == one.thresholds[CLEAN]
    assert [(change.view, change.n_changed) for change in exact.changes] == [("5 s", 0), ("15 s, causal", 0)]
    assert all(change.auc_lost.low == change.auc_lost.high == 0 for change in exact.changes)
    auc = {row.scorer: row.value("AUC") for row in coarse.rows if row.view == "5 s"}
    lost = coarse.changes[0].auc_lost
    assert lost.value == pytest.approx(auc["quality_tiny s0"] - auc["quality_tiny s0, int8"])
    assert lost.low <= lost.value <= lost.high
    assert coarse.changes[0].n_changed > 0
    (line,) = map(json.loads, (results / "openings.jsonl").read_text().splitlines())
    assert (line["recipe"], line["protocol"]) == ("quality-tiny", "external, int8")


def test_a_beat_net_has_no_external_test() -> None:
    one = finished(RESULTS / "p3-beat", 0)
    with pytest.raises(ContractError, match="p3-beat: --external-test: expected a quality net, got P3"):
        on_external_test(
            one, lambda _inputs: np.zeros(0), graph_sha256="ab" * 32, calibration=one.weights, data=None
        )


def test_in_domain_tunes_each_fold_and_its_opening_is_logged(
    sets: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = trained.parent / "in-domain-openings.jsonl"
    checkpoint = trained / "weights-s0.safetensors"
    command = [str(checkpoint), "--protocol", "in_domain", "--openings", str(log)]
    assert evaluate([*command, *options(sets, trained.parent)]) == 0
    assert "judged on all recordings" in capsys.readouterr().out
    found = read_metrics(trained / "in-domain.json")
    assert isinstance(found, ExternalMetrics)
    assert found.n_recordings == len(NAMES)
    assert found.row("quality_tiny s0, tuned", "5 s").value("AUC") > 0.9
    assert found.row("quality_tiny s0, tuned", "5 s").value("BA, nobody") > 0.8
    assert [json.loads(line)["protocol"] for line in log.read_text().splitlines()] == ["in_domain"]


def tuned_by(folder: Path, **changes: str) -> Path:
    """The tree's recipe of in_domain, small enough for a test and without teachers."""
    small = {"epochs": "2", "windows_per_epoch": "256", "batch_size": "32", **changes}
    lines = [line.split(" = ") for line in TUNE.read_text().splitlines() if not line.startswith("teach")]
    path = folder / "tune.toml"
    path.write_text(
        "\n".join(" = ".join([key, small.get(key, *rest)]) if rest else key for key, *rest in lines)
    )
    return path


def test_in_domain_on_dev_is_tuned_as_a_recipe_says_and_is_no_opening(sets: Path, trained: Path) -> None:
    log = trained.parent / "no-openings.jsonl"
    checkpoint, tune = trained / "weights-s0.safetensors", tuned_by(trained.parent)
    command = [str(checkpoint), "--protocol", "in_domain-dev", "--tune", str(tune), "--openings", str(log)]
    assert evaluate([*command, *options(sets, trained.parent)]) == 0
    found = read_metrics(trained / "in-domain-dev.json")
    assert isinstance(found, ExternalMetrics)
    assert found.recipe == "quality-tiny, in-domain"
    assert found.n_recordings == sum(external_side(name) == "external-dev" for name in NAMES)
    assert found.row("quality_tiny s0, tuned", "5 s").value("AUC") > 0.9
    assert not log.exists()


@pytest.mark.parametrize(
    ("protocol", "changes", "said"),
    [
        ("external", {}, "--tune: expected it with --protocol in_domain or in_domain-dev"),
        ("in_domain", {"protocol": '"external"'}, "protocol: expected in_domain, got 'external'"),
        ("in_domain", {"epochs": "0"}, "epochs: expected more than 0, got 0"),
        ("in_domain", {"name": '"x"\nteacher_share = 0.3'}, "teacher_share: expected .* 0 without, got 0.3"),
        ("in_domain", {"name": '"x"\nteachers = ["a"]\nteacher_share = 0.7'}, "expected at most 0.5"),
    ],
)
def test_a_tuning_that_makes_no_sense_is_refused(
    sets: Path, trained: Path, tmp_path: Path, protocol: str, changes: Mapping[str, str], said: str
) -> None:
    command = [str(trained), "--protocol", protocol, "--tune", str(tuned_by(tmp_path, **changes))]
    with pytest.raises(ContractError, match=said):
        evaluate([*command, *options(sets, trained.parent)])


def test_points_and_bands_of_dev_are_kept_where_test_is_judged(sets: Path, trained: Path) -> None:
    dev = read_metrics(trained / "metrics.json")
    assert isinstance(dev, ExternalMetrics)
    assert {one.chosen_on for one in dev.thresholds} == {
        "MIT-BIH",
        "MIT-BIH, hand-held",
        "MIT-BIH, wide",
        "dev",
    }
    assert dev.points is not None
    assert dev.calibrations is not None
    assert len(dev.points) == 5 * 2 * 5  # scorers, views, sensitivities
    assert [one.band.scorer for one in dev.calibrations] == list(
        dict.fromkeys(row.scorer for row in dev.rows)
    )
    log = trained.parent / "kept-openings.jsonl"
    assert (
        evaluate(
            [str(trained), "--protocol", "external", "--openings", str(log), *options(sets, trained.parent)]
        )
        == 0
    )
    test = read_metrics(trained / "external-test.json")
    assert isinstance(test, ExternalMetrics)
    assert test.points is not None
    assert test.calibrations is not None
    assert [(one.scorer, one.view, one.logit) for one in test.points] == [
        (one.scorer, one.view, one.logit) for one in dev.points
    ]
    assert [one.band for one in test.calibrations] == [one.band for one in dev.calibrations]


def test_weights_that_were_changed_are_not_judged(sets: Path, trained: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    shutil.copy(copy / "weights-s0.safetensors", copy / "weights-s1.safetensors")
    log = tmp_path / "openings.jsonl"
    with pytest.raises(DigestError, match=r"weights-s1\.safetensors: expected sha256"):
        evaluate(
            [str(copy), "--protocol", "external", "--openings", str(log), *options(sets, trained.parent)]
        )
    assert not log.exists()


def test_a_recipe_of_another_protocol_is_not_opened_as_p3(sets: Path, trained: Path) -> None:
    with pytest.raises(ContractError, match="expected a recipe that trains on DS1, got external"):
        evaluate([str(trained), "--protocol", "P3", *options(sets, trained.parent)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_records": '["101", "118"]'}, "train_records: expected records of train, got 118"),
        ({"validation_records": '["101"]'}, "validation_records: expected records of validation, got 101"),
        ({"net": '"beat_tiny"'}, "net: expected one of light_cnn, quality_tiny, got beat_tiny"),
        ({"hours": "0"}, "hours: expected more than 0"),
    ],
)
def test_a_recipe_that_leaks_or_makes_no_sense_is_refused(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        read_recipe(written(tmp_path, **changes))


def test_beats_are_not_judged_by_a_quality_net(tmp_path: Path) -> None:
    text = (RECIPE.parent / "p3-beat.toml").read_text().replace('"beat_tiny"', '"quality_tiny"')
    (tmp_path / "p3.toml").write_text(text)
    with pytest.raises(ContractError, match="net: expected one of cardiacnet"):
        read_recipe(tmp_path / "p3.toml")


def test_windows_lie_in_one_recording_and_what_is_left_over_is_dropped() -> None:
    lengths = np.array([200, 79, 160])
    codes = np.repeat(np.arange(3), lengths)[:, None].repeat(32, axis=1).astype(np.int8)
    found = cut(codes, lengths, ("a", "b", "c"), ("normal", "af", "noise"))
    assert found.recording.tolist() == [0, 0, 2, 2]
    assert found.position.tolist() == [0, 1, 0, 1]
    assert [np.unique(image).tolist() for image in found.codes_st_i8] == [[0], [0], [2], [2]]
    assert found.is_clean.tolist() == [True, True, False, False]


def test_a_side_holds_its_own_recordings_and_keeps_their_columns(sets: Path, tmp_path: Path) -> None:
    workshop = Workshop(data=sets, cache=Cache(tmp_path), workers=Workers(), tell=lambda _line: None)
    dev, again = read_windows(workshop, "external-dev"), read_windows(workshop, "external-dev")
    assert np.array_equal(dev.codes_st_i8, again.codes_st_i8)
    assert all(external_side(name) == "external-dev" for name in dev.names)
    assert set(dev.names).isdisjoint(read_windows(workshop, "external-test").names)


def test_a_set_of_other_bytes_has_another_fingerprint(sets: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    shutil.copy(sets / "training2017.zip", other)
    before = open_place(other).fingerprint()
    assert before == open_place(sets / "training2017.zip").fingerprint()
    with zipfile.ZipFile(other, "a") as archive:
        archive.writestr("training2017/A99999.mat", b"more")
    assert open_place(other).fingerprint() != before


def test_pulses_stand_out_and_a_level_does_not() -> None:
    flat = np.zeros((1, 32, 80), np.int8)
    pulsed = flat.copy()
    pulsed[:, 8:18, ::6] = 60
    assert qrs_prominence(flat).tolist() == [0.0]
    assert qrs_prominence(pulsed)[0] > 20


@pytest.mark.parametrize(
    ("subtype", "column", "is_accused"),
    [(0, 0, False), (1, 0, True), (1, 1, False), (2, 1, True), (3, 1, True), (16, 0, True), (-1, 1, True)],
)
def test_a_quality_mark_accuses_leads_by_its_bits(subtype: int, column: int, is_accused: bool) -> None:
    assert accuses(subtype, column) == is_accused
