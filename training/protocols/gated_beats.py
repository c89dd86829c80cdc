"""Detected beats and those nobody detected, with what is true and what is said of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.frontend import BEAT_HZ
from training.beat_classes import CLASS_OF
from training.beats import MATCH_S, match
from training.data.record import Record
from training.heard import Heard
from training.metrics import Confusion, confusion
from training.protocols.beat_verdict import ABNORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One recording's, in one noise: first the detected ones."""

    at: NDArray[np.int64]  # 128 Hz sample
    classes: NDArray[np.str_]  # EC57; "-": a detection that is no beat
    abnormal: NDArray[np.bool_]  # said; nothing is said of a beat that was not detected

    @property
    def is_beat(self) -> NDArray[np.bool_]:
        return ~np.isin(self.classes, ("-", "Q"))

    def judged(self, kept: NDArray[np.bool_]) -> Confusion:
        """As P3 counts: a beat not found is called normal, a false detection called normal is nothing."""
        counted = kept & (self.is_beat | ((self.classes == "-") & self.abnormal))
        return confusion(np.isin(self.classes[counted], ABNORMAL), self.abnormal[counted])


def matched(record: Record, heard: Heard) -> Answers:
    """Each detection with the mark it meets, then the marks that none met."""
    assert record.annotations is not None
    marks = [
        (at, CLASS_OF[symbol])
        for at, symbol in zip(record.annotations.samples.tolist(), record.annotations.symbols, strict=True)
        if symbol in CLASS_OF
    ]
    truth_s = np.array([at for at, _kind in marks]) / record.rate_hz
    truth = np.array([kind for _at, kind in marks])
    partner = match(heard.peaks / BEAT_HZ - heard.delay_s, truth_s, within_s=MATCH_S)
    missed = np.setdiff1d(np.arange(len(truth)), partner)
    missed_at = np.rint((truth_s[missed] + heard.delay_s) * BEAT_HZ).astype(np.int64)
    return Answers(
        at=np.concatenate([heard.peaks, missed_at]),
        classes=np.concatenate([np.where(partner >= 0, truth[partner], "-"), truth[missed]]),
        abnormal=np.concatenate([heard.abnormal, np.zeros(len(missed), np.bool_)]),
    )
