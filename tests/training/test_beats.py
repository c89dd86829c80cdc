"""Windows centred on beats, templates, rhythm, and the way from logits to a class."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.beats import beat_windows_of
from training.beats import (
    Beats,
    annotated_beats,
    detected_beats,
    match,
    rhythm,
    shapes_of,
)
from training.data import mitdb
from training.data.record import Annotations
from training.metrics import Confusion
from training.protocols.beat_verdict import classes_said, score_beats
from training.protocols.verdict_rule import VerdictRule
from training.rhythm_model import fit_rhythm
from training.streams import beat_stream, codes_of


def bump(height_uv: int, width: float = 3.0) -> NDArray[np.float64]:
    """One beat of 160 samples, its peak in the middle."""
    shape: NDArray[np.float64] = height_uv * np.exp(-0.5 * ((np.arange(160) - 80) / width) ** 2)
    return shape


def stream_of(beats: list[NDArray[np.float64]]) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    return np.rint(np.concatenate(beats)).astype(np.int16), np.arange(len(beats)) * 160 + 80


def test_codes_round_half_up_and_saturate() -> None:
    beat_uv = np.array([0, 15, 16, -16, -17, 4080, 32_767, -32_768], dtype=np.int16)
    assert codes_of(beat_uv).tolist() == [0, 0, 1, 0, -1, 127, 127, -128]


def test_a_beat_like_all_others_leaves_nothing() -> None:
    differences = shapes_of(*stream_of([bump(2000)] * 20))[:, 0]
    assert differences[0].max() == 63  # there is no template before the first beat: 2000 uV of 32
    assert differences[0].argmax() == 64
    assert np.abs(differences[1:]).max() == 0


def test_a_window_beside_its_peak_is_met_by_the_search() -> None:
    beat_uv, peaks = stream_of([bump(2000)] * 12)
    peaks[-2] += 3
    assert np.abs(shapes_of(beat_uv, peaks)[1:, 0]).max() == 0


def test_an_ectopic_beat_moves_the_template_by_a_bounded_step() -> None:
    differences = shapes_of(*stream_of([bump(2000)] * 20 + [bump(-3000, 10.0), bump(2000)]))[:, 0]
    assert np.abs(differences[-2]).max() > 100
    assert np.abs(differences[-1]).max() <= 2  # 48 uV of 32


def test_features_are_the_cores_integer_by_integer() -> None:
    rng = np.random.default_rng(0)
    beat_uv = np.clip(np.cumsum(rng.normal(0, 120, 40_000)), -32_000, 32_000).astype(np.int16)
    peaks = np.cumsum(rng.integers(30, 700, 100)).astype(np.int64)
    peaks = peaks[peaks < len(beat_uv)]
    core = beat_windows_of(beat_uv, peaks)
    assert np.array_equal(shapes_of(beat_uv, peaks).transpose(0, 2, 1), core.shapes_tc_i8)
    assert np.array_equal(rhythm(peaks) * 64, core.rr_i8)


def test_features_of_a_real_record_are_the_cores(real_data: Path) -> None:
    record = mitdb.read(mitdb.find(real_data), "208")
    assert record.annotations is not None
    beats = annotated_beats("208", beat_stream(record), record.annotations, rate_hz=record.rate_hz)
    core = beat_windows_of(beat_stream(record), beats.samples)
    assert np.array_equal(beats.shapes_ct_i8.transpose(0, 2, 1), core.shapes_tc_i8)
    assert np.array_equal(beats.rr * 64, core.rr_i8)


def test_an_early_beat_shows_in_the_ratios_and_a_steady_rhythm_does_not() -> None:
    peaks = np.cumsum([100] * 20)
    assert np.abs(rhythm(peaks)[1:-1]).max() == 0.0  # the last beat waits 2 s for one that does not come
    early = peaks.copy()
    early[12] -= 50
    found = rhythm(early)
    assert found[12, 0] == -1.0  # half the interval before
    assert found[12, 1] == pytest.approx(np.log2(1.5), abs=1 / 64)


def test_a_single_beat_has_no_rhythm() -> None:
    assert rhythm(np.array([10])).tolist() == [[0.0] * 10]


def test_matching_is_one_to_one_and_takes_the_nearest() -> None:
    found = match(np.array([1.0, 1.05, 3.0, 9.0]), np.array([1.04, 3.14, 5.0]), within_s=0.15)
    assert found.tolist() == [-1, 0, 1, -1]


def made(samples: list[int], symbols: str) -> Annotations:
    return Annotations(samples=np.array(samples), symbols=tuple(symbols), aux=("",) * len(symbols))


def test_what_a_detector_missed_stays_counted() -> None:
    marks = made([360, 720, 1080, 1440], "NV+A")
    beats = detected_beats(
        "x", np.zeros(1000, dtype=np.int16), np.array([1.01, 2.5, 4.0]), marks, rate_hz=360
    )
    assert beats.classes.tolist() == ["N", "-", "S"]
    assert beats.missed == ("V",)
    assert beats.missed_s == (2.0,)


def beats_with(classes: str, missed: str = "") -> Beats:
    n = len(classes)
    return Beats(
        record="x",
        samples=np.arange(n),
        classes=np.array(list(classes)),
        times_s=np.arange(n) * 1.0,
        shapes_ct_i8=np.zeros((n, 2, 128), dtype=np.int8),
        rr=np.zeros((n, 10), dtype=np.float32),
        missed=tuple(missed),
        missed_s=(0.0,) * len(missed),
    )


def test_a_missed_abnormal_beat_is_an_answer_of_normal() -> None:
    score = score_beats(beats_with("NV", missed="VN"), np.array(["N", "V"]))
    assert score.abnormal == Confusion(tp=1, fn=1, fp=0, tn=2)
    assert score.v == Confusion(tp=1, fn=1, fp=0, tn=2)


def test_a_false_detection_counts_only_when_it_alarms() -> None:
    quiet = score_beats(beats_with("N-"), np.array(["N", "N"]))
    loud = score_beats(beats_with("N-"), np.array(["N", "V"]))
    assert quiet.abnormal == Confusion(tn=1)
    assert loud.abnormal == Confusion(tn=1, fp=1)


def test_a_fusion_beat_is_abnormal_but_no_fault_of_v() -> None:
    score = score_beats(beats_with("NF"), np.array(["N", "V"]))
    assert score.abnormal == Confusion(tp=1, tn=1)
    assert score.v == Confusion(tn=1)


def test_an_unclassifiable_beat_counts_nowhere() -> None:
    assert score_beats(beats_with("NQ"), np.array(["N", "V"])).abnormal == Confusion(tn=1)


def test_rhythm_speaks_where_morphology_lets_pass() -> None:
    morphology = np.array([-2.0, -2.0, 3.0])
    rule = VerdictRule(abnormal=0.0, temperature=1.0, rhythm=0.0)
    assert classes_said(morphology, np.array([-1.0, 1.0, 1.0]), rule).tolist() == ["N", "S", "V"]
    assert classes_said(morphology, None, rule).tolist() == ["N", "N", "V"]


def test_the_rhythm_model_has_eleven_parameters_and_finds_early_beats() -> None:
    rng = np.random.default_rng(0)
    classes = np.array(["N"] * 500 + ["S"] * 20 + ["V"] * 50)
    rr = 0.05 * rng.standard_normal((570, 10)).astype(np.float32)
    rr[500:520, 0] -= 0.5
    model = fit_rhythm(rr, classes)
    assert model.n_parameters == 11
    assert (model.logits(rr[500:520]) > 0).all()
    assert (model.logits(rr[:500]) > 0).mean() < 0.02


def test_marks_and_stream_line_up(real_data: Path) -> None:
    """Over a clean record the annotated peaks are where the stream's energy is, to two samples (16 ms)."""
    record = mitdb.read(mitdb.find(real_data), "103")
    assert record.annotations is not None
    beat_uv = beat_stream(record)
    beats = annotated_beats("103", beat_uv, record.annotations, rate_hz=record.rate_hz)
    around = np.abs(beat_uv[beats.samples[5:-5, None] + np.arange(-68, 69)].astype(int))
    assert abs(float(np.median(around.argmax(axis=1))) - 68) <= 2
