"""From what morphology and rhythm say to one class per beat, and how good those classes are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.beats import Beats
from training.metrics import Confusion, confusion
from training.protocols.verdict_rule import VerdictRule

Logits = NDArray[np.float64]
NOTHING = Confusion()
ABNORMAL = ("S", "V", "F")  # EC57 binary


def classes_said(morphology: Logits, rhythm: Logits | None, rule: VerdictRule) -> NDArray[np.str_]:
    """N, S, V or F per beat: quite another shape is V; what is too early is S; a shape half-way is F."""
    ventricular = rule.abnormal if rule.ventricular is None else rule.ventricular
    said = np.where(morphology > rule.abnormal, "F", "N")
    if rhythm is not None and rule.rhythm is not None:
        said = np.where(rhythm > rule.rhythm, "S", said)
    return np.where(morphology > ventricular, "V", said)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatScore:
    """One recording (or a sum of them): the binary question, and S and V each against the rest."""

    abnormal: Confusion
    s: Confusion = NOTHING  # blind windows do not tell S from V
    v: Confusion = NOTHING

    def __add__(self, other: "BeatScore") -> "BeatScore":
        return BeatScore(abnormal=self.abnormal + other.abnormal, s=self.s + other.s, v=self.v + other.v)


def score_beats(beats: Beats, said: NDArray[np.str_]) -> BeatScore:
    """Q beats count nowhere; F called V is no fault of V (EC57); a missed beat is an answer of 'normal'.

    A false detection called abnormal is a false alarm; called normal it is nothing at all.
    """
    truth = np.concatenate([beats.classes, np.array(beats.missed, dtype="<U1")])
    answer = np.concatenate([said, np.full(len(beats.missed), "N")])
    counted = (truth != "Q") & ~((truth == "-") & (answer == "N"))
    truth, answer = truth[counted], answer[counted]
    v_counts = truth != "F"
    return BeatScore(
        abnormal=confusion(np.isin(truth, ABNORMAL), answer != "N"),
        s=confusion(truth == "S", answer == "S"),
        v=confusion(truth[v_counts] == "V", answer[v_counts] == "V"),
    )


def score_windows(labels: NDArray[np.int64], logits: Logits, rule: VerdictRule) -> BeatScore:
    """Blind windows answer the binary question only."""
    return BeatScore(abnormal=confusion(labels > 0, logits > rule.abnormal))


def total(scores: Sequence[BeatScore]) -> BeatScore:
    """Gross: counts added over recordings."""
    return sum(scores, start=BeatScore(abnormal=NOTHING))
