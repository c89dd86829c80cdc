"""The generator keeps its promises: the same seed, true R peaks, faults where they were put."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.frontend import RATES_HZ
from device_sim.sources import Gap, Samples
from device_sim.synthetic import (
    MORPHOLOGIES,
    RAIL_UV,
    Fault,
    Morphology,
    Noise,
    NoiseKind,
    Scene,
    SyntheticSource,
    example_scene,
)


def samples(source: SyntheticSource) -> NDArray[np.int32]:
    parts = [
        chunk.counts_i32 if isinstance(chunk, Samples) else np.zeros(chunk.n_samples, np.int32)
        for chunk in source
    ]
    return np.concatenate(parts)


def test_the_same_seed_gives_the_same_samples_and_another_does_not() -> None:
    first, again, other = (samples(SyntheticSource(example_scene(), seed=seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@settings(max_examples=20, deadline=None)
@given(block_samples=st.integers(1, 3000))
def test_any_block_length_gives_the_same_samples(block_samples: int) -> None:
    scene = example_scene(seconds=26)
    whole = SyntheticSource(scene)
    pieces = SyntheticSource(scene, block_samples=block_samples)
    assert np.array_equal(samples(pieces), samples(whole))
    expected = 0
    for chunk in pieces:
        assert chunk.first_index == expected
        expected += chunk.n_samples
    assert expected == pieces.n_samples


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("morphology", MORPHOLOGIES)
def test_the_marks_stand_on_the_r_peaks(rate_hz: int, morphology: Morphology) -> None:
    source = SyntheticSource(Scene(rate_hz=rate_hz, morphology=morphology, seconds=20))
    x = samples(source)
    assert source.annotations is not None
    assert source.annotations.indices_i64.size > 15
    reach = round(0.1 * rate_hz)
    for index in source.annotations.indices_i64:
        start = max(0, index - reach)
        peak = start + int(np.argmax(x[start : index + reach]))
        assert abs(peak - index) <= max(1, 0.01 * rate_hz)


def test_the_heart_beats_as_fast_as_it_is_told() -> None:
    source = SyntheticSource(Scene(heart_rate_bpm=90, seconds=120))
    assert source.annotations is not None
    assert source.annotations.indices_i64.size == pytest.approx(180, abs=4)


def test_ventricular_beats_come_early_and_are_marked() -> None:
    source = SyntheticSource(Scene(morphology="pvc", seconds=60))
    assert source.annotations is not None
    symbols = np.array(source.annotations.symbols)
    intervals = np.diff(source.annotations.indices_i64)
    early = intervals[symbols[1:] == "V"]
    assert 8 <= early.size <= 14
    assert early.max() < intervals[symbols[1:] == "N"].min()


def test_fibrillation_is_irregular() -> None:
    variation = {}
    for morphology in ("normal", "af"):
        source = SyntheticSource(Scene(morphology=morphology, seconds=120))
        assert source.annotations is not None
        intervals = np.diff(source.annotations.indices_i64)
        variation[morphology] = float(intervals.std() / intervals.mean())
    assert variation["af"] > 0.15 > 0.06 > variation["normal"]


@pytest.mark.parametrize("kind", ["white", "mains", "emg"])
def test_noise_has_the_level_it_was_given(kind: NoiseKind) -> None:
    clean = samples(SyntheticSource(Scene(seconds=60)))
    noisy = samples(SyntheticSource(Scene(seconds=60, noises=(Noise(kind=kind, level_uv=100),))))
    assert float((noisy - clean).std()) == pytest.approx(100, rel=0.05)


def test_muscle_noise_stays_above_20_hz() -> None:
    clean = samples(SyntheticSource(Scene(seconds=60)))
    noisy = samples(SyntheticSource(Scene(seconds=60, noises=(Noise(kind="emg", level_uv=100),))))
    power = np.abs(np.fft.rfft((noisy - clean).astype(np.float64))) ** 2
    low = np.fft.rfftfreq(noisy.size, 1 / 256) < 17  # the swelling twice a second widens the band
    assert power[low].sum() < 0.001 * power.sum()


def test_faults_are_where_they_were_put() -> None:
    faults = (
        Fault(kind="rail", start_s=2, seconds=1),
        Fault(kind="flat", start_s=4, seconds=1),
        Fault(kind="gap", start_s=6, seconds=0.5),
        Fault(kind="lead_off", start_s=7, seconds=1),
        Fault(kind="step", start_s=9, level_uv=300_000),
    )
    source = SyntheticSource(Scene(seconds=10, faults=faults))
    x = samples(source)
    assert (x[512:768] == RAIL_UV).all()
    assert np.ptp(x[1024:1280]) == 0
    assert Gap(first_index=1536, n_samples=128, estimated=False) in list(source)
    off = [chunk for chunk in source if isinstance(chunk, Samples) and chunk.lead_off]
    assert (off[0].first_index, sum(chunk.n_samples for chunk in off)) == (1792, 256)
    assert x[2304:].min() > 299_000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scene(rate_hz=257), "got 257 Hz"),
        (lambda: Scene(seconds=0), "expected more than 0 and at most 86400 s, got 0"),
        (lambda: Scene(heart_rate_bpm=1000), r"expected 20\.\.250 beats per minute, got 1000"),
        (
            lambda: Noise(kind="white", level_uv=-1),
            r"noise white: expected a level of 0\.\.300000 uV, got -1",
        ),
        (
            lambda: Fault(kind="step", start_s=0, level_uv=4e5),
            "fault step: expected at most 300000 uV, got 400000",
        ),
    ],
)
def test_a_scene_that_makes_no_sense_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ContractError, match=message):
        make()
