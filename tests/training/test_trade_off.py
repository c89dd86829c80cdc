"""AUC beside what a net multiplies, from committed results."""

import json
from pathlib import Path
from statistics import fmean

import pytest

from device_sim.contract.errors import WristleadError
from training.protocols.cli import main as evaluate
from training.protocols.trade_off import read_trade_off
from training.results_folder import RESULTS

TINY, PAPER = RESULTS / "quality-tiny", RESULTS / "paper-000"


def test_a_net_stands_once_for_each_side_with_its_seeds() -> None:
    found = {(one.name, one.side): one for one in read_trade_off([TINY, TINY])}
    assert set(found) == {
        (name, side)
        for name in ("QRS prominence", "quality-tiny")
        for side in ("external-dev", "external-test")
    }
    rows = json.loads((TINY / "external-test.json").read_text())["rows"]
    aucs = [
        next(figure["value"] for figure in row["figures"] if figure["name"] == "AUC")
        for row in rows
        if row["view"] == "5 s" and row["scorer"] in {f"quality_tiny s{seed}" for seed in range(3)}
    ]
    one = found["quality-tiny", "external-test"]
    assert one.mean == pytest.approx(fmean(aucs))
    assert len(one.aucs) == 3
    assert one.low < min(aucs) < max(aucs) < one.high
    # the first layer; depthwise 7 and pointwise 1 at 80, 40, 40 and 20 columns; the head
    separable = ((48, 64, 80), (64, 64, 40), (64, 96, 40), (96, 96, 20))
    assert one.macs == 48 * 32 * 5 * 80 + sum(n * a * (7 + b) for a, b, n in separable) + 96


def test_pictures_nets_stand_by_their_arms() -> None:
    found = {one.name: one for one in read_trade_off([PAPER])}
    assert found["googlenet, cwt, scratch"].parameters == 5_601_954
    assert len(found["light_cnn_paper_64, cwt, natural70"].aucs) == 3


def test_the_picture_is_drawn_to_the_same_bytes_beside_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = []
    for name in ("a.png", "b.png"):
        assert evaluate([str(TINY), str(PAPER), "--picture", str(tmp_path / name)]) == 0
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith(b"\x89PNG")
    assert "googlenet, cwt, scratch" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([str(RESULTS / "p1-paper"), "--picture", "a.png"], "expected results of external or paper-000"),
        ([str(TINY), "--picture", "a.svg"], r"a.svg: --picture: expected a .png"),
        ([str(TINY), "--picture", "a.png", "--protocol", "nst"], "expected it without --protocol"),
        ([str(RESULTS / "none")], "none: expected a results folder or weights in one, there is nothing"),
        ([str(TINY), str(PAPER)], "expected one CHECKPOINT without --picture, got more"),
    ],
)
def test_what_makes_no_picture_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(WristleadError, match=message):
        evaluate(arguments)
