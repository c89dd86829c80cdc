"""What a card says beside the figures: intervals, operating points, the hardest recordings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields, as_number, as_text
from export.flips import Answers
from export.judged import Asked
from training.evaluate import (
    UNKNOWN,
    Spread,
    Windows,
    spread_of_auc,
    spread_of_balanced_accuracy,
)

N_HARDEST = 5
FEWEST_WINDOWS = 10  # of a recording that is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Kept beside the figures where the judging side has been opened."""

    spreads: Mapping[str, tuple[float, float, float, float]]  # figure -> real low, high; int8 low, high
    points: tuple[str, ...]  # what each threshold finds and what it wrongly calls, a line each
    hardest: tuple[str, ...]  # recordings with most wrong verdicts, a line each


def standing_from_json(read: Fields) -> Standing:
    spreads = read.object("spreads")
    found = Standing(
        spreads={name: _four(spreads.items(name, as_number), name) for name in spreads.names()},
        points=read.items("points", as_text),
        hardest=read.items("hardest", as_text),
    )
    read.done()
    return found


def _four(numbers: tuple[float, ...], name: str) -> tuple[float, float, float, float]:
    if len(numbers) != 4:
        raise ContractError(f"spreads: {name}: expected 4 numbers, got {len(numbers)}")
    one, two, three, four = numbers
    return one, two, three, four


NOTHING = Standing(spreads={}, points=(), hardest=())


def standing_of(windows: Windows, found: Answers, questions: Sequence[Asked]) -> Standing:
    return Standing(
        spreads=dict(_spreads(windows, found)),
        points=tuple(_points(windows, found, questions)),
        hardest=tuple(_hardest(windows, found)),
    )


def _spreads(windows: Windows, found: Answers) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    verdicts: list[Spread] = [
        spread_of_balanced_accuracy(said > 0, windows.verdict, windows.recording)
        for said in (found.before, found.after)
    ]
    yield "balanced accuracy", (*verdicts[0], *verdicts[1])
    for output, truth in windows.truths.items():
        real = spread_of_auc(found.logits[output], truth, windows.recording)
        yield (
            f"AUC of {output}",
            (*real, *spread_of_auc(found.codes[output].astype(np.float64), truth, windows.recording)),
        )


def _points(windows: Windows, found: Answers, questions: Sequence[Asked]) -> Iterator[str]:
    """Of all verdicts together, then of each question whose truth the recordings tell."""
    yield "any yes: " + _found_and_wrong(windows.verdict, found.before > 0, found.after > 0)
    for number, one in enumerate(questions, 1):
        truth = windows.truths.get(one.output)
        if truth is not None and len(questions) > 1 and one.is_named:
            said = (found.before == number, found.after == number)
            yield f"{one.output} above {one.threshold:.3f}: " + _found_and_wrong(truth, *said)


def _found_and_wrong(truth: NDArray[np.int8], before: NDArray[np.bool_], after: NDArray[np.bool_]) -> str:
    yes, no = truth == 1, (truth != 1) & (truth != UNKNOWN)
    return ", ".join(
        f"{name} sensitivity {said[yes].mean():.3f}, specificity {1 - said[no].mean():.3f}"
        for name, said in (("real numbers", before), ("int8", after))
    )


def _hardest(windows: Windows, found: Answers) -> Iterator[str]:
    known = windows.verdict != UNKNOWN
    is_wrong = known & ((found.after > 0) != (windows.verdict == 1))
    n = len(windows.names)
    n_wrong = np.bincount(windows.recording[is_wrong], minlength=n)
    n_known = np.bincount(windows.recording[known], minlength=n)
    shares = np.where(n_known >= FEWEST_WINDOWS, n_wrong / np.maximum(n_known, 1), 0.0)
    for index in np.argsort(-shares, kind="stable")[:N_HARDEST]:
        if n_wrong[index]:
            yield f"{windows.names[index]}: {n_wrong[index]} of {n_known[index]} verdicts are wrong"
