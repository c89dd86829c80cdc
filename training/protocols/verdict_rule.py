"""What stands between logits and an answer: thresholds, temperature, the rhythm model."""

from dataclasses import dataclass

from training.rhythm_model import RhythmModel


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRule:
    """`verdict.json`: chosen on folds of the training side, carried to the device as it is."""

    abnormal: float  # logit of 'abnormal' above this is abnormal
    temperature: float  # sigmoid(logit / temperature) is a probability
    ventricular: float | None = None  # above this another shape is named V, below it F; None: all are V
    rhythm: float | None = None  # the rhythm model's logit above this is S; None: no rhythm model
    rhythm_model: RhythmModel | None = None
