"""A network's integers become a verdict: a mean, thresholds, hysteresis, rules; integers as on the device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.labels import Labels
from device_sim.contract.verdict import FLAGS, ONE_Q15, Question, VerdictSpec

I64 = NDArray[np.int64]
UNKNOWN_Q15 = -1  # the score of a window nobody may judge


class By(StrEnum):
    """Who said it."""

    NETWORK = "network"
    RULE = "rule"  # more flagged columns than may be: the network was not asked
    GATE = "gate"  # the signal is not good enough, or nobody knows: nor was it asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of one window."""

    label: str
    score_q15: int  # calibrated chance of any label but the first; -1: not judged
    margin_q8: int  # codes to the nearest threshold, in Q8; negative: undecided
    by: By
    t0_us: int  # when the window begins; a beat's R peak is half a second later
    window_index: int
    flags: Mapping[str, int]  # columns of the window that carry each flag
    bundle_digest: str
    logits: bytes = b""  # int8, of every output in its order; empty: the network was not asked
    net: str = ""  # of a cascade: quality or beat

    @property
    def by_rule(self) -> bool:
        return self.by is By.RULE

    @property
    def score(self) -> float:
        """0..1; NaN for a window that is not judged."""
        return self.score_q15 / ONE_Q15 if self.score_q15 >= 0 else float("nan")

    def to_json(self) -> dict[str, Any]:
        """A line of `wristlead run`."""
        return {
            **({"net": self.net} if self.net else {}),
            "t0_us": self.t0_us,
            "window": self.window_index,
            "label": self.label,
            "score": round(self.score, 4) if self.score_q15 >= 0 else None,
            "margin_q8": self.margin_q8,
            "by": self.by.value,
            "flags": dict(self.flags),
            "bundle": self.bundle_digest[:12],
        }


class Answer(Enum):
    """What a question gives."""

    NO = 0
    UNDECIDED = 1
    YES = 2


def answer(question: Question, mean_q8: int, before: Answer) -> tuple[Answer, int]:
    """The answer and how far it is from its threshold; the last yes or no is given up late."""
    yes_from = question.accept_q8 - (question.hold_q8 if before is Answer.YES else 0)
    no_up_to = question.reject_q8 + (question.hold_q8 if before is Answer.NO else 0)
    if mean_q8 >= yes_from and not (before is Answer.NO and mean_q8 <= no_up_to):
        return Answer.YES, mean_q8 - yes_from
    if mean_q8 <= no_up_to:
        return Answer.NO, no_up_to - mean_q8
    return Answer.UNDECIDED, max(mean_q8 - yes_from, no_up_to - mean_q8)


class Judge:
    """One stream of windows, in order and in any portions."""

    def __init__(self, spec: VerdictSpec, labels: Labels) -> None:
        self._spec = spec
        self._labels = labels
        self._limits = np.array([spec.flag_limits.get(flag, 2**31) for flag in FLAGS])
        self._means = {one.output: Mean(spec.mean_windows, spec.mean_hops) for one in spec.questions}
        self._before = [Answer.UNDECIDED] * len(spec.questions)

    def usable(self, flag_columns: I64) -> NDArray[np.bool_]:
        """Which windows [n, flags] may be judged: a network is not asked about the others."""
        return np.asarray((flag_columns <= self._limits).all(axis=1))

    def push(
        self, codes: Mapping[str, NDArray[np.int8]], usable: NDArray[np.bool_]
    ) -> list[tuple[str, int, int]]:
        """(label, score_q15, margin_q8) of each window; codes are read where usable, one for each window."""
        means = [
            self._means[one.output].push(codes[one.output].reshape(-1), usable).tolist()
            for one in self._spec.questions
        ]
        return [
            self._one(said) if judged else self._unusable()
            for judged, *said in zip(usable.tolist(), *means, strict=True)
        ]

    def _unusable(self) -> tuple[str, int, int]:
        self._before = [Answer.UNDECIDED] * len(self._before)
        word = self._spec.unusable
        return word, 0 if word == self._labels.names[0] else UNKNOWN_Q15, 0

    def _one(self, means_q8: Sequence[int]) -> tuple[str, int, int]:
        questions = self._spec.questions
        answers = [
            answer(question, mean, before)
            for question, mean, before in zip(questions, means_q8, self._before, strict=True)
        ]
        self._before = [one for one, _margin in answers]
        score = max(
            question.score_q15[(mean + 128 >> 8) + 128]
            for question, mean in zip(questions, means_q8, strict=True)
        )
        for k, (said, margin) in enumerate(answers):
            if said is Answer.YES:
                return self._labels.names[k + 1], score, margin
        undecided = Answer.UNDECIDED in self._before
        label = self._spec.undecided if undecided else self._labels.names[0]
        return label, score, min(margin for _answer, margin in answers)


class Mean:
    """Mean of a window's code and of those some hops before, in Q8, half up; unusable windows left out."""

    def __init__(self, n_windows: int, n_hops: int) -> None:
        self._offsets = [k * n_hops for k in range(n_windows)]
        self._past = np.zeros((2, self._offsets[-1]), np.int64)  # codes where usable, and how many

    def push(self, codes: NDArray[np.int8], usable: NDArray[np.bool_]) -> I64:
        """One mean for each window; 0 where no window is usable."""
        new = np.stack([np.where(usable, codes, 0).astype(np.int64), usable.astype(np.int64)])
        known = np.concatenate([self._past, new], axis=1)
        end = known.shape[1]
        sums, counts = np.sum(
            [known[:, end - back - codes.size : end - back] for back in self._offsets], axis=0
        )
        self._past = known[:, end - self._offsets[-1] :]
        counts = np.maximum(counts, 1)
        means: I64 = ((sums << 9) + counts) // (2 * counts)
        return means
