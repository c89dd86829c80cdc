"""How well a score tells clean windows from noisy ones: clean is positive, and fifty times as frequent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import Interval, confusion

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
PAPER_POINTS = ((0.776, 0.934), (0.836, 0.884), (0.887, 0.841))  # Se, Sp: the rows of the paper's table
N_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Ranked:
    """Scores in falling order, ties together, so that a figure costs one pass for any weights."""

    scores: Floats
    order: NDArray[np.int64]
    last_of_tie: Mask
    is_clean: Mask

    def curve(self, weights: Floats | None = None) -> tuple[Floats, Floats]:
        """False and true positive counts from the strictest threshold to the most lenient, 0 first."""
        known = np.ones(len(self.order)) if weights is None else weights[self.order]
        true, false = np.cumsum(known * self.is_clean), np.cumsum(known * ~self.is_clean)
        return (
            np.concatenate([[0.0], false[self.last_of_tie]]),
            np.concatenate([[0.0], true[self.last_of_tie]]),
        )


def ranked(scores: Floats, is_clean: Mask) -> Ranked:
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    return Ranked(ordered, order, np.append(ordered[1:] != ordered[:-1], True), is_clean[order])


def roc_auc(rank: Ranked, weights: Floats | None = None) -> float:
    """Chance that a clean window scores above a noisy one; NaN without both."""
    false, true = rank.curve(weights)
    if false[-1] <= 0 or true[-1] <= 0:
        return float("nan")
    return _area(true, false) / float(false[-1] * true[-1])


def specificity_at(rank: Ranked, sensitivity: float, weights: Floats | None = None) -> float:
    """Noisy windows found where this share of the clean ones passes; between two thresholds, on the line."""
    false, true = rank.curve(weights)
    if false[-1] <= 0 or true[-1] <= 0:
        return float("nan")
    rates, false_rates = true / true[-1], false / false[-1]
    at = int(np.searchsorted(rates, sensitivity - 1e-12))  # the first, so the strictest, that passes enough
    if at == 0 or rates[at] - sensitivity < 1e-12:
        return float(1 - false_rates[at])
    share = (sensitivity - rates[at - 1]) / (rates[at] - rates[at - 1])
    return float(1 - false_rates[at - 1] - share * (false_rates[at] - false_rates[at - 1]))


def noisy_precision_area(rank: Ranked, weights: Floats | None = None) -> float:
    """Average precision of 'noisy', from the lowest scores up."""
    false, true = rank.curve(weights)
    noisy, clean = (false[-1] - false)[::-1], (true[-1] - true)[::-1]
    if noisy[-1] <= 0:
        return float("nan")
    precision = noisy[1:] / np.maximum(noisy[1:] + clean[1:], 1e-12)
    return float(np.sum(np.diff(noisy) / noisy[-1] * precision))


def balanced_accuracy(scores: Floats, is_clean: Mask, threshold: float) -> float:
    """A score above the threshold is clean."""
    return confusion(is_clean, scores > threshold).balanced_accuracy


def best_threshold(scores: Floats, is_clean: Mask) -> float:
    """Where balanced accuracy is highest: half-way between the two scores it separates."""
    rank = ranked(scores, is_clean)
    false, true = rank.curve()
    gain = true / true[-1] - false / false[-1]
    edges = np.concatenate([[rank.scores[0] + 1], rank.scores[rank.last_of_tie]])
    best = int(np.argmax(gain))
    below = edges[best + 1] if best + 1 < len(edges) else edges[best] - 1
    return float((edges[best] + below) / 2)


def smoothed(scores: Floats, recording: NDArray[np.int64], n_windows: int) -> Floats:
    """Mean of a window and those before it, as a device that waits would have it; never across recordings."""
    sums, counts = scores.copy(), np.ones(len(scores))
    for back in range(1, n_windows):
        same = recording[back:] == recording[:-back]
        sums[back:][same] += scores[:-back][same]
        counts[back:][same] += 1
    means: Floats = sums / counts
    return means


def by_recording(scores: Floats, recording: NDArray[np.int64], n_recordings: int) -> Floats:
    """Mean score of each recording; NaN for one too short to hold a window."""
    counts = np.bincount(recording, minlength=n_recordings)
    sums = np.bincount(recording, weights=scores, minlength=n_recordings)
    means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def bootstrap_recordings(
    figure: Callable[[Floats], float],
    recording: NDArray[np.int64],
    n_recordings: int,
    *,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Interval:
    """95 % interval when recordings are drawn again: a window weighs as often as its recording was drawn."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(n_resamples):
        times = np.bincount(rng.integers(n_recordings, size=n_recordings), minlength=n_recordings)
        drawn.append(figure(times[recording].astype(np.float64)))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(low=float(low), high=float(high))


def false_noisy_rates(
    scores: Floats, labels: NDArray[np.str_], threshold: float, names: Sequence[str]
) -> dict[str, float]:
    """Share of each kind of readable window that is called noisy: of atrial fibrillation above all."""
    return {name: float(np.mean(scores[labels == name] <= threshold)) for name in names}


def _area(heights: Floats, places: Floats) -> float:
    return float(np.sum(np.diff(places) * (heights[1:] + heights[:-1]) / 2))
