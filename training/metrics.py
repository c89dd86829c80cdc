"""How good an answer is: rates per class, intervals over recordings, calibration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]
N_RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Counts of a yes-or-no question; add them up for a gross figure."""

    tp: int = 0
    fn: int = 0
    fp: int = 0
    tn: int = 0

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(
            tp=self.tp + other.tp, fn=self.fn + other.fn, fp=self.fp + other.fp, tn=self.tn + other.tn
        )

    @property
    def sensitivity(self) -> float:
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float:
        return _ratio(self.tn, self.tn + self.fp)

    @property
    def precision(self) -> float:
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def false_positive_rate(self) -> float:
        return _ratio(self.fp, self.fp + self.tn)

    @property
    def accuracy(self) -> float:
        return _ratio(self.tp + self.tn, self.tp + self.fn + self.fp + self.tn)

    @property
    def f1(self) -> float:
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def balanced_accuracy(self) -> float:
        return (self.sensitivity + self.specificity) / 2


def confusion(is_positive: NDArray[np.bool_], says_positive: NDArray[np.bool_]) -> Confusion:
    return Confusion(
        tp=int((is_positive & says_positive).sum()),
        fn=int((is_positive & ~says_positive).sum()),
        fp=int((~is_positive & says_positive).sum()),
        tn=int((~is_positive & ~says_positive).sum()),
    )


def _ratio(part: int, whole: int) -> float:
    """NaN where there is nothing to rate: a record without S beats has no sensitivity to S."""
    return part / whole if whole else float("nan")


def mean_known(values: Sequence[float]) -> float:
    """Average over the records that have the figure ('average' beside 'gross' in EC57)."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    low: float
    high: float

    def __str__(self) -> str:
        return f"[{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    records: Sequence[str],
    figure: Callable[[Sequence[str]], float],
    *,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Interval:
    """95 % interval of a figure when the recordings, not the windows, are drawn again."""
    rng = np.random.default_rng(seed)
    drawn = [
        figure([records[i] for i in rng.integers(len(records), size=len(records))])
        for _ in range(n_resamples)
    ]
    known = np.array([value for value in drawn if not np.isnan(value)])
    if not len(known):
        return Interval(low=float("nan"), high=float("nan"))  # nothing said, nothing to be precise about
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(low=float(low), high=float(high))


def bootstrap_mean(per_record: Mapping[str, float], *, seed: int = 0) -> Interval:
    """Interval of a mean over recordings; for a paired comparison hand in the differences."""
    values = np.array(list(per_record.values()))
    drawn = np.random.default_rng(seed).integers(len(values), size=(N_RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return Interval(low=float(low), high=float(high))


def sigmoid(logits: Floats) -> Floats:
    half: Floats = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return half


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """The one number T that makes sigmoid(logit / T) most likely; golden section on log T."""
    signs = np.where(labels > 0, 1.0, -1.0)

    def loss(log_t: float) -> float:
        return float(np.logaddexp(0.0, -signs * logits / np.exp(log_t)).mean())

    low, high = np.log(0.05), np.log(20.0)
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(60):  # 0.618^60: far below what float64 tells apart
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def expected_calibration_error(probabilities: Floats, labels: Labels, *, n_bins: int = 15) -> float:
    """Mean gap between what is said and what happens, over bins of equal width, weighted by size."""
    bins = np.minimum((probabilities * n_bins).astype(np.int64), n_bins - 1)
    gap = 0.0
    for index in range(n_bins):
        inside = bins == index
        if inside.any():
            gap += inside.mean() * abs(probabilities[inside].mean() - (labels[inside] > 0).mean())
    return float(gap)
