"""Figures of a ranking, against hand counts and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.quality_metrics import (
    PAPER_POINTS,
    balanced_accuracy,
    best_threshold,
    bootstrap_recordings,
    by_recording,
    false_noisy_rates,
    noisy_precision_area,
    ranked,
    roc_auc,
    smoothed,
    specificity_at,
)

Floats = NDArray[np.float64]


def drawn(seed: int, n: int = 400) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores with many ties."""
    rng = np.random.default_rng(seed)
    is_clean = rng.random(n) < 0.8
    return np.round(rng.normal(is_clean * 1.5, 1.0), 1), is_clean


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_areas_are_those_of_scikit_learn_with_ties_and_weights(seed: int) -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    scores, is_clean = drawn(seed)
    weights = np.random.default_rng(seed).integers(0, 4, len(scores)).astype(np.float64)
    rank = ranked(scores, is_clean)
    assert roc_auc(rank) == pytest.approx(roc_auc_score(is_clean, scores))
    assert roc_auc(rank, weights) == pytest.approx(roc_auc_score(is_clean, scores, sample_weight=weights))
    assert noisy_precision_area(rank) == pytest.approx(average_precision_score(~is_clean, -scores))


def test_specificity_at_a_sensitivity_lies_on_the_curve() -> None:
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    is_clean = np.array([True, True, False, True, False])
    rank = ranked(scores, is_clean)
    assert specificity_at(rank, 2 / 3) == pytest.approx(1.0)
    assert specificity_at(rank, 1.0) == pytest.approx(0.5)
    assert specificity_at(rank, 5 / 6) == pytest.approx(0.5)  # behind the noisy one at 3
    assert [sensitivity for sensitivity, _ in PAPER_POINTS] == [0.776, 0.836, 0.887]


def test_without_noisy_windows_there_is_no_area() -> None:
    rank = ranked(np.array([1.0, 2.0]), np.array([True, True]))
    assert np.isnan([roc_auc(rank), specificity_at(rank, 0.5), noisy_precision_area(rank)]).all()


def test_the_best_threshold_separates_what_can_be_separated() -> None:
    scores, is_clean = np.array([0.1, 0.2, 0.7, 0.9]), np.array([False, False, True, True])
    threshold = best_threshold(scores, is_clean)
    assert threshold == pytest.approx(0.45)
    assert balanced_accuracy(scores, is_clean, threshold) == 1.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_threshold_is_better_than_the_best(seed: int) -> None:
    scores, is_clean = drawn(seed)
    best = balanced_accuracy(scores, is_clean, best_threshold(scores, is_clean))
    assert all(balanced_accuracy(scores, is_clean, cut) <= best + 1e-12 for cut in np.unique(scores))


def test_smoothing_looks_back_three_windows_and_never_into_another_recording() -> None:
    scores = np.array([3.0, 0.0, 6.0, 9.0, 10.0, 20.0])
    recording = np.array([0, 0, 0, 0, 1, 1])
    assert smoothed(scores, recording, 3).tolist() == [3.0, 1.5, 3.0, 5.0, 10.0, 15.0]
    assert smoothed(scores, recording, 1).tolist() == scores.tolist()


def test_a_recording_scores_the_mean_of_its_windows() -> None:
    found = by_recording(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 2]), 3)
    assert found[[0, 2]].tolist() == [2.0, 5.0]
    assert np.isnan(found[1])


def test_windows_of_one_recording_make_the_interval_no_narrower() -> None:
    """Ten copies of every window are no more knowledge than one."""
    scores, is_clean = drawn(4, 150)
    own = np.arange(150)
    once = ranked(scores, is_clean)
    ten = ranked(np.repeat(scores, 10), np.repeat(is_clean, 10))
    narrow = bootstrap_recordings(lambda w: roc_auc(once, w), own, 150, n_resamples=200)
    wide = bootstrap_recordings(lambda w: roc_auc(ten, w), np.repeat(own, 10), 150, n_resamples=200)
    assert (wide.low, wide.high) == pytest.approx((narrow.low, narrow.high))
    assert narrow.low < roc_auc(once) < narrow.high


def test_false_noisy_rates_are_per_kind_of_rhythm() -> None:
    labels = np.array(["normal", "normal", "af", "af", "noise"])
    rates = false_noisy_rates(np.array([1.0, -1.0, -1.0, -2.0, -5.0]), labels, 0.0, ("normal", "af"))
    assert rates == {"normal": 0.5, "af": 1.0}
