"""What an integer graph's logits decide: the verdict part of a bundle, from committed thresholds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.graph import Graph
from device_sim.contract.labels import Labels
from device_sim.contract.tensor import Tensor
from device_sim.contract.verdict import MAX_CODE_Q8, Question, VerdictSpec
from device_sim.lookup import score_table_q15
from export.calibration import Calibration
from export.calibration import Question as Calibrated
from export.float_graph import F64

I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
ONE_CODE_Q8 = 256


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of an output's logit, in the order in which a verdict asks them."""

    output: str
    threshold: float
    is_named: bool = True


def asked(questions: Mapping[str, Calibrated]) -> tuple[Asked, ...]:
    """First what has a name, output by output; then the shapes that are abnormal without one."""
    named = [
        Asked(name, one.threshold if one.named_from is None else one.named_from)
        for name, one in questions.items()
    ]
    rest = [
        Asked(name, one.threshold, is_named=False)
        for name, one in questions.items()
        if one.named_from is not None
    ]
    return (*named, *rest)


def labels_of(calibration: Calibration) -> Labels:
    """Label 0 where every question is answered with no, then one for each yes."""
    kind = calibration.kind
    yes = [
        (kind.labels if one.is_named else kind.unnamed)[one.output] for one in asked(calibration.questions)
    ]
    return Labels((kind.otherwise, *yes))


def verdict_of(calibration: Calibration, graph: Graph) -> VerdictSpec:
    kind = calibration.kind
    questions = []
    for one in asked(calibration.questions):
        tensor = graph.tensor(one.output)
        accept_q8 = accept_q8_of(one.threshold, tensor)
        temperature = calibration.questions[one.output].temperature
        questions.append(
            Question(
                output=one.output,
                accept_q8=accept_q8,
                reject_q8=accept_q8 - 1,
                score_q15=score_table_q15(tensor.scale, tensor.zero_point, temperature),
            )
        )
    return VerdictSpec(
        questions=tuple(questions),
        undecided=kind.undecided,
        unusable=kind.unusable,
        flag_limits=kind.flag_limits,
    )


def accept_q8_of(threshold: float, tensor: Tensor) -> int:
    """The first code in Q8 whose worth lies above the threshold."""
    border_q8 = ONE_CODE_Q8 * (threshold / tensor.scale + tensor.zero_point)
    return min(max(math.floor(border_q8) + 1, 1 - MAX_CODE_Q8), MAX_CODE_Q8)


def classes_of_real(logits: Mapping[str, F64], questions: Sequence[Asked]) -> tuple[I64, F64]:
    """(class, margin): the first question with a yes, 0 for none; the distance of the nearest threshold."""
    beyond = np.stack([logits[one.output] - one.threshold for one in questions])
    return first_yes(beyond > 0), np.abs(beyond).min(axis=0)


def classes_of_codes(
    codes: Mapping[str, I8], questions: Sequence[Asked], tensors: Mapping[str, Tensor]
) -> I64:
    """The same questions of integers."""
    says = [
        codes[one.output].astype(np.int64) * ONE_CODE_Q8 >= accept_q8_of(one.threshold, tensors[one.output])
        for one in questions
    ]
    return first_yes(np.stack(says))


def first_yes(says_yes: NDArray[np.bool_]) -> I64:
    classes: I64 = np.where(says_yes.any(axis=0), says_yes.argmax(axis=0) + 1, 0)
    return classes
