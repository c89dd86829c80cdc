"""How R peaks are judged: after five minutes, outside flutter, one mark to one detection."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.golden import signals
from training.data import mitdb
from training.data.record import Annotations, Record
from training.protocols.peaks import Score, ours, precision, render, score, sensitivity, theirs

RATE_HZ = 360


def record_of(marks: list[tuple[float, str]], seconds: float = 400, name: str = "x") -> Record:
    counts = np.rint(signals.ecg(seconds, RATE_HZ, bpm=60) / 5).astype(np.int32)
    return Record(
        name=name,
        source="made up",
        rate_hz=RATE_HZ,
        lead="II",
        leads=("II",),
        counts_i32=counts,
        baseline_counts=0,
        uv_per_count=Fraction(5),
        is_calibrated=True,
        annotations=Annotations(
            samples=np.array([round(s * RATE_HZ) for s, _ in marks], dtype=np.int64),
            symbols=tuple(symbol for _, symbol in marks),
            aux=("",) * len(marks),
        ),
        label=None,
        licence="none",
        digest="none",
    )


def test_the_first_five_minutes_are_for_learning() -> None:
    marks = [(float(s), "N") for s in range(290, 310)]
    judged = score(record_of(marks), np.array([250.5, 300.0, 301.1, 305.5]), "made up")
    assert (judged.found, judged.missed, judged.false) == (2, 8, 1)


def test_ventricular_flutter_counts_for_nobody() -> None:
    marks = [(301.0, "N"), (302.0, "["), (303.0, "!"), (305.0, "]"), (306.0, "V")]
    judged = score(record_of(marks), np.array([301.0, 303.4, 304.0]), "made up")
    assert (judged.found, judged.missed, judged.false) == (1, 1, 0)
    assert (judged.ventricular, judged.ventricular_missed) == (1, 1)


def test_a_detection_150_ms_away_is_that_beat_and_160_ms_is_not() -> None:
    record = record_of([(310.0, "N"), (320.0, "N")])
    judged = score(record, np.array([310.149, 320.16]), "made up")
    assert (judged.found, judged.missed, judged.false) == (1, 1, 1)


@pytest.mark.parametrize("detector", [ours, theirs])
def test_both_detectors_find_the_beats_of_a_clean_ecg(detector) -> None:  # type: ignore[no-untyped-def]
    marks = [(s + 0.4, "N") for s in range(395)]
    judged = score(record_of(marks), detector(record_of(marks)), "made up")
    assert judged.missed == 0
    assert judged.false <= 5  # the ECG goes on after the last mark


def test_gross_figures_are_sums_not_means() -> None:
    rows = [
        Score(record="a", detector="d", found=90, missed=10, false=0, ventricular=0, ventricular_missed=0),
        Score(record="b", detector="d", found=900, missed=0, false=110, ventricular=0, ventricular_missed=0),
    ]
    assert sensitivity(rows) == 990 / 1000
    assert precision(rows) == 990 / 1100


def test_the_detector_keeps_its_promise_on_a_real_record(real_data: Path) -> None:
    record = mitdb.read(mitdb.find(real_data), "100")
    judged = score(record, ours(record), "wristlead")
    assert judged.found + judged.missed == 1902
    assert judged.missed + judged.false <= 2


def test_the_table_names_every_detector_and_noise() -> None:
    names = [
        *mitdb.RECORDS,
        *(f"{r}e{s}" for r in ("118", "119") for s in ("24", "18", "12", "06", "00", "_6")),
    ]
    rows = [
        Score(record=n, detector=d, found=99, missed=1, false=1, ventricular=2, ventricular_missed=1)
        for n in names
        for d in ("wristlead", "xqrs")
    ]
    text = render(rows)
    assert text.count("99.00%") == 2 * 2 + 6 * 2 * 2
    assert "-6 dB" in text
