"""Beats as the networks see them: equal to the twin, blind to what is usual, keen on what is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.beats import beat_windows_of
from device_sim.contract.errors import ContractError
from device_sim.frontend import columns_of
from device_sim.rpeaks import RPeaks
from tests.golden import signals, twin


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    amplitude=st.sampled_from([40, 2000, 32767]),
    shortest=st.integers(1, 200),
)
def test_twin_and_c_agree_on_any_beats(seed: int, amplitude: int, shortest: int) -> None:
    rng = np.random.default_rng(seed)
    beat_uv = rng.integers(-amplitude, amplitude + 1, 9000).astype(np.int16)
    peaks = np.cumsum(rng.integers(shortest, shortest + 200, 60))
    peaks = peaks[peaks < 8900]
    made = beat_windows_of(beat_uv, peaks)
    shapes, rr = twin.beat_windows(beat_uv, peaks.tolist())
    np.testing.assert_array_equal(made.shapes_tc_i8, shapes)
    np.testing.assert_array_equal(made.rr_i8, rr)


def test_a_usual_beat_differs_by_nothing_once_it_is_usual() -> None:
    beat_uv = columns_of(np.rint(signals.ecg(60, 256, bpm=60)).astype(np.int64), rate_hz=256).beat_uv_i16
    made = beat_windows_of(beat_uv, RPeaks().push(beat_uv))
    assert np.abs(made.shapes_tc_i8[0, :, 0].astype(int)).max() > 20  # nothing was known yet
    assert np.abs(made.shapes_tc_i8[20:, :, 0].astype(int)).max() <= 2
    assert np.abs(made.rr_i8[5:-1].astype(int)).max() <= 2  # an even rhythm


def test_an_ectopic_beat_stands_out_and_is_not_learned() -> None:
    ecg = signals.ecg(60, 128, bpm=60)  # a beat takes 128 samples exactly: no jitter of sampling
    start = 3020
    ecg[start : start + 60] += 1500 * np.hanning(60)  # a broad beat on top of the rhythm
    beat_uv = np.rint(ecg).astype(np.int16)
    peaks = RPeaks().push(beat_uv)
    made = beat_windows_of(beat_uv, peaks)
    strange = int(np.abs(peaks - (start + 30)).argmin())
    excursion = np.abs(made.shapes_tc_i8[:, :, 0].astype(int)).max(axis=1)
    assert excursion[strange] > 30
    assert excursion[strange + 2 : strange + 6].max() <= 4


def test_an_early_beat_shows_in_the_rhythm() -> None:
    beat_uv = np.zeros(128 * 40, np.int16)
    peaks = np.arange(20) * 100 + 200
    peaks[10] -= 30
    rr = beat_windows_of(beat_uv, peaks).rr_i8
    assert rr[10, 0] == round(64 * np.log2(0.7))  # the interval before it is three tenths short
    assert rr[10, 1] == round(64 * np.log2(1.3))  # and the one behind it as much longer
    assert rr[9, 1] == round(64 * np.log2(0.7))
    assert not rr[0].any()


def test_early_beats_stay_early_where_three_of_four_are() -> None:
    pattern = [120, 84, 84, 84]  # a normal interval, then a run of three early beats
    peaks = 200 + np.cumsum(pattern * 100)
    beat_uv = np.zeros(int(peaks[-1]) + 200, np.int16)
    early = beat_windows_of(beat_uv, peaks).rr_i8[200:, 0].reshape(-1, 4)
    assert (early[:, 1:] <= -26).all()  # -0.51 octaves: nearly all of what 84 is to 120
    assert (np.abs(early[:, 0]) <= 6).all()


def test_what_a_settling_detector_misheard_is_forgotten_within_a_minute() -> None:
    rng = np.random.default_rng(5)
    misheard = rng.integers(20, 60, 20)  # T waves taken for beats
    peaks = 200 + np.cumsum(np.concatenate([misheard, np.full(100, 120)]))
    beat_uv = np.zeros(int(peaks[-1]) + 200, np.int16)
    rr = beat_windows_of(beat_uv, peaks).rr_i8
    assert np.abs(rr[80:-1, 0]).max() <= 2


@pytest.mark.parametrize(
    ("beat_uv", "peaks", "says"),
    [
        (np.zeros(100), [5], "beat_uv: expected one row of int16, got float64"),
        (np.zeros(100, np.int16), [5, 100], "peaks: expected sample numbers 0..99, got 5..100"),
        (np.zeros(100, np.int16), [5, 9, 9], "peaks: expected ascending samples, got 9 before 9"),
        (np.zeros(100, np.int16), [5.5], "peaks: expected sample numbers"),
    ],
)
def test_beats_that_make_no_sense_are_refused(beat_uv: np.ndarray, peaks: list[float], says: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ContractError, match=says):
        beat_windows_of(beat_uv, peaks)
