"""What a quality net is trained and validated on: recordings of MIT-BIH by way of the noise bench."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.data import mitdb, nstdb
from training.data.cache import Cache
from training.data.place import Place
from training.data.quality_marks import readable
from training.hearts import QRS_UV, Clean, draw_stretch
from training.jobs import described
from training.noise_bench import SETTLE_S, BenchSpec, Mixed, bench
from training.noise_parts import NoiseShelf, read_shelf
from training.quality_splits import Part, part_of_record
from training.shrinkage import shrunk
from training.snr import in_read_band, normal_beats, qrs_swing
from training.workshop import Workshop

Floats = NDArray[np.float64]
COLUMNS = 80  # of a window: five seconds
STRIDE = 16  # columns: a second
SHORTEST_S, LONGEST_S = 9, 61  # recordings are as long as CinC 2017's
CLEAN_DB, WIDTH_DB = 10.5, 2.5  # half clean here, 73 % clean 2.5 dB above
QUIETEST = 1e-6  # 60 dB: cleaner than that is clean
FIRST_COUNTS = 5
VERSION = "4"  # part of the cache key: raise it when the bench computes something else


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySet:
    """Columns of many recordings end to end, where windows may start, and how clean each window is."""

    codes_ts_i8: NDArray[np.int8]
    starts: NDArray[np.int64]
    clean: NDArray[np.float32]  # soft: the chance that a reader would call the window clean
    digest: str

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, chosen: NDArray[np.bool_]) -> "QualitySet":
        """These windows and no other."""
        return replace(
            self,
            starts=self.starts[chosen],
            clean=self.clean[chosen],
            digest=sha256(self.digest.encode() + chosen.tobytes()).hexdigest(),
        )

    def windows(self, indices: NDArray[np.int64]) -> NDArray[np.int8]:
        """[n, 32, 80]: what the device hands a net."""
        whole = np.lib.stride_tricks.sliding_window_view(self.codes_ts_i8, COLUMNS, axis=0)
        chosen: NDArray[np.int8] = whole[self.starts[indices]]
        return chosen


def cleanness(noise_ratio: Floats, lost: Floats) -> Floats:
    """From SNR to the chance of 'clean'; a window without ECG is not."""
    snr = -10 * np.log10(np.maximum(noise_ratio, QUIETEST))
    chance: Floats = (1 - lost) * 0.5 * (1 + np.tanh((snr - CLEAN_DB) / (2 * WIDTH_DB)))
    return chance


def make_set(
    workshop: Workshop,
    part: Part,
    spec: BenchSpec,
    *,
    hours: float,
    seed: int,
    records: Sequence[str],
) -> QualitySet:
    """So many hours of recordings of one part, as often from one record as from another."""
    for name in records:
        if part_of_record(name) != part:
            raise ContractError(f"{name}: expected a record of {part}, it belongs to {part_of_record(name)}")
    place, noise_place = mitdb.find(workshop.data), nstdb.find(workshop.data)
    shelf = read_shelf(noise_place, part)
    noise_digest = sha256(b"".join(one.noise.tobytes() for one in shelf.noises)).hexdigest()
    per_record_s = hours * 3600 / len(records)
    sets = []
    for done, name in enumerate(records, start=1):
        keys = (
            place.digest([f"{name}.dat", f"{name}.atr"]),
            noise_digest,
            described(spec),
            f"{per_record_s} {seed}",
        )
        sets.append(_record_set(workshop.cache, place, name, shelf, spec, per_record_s, seed, keys))
        workshop.tell(f"noise bench, {part}: {done} of {len(records)} records")
    return join(sets)


def join(sets: Sequence[QualitySet]) -> QualitySet:
    """One set; windows still lie inside their own recordings."""
    offsets = np.cumsum([0, *(len(one.codes_ts_i8) for one in sets)])
    return QualitySet(
        codes_ts_i8=np.concatenate([one.codes_ts_i8 for one in sets]),
        starts=np.concatenate([one.starts + offset for one, offset in zip(sets, offsets, strict=False)]),
        clean=np.concatenate([one.clean for one in sets]),
        digest=sha256("".join(one.digest for one in sets).encode()).hexdigest(),
    )


def windows_of(mixed: Mixed, offset: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Starts and cleanness of every window of one recording whose truth is known."""
    starts = np.arange(0, len(mixed.codes_ts_i8) - COLUMNS + 1, STRIDE)
    ratio, lost, unusable = (
        _means(values, starts) for values in (mixed.noise_ratio, mixed.lost, ~mixed.usable)
    )
    # The first window of a short recording is one of six that are judged, and one of thirty here.
    known = np.repeat(np.flatnonzero(unusable == 0), np.where(starts == 0, FIRST_COUNTS, 1)[unusable == 0])
    return offset + starts[known], cleanness(ratio, lost)[known].astype(np.float32)


