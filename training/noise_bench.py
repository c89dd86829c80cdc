"""The noise bench: a clean stretch of ECG goes in, a made-up recorder's recording comes out, with its truth.

The truth is one number per column: the power of everything that is not the ECG, inside the band in which an
ECG is read, over the power of a QRS as `nst` counts it. It is measured on what was made, not on what was
asked for: clipping, a lost lead, a jump of the baseline count as the noise they are, wander and mains little.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.frontend import HOP_SAMPLES, STREAM_HZ, columns_of
from training import artefacts
from training.hearts import QRS_UV
from training.noise_parts import NoiseShelf, scaled_to_one
from training.recorder import HAND_HELD_CHANCE, Recorder, draw_recorder
from training.snr import READ_BAND_HZ, in_read_band

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
QRS_POWER_UV2 = QRS_UV**2 / 8
SETTLE_S = 5  # of signal before a recording that had been running


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSpec:
    """How often what happens to a recording; `[bench]` of a recipe."""

    snr_low_db: float = -6.0
    snr_high_db: float = 24.0
    clean_chance: float = 0.3  # nothing is added
    synthetic_chance: float = 0.5  # of a noisy one: made-up noise instead of NSTDB's
    quiet_chance: float = 0.6  # the hiss of the tape is taken out altogether
    mains_chance: float = 0.2
    wander_chance: float = 0.5
    taps_chance: float = 0.15
    jumps_chance: float = 0.1
    lost_chance: float = 0.15  # the ECG fades away, the noise stays
    clipping_chance: float = 0.1
    gain_step_chance: float = 0.05
    fresh_chance: float = 0.5  # the recorder was switched on where the recording begins
    settling_mv: float = 0.0  # how far a fresh contact moves about, on average, while it settles
    two_leads_chance: float = 0.0  # the ECG is a sum of both leads: electrodes elsewhere
    pace_spread: float = 0.0  # the heart beats up to exp of this faster or slower
    gain_low: float = 0.4
    gain_high: float = 2.5
    hand_held_chance: float = HAND_HELD_CHANCE  # otherwise a recorder of a wider band
    judged_from_hz: float = READ_BAND_HZ[0]  # slower disturbances than this make no window noisy

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if name.endswith("_chance") and not 0.0 <= value <= 1.0:
                raise ContractError(f"{name}: expected 0..1, got {value}")
        if not self.snr_low_db < self.snr_high_db:
            raise ContractError(f"snr_low_db: expected below {self.snr_high_db}, got {self.snr_low_db}")
        if not 0.0 < self.gain_low <= self.gain_high:
            raise ContractError(
                f"gain_low: expected above 0 and at most {self.gain_high}, got {self.gain_low}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What is done to one stretch of ECG, sample by sample."""

    added_uv: Floats  # on the skin, before the recorder's band
    ecg_gain: Floats  # 1 where the ECG is there, near 0 where the lead lost it
    step: Floats  # the recorder's gain changes: ECG and noise alike
    rail_uv: float  # the converter's, infinite where nothing clips


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """A recording as the front end sees it, column by column, with the truth beside it."""

    codes_ts_i8: NDArray[np.int8]
    noise_ratio: NDArray[
        np.float32
    ]  # power of all that is not ECG over a QRS's; 10.5 dB below it is half clean
    lost: NDArray[np.float32]  # share of the column without ECG
    usable: Mask  # False: the annotators could not read the lead, so its truth is not known


def bench(
    ecg_uv: Floats,
    readable: Mask,
    rate_hz: int,
    shelf: NoiseShelf,
    spec: BenchSpec,
    rng: np.random.Generator,
) -> Mixed:
    """One recording; `ecg_uv` begins SETTLE_S before it and has a usual QRS of QRS_UV."""
    recorder = draw_recorder(
        rng,
        gain_low=spec.gain_low,
        gain_high=spec.gain_high,
        hand_held_chance=spec.hand_held_chance,
    )
    n_before = SETTLE_S * rate_hz
    if rng.random() < spec.fresh_chance:
        ecg_uv, readable, n_before = ecg_uv[n_before:], readable[n_before:], 0
        # No noise: a reader waits.
        ecg_uv = ecg_uv + artefacts.contact(rng, len(ecg_uv), rate_hz) * QRS_UV
        if spec.settling_mv:
            ecg_uv = ecg_uv + artefacts.settling(rng, len(ecg_uv), rate_hz) * spec.settling_mv * QRS_UV
    disturbance = draw_disturbance(rng, len(ecg_uv), rate_hz, recorder, shelf, spec)
    recorded_uv, ratio = record(ecg_uv, disturbance, recorder, rate_hz, spec.judged_from_hz)
    columns = columns_of(
        recorder.counts(recorded_uv[n_before:], rate_hz),
        rate_hz=recorder.rate_hz,
        uv_per_count=recorder.uv_per_count,
    )
    n = len(columns.codes_ts_i8)
    lost = (disturbance.ecg_gain < 0.5).astype(np.float64)
    return Mixed(
        codes_ts_i8=columns.codes_ts_i8,
        noise_ratio=per_column(ratio[n_before:], rate_hz, n).astype(np.float32),
        lost=per_column(lost[n_before:], rate_hz, n).astype(np.float32),
        usable=per_column((~readable[n_before:]).astype(np.float64), rate_hz, n) == 0,
    )


