"""Rates, intervals and calibration against values worked out by hand."""

import math

import numpy as np
import pytest

from training.metrics import (
    Confusion,
    bootstrap,
    bootstrap_mean,
    confusion,
    expected_calibration_error,
    fit_temperature,
    mean_known,
    sigmoid,
)


def test_rates_of_a_confusion() -> None:
    counts = Confusion(tp=8, fn=2, fp=30, tn=70)
    assert counts.sensitivity == 0.8
    assert counts.specificity == 0.7
    assert counts.balanced_accuracy == pytest.approx(0.75)
    assert counts.precision == pytest.approx(8 / 38)
    assert counts.false_positive_rate == 0.3
    assert counts.accuracy == pytest.approx(78 / 110)


def test_a_rate_of_nothing_is_unknown_and_stays_out_of_the_average() -> None:
    assert math.isnan(Confusion(tn=5).sensitivity)
    assert mean_known([0.5, float("nan"), 1.0]) == 0.75


def test_confusions_add_up_to_the_gross_figure() -> None:
    truth, said = np.array([True, True, False, False]), np.array([True, False, True, False])
    one = confusion(truth, said)
    assert one == Confusion(tp=1, fn=1, fp=1, tn=1)
    assert one + one == Confusion(tp=2, fn=2, fp=2, tn=2)


def test_the_interval_of_a_constant_is_the_constant() -> None:
    interval = bootstrap_mean({"100": 0.9, "101": 0.9, "102": 0.9})
    assert (interval.low, interval.high) == pytest.approx((0.9, 0.9))


def test_a_bootstrap_draws_records_and_not_windows() -> None:
    values = {"100": 0.0, "101": 1.0}
    interval = bootstrap(["100", "101"], lambda drawn: float(np.mean([values[name] for name in drawn])))
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_temperature_recovers_the_factor_the_logits_were_stretched_by() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 200_000)
    labels = (rng.random(len(logits)) < sigmoid(logits)).astype(np.int64)
    assert fit_temperature(3.0 * logits, labels) == pytest.approx(3.0, rel=0.02)


def test_calibration_error_is_the_gap_between_said_and_seen() -> None:
    said = np.full(100, 0.9)
    labels = np.array([1] * 60 + [0] * 40)
    assert expected_calibration_error(said, labels) == pytest.approx(0.3)
    assert expected_calibration_error(np.array([1.0, 0.0]), np.array([1, 0])) == 0.0


def test_a_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


def test_the_interval_of_an_unknown_rate_is_unknown() -> None:
    assert math.isnan(bootstrap(["100", "101"], lambda _drawn: float("nan")).low)
