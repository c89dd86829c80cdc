"""Beats behind the gate: who counts, what noise takes and the gate gives back, one run from end to end."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_sim.__main__ import main
from device_sim.contract.cascade import read_cascade
from device_sim.frontend import FrontEnd, columns_of
from device_sim.pipeline import OpenBundle
from device_sim.verdict import By
from training.bursts import BurstSpec, with_bursts
from training.data import mitdb, nstdb
from training.gate import GateForm, gate_q8
from training.heard import Heard, abnormal_behind, hear
from training.metrics import Confusion
from training.noise_parts import read_shelf
from training.protocols import gating
from training.protocols.gated_beats import Answers
from training.protocols.gating import Case
from training.protocols.gating_report import GatedRecord, coverage, recovered

CASCADE = Path(__file__).resolve().parents[2] / "models/cascade"


def answers(classes: str, abnormal: list[int], at: list[int] | None = None) -> Answers:
    places = np.array(at or [576 + 128 * k for k in range(len(classes))], np.int64)
    return Answers(at=places, classes=np.array(list(classes)), abnormal=np.array(abnormal, np.bool_))


def record(clean: Confusion, noisy: Confusion, gated: Confusion, n_accepted: int) -> GatedRecord:
    return GatedRecord(
        record="1",
        kind="ma",
        snr_db=6,
        clean=clean,
        clean_where_open=clean,
        noisy=noisy,
        gated=gated,
        remembering=gated,
        n_beats=100,
        n_accepted=n_accepted,
        n_normal_rejected=0,
        n_abnormal_rejected=0,
        n_in_bursts=0,
        n_accepted_in_bursts=0,
        hours=0.5,
        open_share=0.7,
    )


def test_beats_count_as_in_p3() -> None:
    # V found, V called normal, N called normal, false detection called normal and abnormal, Q called abnormal
    said = answers("VVN--Q", [1, 0, 0, 0, 1, 1])
    assert said.judged(np.ones(6, np.bool_)) == Confusion(tp=1, fn=1, fp=1, tn=1)
    assert said.judged(np.array([1, 0, 1, 1, 0, 1], np.bool_)) == Confusion(tp=1, tn=1)
    assert said.is_beat.tolist() == [True, True, True, False, False, False]


def test_recovered_is_the_share_of_what_noise_took() -> None:
    clean, noisy = Confusion(tp=9, fn=1, fp=1, tn=9), Confusion(tp=5, fn=5, fp=3, tn=7)  # 0.9 and 0.6
    gated = Confusion(tp=8, fn=2, fp=1, tn=9)  # 0.85
    rows = [record(clean, noisy, gated, 60), record(clean, noisy, gated, 80)]
    assert recovered(rows) == pytest.approx((0.85 - 0.6) / (0.9 - 0.6))
    assert coverage(rows) == pytest.approx(0.7)


def test_a_closed_gate_rejects_true_beats_and_counts_them() -> None:
    heard = Heard(
        quality_codes=np.array([100] * 5 + [-100] * 8, np.int8),
        quality_usable=np.ones(13, np.bool_),
        peaks=np.array([], np.int64),
        abnormal=np.array([], np.bool_),
        delay_s=0.0,
    )
    under_noise = answers("NVNV-", [0, 1, 1, 0, 1])  # first windows 0, 1, 2, 3, 4 of five good ones
    case = Case(
        record="1",
        kind="ma",
        snr_db=6,
        heard=heard,
        answers=under_noise,
        clean=answers("NVNV", [0, 1, 0, 1]),
        in_burst=np.array([0, 0, 0, 1, 1], np.bool_),
        hours=16 / 3600,
        behind={50 << 8: np.array([0, 0, 1, 1, 0], np.bool_)},
    )
    got = case.gated(GateForm(how="mean", n_windows=3), 50 << 8, protects=True)
    assert got.noisy == Confusion(tp=1, fn=1, fp=2, tn=1)
    assert got.remembering == Confusion(tp=1, fp=1, tn=1)  # windows 3, 4, 5 are good, good, bad: mean 33
    assert got.gated == Confusion(fn=1, fp=1, tn=1)  # of the V another thing is said
    assert got.clean_where_open == Confusion(tp=1, tn=2)
    assert (got.n_beats, got.n_accepted, got.n_normal_rejected, got.n_abnormal_rejected) == (4, 3, 0, 1)
    assert (got.n_in_bursts, got.n_accepted_in_bursts) == (1, 0)
    # open for the second around sample 128 s where its first three windows are good
    assert got.open_share == pytest.approx(7 / 16)


def test_a_side_is_judged_and_printed_again(
    made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gating, "RECORDS", {"DS1": ("101", "106"), "DS2": ("100", "103")})
    monkeypatch.setattr(gating, "KINDS", ("ma",))
    monkeypatch.setattr(gating, "SEEN", ())
    monkeypatch.setattr(nstdb, "SNR_DB", {"06": 6, "_6": -6})
    monkeypatch.setattr(gating, "SPEC", BurstSpec(shortest_s=1.0, longest_s=4.0))  # the noise lasts 6 s
    out, openings = tmp_path / "gating", tmp_path / "openings.jsonl"
    options = ["--data", str(made_up), "--out", str(out), "--cache", str(tmp_path / "cache")]
    options += ["--openings", str(openings)]
    assert main(["gating", str(CASCADE), "DS2", *options]) in (0, 1)
    printed = capsys.readouterr().out
    assert "gating, DS2: cascade " in printed
    assert [line.split()[:2] for line in printed.splitlines() if line.startswith("ma  ")] == [
        ["ma", str(level)] for level in (6, -6)
    ]
    assert (out / "sweep-ds2.png").stat().st_size > 10_000
    opening = json.loads(openings.read_text())
    assert (opening["protocol"], opening["recipe"]) == ("gating", "cascade")
    assert main(["evaluate", str(out)]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("protects", [True, False])
def test_the_gate_of_the_study_is_the_gate_of_the_core(made_up: Path, protects: bool) -> None:
    whole = mitdb.read(mitdb.find(made_up), "101")
    shelf = read_shelf(nstdb.find(made_up), "train", ("ma",))
    counts_uv = with_bursts(whole, shelf, "ma", 0.0, BurstSpec(shortest_s=4.0, longest_s=12.0))
    shipped = read_cascade(CASCADE)
    cascade = replace(shipped, gate=replace(shipped.gate, protects=protects))
    columns, delay_s = columns_of(counts_uv, rate_hz=360), FrontEnd(rate_hz=360).delay_us / 1e6
    heard = hear(columns, delay_s, cascade)
    form = GateForm(how="mean", n_windows=cascade.gate.windows)
    is_open = gate_q8(form, heard.quality_codes, heard.quality_usable, heard.peaks) >= cascade.gate.accept_q8
    assert 0.2 < np.mean(is_open) < 0.9
    expected = heard.abnormal & is_open
    if protects:
        expected = abnormal_behind(columns.beat_uv_i16, heard.peaks, is_open, cascade.beat)
    with OpenBundle(cascade) as opened:
        said = opened.run(counts_uv, rate_hz=360)
    beats = [one for one in said if one.bundle_digest == cascade.beat.digest]
    assert len(beats) >= len(heard.peaks) - 1
    peaks = [round((one.t0_us + 500_000 + 1e6 * delay_s) * 128 / 1e6) for one in beats]
    assert peaks == heard.peaks[: len(beats)].tolist()
    assert [one.by is not By.GATE for one in beats] == is_open[: len(beats)].tolist()
    abnormal = [one.by is By.NETWORK and one.label != "normal" for one in beats]
    assert abnormal == expected[: len(beats)].tolist()
    assert any(abnormal)
