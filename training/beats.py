"""Windows centred on beats: their difference from the wearer's own template, and the rhythm around them.

The arithmetic is the core's (firmware/src/beat_window.c), integer by integer; a test holds the two together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.beat_classes import CLASS_OF
from training.data.record import Annotations
from training.nets import WINDOW_SAMPLES

SEARCH_SAMPLES = 4  # +-31 ms: how far a window may move to meet the template
REACH_SAMPLES = WINDOW_SAMPLES // 2 + SEARCH_SAMPLES  # the R peak stands in the middle
OFFSETS = (0, -1, 1, -2, 2, -3, 3, -4, 4)  # the nearest wins a tie
CODE_SHIFT = 5  # 32 uV per code
STEP_UV = (
    48  # largest move of the template per beat: an ectopic one hardly shows, a new normal takes a minute
)
FIRST_STEP_UV = 4096  # the first beat is taken as it is; the bound halves until it reaches STEP_UV
PATIENCE_SAMPLES = 256  # 2 s: the longest a beat waits for the next one
RR_FEATURES = 10
RR_UNIT = 64  # rr is log2 in Q6
FIRST_INTERVALS = 16  # the usual interval is still being found
SLOW_STEP_Q12 = 20  # largest move of it per beat after that
MATCH_S = 0.15  # EC57: a detection this close to a mark is that beat
MANTISSA_Q12 = np.rint(4096 * np.log2(1 + np.arange(65) / 64)).astype(np.int64)  # the core's log2 table


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


def shapes_of(beat_uv: NDArray[np.int16], peaks: NDArray[np.int64]) -> NDArray[np.int8]:
    """Each beat's window minus the template of the beats before it, and the window itself: [n, 2, 128].

    The window moves to where the two fit best. The template follows each beat by a bounded step, which is a
    running median but for its memory: 128 numbers instead of a window of beats.
    """
    padded = np.pad(beat_uv.astype(np.int64), REACH_SAMPLES)
    shapes = np.zeros((len(peaks), 2, WINDOW_SAMPLES), dtype=np.int8)
    template = np.zeros(WINDOW_SAMPLES, dtype=np.int64)
    for index, peak in enumerate(peaks.tolist()):
        first = peak + SEARCH_SAMPLES  # of the window in the middle, in `padded`
        views = np.stack([padded[first + offset :][:WINDOW_SAMPLES] for offset in OFFSETS])
        window = views[np.abs(views - template).sum(axis=1).argmin()]
        both = np.stack([window - template, window])
        shapes[index] = np.clip((both + (1 << (CODE_SHIFT - 1))) >> CODE_SHIFT, -128, 127)
        bound = max(STEP_UV, FIRST_STEP_UV >> min(index, 12))
        template += np.clip(window - template, -bound, bound)
    return shapes


def rhythm(peaks: NDArray[np.int64]) -> NDArray[np.float32]:
    """[n, 10] log2 ratios of the intervals around each beat; zero for the first, which has none before it.

    A ratio knows no heart rate, and its log2 is a table look-up in integers. The usual interval moves slowly,
    by 20/4096 octave a beat at most: a run of early beats does not become the rhythm it is measured against.
    """
    found = np.zeros((len(peaks), RR_FEATURES), dtype=np.float32)
    if len(peaks) < 2:
        return found
    pres = _log2_q12(np.clip(np.diff(peaks), 1, 512)).tolist()  # [i]: beat i to beat i + 1
    waits = np.clip(np.append(np.diff(peaks), PATIENCE_SAMPLES), 1, PATIENCE_SAMPLES)
    posts = _log2_q12(waits).tolist()
    usual = _Usual(slow=pres[0], fast=pres[0], last=pres[0])
    for index, pre in enumerate(pres, start=1):
        found[index] = usual.ratios(pre, posts[index])
        usual.follow(pre, n_intervals=index)
    return found / RR_UNIT


@dataclass(slots=True)
class _Usual:
    """The intervals a beat is measured against, log2 in Q12."""

    slow: int
    fast: int
    last: int
    unrest: int = 0  # mean change from beat to beat, Q12

    def ratios(self, pre: int, post: int) -> list[int]:
        """One beat's ten, Q6; unrest twice as fine again."""
        in_q12 = (
            *(pre - self.slow, post - self.slow, self.last - self.slow, self.fast - self.slow),
            *(min(pre - self.slow, 0), abs(self.last - self.slow), min(pre - self.last, 0)),
            *(min(pre - self.fast, 0), max(post - self.slow, 0)),
        )
        row = [*((ratio + 32) >> 6 for ratio in in_q12), (self.unrest + 8) >> 4]
        return [min(max(ratio, -127), 127) for ratio in row]

    def follow(self, pre: int, *, n_intervals: int) -> None:
        if n_intervals < FIRST_INTERVALS:
            self.slow += min(max((pre - self.slow + 1) >> 1, -2048), 2048)
        else:
            self.slow += min(max((pre - self.slow + 8) >> 4, -SLOW_STEP_Q12), SLOW_STEP_Q12)
        self.fast += (pre - self.fast + 2) >> 2
        self.unrest += (abs(pre - self.last) - self.unrest + 4) >> 3
        self.last = pre


def _log2_q12(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """log2 as the core computes it: 64 steps per octave, straight lines between."""
    octave = np.floor(np.log2(values)).astype(np.int64)  # exact: values are small integers
    mantissa = (values << 31 >> octave) - (1 << 31)
    step, part = mantissa >> 25, (mantissa >> 17) & 255
    rise = MANTISSA_Q12[step + 1] - MANTISSA_Q12[step]
    found: NDArray[np.int64] = octave * 4096 + MANTISSA_Q12[step] + ((rise * part + 128) >> 8)
    return found


def annotated_beats(record: str, beat_uv: NDArray[np.int16], marks: Annotations, *, rate_hz: int) -> Beats:
    """Beats where the annotators put them."""
    kept = [i for i, symbol in enumerate(marks.symbols) if symbol in CLASS_OF]
    times_s = marks.samples[kept] / rate_hz
    return _beats(record, beat_uv, times_s, np.array([CLASS_OF[marks.symbols[i]] for i in kept]), (), ())


def detected_beats(
    record: str, beat_uv: NDArray[np.int16], peaks_s: NDArray[np.float64], marks: Annotations, *, rate_hz: int
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
    peaks = np.clip(np.rint(times_s * WINDOW_SAMPLES).astype(np.int64), 0, len(beat_uv) - 1)
    return Beats(
        record=record,
        samples=peaks,
        classes=classes,
        times_s=times_s,
        shapes_ct_i8=shapes_of(beat_uv, peaks),
        rr=rhythm(peaks),
        missed=missed,
        missed_s=missed_s,
    )
