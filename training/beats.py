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
RR_FEATURES = 8
RR_UNIT = 64  # rr is log2 in Q6
RATIO_LIMIT_Q12 = 8191 - 64  # two octaves
N_RECENT = 8  # intervals of the local rhythm
N_SLOW = 32  # and of the slow one
MATCH_S = 0.15  # EC57: a detection this close to a mark is that beat
MANTISSA_Q12 = np.rint(4096 * np.log2(1 + np.arange(65) / 64)).astype(np.int64)  # the core's log2 table


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """The beats of one recording, in order."""

    record: str
    samples: NDArray[np.int64]  # R peaks in the 128 Hz stream
    classes: NDArray[np.str_]  # EC57 class of each; "-" for a detection that is no beat
    times_s: NDArray[np.float64]
    differences_i8: NDArray[np.int8]  # [n, 128], window minus template, 32 uV per code
    rr: NDArray[np.float32]  # [n, 8], log2 ratios
    missed: tuple[str, ...]  # classes of annotated beats no detection met
    missed_s: tuple[float, ...]


def template_differences(beat_uv: NDArray[np.int16], peaks: NDArray[np.int64]) -> NDArray[np.int8]:
    """Each beat's window minus the template of the beats before it, where the two fit best: [n, 128].

    The template follows each beat by a bounded step, which is a running median but for its memory: 128
    numbers instead of a window of beats.
    """
    padded = np.pad(beat_uv.astype(np.int64), REACH_SAMPLES)
    differences = np.zeros((len(peaks), WINDOW_SAMPLES), dtype=np.int8)
    template = np.zeros(WINDOW_SAMPLES, dtype=np.int64)
    for index, peak in enumerate(peaks.tolist()):
        first = peak + SEARCH_SAMPLES  # of the window in the middle, in `padded`
        views = np.stack([padded[first + offset :][:WINDOW_SAMPLES] for offset in OFFSETS])
        window = views[np.abs(views - template).sum(axis=1).argmin()]
        codes = (window - template + (1 << (CODE_SHIFT - 1))) >> CODE_SHIFT
        differences[index] = np.clip(codes, -128, 127)
        bound = max(STEP_UV, FIRST_STEP_UV >> min(index, 12))
        template += np.clip(window - template, -bound, bound)
    return differences


def rhythm(peaks: NDArray[np.int64]) -> NDArray[np.float32]:
    """[n, 8] log2 ratios of the intervals around each beat; zero for the first, which has none before it.

    A ratio knows no heart rate, and its log2 is a table look-up in integers.
    """
    found = np.zeros((len(peaks), RR_FEATURES), dtype=np.float32)
    if len(peaks) < 2:
        return found
    log_rr = _log2_q12(np.clip(np.diff(peaks), 1, 512)).tolist()  # [i]: beat i to beat i + 1
    following = np.clip(np.append(np.diff(peaks), PATIENCE_SAMPLES), 1, PATIENCE_SAMPLES)
    log_following = _log2_q12(following).tolist()
    for index in range(1, len(peaks)):
        earlier = log_rr[max(0, index - 1 - N_SLOW) : index - 1]
        found[index] = _ratios(log_rr[index - 1], log_following[index], earlier)
    return found / RR_UNIT


def _ratios(pre: int, post: int, earlier: list[int]) -> list[int]:
    """One beat's eight, Q6; `earlier` holds the intervals before `pre`, the newest last."""
    recent = earlier[-N_RECENT:]
    local, slow = (_median(recent), _median(earlier)) if earlier else (pre, pre)
    before = earlier[-1] if earlier else pre
    changes = [abs(a - b) for a, b in zip(recent[1:], recent[:-1], strict=True)]
    unrest = sum(changes) // len(changes) if changes else 0
    found = (
        *(pre - local, post - local, before - local, pre - slow, post - slow),
        *(abs(pre - local), unrest, pre - post),
    )
    return [(min(max(ratio, -RATIO_LIMIT_Q12), RATIO_LIMIT_Q12) + 32) >> 6 for ratio in found]


def _median(values: list[int]) -> int:
    ordered, n = sorted(values), len(values)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) >> 1


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
        differences_i8=template_differences(beat_uv, peaks),
        rr=rhythm(peaks),
        missed=missed,
        missed_s=missed_s,
    )