def read_clean(place: Place, name: str, lead: str) -> Clean:
    """One lead in microvolts, scaled by its QRS inside the band in which it is read."""
    found = mitdb.read(place, name, lead=lead)
    assert found.annotations is not None
    x_uv = (found.counts_i32 - found.baseline_counts) * float(found.uv_per_count)
    x_uv = x_uv - np.median(x_uv)
    quiet_uv = shrunk(x_uv)
    beats = normal_beats(found.annotations)
    swing = qrs_swing(in_read_band(x_uv, found.rate_hz), beats, found.rate_hz)
    return Clean(
        record=name,
        lead=lead,
        rate_hz=found.rate_hz,
        ecg_uv=quiet_uv * (QRS_UV / swing),
        hiss_uv=(x_uv - quiet_uv) * (QRS_UV / swing),
        readable=readable(place, name, found.leads.index(lead), found.length_samples),
        beats=beats,
        digest=found.digest,
    )


def mix_record(
    leads: Sequence[Clean], shelf: NoiseShelf, spec: BenchSpec, total_s: float, rng: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.float32]]:
    """Recordings of random length from random places of either lead, until there is enough."""
    codes, starts, clean, n_columns, made_s = [], [], [], 0, 0.0
    while made_s < total_s:
        one = draw_stretch(
            leads,
            rng,
            shortest_s=SHORTEST_S + SETTLE_S,
            longest_s=LONGEST_S + SETTLE_S,
            quiet_chance=spec.quiet_chance,
            two_leads_chance=spec.two_leads_chance,
            pace_spread=spec.pace_spread,
        )
        mixed = bench(one.ecg_uv, one.readable, leads[0].rate_hz, shelf, spec, rng)
        found, chances = windows_of(mixed, n_columns)
        codes.append(mixed.codes_ts_i8)
        starts.append(found)
        clean.append(chances)
        n_columns += len(mixed.codes_ts_i8)
        made_s += one.length_s - SETTLE_S
    return np.concatenate(codes), np.concatenate(starts), np.concatenate(clean)


def _record_set(
    cache: Cache,
    place: Place,
    name: str,
    shelf: NoiseShelf,
    spec: BenchSpec,
    total_s: float,
    seed: int,
    keys: tuple[str, ...],
) -> QualitySet:
    """Three mapped arrays, kept under the digest of everything they were made of."""
    made: dict[str, NDArray[Any]] = {}

    def make(which: str) -> NDArray[Any]:
        if not made:
            rng = np.random.default_rng([seed, int(name)])
            leads = [read_clean(place, name, lead) for lead in mitdb.read(place, name).leads]
            made.update(
                zip(("codes", "starts", "clean"), mix_record(leads, shelf, spec, total_s, rng), strict=True)
            )
        return made[which]

    def kept(which: str) -> NDArray[Any]:
        return cache.array(f"quality-{which}-{name}", VERSION, *keys, make=lambda: make(which))

    return QualitySet(
        codes_ts_i8=kept("codes"),
        starts=kept("starts"),
        clean=kept("clean"),
        digest=sha256("\0".join((VERSION, name, *keys)).encode()).hexdigest(),
    )


def _means(values: NDArray[Any], starts: NDArray[np.int64]) -> Floats:
    """Mean over each window."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    means: Floats = (sums[starts + COLUMNS] - sums[starts]) / COLUMNS
    return means
