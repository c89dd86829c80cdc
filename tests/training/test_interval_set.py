"""Intervals are the noise bench's, as signal and as image of the same seconds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.hearts import QRS_UV
from training.images import INTERVAL_SAMPLES, RATE_HZ
from training.interval_set import at_picture_rate, cut_recording, intervals_of
from training.noise_bench import BenchSpec, bench
from training.noise_parts import NoiseShelf, NoiseStretch
from training.quality_set import COLUMNS, windows_of

HEART_HZ = 360


def heart(seconds: int) -> NDArray[np.float64]:
    x_uv = np.zeros(seconds * HEART_HZ)
    reach = np.arange(-60, 61)
    for at in range(200, len(x_uv) - 200, 280):
        x_uv[at + reach] += QRS_UV * np.exp(-0.5 * (reach / 5) ** 2)
    return x_uv


def shelf() -> NoiseShelf:
    rng = np.random.default_rng(9)
    noises = tuple(
        NoiseStretch(
            kind=kind, lead="noise1", start_s=0.0, noise=np.cumsum(rng.standard_normal(HEART_HZ * 200))
        )
        for kind in ("em", "ma", "bw")
    )
    return NoiseShelf(part="train", rate_hz=HEART_HZ, noises=noises)


@pytest.mark.parametrize("seed", range(6))
def test_intervals_are_what_the_noise_bench_makes_of_the_same_draws(seed: int) -> None:
    spec = BenchSpec(settling_mv=0.1, clipping_chance=0.5, lost_chance=0.5)
    x_uv = heart(40)
    readable = np.ones(len(x_uv), dtype=np.bool_)
    readable[HEART_HZ * 22 : HEART_HZ * 23] = False
    mixed = bench(x_uv, readable, HEART_HZ, shelf(), spec, np.random.default_rng(seed))
    signal, codes, clean = cut_recording(x_uv, readable, HEART_HZ, shelf(), spec, np.random.default_rng(seed))
    starts, cleanness = windows_of(mixed, 0)
    whole = {int(at): float(value) for at, value in zip(starts, cleanness, strict=True) if at % COLUMNS == 0}
    assert len(signal) == len(codes) == len(clean) == len(whole) < len(mixed.codes_ts_i8) // COLUMNS
    for image, value, (at, expected) in zip(codes, clean, sorted(whole.items()), strict=True):
        assert np.array_equal(image, mixed.codes_ts_i8[at : at + COLUMNS].T)
        assert value == pytest.approx(expected, abs=1e-6)


def test_a_signal_stands_beside_its_image() -> None:
    """A beat is where the image has its QRS: at the same share of the five seconds."""
    spec = BenchSpec(
        clean_chance=1.0, mains_chance=0, wander_chance=0, taps_chance=0, jumps_chance=0,
        lost_chance=0, clipping_chance=0, gain_step_chance=0, fresh_chance=0, gain_low=1.0, gain_high=1.0,
    )  # fmt: skip
    x_uv = np.zeros(25 * HEART_HZ)
    at_s = 5 + 13.0  # five seconds are the bench's own; in the third interval, 3 s into it
    reach = np.arange(-60, 61)
    x_uv[int(at_s * HEART_HZ) + reach] += QRS_UV * np.exp(-0.5 * (reach / 5) ** 2)
    signal, codes, clean = cut_recording(
        x_uv, np.ones(len(x_uv), np.bool_), HEART_HZ, shelf(), spec, np.random.default_rng(1)
    )
    assert signal.shape == (4, INTERVAL_SAMPLES)
    assert clean.min() > 0.9
    assert np.unravel_index(np.abs(signal).argmax(), signal.shape)[0] == 2
    assert np.abs(signal[2]).argmax() / RATE_HZ == pytest.approx(3.0, abs=0.05)
    level = codes[2, 8:16].astype(int).mean(axis=0)
    assert level.argmax() * 5 / COLUMNS == pytest.approx(3.0, abs=0.15)


def test_a_missing_last_sample_is_stood_in_for() -> None:
    found = intervals_of(np.arange(2 * INTERVAL_SAMPLES - 3, dtype=np.float32), 2)
    assert found[1, -4:].tolist() == [1276.0] * 4
    assert found[0].tolist() == list(range(INTERVAL_SAMPLES))


@pytest.mark.parametrize("rate_hz", [250, 300, 360, 500])
def test_a_sine_keeps_its_size_and_place_at_another_rate(rate_hz: int) -> None:
    t = np.arange(10 * rate_hz) / rate_hz
    found = at_picture_rate(100 * np.sin(2 * np.pi * 5 * t), rate_hz)
    expected = 100 * np.sin(2 * np.pi * 5 * np.arange(10 * RATE_HZ) / RATE_HZ)
    inside = slice(RATE_HZ, -RATE_HZ)
    assert np.abs(found[inside] - expected[inside]).max() < 1.0
