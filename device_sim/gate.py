"""Whether a beat lies on signal that is good enough: gate.c of the core, for runtimes beside it."""

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.gate import Gate
from device_sim.contract.inputs import COLUMNS
from device_sim.contract.verdict import Question
from device_sim.verdict import Answer, answer

KEPT_WINDOWS = 32
CODES = 256


class Gatekeeper:
    """One stream: what was said of its windows, and the last answer."""

    def __init__(self, gate: Gate, hop_columns: int) -> None:
        self.gate, self._hop = gate, hop_columns
        self._question = Question(
            output=gate.output,
            accept_q8=gate.accept_q8,
            reject_q8=gate.reject_q8,
            hold_q8=gate.hold_q8,
            score_q15=(0,) * CODES,
        )
        self._codes: dict[int, int] = {}  # of usable windows
        self._n_judged = 0
        self._before = Answer.UNDECIDED

    def hear(self, codes: NDArray[np.int8], usable: NDArray[np.bool_]) -> None:
        """Windows of the quality network, in order."""
        for code, is_usable in zip(codes.tolist(), usable.tolist(), strict=True):
            self._codes.pop(self._n_judged - KEPT_WINDOWS, None)
            if is_usable:
                self._codes[self._n_judged] = code
            self._n_judged += 1

    def knows(self, start: int, stop: int) -> bool:
        """Whether the windows that a beat in these columns waits for are judged."""
        return self._around(start, stop).stop <= self._n_judged

    def answer(self, start: int, stop: int) -> Answer:
        """Whether a beat in these columns may be judged: by the windows that are."""
        codes = [self._codes[w] for w in self._around(start, stop) if w in self._codes]
        if not codes:
            self._before = Answer.UNDECIDED
            return Answer.NO
        mean_q8 = ((sum(codes) << 9) + len(codes)) // (2 * len(codes))
        self._before, _margin = answer(self._question, mean_q8, self._before)
        return self._before

    def _around(self, start: int, stop: int) -> range:
        """The first windows that contain all columns of a beat, at most as many as the gate asks for."""
        first = -(-max(0, stop - COLUMNS) // self._hop)
        return range(first, min(start // self._hop + 1, first + self.gate.windows))
