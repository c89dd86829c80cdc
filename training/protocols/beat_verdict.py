"""From what morphology and rhythm say to one class per beat, and how good those classes are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.beats import Beats
from training.metrics import Confusion, confusion

Logits = NDArray[np.float64]
ABNORMAL = ("S", "V", "F")  # EC57 binary; F is called V by a net that knows three classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Chosen on folds of the training side."""

    abnormal: float = 0.0  # morphology's logit for 'S or V' above this is abnormal
    rhythm: float = 0.0  # the rhythm model's logit above this is S


def classes_said(morphology: Logits, rhythm: Logits | None, limits: Thresholds) -> NDArray[np.str_]:
    """N, S or V per beat: morphology first; what it lets pass can still be early."""
    abnormal = np.logaddexp(morphology[:, 1], morphology[:, 2]) - morphology[:, 0] > limits.abnormal
    is_v = morphology[:, 2] >= morphology[:, 1]
    said = np.where(abnormal, np.where(is_v, "V", "S"), "N")
    if rhythm is not None:
        early = rhythm > limits.rhythm
        said = np.where(early & (said == "N"), "S", said)
    return said


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatScore:
    """One recording (or a sum of them): the binary question, and S and V each against the rest."""

    abnormal: Confusion
    s: Confusion
    v: Confusion

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


def total(scores: Mapping[str, BeatScore], records: Sequence[str]) -> BeatScore:
    """Gross: counts added over recordings."""
    nothing = BeatScore(abnormal=Confusion(), s=Confusion(), v=Confusion())
    return sum((scores[name] for name in records), start=nothing)
