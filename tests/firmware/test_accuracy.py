"""The integers against mathematics: the true Morlet, and pywt beside it for its distance."""

import os
from pathlib import Path

import numpy as np
import pytest
import pywt

from tests.golden import accuracy, reference, signals, twin

ECGS = accuracy.ecg_signals()


def hold_to_the_bounds(name: str, found: accuracy.Accuracy) -> None:
    """1 mV QRS, behind the blocker: the budget is derived in golden/reference.py."""
    assert found.snr_db >= 60, f"{name}: SNR {found.snr_db:.1f} dB"
    assert found.row_snr_db.min() >= 45, (
        f"{name}: row {found.row_snr_db.argmin()} at {found.row_snr_db.min():.1f} dB"
    )
    assert found.share_within_1 >= 0.99, f"{name}: {found.share_within_1:.2%} of the codes within one"
    assert found.worst_codes <= 4, f"{name}: one code is off by {found.worst_codes:.0f}"


@pytest.mark.parametrize("name", ECGS)
def test_a_1_mv_ecg_is_within_the_error_budget(name: str) -> None:
    hold_to_the_bounds(name, accuracy.compare(twin.front_end(accuracy.to_counts(ECGS[name]))))


@pytest.mark.parametrize("rate_hz", [250, 300, 360, 400, 500, 512, 1000])
def test_a_resampled_ecg_is_within_the_error_budget(rate_hz: int) -> None:
    counts = accuracy.to_counts(signals.ecg(24, rate_hz))
    hold_to_the_bounds(f"{rate_hz} Hz", accuracy.compare(twin.front_end(counts, rate_hz=rate_hz)))


def test_real_records_scaled_to_1_mv_are_within_the_error_budget() -> None:
    if "WRISTLEAD_DATA" not in os.environ:
        pytest.skip("WRISTLEAD_DATA is not set: no MIT-BIH and CinC 2017 records here")
    checked = 0
    for name, rate_hz, x_uv in accuracy.real_records(
        Path(os.environ["WRISTLEAD_DATA"]), n_cinc=40, seconds=24
    ):
        scaled = accuracy.scaled_to_1_mv(rate_hz, x_uv)
        if scaled is not None:
            hold_to_the_bounds(
                name, accuracy.compare(twin.front_end(accuracy.to_counts(scaled), rate_hz=rate_hz))
            )
            checked += 1
    assert checked >= 85


def test_pywt_is_thirty_decibels_away_and_so_is_it_from_the_truth() -> None:
    """pywt interpolates a sampled integral of the wavelet: it is the less exact of the two."""
    out = twin.front_end(accuracy.to_counts(ECGS["sum of Gaussians"]))
    x_uv, n_columns = out.after_blocker_uv, len(out.flags_u8)
    scales = np.array(
        [reference.OMEGA_0 * reference.RATE_HZ / (2 * np.pi * reference.row_hz(r)) for r in range(30)]
    )
    wavelet = f"cmor2.0-{reference.OMEGA_0 / (2 * np.pi):.10f}"
    coefficients, _ = pywt.cwt(x_uv, scales, wavelet, method="fft")
    squares = (np.abs(coefficients) * 2 / np.sqrt(scales)[:, None]) ** 2
    theirs = np.empty((n_columns, 30))
    for row in range(30):
        offsets, weights = reference.POOLING[row // 6]
        at = (np.arange(n_columns)[:, None] * 16 + np.array(offsets)).clip(0, x_uv.size - 1)
        theirs[:, row] = squares[row][at] @ np.array(weights) / sum(weights)
    settled = slice(accuracy.SETTLED, n_columns - 40)
    ours, truth = out.power_uv2[settled], reference.pooled_power(x_uv, n_columns)[settled]
    assert accuracy.snr_db(np.sqrt(theirs[settled]), np.sqrt(ours)) >= 30
    assert accuracy.snr_db(np.sqrt(truth), np.sqrt(ours)) > accuracy.snr_db(
        np.sqrt(truth), np.sqrt(theirs[settled])
    )


def test_a_sine_of_a_microvolts_reads_as_a_microvolts() -> None:
    t = np.arange(256 * 16) / 256
    for row in (0, 7, 14, 21, 29):
        tone = 1000 * np.sin(2 * np.pi * reference.row_hz(row) * t)
        out = twin.front_end(accuracy.to_counts(tone))
        middle = float(np.median(np.sqrt(out.power_uv2[80:160, row])))
        blocker = 1 / np.sqrt(
            1 + (256 / (2 * np.pi * 128) / reference.row_hz(row)) ** 2
        )  # one pole at 0.32 Hz
        assert middle == pytest.approx(
            1000 * blocker, rel=0.01
        )  # a third of a code: the taps are fitted for an ECG's spectrum, not for one tone
