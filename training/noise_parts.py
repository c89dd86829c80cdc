"""NSTDB's half hours of noise, one part of each, as stretches of one stated power."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.data import nstdb
from training.data.place import Place
from training.data.record import Record
from training.quality_splits import NOISE_S, Part
from training.snr import READ_BAND_HZ, in_read_band

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseStretch:
    """Seconds of one channel of one noise, and where they were taken."""

    kind: str
    lead: str
    start_s: float
    noise: Floats  # any unit: the field for the gain is 0, whoever adds it scales it


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseShelf:
    """The noise of one part; nothing outside it can be drawn."""

    part: Part
    rate_hz: int
    noises: tuple[NoiseStretch, ...]  # all of the part, one entry per noise and channel

    def draw(self, rng: np.random.Generator, n_samples: int, kinds: Sequence[str]) -> NoiseStretch:
        """A stretch of one of these kinds, either channel, from anywhere in the part."""
        choices = [one for one in self.noises if one.kind in kinds]
        if not choices:
            raise ContractError(f"noise: expected one of {', '.join(kinds)} on the shelf, it is not there")
        whole = choices[rng.integers(len(choices))]
        room = len(whole.noise) - n_samples
        if room < 0:
            raise ContractError(f"noise: expected at most {len(whole.noise)} samples, asked for {n_samples}")
        start = int(rng.integers(room + 1))
        return NoiseStretch(
            kind=whole.kind,
            lead=whole.lead,
            start_s=whole.start_s + start / self.rate_hz,
            noise=whole.noise[start : start + n_samples],
        )


def shelf_of(records: Sequence[Record], part: Part) -> NoiseShelf:
    """The part of each recorded noise, every channel on its own."""
    rates = {record.rate_hz for record in records}
    if len(rates) != 1:
        raise ContractError(f"noise: expected recordings of one rate, got {sorted(rates)}")
    noises = tuple(_part_of(record, part) for record in records)
    return NoiseShelf(part=part, rate_hz=rates.pop(), noises=noises)


def read_shelf(place: Place, part: Part, kinds: Sequence[str] = nstdb.NOISES) -> NoiseShelf:
    """Noises of NSTDB, both channels; all three where none is named."""
    first = [nstdb.read(place, kind) for kind in kinds]
    return shelf_of(
        [nstdb.read(place, record.name, lead=lead) for record in first for lead in record.leads], part
    )


def scaled_to_one(noise: Floats, rate_hz: int, low_hz: float = READ_BAND_HZ[0]) -> Floats:
    """Mean power 1 inside the band in which an ECG is read."""
    power = float(np.mean(in_read_band(noise - noise.mean(), rate_hz, low_hz) ** 2))
    scaled: Floats = (noise - noise.mean()) / np.sqrt(max(power, 1e-12))
    return scaled


def _part_of(record: Record, part: Part) -> NoiseStretch:
    start_s, stop_s = NOISE_S[part]
    # A short recording (a test's own) is cut in the proportions of the half hour.
    scale = min(1.0, record.duration_s / NOISE_S["test"][1])
    start, stop = round(start_s * scale * record.rate_hz), round(stop_s * scale * record.rate_hz)
    counts = record.counts_i32[start:stop].astype(np.float64)
    return NoiseStretch(
        kind=record.name,
        lead=record.lead,
        start_s=start / record.rate_hz,
        noise=(counts - record.baseline_counts) * float(record.uv_per_count),
    )
