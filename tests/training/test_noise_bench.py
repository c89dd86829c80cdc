"""The bench does what its spec says and tells the truth about it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.frontend import row_hz
from training import artefacts
from training.hearts import QRS_UV
from training.noise_bench import (
    QRS_POWER_UV2,
    SETTLE_S,
    BenchSpec,
    Disturbance,
    Mixed,
    bench,
    per_column,
    record,
)
from training.noise_parts import NoiseShelf, NoiseStretch, scaled_to_one
from training.quality_set import FIRST_COUNTS, cleanness, windows_of
from training.recorder import RATES_HZ, Recorder, draw_recorder
from training.snr import in_read_band, qrs_swing

RATE_HZ = 360
NOTHING = BenchSpec(
    clean_chance=1.0,
    mains_chance=0.0,
    wander_chance=0.0,
    taps_chance=0.0,
    jumps_chance=0.0,
    lost_chance=0.0,
    clipping_chance=0.0,
    gain_step_chance=0.0,
    fresh_chance=0.0,
)
Floats = NDArray[np.float64]


def heart(seconds: float) -> Floats:
    """Narrow beats at 75 a minute, a usual QRS of a millivolt inside the band in which it is read."""
    x_uv = np.zeros(round(seconds * RATE_HZ))
    beats = np.arange(200, len(x_uv) - 200, round(0.8 * RATE_HZ))
    reach = np.arange(-60, 61)
    for at in beats:
        x_uv[at + reach] += np.exp(-0.5 * (reach / 5) ** 2) - 0.3 * np.exp(-0.5 * ((reach - 12) / 6) ** 2)
    return x_uv * QRS_UV / qrs_swing(in_read_band(x_uv, RATE_HZ), beats, RATE_HZ)


def shelf() -> NoiseShelf:
    rng = np.random.default_rng(9)
    noises = tuple(
        NoiseStretch(
            kind=kind, lead="noise1", start_s=0.0, noise=np.cumsum(rng.standard_normal(RATE_HZ * 200))
        )
        for kind in ("em", "ma", "bw")
    )
    return NoiseShelf(part="train", rate_hz=RATE_HZ, noises=noises)


def made(spec: BenchSpec, seed: int = 0, seconds: float = 30.0) -> Mixed:
    ecg_uv = heart(seconds + SETTLE_S)
    readable = np.ones(len(ecg_uv), dtype=np.bool_)
    return bench(ecg_uv, readable, RATE_HZ, shelf(), spec, np.random.default_rng(seed))


def quiet(n_samples: int) -> Disturbance:
    return Disturbance(
        added_uv=np.zeros(n_samples), ecg_gain=np.ones(n_samples), step=np.ones(n_samples), rail_uv=np.inf
    )


def recorder() -> Recorder:
    return draw_recorder(np.random.default_rng(3), gain_low=1.0, gain_high=1.0)


def test_where_nothing_is_added_every_window_is_clean() -> None:
    mixed = made(NOTHING)
    starts, clean = windows_of(mixed, 0)
    assert np.unique(starts).tolist() == list(range(0, 401, 16))
    assert clean.min() > 0.95


def test_the_first_window_of_a_recording_counts_as_often_as_in_a_short_one() -> None:
    starts, _ = windows_of(made(NOTHING), 700)
    assert (starts == 700).sum() == FIRST_COUNTS
    assert (starts == 716).sum() == 1


def test_a_recorder_that_is_switched_on_swings_and_its_ecg_stays_clean() -> None:
    """The offset of a fresh contact is no noise; it is seen in the slow rows of the first columns."""
    fresh = made(replace(NOTHING, fresh_chance=1.0), seed=3)
    running = made(NOTHING, seed=3)
    _, clean = windows_of(fresh, 0)
    assert clean.min() > 0.95
    assert fresh.codes_ts_i8[:10, 30].max() > running.codes_ts_i8[:10, 30].max() + 10


def test_a_fresh_contact_drifts_from_its_offset_and_is_over_in_some_seconds() -> None:
    for seed in range(20):
        drift = artefacts.contact(np.random.default_rng(seed), RATE_HZ * 30, RATE_HZ)
        assert 0.1 < np.abs(drift[0]) < 2 * np.exp(2)
        assert np.abs(np.diff(drift[RATE_HZ * 25 :])).max() < 1e-4


def test_the_same_seed_gives_the_same_recording_and_another_seed_another() -> None:
    first, second, other = made(BenchSpec(), 5), made(BenchSpec(), 5), made(BenchSpec(), 6)
    assert np.array_equal(first.codes_ts_i8, second.codes_ts_i8)
    assert np.array_equal(first.noise_ratio, second.noise_ratio)
    assert not np.array_equal(first.codes_ts_i8, other.codes_ts_i8)


@pytest.mark.parametrize("wanted_db", [-6.0, 0.0, 12.0, 20.0])
def test_the_truth_is_the_power_in_the_band_over_the_qrs(wanted_db: float) -> None:
    """Noise of known power on the skin, behind a recorder that lets the whole band pass."""
    ecg_uv = heart(120)
    noise = artefacts.coloured(np.random.default_rng(1), len(ecg_uv), RATE_HZ, low_hz=3, high_hz=20, slope=0)
    added = scaled_to_one(noise, RATE_HZ) * np.sqrt(QRS_POWER_UV2 * 10 ** (-wanted_db / 10))
    wide = replace(recorder(), low_hz=0.05, high_hz=150.0, high_order=1)
    _, ratio = record(ecg_uv, replace(quiet(len(ecg_uv)), added_uv=added), wide, RATE_HZ)
    assert -10 * np.log10(ratio.mean()) == pytest.approx(wanted_db, abs=0.2)


def test_a_band_without_the_noise_makes_it_harmless() -> None:
    ecg_uv = heart(60)
    noise = artefacts.coloured(
        np.random.default_rng(1), len(ecg_uv), RATE_HZ, low_hz=90, high_hz=150, slope=0
    )
    _, ratio = record(ecg_uv, replace(quiet(len(ecg_uv)), added_uv=noise * 300), recorder(), RATE_HZ)
    assert -10 * np.log10(ratio.mean()) > 15


def test_noise_slower_than_judged_makes_no_window_noisy() -> None:
    """Movement at 1 Hz counts from 0.67 Hz up and not from 4 Hz up; the recording is the same."""
    ecg_uv = heart(60)
    slow = 800 * np.sin(2 * np.pi * 1.0 * np.arange(len(ecg_uv)) / RATE_HZ)
    wide = replace(recorder(), low_hz=0.05)
    moved = replace(quiet(len(ecg_uv)), added_uv=slow)
    first, strict = record(ecg_uv, moved, wide, RATE_HZ)
    second, lenient = record(ecg_uv, moved, wide, RATE_HZ, 4.0)
    assert np.array_equal(first, second)
    assert -10 * np.log10(strict.mean()) < 0
    assert -10 * np.log10(lenient[RATE_HZ * 5 :].mean()) > 20


def test_a_lost_lead_is_noisy_although_nothing_was_added() -> None:
    mixed = made(replace(NOTHING, lost_chance=1.0), seed=2)
    _, clean = windows_of(mixed, 0)
    assert mixed.lost.max() == 1.0
    assert clean.min() < 0.05


def test_clipping_is_measured_as_the_noise_it_is() -> None:
    """The deeper the rail cuts into the QRS, the less is left of it."""
    ecg_uv = heart(60)
    cut_db = []
    for rail_uv in (600.0, 300.0, 100.0):
        recorded, ratio = record(ecg_uv, replace(quiet(len(ecg_uv)), rail_uv=rail_uv), recorder(), RATE_HZ)
        assert np.abs(recorded).max() == rail_uv
        cut_db.append(-10 * np.log10(ratio.mean()))
    assert cut_db == sorted(cut_db, reverse=True)
    assert cut_db[-1] < 12


def test_a_gain_step_changes_ecg_and_noise_alike_and_so_no_truth() -> None:
    ecg_uv = heart(60)
    step = np.ones(len(ecg_uv))
    step[len(step) // 2 :] = 2.0
    recorded, ratio = record(ecg_uv, replace(quiet(len(ecg_uv)), step=step), recorder(), RATE_HZ)
    assert np.ptp(recorded[len(step) // 2 :]) == pytest.approx(
        2 * np.ptp(recorded[RATE_HZ * 10 : 30 * RATE_HZ]), rel=0.1
    )
    assert ratio.max() < 1e-12


def test_what_annotators_could_not_read_is_no_example() -> None:
    ecg_uv = heart(30 + SETTLE_S)
    readable = np.ones(len(ecg_uv), dtype=np.bool_)
    readable[(SETTLE_S + 10) * RATE_HZ : (SETTLE_S + 12) * RATE_HZ] = False
    mixed = bench(ecg_uv, readable, RATE_HZ, shelf(), NOTHING, np.random.default_rng(0))
    starts, _ = windows_of(mixed, 1000)
    touched = [start for start in starts - 1000 if start < 12 * 16 and start + 80 > 10 * 16]
    assert touched == []
    assert len(starts) > 0


def test_half_the_chance_of_clean_is_at_ten_and_a_half_decibels() -> None:
    ratio = 10 ** (-np.array([40.0, 13.0, 10.5, 8.0, -6.0]) / 10)
    chances = cleanness(ratio, np.zeros(5))
    assert chances[2] == pytest.approx(0.5)
    assert chances[1] == pytest.approx(1 / (1 + np.exp(-1)))
    assert chances[0] > 0.99
    assert chances[4] < 0.01
    assert cleanness(ratio, np.ones(5)).max() == 0.0


def test_recorders_differ_in_band_rate_and_gain() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_recorder(rng, gain_low=0.4, gain_high=2.5) for _ in range(300)]
    assert {one.rate_hz for one in drawn} == set(RATES_HZ)
    assert min(one.gain for one in drawn) < 0.5
    assert max(one.gain for one in drawn) > 2.0
    narrow = sum(one.high_hz < 45 for one in drawn) / len(drawn)
    assert 0.7 < narrow < 0.9
    assert min(one.low_hz for one in drawn) < 0.1


@pytest.mark.parametrize("rate_hz", sorted(set(RATES_HZ)))
def test_a_recorders_rate_keeps_amplitude_and_time(rate_hz: int) -> None:
    x_uv = 1000 * np.sin(2 * np.pi * 5 * np.arange(RATE_HZ * 20) / RATE_HZ)
    counts = replace(recorder(), rate_hz=rate_hz).counts(x_uv, RATE_HZ)
    assert len(counts) == rate_hz * 20
    uv = counts[rate_hz:-rate_hz] * float(recorder().uv_per_count)
    assert float(uv.std()) == pytest.approx(1000 / np.sqrt(2), rel=0.02)


def test_mains_are_50_or_60_hz_and_their_odd_harmonics() -> None:
    for seed in range(6):
        x = artefacts.mains(np.random.default_rng(seed), RATE_HZ * 20, RATE_HZ)
        spectrum = np.abs(np.fft.rfft(x))
        hz = np.fft.rfftfreq(len(x), 1 / RATE_HZ)[np.argmax(spectrum)]
        assert min(abs(hz - 50), abs(hz - 60)) < 0.5


def test_muscle_is_faster_than_movement() -> None:
    def centre_hz(x: Floats) -> float:
        power = np.abs(np.fft.rfft(x)) ** 2
        return float((np.fft.rfftfreq(len(x), 1 / RATE_HZ) * power).sum() / power.sum())

    rng = np.random.default_rng(0)
    muscle = [centre_hz(artefacts.emg(rng, RATE_HZ * 20, RATE_HZ)) for _ in range(20)]
    movement = [centre_hz(artefacts.movement(rng, RATE_HZ * 20, RATE_HZ)) for _ in range(20)]
    assert min(muscle) > max(movement) / 2
    assert np.mean(muscle) > 4 * np.mean(movement)


def test_a_tap_rings_out_within_a_second_and_a_jump_stays() -> None:
    for seed in range(10):
        tapped = artefacts.taps(np.random.default_rng(seed), RATE_HZ * 60, RATE_HZ)
        jumped = artefacts.baseline_jumps(np.random.default_rng(seed), RATE_HZ * 60, RATE_HZ)
        assert 0.1 < np.abs(tapped).max() < 5
        assert (tapped == 0).mean() > 0.8
        assert 1 <= np.count_nonzero(np.diff(jumped)) <= 3


def test_bursts_leave_quiet_between_them() -> None:
    tracks = [
        artefacts.levels_db(np.random.default_rng(seed), RATE_HZ * 60, RATE_HZ, low_db=-6, high_db=24)
        for seed in range(40)
    ]
    assert all(track.min() >= -6 and track.max() <= artefacts.QUIET_DB + 1e-9 for track in tracks)
    constant = sum(np.ptp(track) == 0 for track in tracks)
    assert 10 <= constant <= 30
    assert any((track > 39.9).any() and (track < 20).any() for track in tracks)


def test_a_column_is_the_mean_around_its_centre() -> None:
    values = np.zeros(RATE_HZ * 10)
    values[RATE_HZ : RATE_HZ + 22] = 1.0  # 22.5 samples a column; column 16 is centred on second 1
    means = per_column(values, RATE_HZ, 160)
    assert np.flatnonzero(means).tolist() == [16, 17]
    assert means[16] + means[17] == pytest.approx(1.0, abs=0.05)


def test_an_image_of_a_narrow_recorder_lacks_what_it_cut() -> None:
    narrow = made(replace(NOTHING, gain_low=1.0, gain_high=1.0), seed=1)
    assert row_hz(0) > 60
    top = narrow.codes_ts_i8[40:, 0].astype(float).mean()
    middle = narrow.codes_ts_i8[40:, 15].astype(float).mean()
    assert middle - top > 20


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("lost_chance", 1.2, "lost_chance: expected 0..1, got 1.2"),
        ("snr_low_db", 30.0, "snr_low_db: expected below 24.0, got 30.0"),
        ("gain_low", 0.0, "gain_low: expected above 0"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(field: str, value: float, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        BenchSpec(**{field: value})


def test_a_contact_that_settles_moves_the_signal_and_is_no_noise() -> None:
    still, restless = (
        made(replace(NOTHING, fresh_chance=1.0, settling_mv=size), seed=5, seconds=20) for size in (0.0, 1.0)
    )
    assert not np.array_equal(still.codes_ts_i8[:40], restless.codes_ts_i8[:40])
    assert restless.noise_ratio.max() < 1e-6


def test_settling_is_over_in_some_seconds() -> None:
    drawn = np.stack(
        [artefacts.settling(np.random.default_rng(seed), RATE_HZ * 20, RATE_HZ) for seed in range(40)]
    )
    rms = np.sqrt((drawn**2).mean(axis=0)).reshape(20, RATE_HZ).mean(axis=1)
    assert rms[0] > 2 * rms[3] > 0
    assert rms[15] < 0.05 * rms[0]
