"""Verdicts as annotations and as a table: what was said, when it was said, and whole wherever a run stops."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind
from device_sim.synthetic import Scene, SyntheticSource
from device_sim.verdict_files import annotation_paths, sample_of
from tests.device_sim.bundles import bundle_of
from tests.device_sim.conftest import ROOT, Command

QUALITY, BEATS, CASCADE = "models/quality-tiny", "models/beat-tiny", "models/cascade"


@pytest.fixture(scope="module")
def ectopic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute with ventricular beats at 500 Hz, as numbers."""
    scene = Scene(seconds=60, rate_hz=500, morphology="pvc")
    counts = np.concatenate([chunk.counts_i32 for chunk in SyntheticSource(scene, seed=5)])  # type: ignore[union-attr]
    path = tmp_path_factory.mktemp("ectopic") / "walk 7.csv"
    path.write_text("ecg_uv\n" + "\n".join(map(str, counts.tolist())) + "\n")
    return path


def marks_of(path: Path) -> Any:
    wfdb = pytest.importorskip("wfdb", reason="reads annotations back; pip install 'wristlead[records]'")
    return wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_a_beat_is_marked_at_its_peak_at_the_recordings_own_rate(
    wristlead: Command, ectopic: Path, tmp_path: Path
) -> None:
    done = wristlead("run", BEATS, "--file", ectopic, "--rate", "500", "--annotations", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"wrote {tmp_path / 'walk_7.beat'}" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = marks_of(tmp_path / "walk_7.beat")
    assert found.fs == 500
    assert found.sample.tolist() == [round((line["t0_us"] + 500_000) * 500 / 1e6) for line in lines]
    symbols = {"normal": "N", "ventricular": "V", "early": "S", "other shape": "F", "unusable": "|"}
    assert list(found.symbol) == [symbols[line["label"]] for line in lines]
    assert {"N", "V"} <= set(found.symbol)


def test_quality_is_marked_where_it_changes(wristlead: Command, tmp_path: Path) -> None:
    done = wristlead("run", QUALITY, "--synthetic", "--annotations", tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    changes = [
        new
        for old, new in zip([None, *lines], lines, strict=False)
        if old is None or (old["label"], old["by"]) != (new["label"], new["by"])
    ]
    found = marks_of(tmp_path / "synthetic_seed_1.qual")
    assert set(found.symbol) == {"~"}
    assert list(found.aux_note) == [line["label"] for line in changes]
    # the middle second of the window: two seconds after its begin
    assert found.sample.tolist() == [(line["t0_us"] + 2_000_000) * 256 // 1_000_000 for line in changes]
    lost = 0x11  # noisy and not readable: the rule, not the network
    meant = [0 if one["label"] == "clean" else lost if one["by"] == "rule" else 1 for one in changes]
    assert found.subtype.tolist() == meant
    assert {0, lost} <= set(meant)


def test_the_table_says_what_the_lines_say(wristlead: Command, tmp_path: Path) -> None:
    done = wristlead("run", QUALITY, "--synthetic", "--rate", "250", "--csv", tmp_path / "q.csv")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    rows = rows_of(tmp_path / "q.csv")
    assert len(rows) == len(lines) > 20
    for row, line in zip(rows, lines, strict=True):
        line["net"] = ""
        line["sample"] = max(0, round(line["t0_us"] * 250 / 1e6))
        line["flags"] = " ".join(f"{name}:{n}" for name, n in line["flags"].items())
        assert row == {name: "" if value is None else str(value) for name, value in line.items()}


def test_a_cascade_writes_both_annotators_and_one_table(wristlead: Command, tmp_path: Path) -> None:
    done = wristlead("run", CASCADE, "--synthetic", "--annotations", tmp_path, "--csv", tmp_path / "c.csv")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    beats = [line for line in lines if line["net"] == "beat"]
    found = marks_of(tmp_path / "synthetic_seed_1.beat")
    refused = [line["label"] == "unusable" for line in beats]
    assert [symbol == "|" for symbol in found.symbol] == refused
    assert {line["by"] for line in beats} >= {"network", "gate"}
    assert found.sample.tolist() == [round((line["t0_us"] + 500_000) * 256 / 1e6) for line in beats]
    assert set(marks_of(tmp_path / "synthetic_seed_1.qual").symbol) == {"~"}
    rows = rows_of(tmp_path / "c.csv")
    assert [(row["net"], row["label"]) for row in rows] == [(line["net"], line["label"]) for line in lines]


@pytest.mark.parametrize(
    ("stop", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)],
    ids=["ctrl-C", "a service's end"],
)
def test_a_run_that_is_stopped_leaves_complete_files(tmp_path: Path, stop: signal.Signals, code: int) -> None:
    numbers = "ecg_uv\n" + "0\n" * 256 * 40  # stdin stays open: the run waits for more
    command = [sys.executable, "-m", "device_sim", "run", QUALITY, "-", "--rate", "256"]
    command += ["--annotations", str(tmp_path), "--csv", str(tmp_path / "q.csv")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(numbers.encode())
        run.stdin.flush()
        said = [run.stdout.readline() for _ in range(5)]
        os.kill(run.pid, stop)
        said += run.stdout.read().splitlines()
        run.stdin.close()
        assert run.wait(timeout=20) == code
    rows = rows_of(tmp_path / "q.csv")
    assert [row["window"] for row in rows] == [str(json.loads(line)["window"]) for line in said]
    assert marks_of(tmp_path / "stdin.qual").aux_note == ["noisy"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q.csv", "stdin.qual"]


def test_a_run_that_fails_leaves_no_file(wristlead: Command, tmp_path: Path) -> None:
    numbers = b"ecg_uv\n" + b"0\n" * 256 * 20 + b"not a number\n"
    done = wristlead(
        *("run", QUALITY, "-", "--rate", "256", "--csv", tmp_path / "q.csv", "--annotations", tmp_path),
        stdin=numbers,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--synthetic", "--csv", "a.csv"], "--csv: expected a bundle, whose verdicts it is about"),
        (["run", "--synthetic", "--annotations", "."], "--annotations: expected a bundle"),
        (["run", QUALITY, "--synthetic", "--csv", "a.txt"], "a.txt: expected a name ending in .csv"),
        (["run", QUALITY, "--synthetic", "--csv", "no/a.csv"], "expected the folder no to exist"),
        (["run", QUALITY, "--synthetic", "--annotations", "no"], "--annotations no: expected a folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(
    wristlead: Command, arguments: list[str], said: str, tmp_path: Path
) -> None:
    placed = [str(ROOT / one) if one == QUALITY else one for one in arguments]
    done = wristlead(*placed, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_symbols_in_wfdb_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="expected a bundle that judges beats or signal quality, got"):
        annotation_paths([bundle_of(InputKind.BLIND)], tmp_path, "r.hea")


def test_a_moment_before_the_first_sample_is_the_first() -> None:
    assert [sample_of(t_us, 360) for t_us in (-20_000, 0, 1_388, 1_389, 2_778)] == [0, 0, 0, 1, 1]
