"""R peaks: the C detector equals its twin, and finds the beats of an ECG in time."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.contract.errors import ContractError
from device_sim.frontend import columns_of
from device_sim.rpeaks import RPeaks
from tests.golden import signals, twin
from tests.golden.vectors import golden_cases, qrs_from_bytes

CASES = golden_cases("qrs")


def test_the_vectors_are_here() -> None:
    waves = {"ecg", "ecg_20uv", "ecg_fast", "ecg_inverted", "tall_t_waves", "pause", "shrinking"}
    assert {path.stem for path in CASES} == waves | {"noise", "rails", "plateau", "zeros"}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_twin_and_c_equal_the_vector(path: Path) -> None:
    beat_uv, peaks = qrs_from_bytes(path.read_bytes())
    assert RPeaks().push(beat_uv).tolist() == peaks.tolist()
    assert twin.r_peaks(beat_uv) == peaks.tolist()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), amplitude=st.sampled_from([3, 50, 1000, 32767]), hold=st.integers(1, 60)
)
def test_twin_and_c_agree_on_any_stream(seed: int, amplitude: int, hold: int) -> None:
    rng = np.random.default_rng(seed)
    beat_uv = np.repeat(rng.integers(-amplitude, amplitude + 1, 3000 // hold), hold).astype(np.int16)
    assert RPeaks().push(beat_uv).tolist() == twin.r_peaks(beat_uv)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 2560), max_size=20))
def test_any_chunking_gives_the_same_peaks(cuts: list[int]) -> None:
    beat_uv = np.rint(signals.ecg(20, 128)).astype(np.int16)
    detector = RPeaks()
    edges = [0, *sorted(cuts), beat_uv.size]
    parts = [detector.push(beat_uv[a:b]) for a, b in pairwise(edges)]
    assert np.concatenate(parts).tolist() == RPeaks().push(beat_uv).tolist()


@pytest.mark.parametrize("bpm", [40, 72, 120, 200])
@pytest.mark.parametrize("r_uv", [60, 1000, 4000, -1000])
def test_every_beat_of_an_ecg_is_found_where_it_is(bpm: int, r_uv: int) -> None:
    counts = np.rint(signals.ecg(30, 256, r_uv=r_uv, bpm=bpm)).astype(np.int64)
    peaks_s = RPeaks().push(columns_of(counts, rate_hz=256).beat_uv_i16) / 128
    true_s = (np.arange(100) + 0.4) * 60 / bpm
    inside = true_s[(true_s > 3) & (true_s < 28)]
    nearest = np.abs(inside[:, None] - peaks_s[None, :]).min(axis=1)
    assert nearest.max() <= 0.02, f"farthest {nearest.max():.3f} s"
    assert np.sum((peaks_s > 3 - 0.02) & (peaks_s < 28)) <= inside.size + 1


def test_a_peak_is_reported_within_half_a_second() -> None:
    beat_uv = np.rint(signals.ecg(20, 128)).astype(np.int16)
    detector = RPeaks()
    delays = []
    for i in range(beat_uv.size):
        delays += [i - peak for peak in detector.push(beat_uv[i : i + 1])]
    assert len(delays) >= 20
    assert max(delays) <= 64  # samples of 128 Hz


def test_a_stream_of_another_kind_is_refused() -> None:
    with pytest.raises(ContractError, match="beat_uv: expected one row of int16, got float64"):
        RPeaks().push(np.zeros(5))
