"""Other electrodes and another pace change the ECG, not the millivolt of its QRS nor what is known of it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.hearts import QRS_UV, Clean, Stretch, draw_stretch
from training.snr import in_read_band, qrs_swing

RATE_HZ = 360
SECONDS = 60
AS_IT_IS = {"quiet_chance": 1.0, "two_leads_chance": 0.0, "pace_spread": 0.0}


def lead(name: str, width_samples: float) -> Clean:
    """Beats every 0.8 s; the second quarter could not be read."""
    n_samples = RATE_HZ * SECONDS
    beats = np.arange(200, n_samples - 200, round(0.8 * RATE_HZ))
    x_uv = np.zeros(n_samples)
    reach = np.arange(-60, 61)
    for at in beats:
        x_uv[at + reach] += np.exp(-0.5 * (reach / width_samples) ** 2)
    readable = np.ones(n_samples, dtype=np.bool_)
    readable[n_samples // 4 : n_samples // 2] = False
    return Clean(
        record="100",
        lead=name,
        rate_hz=RATE_HZ,
        ecg_uv=x_uv * QRS_UV / qrs_swing(in_read_band(x_uv, RATE_HZ), beats, RATE_HZ),
        hiss_uv=np.zeros(n_samples),
        readable=readable,
        beats=beats,
        digest=name,
    )


def drawn(leads: tuple[Clean, ...], seed: int, **changes: float) -> Stretch:
    spec = {**AS_IT_IS, "shortest_s": 20.0, "longest_s": 30.0, **changes}
    return draw_stretch(leads, np.random.default_rng(seed), **spec)


def peaks(x_uv: NDArray[np.float64]) -> NDArray[np.int64]:
    inner = x_uv[1:-1]
    return np.flatnonzero((inner > x_uv[:-2]) & (inner >= x_uv[2:]) & (inner > 0.5 * x_uv.max())) + 1


def test_without_changes_a_stretch_is_what_was_recorded() -> None:
    one = lead("MLII", 5)
    found = drawn((one,), seed=1)
    assert len(found.ecg_uv) == round(found.length_s * RATE_HZ)
    whole = np.lib.stride_tricks.sliding_window_view(one.ecg_uv, len(found.ecg_uv))
    at = np.flatnonzero((whole == found.ecg_uv).all(axis=1))
    assert any(np.array_equal(one.readable[i : i + len(found.readable)], found.readable) for i in at)


def test_at_another_pace_beats_follow_each_other_faster_or_slower() -> None:
    one, between = lead("MLII", 5), []
    for seed in range(12):
        found = drawn((one,), seed, pace_spread=0.3)
        assert len(found.ecg_uv) == len(found.readable) == round(found.length_s * RATE_HZ)
        between.append(float(np.median(np.diff(peaks(found.ecg_uv)))) / RATE_HZ)
    assert 0.8 * np.exp(-0.31) < min(between) < 0.7
    assert 0.9 < max(between) < 0.8 * np.exp(0.31)


def test_a_sum_of_leads_is_another_shape_with_a_qrs_of_a_millivolt() -> None:
    leads = (lead("MLII", 5), lead("V1", 12))
    own = {seed: drawn(leads, seed) for seed in range(8)}
    summed = {seed: drawn(leads, seed, two_leads_chance=1.0) for seed in range(8)}
    for seed, found in summed.items():
        assert not np.allclose(found.ecg_uv, own[seed].ecg_uv)
        beats = peaks(own[seed].ecg_uv)  # the same place was drawn
        swing = qrs_swing(in_read_band(found.ecg_uv, RATE_HZ), beats[1:-1], RATE_HZ)
        assert swing == pytest.approx(QRS_UV, rel=0.05)


def test_leads_that_cancel_are_not_summed() -> None:
    one = lead("MLII", 5)
    other = replace(one, lead="V1", ecg_uv=-one.ecg_uv)
    for seed in range(20):
        found = drawn((one, other), seed, two_leads_chance=1.0)
        assert np.ptp(found.ecg_uv) < 1.3 * np.ptp(one.ecg_uv)


def test_what_one_of_two_leads_does_not_show_is_not_known() -> None:
    one, other = lead("MLII", 5), lead("V1", 12)
    other = replace(other, readable=np.zeros_like(other.readable))
    assert not drawn((one, other), 3, two_leads_chance=1.0).readable.any()
