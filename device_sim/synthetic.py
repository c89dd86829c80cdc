"""A seeded synthetic ECG: beats as sums of Gaussians, with noise, faults and the true R peaks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.sources import Annotations, Chunk, Gap, Samples, check_rate, split

Morphology = Literal["normal", "pvc", "af", "low_amplitude"]
MORPHOLOGIES: tuple[Morphology, ...] = ("normal", "pvc", "af", "low_amplitude")
Waves = tuple[tuple[float, float, float], ...]
NoiseKind = Literal["white", "mains", "wander", "emg"]
FaultKind = Literal["lead_off", "rail", "flat", "gap", "step"]

# A 24-bit wearable converter with a gain of 6 from a 2.4 V reference ends at 400 mV.
RAIL_UV = 400_000
MAX_STEP_UV = 300_000  # electrode offset a wet electrode may have (IEC 60601-2-47)
LOW_AMPLITUDE = 0.05  # 50 uV R waves: a poor contact that is still an ECG
PVC_EVERY_BEATS = 6
PVC_COUPLING = 0.62  # of the regular interval; the pause after it makes up for the rest
SMALLEST_RR_S = 0.3

# Wave: (centre as a share of sqrt(RR) after R, width in s, height as a share of R). The P-QRS-T of
# McSharry et al. (IEEE TBME 2003), its angles turned into times at 60 beats a minute.
NORMAL_WAVES: Waves = ((-0.20, 0.025, 0.12), (-0.025, 0.010, -0.15), (0.0, 0.011, 1.0), (0.028, 0.010, -0.25))
T_WAVES: Waves = ((0.27, 0.050, 0.24), (0.32, 0.030, 0.08))
VENTRICULAR_WAVES: Waves = (
    (-0.042, 0.032, 0.35),
    (0.008, 0.034, 1.25),
    (0.078, 0.035, -0.45),
    (0.28, 0.070, -0.40),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """One kind of disturbance, over the whole recording or a part of it; the level is RMS."""

    kind: NoiseKind
    level_uv: float
    start_s: float = 0.0
    seconds: float | None = None  # None: to the end
    hz: float = 50.0  # of the mains

    def __post_init__(self) -> None:
        if not 0 <= self.level_uv <= MAX_STEP_UV:
            raise ContractError(
                f"noise {self.kind}: expected a level of 0..{MAX_STEP_UV} uV, got {self.level_uv:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that breaks: the electrode, the amplifier or the link."""

    kind: FaultKind
    start_s: float
    seconds: float = 0.0  # a step lasts to the end
    level_uv: float = 0.0  # of the step

    def __post_init__(self) -> None:
        if abs(self.level_uv) > MAX_STEP_UV:
            raise ContractError(
                f"fault {self.kind}: expected at most {MAX_STEP_UV} uV, got {self.level_uv:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is to be heard: the same scene and seed give the same samples."""

    seconds: float = 30.0
    rate_hz: int = 256
    heart_rate_bpm: float = 70.0
    variability: float = 0.04  # standard deviation of RR over its mean
    morphology: Morphology = "normal"
    amplitude_uv: float = 1000.0  # of the R wave
    noises: tuple[Noise, ...] = ()
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        check_rate(self.rate_hz, where="synthetic")
        if not 0 < self.seconds <= 86_400:
            raise ContractError(f"synthetic: expected more than 0 and at most 86400 s, got {self.seconds:g}")
        if not 20 <= self.heart_rate_bpm <= 250:
            raise ContractError(f"synthetic: expected 20..250 beats per minute, got {self.heart_rate_bpm:g}")

    @property
    def n_samples(self) -> int:
        return max(1, round(self.seconds * self.rate_hz))


def example_scene(*, rate_hz: int = 256, seconds: float = 30.0) -> Scene:
    """The demonstration: clean, a burst of muscle, an electrode off, the rail, a lost frame, clean again."""
    noises = (
        Noise(kind="white", level_uv=4),
        Noise(kind="wander", level_uv=60),
        Noise(kind="emg", level_uv=180, start_s=8, seconds=4),
    )
    faults = (
        Fault(kind="lead_off", start_s=15, seconds=2.5),
        Fault(kind="rail", start_s=20, seconds=1),
        Fault(kind="gap", start_s=24.5, seconds=0.5),
    )
    return Scene(rate_hz=rate_hz, seconds=seconds, noises=noises, faults=faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """When the heart beats, and from where."""

    times_s: NDArray[np.float64]
    intervals_s: NDArray[np.float64]  # to the beat before
    ventricular: NDArray[np.bool_]


@dataclass(slots=True)
class SyntheticSource:
    """A scene as a source; counts are microvolts."""

    scene: Scene = field(default_factory=example_scene)
    seed: int = 1
    block_samples: int | None = None
    name: str = field(init=False)
    lead: str = field(init=False, default="II")
    rate_hz: int = field(init=False)
    uv_per_count: Fraction = field(init=False, default=Fraction(1))
    rails_counts: tuple[int, int] | None = field(init=False, default=(-RAIL_UV, RAIL_UV))
    n_samples: int | None = field(init=False)
    annotations: Annotations | None = field(init=False)
    _counts_i32: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        self.name = f"synthetic seed {self.seed}"
        self.rate_hz = self.scene.rate_hz
        self.n_samples = self.scene.n_samples
        beats = beats_of(self.scene, random)
        clean_uv = ecg_uv(self.scene, beats, random)
        noisy_uv = clean_uv + sum(noise_uv(noise, self.scene, random) for noise in self.scene.noises)
        broken_uv = with_faults(noisy_uv, self.scene, random)
        self._counts_i32 = np.rint(np.clip(broken_uv, -RAIL_UV, RAIL_UV)).astype(np.int32)
        self.annotations = _marks(beats, self.scene)

    def __iter__(self) -> Iterator[Chunk]:
        """Samples in blocks of a second, cut where the electrode or the link changes."""
        lost = fault_mask(self.scene, "gap")
        off = fault_mask(self.scene, "lead_off")
        edges = np.flatnonzero((np.diff(lost) != 0) | (np.diff(off) != 0)) + 1
        starts = [0, *edges.tolist(), self.scene.n_samples]
        for start, end in pairwise(starts):
            if lost[start]:
                yield Gap(first_index=start, n_samples=end - start, estimated=False)
                continue
            stretch = Samples(
                first_index=start, counts_i32=self._counts_i32[start:end], lead_off=bool(off[start])
            )
            yield from split(stretch, self.block_samples or self.rate_hz)


def beats_of(scene: Scene, random: np.random.Generator) -> Beats:
    """RR intervals: breath, a slower wave and chance; irregular in fibrillation; a pause after a PVC."""
    mean_s = 60.0 / scene.heart_rate_bpm
    times_s: list[float] = []
    intervals_s: list[float] = []
    ventricular: list[bool] = []
    time_s, pause_s = -0.6 * mean_s, 0.0
    while time_s < scene.seconds + 1:
        early = scene.morphology == "pvc" and len(times_s) % PVC_EVERY_BEATS == PVC_EVERY_BEATS - 1
        interval_s = _interval_s(scene, mean_s, time_s, random)
        interval_s, pause_s = (
            (PVC_COUPLING * interval_s, (1 - PVC_COUPLING) * interval_s)
            if early
            else (interval_s + pause_s, 0.0)
        )
        interval_s = max(SMALLEST_RR_S, interval_s)
        time_s += interval_s
        times_s.append(time_s)
        intervals_s.append(interval_s)
        ventricular.append(early)
    return Beats(
        times_s=np.array(times_s),
        intervals_s=np.array(intervals_s),
        ventricular=np.array(ventricular, dtype=np.bool_),
    )


def _interval_s(scene: Scene, mean_s: float, time_s: float, random: np.random.Generator) -> float:
    if scene.morphology == "af":
        return mean_s * float(random.lognormal(-0.02, 0.2))  # a mean of 1
    breath = np.sin(2 * np.pi * 0.25 * time_s)
    slow = np.sin(2 * np.pi * 0.1 * time_s)
    # the three parts have the variances 0.32, 0.32 and 0.36
    return mean_s * (
        1 + scene.variability * float(0.8 * breath + 0.8 * slow + 0.6 * random.standard_normal())
    )


def ecg_uv(scene: Scene, beats: Beats, random: np.random.Generator) -> NDArray[np.float64]:
    """The beats as a voltage, before noise and faults."""
    amplitude_uv = scene.amplitude_uv * (LOW_AMPLITUDE if scene.morphology == "low_amplitude" else 1)
    sample_times_s = np.arange(scene.n_samples) / scene.rate_hz
    sum_uv = np.zeros(scene.n_samples)
    for time_s, interval_s, ventricular in zip(
        beats.times_s, beats.intervals_s, beats.ventricular, strict=True
    ):
        near = slice(*np.searchsorted(sample_times_s, (time_s - 0.6, time_s + 0.9)))
        sum_uv[near] += amplitude_uv * _beat(sample_times_s[near] - time_s, interval_s, ventricular, scene)
    if scene.morphology == "af":
        sum_uv += _fibrillation_uv(sample_times_s, amplitude_uv, random)
    return sum_uv


def _beat(
    since_r_s: NDArray[np.float64], interval_s: float, ventricular: bool, scene: Scene
) -> NDArray[np.float64]:
    waves = VENTRICULAR_WAVES if ventricular else NORMAL_WAVES + T_WAVES
    if scene.morphology == "af":
        waves = waves[1:]  # no P wave
    stretch = float(np.sqrt(min(interval_s, 1.2)))  # Bazett: T follows the root of RR
    height = np.zeros(since_r_s.shape)
    for centre, width_s, share in waves:
        late_s = since_r_s - centre * (stretch if abs(centre) > 0.1 else 1)
        height += share * np.exp(-0.5 * (late_s / width_s) ** 2)
    return height


def _fibrillation_uv(
    times_s: NDArray[np.float64], amplitude_uv: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """f waves: 5 to 7 Hz, never quite periodic, about 6 % of R."""
    phase = 2 * np.pi * (6 * times_s + 0.3 * np.sin(2 * np.pi * 0.4 * times_s + random.uniform(0, 6.28)))
    return np.asarray(0.06 * amplitude_uv * (np.sin(phase) + 0.3 * np.sin(2 * phase)), dtype=np.float64)


def noise_uv(noise: Noise, scene: Scene, random: np.random.Generator) -> NDArray[np.float64]:
    """One disturbance, at its level while it lasts and zero elsewhere."""
    times_s = np.arange(scene.n_samples) / scene.rate_hz
    end_s = scene.seconds if noise.seconds is None else noise.start_s + noise.seconds
    white = random.standard_normal(scene.n_samples)
    phase = random.uniform(0, 2 * np.pi)
    if noise.kind == "mains":
        shape = np.sqrt(2) * np.sin(2 * np.pi * noise.hz * times_s + phase)
    elif noise.kind == "wander":
        shape = np.sin(2 * np.pi * 0.25 * times_s + phase) + np.sin(2 * np.pi * 0.11 * times_s)
    elif noise.kind == "emg":
        shape = _above_20_hz(white, scene.rate_hz)
    else:
        shape = white
    return np.asarray(noise.level_uv * shape * ((times_s >= noise.start_s) & (times_s < end_s)))


def _above_20_hz(white: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Muscle: broadband from 20 Hz on, of unit RMS, swelling and fading twice a second."""
    spectrum = np.fft.rfft(white)
    spectrum[np.fft.rfftfreq(white.size, 1 / rate_hz) < 20] = 0
    muscle = np.fft.irfft(spectrum, white.size)
    swell = 1 + 0.5 * np.sin(2 * np.pi * 2 * np.arange(white.size) / rate_hz)
    swollen = muscle * swell
    return np.asarray(swollen / max(1e-9, float(np.sqrt(np.mean(swollen**2)))))


def fault_mask(scene: Scene, kind: FaultKind) -> NDArray[np.int8]:
    """1 where a fault of this kind lasts."""
    mask = np.zeros(scene.n_samples, dtype=np.int8)
    for fault in scene.faults:
        if fault.kind == kind:
            start = round(fault.start_s * scene.rate_hz)
            mask[start : round((fault.start_s + fault.seconds) * scene.rate_hz)] = 1
    return mask


def with_faults(
    x_uv: NDArray[np.float64], scene: Scene, random: np.random.Generator, *, rail_uv: float = RAIL_UV
) -> NDArray[np.float64]:
    """What the converter gives: steps, a floating electrode, the rail, a flat stretch."""
    times_s = np.arange(scene.n_samples) / scene.rate_hz
    for fault in scene.faults:
        if fault.kind == "step":
            x_uv = x_uv + fault.level_uv * (times_s >= fault.start_s)
    off = fault_mask(scene, "lead_off").astype(np.bool_)
    # A floating input picks up the mains and drifts with the bias current.
    floating_uv = 400 * np.sin(2 * np.pi * 50 * times_s) + 5000 * np.sin(2 * np.pi * 0.13 * times_s)
    x_uv = np.where(off, floating_uv + 20 * random.standard_normal(scene.n_samples), x_uv)
    x_uv = np.where(fault_mask(scene, "rail") == 1, rail_uv, x_uv)
    flat = fault_mask(scene, "flat") == 1
    held = np.maximum.accumulate(np.where(flat, 0, np.arange(scene.n_samples)))
    return np.asarray(x_uv[held])


def _marks(beats: Beats, scene: Scene) -> Annotations:
    indices_i64 = np.rint(beats.times_s * scene.rate_hz).astype(np.int64)
    inside = (indices_i64 >= 0) & (indices_i64 < scene.n_samples)
    symbols = tuple("V" if ventricular else "N" for ventricular in beats.ventricular[inside])
    return Annotations(indices_i64=indices_i64[inside], symbols=symbols)
