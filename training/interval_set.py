"""Paper 000's training set: 5 s intervals from the noise bench, half of them clean, as signal and image.

The same interval is kept twice: in microvolts at 128 Hz, of which the paper's picture is made, and as the
device's image. Nets that see one or the other learn from the same seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.frontend import columns_of
from training import artefacts
from training.data import mitdb, nstdb
from training.data.cache import Cache
from training.data.place import Place
from training.hearts import QRS_UV, Clean, draw_stretch
from training.images import INTERVAL_SAMPLES, RATE_HZ
from training.jobs import described
from training.noise_bench import SETTLE_S, BenchSpec, draw_disturbance, per_column, record
from training.noise_parts import NoiseShelf, read_shelf
from training.quality_set import COLUMNS, LONGEST_S, SHORTEST_S, cleanness, read_clean
from training.quality_splits import Part, part_of_record
from training.recorder import draw_recorder
from training.workshop import Workshop

SEED = 0  # of the set; nets have their own
DRAWS_MAX = 40  # recordings for every ten intervals wanted: past it a record never gives one of the two sides
VERSION = "1"  # part of the cache key: raise it when the intervals change


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalSet:
    """Intervals as signal and as the device's image, and how clean each is."""

    x_uv: NDArray[np.float32]  # [n, 640] at 128 Hz
    codes_st_i8: NDArray[np.int8]  # [n, 32, 80]
    clean: NDArray[np.float32]  # soft, as `quality_set` measures it
    digest: str

    def __len__(self) -> int:
        return len(self.clean)


def make_intervals(
    workshop: Workshop, part: Part, spec: BenchSpec, *, n: int, records: Sequence[str]
) -> IntervalSet:
    """About `n` intervals, as many from one record as from another, half of each rather noisy than clean."""
    for name in records:
        if part_of_record(name) != part:
            raise ContractError(f"{name}: expected a record of {part}, it belongs to {part_of_record(name)}")
    place, shelf = mitdb.find(workshop.data), read_shelf(nstdb.find(workshop.data), part)
    noise_digest = sha256(b"".join(one.noise.tobytes() for one in shelf.noises)).hexdigest()
    per_side = max(1, round(n / (2 * len(records))))
    digests, found = [], []
    for done, name in enumerate(records, start=1):
        keys = (place.digest([f"{name}.dat", f"{name}.atr"]), noise_digest, described(spec), f"{per_side}")
        found.append(_kept(workshop.cache, place, name, shelf, spec, per_side, keys))
        digests.append(sha256("\0".join((VERSION, name, *keys)).encode()).hexdigest())
        workshop.tell(f"intervals, {part}: {done} of {len(records)} records")
    signals, codes, clean = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return IntervalSet(
        x_uv=signals, codes_st_i8=codes, clean=clean, digest=sha256("".join(digests).encode()).hexdigest()
    )


def _kept(
    cache: Cache,
    place: Place,
    name: str,
    shelf: NoiseShelf,
    spec: BenchSpec,
    per_side: int,
    keys: tuple[str, ...],
) -> tuple[NDArray[Any], ...]:
    """Signals, codes and cleanness of one record, under the digest of everything they were made of."""
    made: list[tuple[NDArray[Any], ...]] = []

    def make(which: int) -> NDArray[Any]:
        if not made:
            leads = [read_clean(place, name, lead) for lead in mitdb.read(place, name).leads]
            made.append(of_record(leads, shelf, spec, per_side, np.random.default_rng([SEED, int(name)])))
        return made[0][which]

    def kept(which: int, kind: str) -> NDArray[Any]:
        return cache.array(f"intervals-{kind}-{name}", VERSION, *keys, make=lambda: make(which))

    return tuple(kept(which, kind) for which, kind in enumerate(("signal", "codes", "clean")))


