"""Windows whose truth is known, and what a network is worth by its answers to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.metrics import confusion, fit_temperature
from training.quality_metrics import bootstrap_recordings, ranked, roc_auc

I8 = NDArray[np.int8]
Recordings = NDArray[np.int64]  # of each window
Spread = tuple[float, float]
N_RESAMPLES = 500
UNKNOWN = -1  # of a truth: this window says nothing about this output


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Windows of many recordings, in the device's order: inputs channels last, one truth for every output."""

    inputs: Mapping[str, I8]
    truths: Mapping[str, I8]  # output -> 1, 0 or UNKNOWN for each window
    verdict: I8  # is anything of what the net looks for there: 1, 0 or UNKNOWN
    recording: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.recording)

    def take(self, chosen: NDArray[np.int64]) -> "Windows":
        return replace(
            self,
            inputs={name: x[chosen] for name, x in self.inputs.items()},
            truths={name: y[chosen] for name, y in self.truths.items()},
            verdict=self.verdict[chosen],
            recording=self.recording[chosen],
        )


def stratified(strata: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """n windows, as many of each stratum as it has, the rest from the others; sorted."""
    pools = [rng.permutation(np.flatnonzero(strata == one)) for one in np.unique(strata)]
    taken: list[NDArray[np.int64]] = []
    left = min(n, len(strata))
    for done, pool in enumerate(sorted(pools, key=len)):
        share = pool[: left // (len(pools) - done)]
        taken.append(share)
        left -= len(share)
    return np.sort(np.concatenate(taken))


def auc_of(logits: NDArray[np.float64], truth: I8) -> float:
    """Area under the ROC curve of the windows whose truth is known."""
    known = truth != UNKNOWN
    return roc_auc(ranked(logits[known], truth[known] == 1))


def roc_of(numbers: NDArray[np.float64], truth: I8) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the other windows that every threshold lets through, and of the right ones."""
    known = truth != UNKNOWN
    false, true = ranked(numbers[known], truth[known] == 1).curve()
    return false / false[-1], true / true[-1]


def balanced_accuracy_of(says_yes: NDArray[np.bool_], truth: I8) -> float:
    known = truth != UNKNOWN
    return confusion(truth[known] == 1, says_yes[known]).balanced_accuracy


def spread_of_auc(numbers: NDArray[np.float64], truth: I8, recording: Recordings) -> Spread:
    """95 % interval of auc_of when recordings are drawn again."""
    known = truth != UNKNOWN
    rank = ranked(numbers[known], truth[known] == 1)
    return _spread(lambda weights: roc_auc(rank, weights), recording, known)


def spread_of_balanced_accuracy(says_yes: NDArray[np.bool_], truth: I8, recording: Recordings) -> Spread:
    """95 % interval of balanced_accuracy_of when recordings are drawn again."""
    known = truth != UNKNOWN
    is_yes, is_right = truth[known] == 1, says_yes[known] == (truth[known] == 1)

    def figure(weights: NDArray[np.float64]) -> float:
        shares = [float(np.average(is_right[one], weights=weights[one])) for one in (is_yes, ~is_yes)]
        return sum(shares) / 2

    return _spread(figure, recording, known)


def _spread(
    figure: Callable[[NDArray[np.float64]], float], recording: Recordings, known: NDArray[np.bool_]
) -> Spread:
    found = bootstrap_recordings(figure, recording[known], int(recording.max()) + 1, n_resamples=N_RESAMPLES)
    return round(found.low, 6), round(found.high, 6)


def temperature_of(logits: NDArray[np.float64], truth: I8) -> float:
    """T at which sigmoid(logit / T) is the chance of a yes."""
    known = truth != UNKNOWN
    return fit_temperature(logits[known], truth[known])
