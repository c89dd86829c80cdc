"""Windows centred on beats, templates, rhythm, and the way from logits to a class."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from device_sim.beats import beat_windows_of
from training.beats import Beats, annotated_beats, detected_beats, match
from training.data import mitdb
from training.data.record import Annotations
from training.metrics import Confusion
from training.protocols.beat_verdict import classes_said, score_beats
from training.protocols.verdict_rule import VerdictRule
from training.rhythm_model import fit_rhythm
from training.streams import beat_stream, codes_of


def test_codes_round_half_up_and_saturate() -> None:
    beat_uv = np.array([0, 15, 16, -16, -17, 4080, 32_767, -32_768], dtype=np.int16)
    assert codes_of(beat_uv).tolist() == [0, 0, 1, 0, -1, 127, 127, -128]


def test_the_beats_of_every_record_are_the_cores(real_data: Path) -> None:
    place = mitdb.find(real_data)
    for name in ("114", "208", "232"):
        record = mitdb.read(place, name)
        assert record.annotations is not None
        beats = annotated_beats(name, beat_stream(record), record.annotations, rate_hz=record.rate_hz)
        core = beat_windows_of(beat_stream(record), beats.samples)
        assert np.array_equal(beats.shapes_ct_i8.transpose(0, 2, 1), core.shapes_tc_i8)
        assert np.array_equal(beats.rr * 64, core.rr_i8)


def test_matching_is_one_to_one_and_takes_the_nearest() -> None:
    found = match(np.array([1.0, 1.05, 3.0, 9.0]), np.array([1.04, 3.14, 5.0]), within_s=0.15)
    assert found.tolist() == [-1, 0, 1, -1]


def made(samples: list[int], symbols: str) -> Annotations:
    return Annotations(samples=np.array(samples), symbols=tuple(symbols), aux=("",) * len(symbols))


def test_what_the_detector_missed_stays_counted() -> None:
    """Five beats a second apart; the annotator saw one more, and calls the third ventricular."""
    spikes = np.zeros(128 * 8)
    spikes[128 * np.arange(1, 7)] = 2000
    beat_uv = np.rint(np.convolve(spikes, [0.3, 1, 0.3], "same")).astype(np.int16)
    marks = made([360, 720, 1080, 1260, 1440, 1800, 2160], "NNVFNNN")
    beats = detected_beats("x", beat_uv, marks, rate_hz=360)
    assert beats.classes.tolist() == ["N", "N", "V", "N", "N", "N"]
    assert beats.missed == ("F",)
    assert beats.missed_s == (3.5,)


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
    rule = VerdictRule(abnormal=0.0, ventricular=0.0, temperature=1.0, rhythm=0.0)
    assert classes_said(morphology, np.array([-1.0, 1.0, 1.0]), rule).tolist() == ["N", "S", "V"]
    assert classes_said(morphology, None, rule).tolist() == ["N", "N", "V"]
    assert classes_said(morphology, None, replace(rule, ventricular=None)).tolist() == ["N", "N", "V"]


def test_a_shape_half_way_is_abnormal_but_not_named_v() -> None:
    morphology = np.array([0.5, 0.5, 3.0])
    rule = VerdictRule(abnormal=0.0, ventricular=1.0, temperature=1.0, rhythm=0.0)
    assert classes_said(morphology, np.array([-1.0, 1.0, 1.0]), rule).tolist() == ["F", "S", "V"]


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