def record(
    ecg_uv: Floats,
    disturbance: Disturbance,
    recorder: Recorder,
    rate_hz: int,
    judged_from_hz: float = READ_BAND_HZ[0],
) -> tuple[Floats, Floats]:
    """What the recorder writes, and the momentary power of what is wrong with it over a QRS's."""
    true_uv = recorder.band(ecg_uv, rate_hz)
    seen_uv = recorder.band(ecg_uv * disturbance.ecg_gain + disturbance.added_uv, rate_hz)
    gain = disturbance.step * recorder.gain
    recorded_uv = artefacts.clip(seen_uv * gain, -disturbance.rail_uv, disturbance.rail_uv)
    wrong_uv = in_read_band(recorded_uv / gain - true_uv, rate_hz, judged_from_hz)
    return recorded_uv, wrong_uv**2 / QRS_POWER_UV2


def draw_disturbance(
    rng: np.random.Generator,
    n_samples: int,
    rate_hz: int,
    recorder: Recorder,
    shelf: NoiseShelf,
    spec: BenchSpec,
) -> Disturbance:
    """Each kind of disturbance with its own chance."""
    added_uv = np.zeros(n_samples)
    if rng.random() >= spec.clean_chance:
        noise = draw_noise(rng, n_samples, rate_hz, shelf, spec)
        levels = artefacts.levels_db(
            rng, n_samples, rate_hz, low_db=spec.snr_low_db, high_db=spec.snr_high_db
        )
        # Scaled so that the level holds behind the recorder's band, where the noise is heard.
        heard = recorder.band(noise - noise.mean(), rate_hz)
        loudness = max(float(np.std(heard)), 1e-12)
        scale = float(np.std(scaled_to_one(heard, rate_hz, spec.judged_from_hz))) / loudness
        added_uv += (noise - noise.mean()) * scale * np.sqrt(QRS_POWER_UV2 * 10 ** (-levels / 10))
    if rng.random() < spec.mains_chance:
        added_uv += artefacts.mains(rng, n_samples, rate_hz) * QRS_UV * np.exp(rng.uniform(-4, -1))
    if rng.random() < spec.wander_chance:
        wander = artefacts.coloured(rng, n_samples, rate_hz, low_hz=0.05, high_hz=0.5, slope=1.0)
        added_uv += wander * QRS_UV * np.exp(rng.uniform(-3, 1))
    if rng.random() < spec.taps_chance:
        added_uv += artefacts.taps(rng, n_samples, rate_hz) * QRS_UV * np.exp(rng.uniform(-0.5, 2))
    if rng.random() < spec.jumps_chance:
        added_uv += artefacts.baseline_jumps(rng, n_samples, rate_hz) * QRS_UV * np.exp(rng.uniform(-0.5, 2))
    ecg_gain = np.ones(n_samples)
    if rng.random() < spec.lost_chance:
        ecg_gain[artefacts.stretch(rng, n_samples, rate_hz, shortest_s=4)] = rng.uniform(0, 0.08)
    has_step, clips = rng.random() < spec.gain_step_chance, rng.random() < spec.clipping_chance
    return Disturbance(
        added_uv=added_uv,
        ecg_gain=ecg_gain,
        step=artefacts.gain_step(rng, n_samples) if has_step else np.ones(n_samples),
        rail_uv=float(recorder.gain * QRS_UV * rng.uniform(0.2, 1.5)) if clips else np.inf,
    )


def draw_noise(
    rng: np.random.Generator, n_samples: int, rate_hz: int, shelf: NoiseShelf, spec: BenchSpec
) -> Floats:
    """Recorded or made up, of no particular scale; both are sums of two as often as not."""
    if rng.random() >= spec.synthetic_chance:
        noise = shelf.draw(rng, n_samples, ("em", "ma")).noise
        if rng.random() < 0.5:
            other = shelf.draw(rng, n_samples, ("em", "ma", "bw")).noise
            noise = _unit(noise) + rng.uniform(0, 1) * _unit(other)
        return noise
    kinds = (artefacts.emg, artefacts.movement)
    noise = kinds[rng.integers(2)](rng, n_samples, rate_hz)
    if rng.random() < 0.5:
        noise = _unit(noise) + rng.uniform(0, 1) * _unit(kinds[rng.integers(2)](rng, n_samples, rate_hz))
    return noise


def per_column(values: Floats, rate_hz: int, n_columns: int) -> Floats:
    """Mean over the 62.5 ms around each column's centre."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    edges = (np.arange(n_columns + 1) - 0.5) * HOP_SAMPLES / STREAM_HZ * rate_hz
    at = np.clip(np.rint(edges).astype(np.int64), 0, len(values))
    means: Floats = np.diff(sums[at]) / np.maximum(np.diff(at), 1)
    return means


def _unit(x: Floats) -> Floats:
    scaled: Floats = (x - x.mean()) / max(float(x.std()), 1e-12)
    return scaled
