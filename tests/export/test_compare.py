"""Limits between integers and real numbers: of a whole side, and of every record."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.manifest import graph_sha256
from export.compare import Comparison, compare, from_json, to_json
from export.compare_cli import _graph
from export.compare_cli import main as compare_command
from export.flips import Answers, Flip, FlipReport
from export.judged import Asked
from export.shipping_list import LIST, read_list
from export.standing import NOTHING
from training.evaluate import Windows
from training.protocols.integers_report import IntegerMetrics
from training.results_folder import read_metrics

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "training" / "results"
N = 4000  # windows of each of three records; a fifth of them positive
DIGEST = "ab" * 32


def made(
    changed: NDArray[np.int64], recording: NDArray[np.int64] | None = None, *, is_opened: bool = True
) -> Comparison:
    """Three records; `changed` are windows that integers call the other thing."""
    rng = np.random.default_rng(3)
    truth = (np.arange(3 * N) % 5 == 0).astype(np.int8)
    logits = np.where(truth == 1, 1.0, -1.0) + rng.normal(0, 0.3, 3 * N)
    before = (logits > 0).astype(np.int64)
    after = before.copy()
    after[changed] = 1 - after[changed]
    codes = np.clip(np.rint(np.where(before == after, logits, -logits) * 50), -128, 127).astype(np.int8)
    windows = Windows(
        inputs={},
        truths={"y": truth},
        verdict=truth,
        recording=np.repeat(np.arange(3), N) if recording is None else recording,
        names=("a", "b", "c"),
    )
    found = Answers(
        logits={"y": logits}, codes={"y": codes}, before=before, after=after, margin=np.abs(logits)
    )
    flips = tuple(
        Flip(window=int(k), before=0, after=1, margin=float(found.margin[k]), first_diverging="conv")
        for k in changed
    )
    report = FlipReport(n_windows=3 * N, flips=flips)
    questions = (Asked("y", 0.0),)
    return compare(
        "net", "there", windows, found, report, questions, graph_sha256=DIGEST, is_opened=is_opened
    )


def test_a_faithful_net_is_within_every_limit_and_survives_its_file() -> None:
    found = made(np.array([1, 5000]))
    assert found.broken == ()
    assert found.n_changed == 2
    assert found.layers == {"conv": 2}
    assert "2 of 12000 verdicts change (99.98 % agree)" in str(found)
    assert "within every limit" in str(found)
    assert from_json(to_json(found).encode(), "f") == found


def test_what_is_opened_has_intervals_points_and_hard_recordings() -> None:
    found = made(np.array([1, 5000]))
    low, high, low_i8, high_i8 = found.standing.spreads["balanced accuracy"]
    figures = {one.name: one for one in found.metrics.figures}
    assert low <= figures["balanced accuracy"].float_value <= high
    assert low_i8 <= figures["balanced accuracy"].int8_value <= high_i8
    assert set(found.standing.spreads) == {"balanced accuracy", "AUC of y"}
    (point,) = found.standing.points
    assert point.startswith("any yes: real numbers sensitivity 0.99")
    assert all(line.split(":")[0] in "abc" for line in found.standing.hardest)
    assert made(np.array([1]), is_opened=False).standing == NOTHING


def test_each_limit_breaks_by_itself() -> None:
    everywhere = np.arange(0, 3 * N, 79)
    lines = made(everywhere).broken
    assert [line.split()[0] for line in lines] == ["agreement", "balanced", "AUC"]
    one_record = np.arange(0, N, 25)  # 160 positive windows of 800: ten points of one record's accuracy
    assert any(line.startswith("record a: 0.1") for line in made(one_record).broken)
    assert not any(line.startswith(("record b", "record c")) for line in made(one_record).broken)


def test_a_short_record_may_change_one_verdict_in_a_hundred_or_one() -> None:
    recording = np.repeat(np.arange(3), (3 * N - 300, 290, 10))
    a_few = np.array([3 * N - 300 + 1, 3 * N - 300 + 2, 3 * N - 5])  # 2 of 290, and 1 of 10
    assert made(a_few, recording).broken == ()
    more = np.append(a_few, [3 * N - 300 + 3, 3 * N - 4])
    found = made(more, recording).broken
    assert [line for line in found if line.startswith("record")] == [
        "record b: 3 of 290 verdicts change, at most 2",
        "record c: 2 of 10 verdicts change, at most 1",
    ]


def test_a_side_that_was_not_opened_keeps_its_figures() -> None:
    opened = made(np.array([7]))
    assert {one.name for one in opened.metrics.figures} == {"agreement", "balanced accuracy", "AUC of y"}
    closed = replace(opened, metrics=replace(opened.metrics, figures=opened.metrics.figures[:1]))
    assert from_json(to_json(closed).encode(), "f") == closed


@pytest.mark.parametrize("n_changed", [0, 3])
def test_losses_are_float_minus_integer(n_changed: int) -> None:
    found = made(np.arange(n_changed) * 5)  # positives that are lost
    assert found.lost["balanced accuracy"] == pytest.approx(n_changed / (3 * N / 5) / 2, abs=1e-6)


def test_integers_that_were_judged_on_external_test_are_the_committed_ones() -> None:
    """`quality-tiny` ships seed 0; the list beside the results holds its other seeds."""
    shipments = {one.name: one for path in (ROOT / LIST, RESULTS / "int8.toml") for one in read_list(path)}
    names = ("quality-tiny", "quality-tiny-s1", "quality-tiny-s2")
    for one in (shipments[name] for name in names):
        found = read_metrics(one.results / f"external-test-int8-s{one.seed}.json")
        assert isinstance(found, IntegerMetrics)
        assert found.graph_sha256 == graph_sha256(_graph(one))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["beat-tiny", "--external-test"], "p3-beat: --external-test: expected a quality net, got P3-beat"),
        (["quality-tiny", "--external-test", "--stale"], "expected it without --stale and --flips"),
    ],
)
def test_what_has_no_external_test_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        compare_command([*arguments, "--list", str(ROOT / LIST)])
