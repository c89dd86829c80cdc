"""Shrinkage takes the hiss and leaves the heart."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.shrinkage import shrunk
from training.snr import in_read_band, qrs_swing

RATE_HZ = 360
Floats = NDArray[np.float64]


def heart_and_hiss(hiss_uv: float) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Half a minute of beats with a T wave, white noise of this RMS, and where the beats are."""
    x_uv = np.zeros(RATE_HZ * 30)
    beats = np.arange(200, len(x_uv) - 200, 290)
    reach = np.arange(-150, 151)
    for at in beats:
        x_uv[at + reach] += 1000 * np.exp(-0.5 * (reach / 5) ** 2)
        x_uv[at + reach] += 200 * np.exp(-0.5 * ((reach - 90) / 18) ** 2)
    return x_uv, np.random.default_rng(0).normal(0, hiss_uv, len(x_uv)), beats


@pytest.mark.parametrize("hiss_uv", [5.0, 15.0, 30.0])
def test_most_of_the_hiss_goes_and_the_qrs_stays(hiss_uv: float) -> None:
    x_uv, hiss, beats = heart_and_hiss(hiss_uv)
    quiet = shrunk(x_uv + hiss)
    assert float((quiet - x_uv).std()) < 0.7 * hiss_uv  # what is left lies below 11 Hz and under the QRS
    before = qrs_swing(in_read_band(x_uv, RATE_HZ), beats, RATE_HZ)
    after = qrs_swing(in_read_band(quiet, RATE_HZ), beats, RATE_HZ)
    assert after == pytest.approx(before, rel=0.1)


def test_a_slow_wave_is_left_alone() -> None:
    t = np.arange(RATE_HZ * 20) / RATE_HZ
    wave = 300 * np.sin(2 * np.pi * 2 * t)
    noisy = wave + np.random.default_rng(1).normal(0, 10, len(t))
    inside = slice(RATE_HZ, -RATE_HZ)
    assert float((shrunk(noisy) - wave)[inside].std()) < 5


def test_silence_stays_silence_and_the_length_stays_odd() -> None:
    assert shrunk(np.zeros(1001)).tolist() == [0.0] * 1001
