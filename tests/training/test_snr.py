"""SNR as `nst` counts it: on arithmetic, on made-up signals, and against the recordings PhysioNet mixed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.data import mitdb, nstdb
from training.data.record import Annotations
from training.snr import (
    in_read_band,
    noise_gain,
    noise_power,
    normal_beats,
    qrs_swing,
    signal_power,
    snr_db,
    trimmed_mean,
)

RATE_HZ = 360
Floats = NDArray[np.float64]


def marks_of(samples: NDArray[np.int64], symbols: str) -> Annotations:
    return Annotations(samples=samples, symbols=tuple(symbols), aux=("",) * len(samples))


def test_a_trimmed_mean_leaves_five_percent_out_at_each_end() -> None:
    assert trimmed_mean(np.array([*[1.0] * 18, 1000.0, -1000.0])) == 1.0


def test_a_qrs_of_a_millivolt_is_an_eighth_of_a_square_millivolt() -> None:
    x_uv = np.zeros(RATE_HZ * 20)
    beats = np.arange(RATE_HZ, len(x_uv) - RATE_HZ, RATE_HZ)
    x_uv[beats], x_uv[beats + 5] = 700.0, -300.0
    assert signal_power(x_uv, beats, RATE_HZ) == 1000.0**2 / 8


def test_what_lies_further_than_50_ms_from_the_mark_does_not_count() -> None:
    x_uv = np.zeros(RATE_HZ * 4)
    x_uv[[500, 500 + 19]] = 800.0, -5000.0  # 19 samples are 53 ms
    assert qrs_swing(x_uv, np.array([500]), RATE_HZ) == 800.0


def test_the_power_of_a_sine_is_half_its_square_whatever_its_offset() -> None:
    t = np.arange(RATE_HZ * 30) / RATE_HZ
    assert noise_power(500 + 200 * np.sin(2 * np.pi * 10 * t), RATE_HZ) == pytest.approx(200**2 / 2)


@settings(max_examples=30, deadline=None)
@given(wanted_db=st.floats(-10, 30), seed=st.integers(0, 2**31))
def test_a_mix_has_the_snr_that_was_asked_for(wanted_db: float, seed: int) -> None:
    """Measured on what stands in the mix, in whole microvolts, by looking at its difference from the ECG."""
    rng = np.random.default_rng(seed)
    x_uv = np.zeros(RATE_HZ * 60)
    beats = np.arange(RATE_HZ, len(x_uv) - RATE_HZ, 300)
    x_uv[beats] = rng.uniform(500, 3000)
    noise = np.cumsum(rng.standard_normal(len(x_uv))) * rng.uniform(0.1, 10)
    power = signal_power(x_uv, beats, RATE_HZ)
    gain = noise_gain(power, noise_power(noise, RATE_HZ), wanted_db)
    mixed_uv = np.rint(x_uv + gain * noise)
    measured_db = snr_db(power, noise_power(mixed_uv - x_uv, RATE_HZ))
    assert abs(measured_db - wanted_db) < 0.2


@pytest.mark.parametrize("name", ["118e12", "119e06", "119e_6"])
def test_physionets_own_mixes_were_made_with_our_gain(real_data: Path, name: str) -> None:
    """The gain that stands in a ready-made recording, found by regression, is the one we compute."""
    clean_name, wanted_db = nstdb.noise_in(name)
    place = nstdb.find(real_data)
    clean = mitdb.read(mitdb.find(real_data), clean_name)
    column = clean.leads.index(clean.lead)
    noise = nstdb.read(place, "em", lead=f"noise{column + 1}")
    mixed = nstdb.read(place, name, lead=clean.lead)
    assert clean.annotations is not None
    ecg = (clean.counts_i32 - clean.baseline_counts).astype(np.float64)
    em = noise.counts_i32.astype(np.float64)
    power = signal_power(ecg, normal_beats(clean.annotations), RATE_HZ)
    expected = noise_gain(power, noise_power(em, RATE_HZ), wanted_db)
    noisy = slice(310 * RATE_HZ, 410 * RATE_HZ)  # the first noisy stretch; noise starts with its first sample
    added = (mixed.counts_i32 - mixed.baseline_counts - ecg)[noisy]
    found = max(_slopes(added, em, noisy))
    assert abs(20 * np.log10(found / expected)) < 0.2


def _slopes(added: Floats, em: Floats, noisy: slice) -> list[float]:
    """Noise may run along with the recording or start where it is let in."""
    found = []
    for start in (noisy.start, noisy.start - 300 * RATE_HZ):
        piece = em[start : start + len(added)]
        centred = piece - piece.mean()
        fit = float(centred @ (added - added.mean()) / (centred @ centred))
        left = added - added.mean() - fit * centred
        if left.std() < 0.2 * added.std():
            found.append(fit)
    return found


def test_wander_hardly_counts_and_mains_little_in_the_band_in_which_an_ecg_is_read() -> None:
    t = np.arange(RATE_HZ * 60) / RATE_HZ
    for hz, low, high in ((0.1, 0.0, 0.05), (10.0, 0.99, 1.01), (60.0, 0.0, 0.4)):
        heard = in_read_band(np.sqrt(2) * np.sin(2 * np.pi * hz * t), RATE_HZ)[RATE_HZ * 20 :]
        assert low <= float(heard.std()) <= high, hz


def test_a_paced_heart_is_measured_by_its_paced_beats() -> None:
    assert normal_beats(marks_of(np.array([10, 20, 30]), "/f+")).tolist() == [10, 20]
    assert normal_beats(marks_of(np.array([10, 20, 30]), "NV/")).tolist() == [10]


def test_a_signal_without_beats_has_no_power() -> None:
    with pytest.raises(ContractError, match="expected beats"):
        signal_power(np.zeros(1000), np.array([], dtype=np.int64), RATE_HZ)
    with pytest.raises(ContractError, match="a second of noise or more"):
        noise_power(np.zeros(10), RATE_HZ)
