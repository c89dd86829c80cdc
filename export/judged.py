"""What an integer graph's logits decide: the verdict part of a bundle, from committed thresholds."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.graph import Graph
from device_sim.contract.labels import Labels
from device_sim.contract.tensor import Tensor
from device_sim.contract.verdict import MAX_CODE_Q8, Question, VerdictSpec
from device_sim.lookup import score_table_q15
from export.calibration import Calibration
from export.float_graph import F64

I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
ONE_CODE_Q8 = 256


def labels_of(calibration: Calibration) -> Labels:
    """Label 0 where every question is answered with no, then one for each yes."""
    kind = calibration.kind
    return Labels((kind.otherwise, *kind.labels.values()))


def verdict_of(calibration: Calibration, graph: Graph) -> VerdictSpec:
    kind = calibration.kind
    questions = []
    for name, one in calibration.questions.items():
        tensor = graph.tensor(name)
        accept_q8 = accept_q8_of(one.threshold, tensor)
        questions.append(
            Question(
                output=name,
                accept_q8=accept_q8,
                reject_q8=accept_q8 - 1,
                score_q15=score_table_q15(tensor.scale, tensor.zero_point, one.temperature),
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


def classes_of_real(logits: Mapping[str, F64], thresholds: Mapping[str, float]) -> tuple[I64, F64]:
    """(class, margin): the first output above its threshold, 0 for none; the distance of the nearest."""
    beyond = np.stack([logits[name] - thresholds[name] for name in thresholds])
    return _first_yes(beyond > 0), np.abs(beyond).min(axis=0)


def classes_of_codes(codes: Mapping[str, I8], accepts_q8: Mapping[str, int]) -> I64:
    """The same question of integers."""
    says = [codes[name].astype(np.int64) * ONE_CODE_Q8 >= accepts_q8[name] for name in accepts_q8]
    return _first_yes(np.stack(says))


def _first_yes(says_yes: NDArray[np.bool_]) -> I64:
    classes: I64 = np.where(says_yes.any(axis=0), says_yes.argmax(axis=0) + 1, 0)
    return classes
