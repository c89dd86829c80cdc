"""What stands between logits and an answer: thresholds, temperature, the rhythm model."""

import json
from dataclasses import dataclass
from pathlib import Path

from device_sim.contract.errors import StreamError
from training.rhythm_model import RhythmModel
from training.tables import build


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRule:
    """`verdict.json`: chosen on folds of the training side, carried to the device as it is."""

    abnormal: float  # logit of 'abnormal' above this is abnormal
    temperature: float  # sigmoid(logit / temperature) is a probability
    rhythm: float | None = None  # the rhythm model's logit above this is S; None: no rhythm model
    rhythm_model: RhythmModel | None = None


def read_rule(path: Path) -> VerdictRule:
    if not path.is_file():
        raise StreamError(f"{path}: expected the thresholds beside the checkpoint, there is nothing")
    return build(
        VerdictRule,
        {k: v for k, v in json.loads(path.read_bytes()).items() if v is not None},
        where=str(path),
    )
