"""Where a threshold is set, when no answer is given, and whether a score means what it says."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.metrics import confusion, sigmoid
from training.protocols.operating import (
    SENSITIVITIES,
    UNDECIDED,
    Step,
    as_met,
    band_of,
    both_alike,
    calibration_of,
    point_of,
    thresholds_for,
)


def answers(n: int, *, noisy_share: float, sharpness: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Were both as many, the chance of clean would be sigmoid((score - 2) * sharpness)."""
    rng = np.random.default_rng(4)
    even = rng.normal(0, 2, 8 * n)
    is_clean = rng.random(8 * n) < sigmoid(even * sharpness)
    clean, noisy = even[is_clean], even[~is_clean]
    n_noisy = int(n * noisy_share)
    scores = np.concatenate([clean[: n - n_noisy], noisy[:n_noisy]])
    return scores + 2, np.arange(n) < n - n_noisy


def test_noisy_and_clean_weigh_the_same_however_few_there_are() -> None:
    is_clean = np.array([True] * 7 + [False] * 2)
    chosen = both_alike(is_clean)
    assert is_clean[chosen].sum() == (~is_clean[chosen]).sum() == 7
    assert set(chosen) == set(range(9))


def test_a_temperature_is_found_again_where_noisy_windows_are_rare() -> None:
    scores, is_clean = answers(40_000, noisy_share=0.05, sharpness=0.5)
    band = band_of("net", scores, is_clean, np.ones(len(scores), dtype=np.bool_), 2.0)
    assert band.temperature == pytest.approx(2.0, rel=0.15)
    found = calibration_of(band, scores, is_clean)
    assert found.ece_after < 0.03 < found.ece_before


def test_windows_one_could_argue_about_do_not_choose_the_temperature() -> None:
    scores, is_clean = answers(40_000, noisy_share=0.5, sharpness=0.5)
    doubtful, either = np.zeros(20_000) + 2, np.arange(20_000) % 2 == 0
    mixed, truth = np.concatenate([scores, doubtful + 3]), np.concatenate([is_clean, either])
    known = np.arange(len(mixed)) < len(scores)
    assert band_of("net", mixed, truth, known, 2.0).temperature == pytest.approx(2.0, rel=0.15)
    assert band_of("net", mixed, truth, np.ones_like(known), 2.0).temperature > 2.6


def test_a_tenth_of_the_windows_gets_no_answer_and_the_rest_is_answered_better() -> None:
    scores, is_clean = answers(40_000, noisy_share=0.5, sharpness=1.0)
    band = band_of("net", scores, is_clean, np.ones(len(scores), dtype=np.bool_), 2.0)
    found = calibration_of(band, scores, is_clean)
    assert (found.clean_undecided + found.noisy_undecided) / 2 == pytest.approx(UNDECIDED, abs=0.01)
    everything = confusion(is_clean, scores > 2.0)
    assert found.sensitivity > everything.sensitivity + 0.01
    assert found.specificity > everything.specificity + 0.01


def test_a_threshold_lets_the_share_pass_that_was_asked_for_and_counts_each_rhythm() -> None:
    scores = np.arange(400.0)
    labels = np.array(["noise"] * 100 + ["af"] * 100 + ["normal"] * 100 + ["other"] * 100)
    is_clean = labels != "noise"
    logit = thresholds_for(scores, is_clean)[SENSITIVITIES.index(0.90)]
    found = point_of("net", "5 s", 0.90, logit, scores, is_clean, labels)
    assert found.sensitivity == pytest.approx(0.90)
    assert found.specificity == 1.0
    assert (found.af_refused, found.normal_refused, found.other_refused) == (0.30, 0.0, 0.0)
    assert found.noisy_precision == pytest.approx(100 / 130)


def test_a_score_made_for_both_alike_means_more_where_most_are_clean() -> None:
    assert as_met(np.array([0.0, 0.0]), np.array([True, False])).steps == (
        Step(tenth=5, n_clean=1, n_noisy=1, alike=0.5),
    )
    even, truth = answers(100_000, noisy_share=0.05, sharpness=1.0)
    found = as_met(even - 2, truth)
    assert found.clean_share == pytest.approx(0.95)
    assert found.ece < 0.02
    assert all(step.alike == pytest.approx((step.tenth + 0.5) / 10, abs=0.05) for step in found.steps)
    assert found.steps[5].n_clean / (found.steps[5].n_clean + found.steps[5].n_noisy) > 0.9