def of_record(
    leads: Sequence[Clean], shelf: NoiseShelf, spec: BenchSpec, per_side: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.float32]]:
    """Recordings of one wearer until there are `per_side` intervals on either side of half clean."""
    sides: tuple[list[Any], list[Any]] = ([], [])
    for _ in range(10 + DRAWS_MAX * per_side // 10):
        for interval in zip(*one_recording(leads, shelf, spec, rng), strict=True):
            sides[int(interval[2] >= 0.5)].append(interval)
        if min(map(len, sides)) >= per_side:
            signals, codes, clean = zip(*(sides[0][:per_side] + sides[1][:per_side]), strict=True)
            return np.stack(signals), np.stack(codes), np.array(clean, np.float32)
    raise ContractError(
        f"{leads[0].record}: expected {per_side} noisy and {per_side} clean intervals, got "
        f"{len(sides[0])} and {len(sides[1])}"
    )


def one_recording(
    leads: Sequence[Clean], shelf: NoiseShelf, spec: BenchSpec, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.float32]]:
    """The noise bench once, with the recorder's samples kept; intervals follow each other."""
    stretch = draw_stretch(
        leads,
        rng,
        shortest_s=SHORTEST_S + SETTLE_S,
        longest_s=LONGEST_S + SETTLE_S,
        quiet_chance=spec.quiet_chance,
        two_leads_chance=spec.two_leads_chance,
        pace_spread=spec.pace_spread,
    )
    return cut_recording(stretch.ecg_uv, stretch.readable, leads[0].rate_hz, shelf, spec, rng)


def cut_recording(
    ecg_uv: NDArray[np.float64],
    readable: NDArray[np.bool_],
    rate_hz: int,
    shelf: NoiseShelf,
    spec: BenchSpec,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.float32]]:
    """What `noise_bench.bench` does, draw for draw, as intervals: a test holds the two together."""
    recorder = draw_recorder(
        rng, gain_low=spec.gain_low, gain_high=spec.gain_high, hand_held_chance=spec.hand_held_chance
    )
    n_before = SETTLE_S * rate_hz
    if rng.random() < spec.fresh_chance:
        ecg_uv, readable, n_before = ecg_uv[n_before:], readable[n_before:], 0
        ecg_uv = ecg_uv + artefacts.contact(rng, len(ecg_uv), rate_hz) * QRS_UV
        if spec.settling_mv:
            ecg_uv = ecg_uv + artefacts.settling(rng, len(ecg_uv), rate_hz) * spec.settling_mv * QRS_UV
    disturbance = draw_disturbance(rng, len(ecg_uv), rate_hz, recorder, shelf, spec)
    recorded_uv, ratio = record(ecg_uv, disturbance, recorder, rate_hz, spec.judged_from_hz)
    counts = recorder.counts(recorded_uv[n_before:], rate_hz)
    codes = columns_of(counts, rate_hz=recorder.rate_hz, uv_per_count=recorder.uv_per_count).codes_ts_i8

    n = len(codes) // COLUMNS
    signal_uv = at_picture_rate(counts * float(recorder.uv_per_count), recorder.rate_hz)

    def means(values: NDArray[Any]) -> NDArray[np.float64]:
        columns = per_column(values[n_before:].astype(np.float64), rate_hz, len(codes))
        found: NDArray[np.float64] = columns[: n * COLUMNS].reshape(n, COLUMNS).mean(axis=1)
        return found

    known = means(~readable) == 0
    clean = cleanness(means(ratio), means(disturbance.ecg_gain < 0.5))
    return (
        intervals_of(signal_uv, n)[known],
        np.moveaxis(codes[: n * COLUMNS].reshape(n, COLUMNS, -1), 1, 2)[known],
        clean[known].astype(np.float32),
    )


def at_picture_rate(x_uv: NDArray[Any], rate_hz: int) -> NDArray[np.float32]:
    """At 128 Hz, filtered against what does not fit below 64."""
    from scipy.signal import resample_poly

    sampled: NDArray[np.float32] = resample_poly(x_uv - np.median(x_uv), RATE_HZ, rate_hz).astype(np.float32)
    return sampled


def intervals_of(signal_uv: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """The first `n` stretches of 5 s; the last few samples may be missing, the last one stands for them."""
    missing = max(0, n * INTERVAL_SAMPLES - len(signal_uv))
    whole = np.pad(signal_uv, (0, missing), mode="edge")
    return whole[: n * INTERVAL_SAMPLES].reshape(n, INTERVAL_SAMPLES)
