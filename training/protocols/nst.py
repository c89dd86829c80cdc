"""MIT-BIH 118 and 119, which taught no net, drowned as `nst` does: five minutes quiet, then every other two.

'mixed here' takes the minutes of NSTDB's noise that taught nobody. 'ready-made' are PhysioNet's recordings:
their noise is the same half hour from its beginning, so our nets have heard it ('seen noise').
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim.frontend import columns_of
from training.cinc_windows import cut
from training.data import mitdb, nstdb
from training.data.record import Record
from training.noise_parts import NoiseShelf, read_shelf
from training.protocols.external import MITBIH, SINGLE, Scorer, scorers_of
from training.protocols.external_report import Threshold
from training.protocols.nst_report import MIXED, READY_MADE, NstMetrics, NstRow
from training.quality_metrics import ranked, roc_auc
from training.quality_recipe import ExternalRecipe
from training.quality_splits import TEST_RECORDS
from training.snr import noise_gain, noise_power, normal_beats, signal_power
from training.workshop import Workshop

Floats = NDArray[np.float64]
KINDS = ("em", "ma")
QUIET_S, TURN_S = 300, 120  # of quiet at first, then of noise, of quiet, of noise...
WINDOW_S = 5


@dataclass(frozen=True, slots=True)
class Drowned:
    """Windows of one person, every one of them quiet or noisy throughout."""

    source: str
    kind: str
    snr_db: int
    codes_st_i8: NDArray[np.int8]
    is_noisy: NDArray[np.bool_]


def judge_nst(
    recipe: ExternalRecipe,
    weights: Mapping[int, Path],
    thresholds: Sequence[Threshold],
    workshop: Workshop,
) -> NstMetrics:
    """Every net and the baseline, with the thresholds that MIT-BIH's validation part chose."""
    drowned = list(drowned_of(workshop))
    rows: list[NstRow] = []
    for name, scorer in scorers_of(recipe, weights).items():
        threshold = next(
            one.logit for one in thresholds if (one.scorer, one.view, one.chosen_on) == (name, SINGLE, MITBIH)
        )
        rows += _rows(name, scorer, threshold, drowned)
        workshop.tell(f"{recipe.name}: {name} judged on 118 and 119")
    return NstMetrics(
        protocol="nst", recipe=recipe.name, net=recipe.net, seeds=tuple(weights), rows=tuple(rows)
    )


def drowned_of(workshop: Workshop) -> Iterator[Drowned]:
    """Both people at every SNR: under each noise of the test part, and as PhysioNet mixed them."""
    people, noises = mitdb.find(workshop.data), nstdb.find(workshop.data)
    shelf = read_shelf(noises, "test")
    for name in TEST_RECORDS:
        record = mitdb.read(people, name, lead=mitdb.first_lead(people, name))
        for snr, snr_db in nstdb.SNR_DB.items():
            for kind in KINDS:
                x_uv = drown(record, noise_of(shelf, kind, record.length_samples), snr_db)
                yield _windows(MIXED, kind, snr_db, np.rint(x_uv).astype(np.int32), record.rate_hz)
            made = nstdb.read(noises, f"{name}e{snr}", lead=record.lead)
            counts_i32 = made.counts_i32 - made.baseline_counts
            yield _windows(READY_MADE, "em", snr_db, counts_i32, made.rate_hz, made.uv_per_count)


def is_noisy_second(second: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Five minutes quiet, two noisy, two quiet, two noisy..."""
    later = second - QUIET_S
    noisy: NDArray[np.bool_] = (later >= 0) & (later // TURN_S % 2 == 0)
    return noisy


def noise_of(shelf: NoiseShelf, kind: str, n_samples: int) -> Floats:
    """The part's noise end to end, as often as it takes."""
    noise = next(one.noise for one in shelf.noises if one.kind == kind)
    return np.resize(noise - noise.mean(), n_samples)


def drown(record: Record, noise: Floats, snr_db: float) -> Floats:
    """Microvolts with noise at this SNR in every noisy minute."""
    assert record.annotations is not None
    x_uv = (record.counts_i32 - record.baseline_counts) * float(record.uv_per_count)
    power = signal_power(x_uv, normal_beats(record.annotations), record.rate_hz)
    gain = noise_gain(power, noise_power(noise, record.rate_hz), snr_db)
    mixed: Floats = x_uv + gain * noise * is_noisy_second(np.arange(len(x_uv)) / record.rate_hz)
    return mixed


def _windows(
    source: str,
    kind: str,
    snr_db: int,
    counts_i32: NDArray[np.int32],
    rate_hz: int,
    uv_per_count: Fraction = Fraction(1),
) -> Drowned:
    """Five seconds divide every stretch: no window holds both. The first still sees the front end's start."""
    codes = columns_of(counts_i32, rate_hz=rate_hz, uv_per_count=uv_per_count).codes_ts_i8
    found = cut(codes, np.array([len(codes)]), (source,), ("normal",))
    middle_s = (found.position + 0.5) * WINDOW_S
    return Drowned(source, kind, snr_db, found.codes_st_i8[1:], is_noisy_second(middle_s[1:]))


def _rows(name: str, scorer: Scorer, threshold: float, drowned: Sequence[Drowned]) -> list[NstRow]:
    rows = []
    for source, kind, snr_db in dict.fromkeys((one.source, one.kind, one.snr_db) for one in drowned):
        same = [one for one in drowned if (one.source, one.kind, one.snr_db) == (source, kind, snr_db)]
        scores = scorer(np.concatenate([one.codes_st_i8 for one in same]))
        is_noisy = np.concatenate([one.is_noisy for one in same])
        rows.append(
            NstRow(
                scorer=name,
                source=source,
                kind=kind,
                snr_db=snr_db,
                n_noisy=int(is_noisy.sum()),
                n_quiet=int((~is_noisy).sum()),
                auc=roc_auc(ranked(scores, ~is_noisy)),
                noisy_refused=float(np.mean(scores[is_noisy] <= threshold)),
                quiet_refused=float(np.mean(scores[~is_noisy] <= threshold)),
            )
        )
    return rows
