"""Bursts of recorded noise over an ECG: when they come, and at which SNR."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.data.record import Record
from training.noise_parts import NoiseShelf
from training.snr import noise_gain, noise_power, normal_beats, signal_power

Floats = NDArray[np.float64]
SEED = 20261129


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstSpec:
    """A wearer moves now and then: lengths drawn evenly, gaps as they fall."""

    share: float = 0.3  # of the time
    shortest_s: float = 5.0
    longest_s: float = 20.0

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ContractError(f"share: expected between 0 and 1, got {self.share}")
        if not 0.0 < self.shortest_s <= self.longest_s:
            raise ContractError(
                f"shortest_s: expected above 0 and at most {self.longest_s}, got {self.shortest_s}"
            )


def burst_times(spec: BurstSpec, duration_s: float, rng: np.random.Generator) -> Floats:
    """[n, 2] seconds: begin and end of each burst, in order; together exactly the share of the time."""
    noisy_s = spec.share * duration_s
    lengths: list[float] = []
    while sum(lengths) < noisy_s:
        lengths.append(rng.uniform(spec.shortest_s, spec.longest_s))
    length_s = np.array(lengths) * noisy_s / sum(lengths)
    gaps = rng.exponential(size=len(lengths) + 1)
    gap_s = gaps * (duration_s - noisy_s) / gaps.sum()
    starts = np.cumsum(gap_s[:-1]) + np.cumsum(length_s) - length_s
    return np.stack([starts, starts + length_s], axis=1)


def bursts_of(record: Record, spec: BurstSpec) -> Floats:
    """Where a recording has its bursts: the same at every SNR and for every noise."""
    return burst_times(spec, record.duration_s, _rng(record.name, "times"))


def is_inside(times_s: Floats, bursts_s: Floats) -> NDArray[np.bool_]:
    """Which moments lie in a burst."""
    after = np.searchsorted(bursts_s[:, 0], times_s, side="right") - 1
    inside: NDArray[np.bool_] = (after >= 0) & (times_s < bursts_s[np.maximum(after, 0), 1])
    return inside


def with_bursts(
    record: Record, shelf: NoiseShelf, kind: str, snr_db: float, spec: BurstSpec
) -> NDArray[np.int32]:
    """Whole microvolts; every burst a stretch of its own from anywhere on the shelf, scaled as `nst` does."""
    assert record.annotations is not None
    x_uv = clean_uv(record)
    signal = signal_power(x_uv, normal_beats(record.annotations), record.rate_hz)
    gains = {
        one.lead: noise_gain(signal, noise_power(one.noise, record.rate_hz), snr_db)
        for one in shelf.noises
        if one.kind == kind
    }
    rng = _rng(record.name, kind)
    for start_s, stop_s in bursts_of(record, spec).tolist():
        start, stop = round(start_s * record.rate_hz), round(stop_s * record.rate_hz)
        drawn = shelf.draw(rng, min(stop, len(x_uv)) - start, (kind,))
        x_uv[start:stop] += gains[drawn.lead] * (drawn.noise - drawn.noise.mean())
    return np.rint(x_uv).astype(np.int32)


def clean_uv(record: Record) -> Floats:
    x_uv: Floats = (record.counts_i32 - record.baseline_counts) * float(record.uv_per_count)
    return x_uv


def _rng(name: str, purpose: str) -> np.random.Generator:
    return np.random.default_rng([SEED, *name.encode(), *purpose.encode()])
