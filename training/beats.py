"""Windows centred on beats: their difference from the wearer's own template, and the rhythm around them.

Everything here is integer arithmetic that the device repeats sample for sample: codes of 32 uV at 128 Hz in,
codes and log2 ratios out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.beat_classes import CLASS_OF
from training.data.record import Annotations
from training.nets import WINDOW_SAMPLES

BEFORE_SAMPLES = WINDOW_SAMPLES // 2  # the R peak stands in the middle
SEARCH_SAMPLES = 4  # +-31 ms: how far a window may move to meet the template
TEMPLATE_Q = 4  # the template keeps a sixteenth of a code
STEP_Q4 = (
    24  # largest move per beat, 1.5 codes: an ectopic beat leaves 48 uV, a new morphology takes a minute
)
FIRST_STEP_Q4 = 2048  # the first beat is taken as it is; the bound halves until it reaches STEP_Q4
RR_FEATURES = 8
N_RECENT = 8  # beats in the local rhythm
N_LONG = 32  # beats in the slow one
MATCH_S = 0.15  # EC57: a detection this close to a mark is that beat


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """The beats of one recording, in order."""

    record: str
    samples: NDArray[np.int64]  # R peaks in the 128 Hz stream
    classes: NDArray[np.str_]  # EC57 class of each; "-" for a detection that is no beat
    times_s: NDArray[np.float64]
    differences_i8: NDArray[np.int8]  # [n, 128], window minus template
    rr: NDArray[np.float32]  # [n, 8], log2 ratios
    missed: tuple[str, ...]  # classes of annotated beats no detection met
    missed_s: tuple[float, ...]


def windows_around(codes: NDArray[np.int8], peaks: NDArray[np.int64]) -> NDArray[np.int8]:
    """[n, 128 + 2 * search] codes around each peak; zeros beyond the recording's ends."""
    reach = BEFORE_SAMPLES + SEARCH_SAMPLES
    padded = np.pad(codes, (reach, reach))
    offsets = np.arange(WINDOW_SAMPLES + 2 * SEARCH_SAMPLES)
    windows: NDArray[np.int8] = padded[peaks[:, None] + offsets]
    return windows


def template_differences(windows: NDArray[np.int8]) -> NDArray[np.int8]:
    """Each window minus the template of the beats before it, where the two fit best.

    The template follows each beat by a bounded step, which is a running median but for its memory: 128
    numbers instead of a window of beats.
    """
    differences = np.zeros((len(windows), WINDOW_SAMPLES), dtype=np.int8)
    template_q4 = np.zeros(WINDOW_SAMPLES, dtype=np.int32)
    for index, wide in enumerate(windows.astype(np.int32)):
        template = (template_q4 + (1 << (TEMPLATE_Q - 1))) >> TEMPLATE_Q
        window = wide[_best_place(wide, template) :][:WINDOW_SAMPLES]
        differences[index] = np.clip(window - template, -128, 127)
        bound = max(STEP_Q4, FIRST_STEP_Q4 >> min(index, 31))
        template_q4 += np.clip((window << TEMPLATE_Q) - template_q4, -bound, bound)
    return differences


def _best_place(wide: NDArray[np.int32], template: NDArray[np.int32]) -> int:
    """Offset of the window with the least sum of absolute differences; the middle wins a tie."""
    views = np.lib.stride_tricks.sliding_window_view(wide, WINDOW_SAMPLES)
    order = sorted(range(len(views)), key=lambda place: abs(place - SEARCH_SAMPLES))
    sums = np.abs(views - template).sum(axis=1)
    return int(min(order, key=lambda place: sums[place]))


def rhythm(peaks: NDArray[np.int64]) -> NDArray[np.float32]:
    """[n, 8] log2 ratios of the intervals around each beat; zero where a beat has no neighbour yet.

    A ratio knows no heart rate, and its log2 is a table look-up in integers.
    """
    n = len(peaks)
    found = np.zeros((n, RR_FEATURES), dtype=np.float32)
    if n < 3:
        return found
    log_rr = np.log2(np.maximum(np.diff(peaks), 1))  # log_rr[i]: beat i to beat i + 1
    for i in range(1, n):
        pre = log_rr[i - 1]
        post = log_rr[i] if i < n - 1 else pre
        recent = log_rr[max(0, i - 1 - N_RECENT) : i - 1]
        slow = log_rr[max(0, i - 1 - N_LONG) : i - 1]
        local = float(np.median(recent)) if len(recent) else pre
        long = float(np.median(slow)) if len(slow) else pre
        before = log_rr[i - 2] if i >= 2 else pre
        unrest = float(np.mean(np.abs(np.diff(recent)))) if len(recent) > 1 else 0.0
        found[i] = (
            pre - local,
            post - local,
            before - local,
            pre - long,
            post - long,
            abs(pre - local),
            unrest,
            pre - post,
        )
    return np.clip(found, -2.0, 2.0)


def annotated_beats(record: str, codes: NDArray[np.int8], marks: Annotations, *, rate_hz: int) -> Beats:
    """Beats where the annotators put them."""
    kept = [i for i, symbol in enumerate(marks.symbols) if symbol in CLASS_OF]
    times_s = marks.samples[kept] / rate_hz
    return _beats(record, codes, times_s, np.array([CLASS_OF[marks.symbols[i]] for i in kept]), (), ())


def detected_beats(
    record: str, codes: NDArray[np.int8], peaks_s: NDArray[np.float64], marks: Annotations, *, rate_hz: int
) -> Beats:
    """Beats where a detector put them, with the class of the mark each meets; what it missed stays."""
    kept = [i for i, symbol in enumerate(marks.symbols) if symbol in CLASS_OF]
    truth_s = marks.samples[kept] / rate_hz
    truth = [CLASS_OF[marks.symbols[i]] for i in kept]
    partner = match(peaks_s, truth_s, within_s=MATCH_S)
    classes = np.array([truth[j] if j >= 0 else "-" for j in partner])
    met = set(partner.tolist())
    missed = [j for j in range(len(truth)) if j not in met]
    return _beats(
        record,
        codes,
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
    codes: NDArray[np.int8],
    times_s: NDArray[np.float64],
    classes: NDArray[np.str_],
    missed: tuple[str, ...],
    missed_s: tuple[float, ...],
) -> Beats:
    peaks = np.clip(np.rint(times_s * WINDOW_SAMPLES).astype(np.int64), 0, len(codes) - 1)
    return Beats(
        record=record,
        samples=peaks,
        classes=classes,
        times_s=times_s,
        differences_i8=template_differences(windows_around(codes, peaks)),
        rr=rhythm(peaks),
        missed=missed,
        missed_s=missed_s,
    )
