"""Beats of one recording with their classes, and what the core makes of each for the networks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.beats import beat_windows_of
from device_sim.frontend import BEAT_HZ
from device_sim.rpeaks import RPeaks
from training.beat_classes import CLASS_OF
from training.data.record import Annotations

RR_FEATURES = 10
RR_UNIT = 64  # rr is log2 in Q6
MATCH_S = 0.15  # EC57: a detection this close to a mark is that beat


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """The beats of one recording, in order."""

    record: str
    samples: NDArray[np.int64]  # R peaks in the 128 Hz stream
    classes: NDArray[np.str_]  # EC57 class of each; "-" for a detection that is no beat
    times_s: NDArray[np.float64]
    shapes_ct_i8: NDArray[np.int8]  # [n, 2, 128]: window minus template, and the window; 32 uV per code
    rr: NDArray[np.float32]  # [n, 10], log2 ratios
    missed: tuple[str, ...]  # classes of annotated beats no detection met
    missed_s: tuple[float, ...]


def annotated_beats(record: str, beat_uv: NDArray[np.int16], marks: Annotations, *, rate_hz: int) -> Beats:
    """Beats where the annotators put them."""
    kept = [i for i, symbol in enumerate(marks.symbols) if symbol in CLASS_OF]
    times_s = marks.samples[kept] / rate_hz
    return _beats(record, beat_uv, times_s, np.array([CLASS_OF[marks.symbols[i]] for i in kept]), (), ())


def detected_beats(record: str, beat_uv: NDArray[np.int16], marks: Annotations, *, rate_hz: int) -> Beats:
    """Beats where the core's detector puts them, classed by the mark each meets; what it missed stays."""
    peaks_s = RPeaks().push(beat_uv) / BEAT_HZ
    kept = [i for i, symbol in enumerate(marks.symbols) if symbol in CLASS_OF]
    truth_s = marks.samples[kept] / rate_hz
    truth = [CLASS_OF[marks.symbols[i]] for i in kept]
    partner = match(peaks_s, truth_s, within_s=MATCH_S)
    classes = np.array([truth[j] if j >= 0 else "-" for j in partner])
    met = set(partner.tolist())
    missed = [j for j in range(len(truth)) if j not in met]
    return _beats(
        record,
        beat_uv,
        peaks_s,
        classes,
        tuple(truth[j] for j in missed),
        tuple(float(truth_s[j]) for j in missed),
    )


def match(
    found_s: NDArray[np.float64], truth_s: NDArray[np.float64], *, within_s: float
) -> NDArray[np.int64]:
    """For each detection the index of its mark, or -1; one to one, the nearest pairs first."""
    partner = np.full(len(found_s), -1, dtype=np.int64)
    pairs = []
    for index, time_s in enumerate(found_s.tolist()):
        low = int(np.searchsorted(truth_s, time_s - within_s))
        high = int(np.searchsorted(truth_s, time_s + within_s, side="right"))
        pairs += [(abs(truth_s[j] - time_s), index, j) for j in range(low, high)]
    taken: set[int] = set()
    for _gap, index, j in sorted(pairs):
        if partner[index] < 0 and j not in taken:
            partner[index] = j
            taken.add(j)
    return partner


def _beats(
    record: str,
    beat_uv: NDArray[np.int16],
    times_s: NDArray[np.float64],
    classes: NDArray[np.str_],
    missed: tuple[str, ...],
    missed_s: tuple[float, ...],
) -> Beats:
    peaks = np.clip(np.rint(times_s * BEAT_HZ).astype(np.int64), 0, len(beat_uv) - 1)
    made = beat_windows_of(beat_uv, peaks)
    return Beats(
        record=record,
        samples=peaks,
        classes=classes,
        times_s=times_s,
        shapes_ct_i8=made.shapes_tc_i8.transpose(0, 2, 1),
        rr=(made.rr_i8 / RR_UNIT).astype(np.float32),
        missed=missed,
        missed_s=missed_s,
    )
