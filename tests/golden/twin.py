"""The front end in plain integers over whole arrays: the second witness, one function per stage.

Nothing here is streamed and nothing is shared with the C core but the designed tables, so a
mistake in buffers, phases or indices of either side shows as a difference.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from firmware.tables import halfband, log2, lowpass, morlet, resampler

I64 = NDArray[np.int64]

LIMIT_UV = 500_000
STREAM_LIMIT_Q2 = 32_764
HOP = 16
COLUMN_LAG = 39
BLOCKER_SHIFT = 7
RESTORE_SAMPLES = 41
FLAT_COLUMNS = 7
WARM_COLUMNS = 40
# Octave -> positions in its own stream beside the centre, weights, Q12 logarithm of their sum.
POOLING = {
    0: ((-8, -4, 0, 4, 8), (3, 2, 2, 2, 3), 14684),
    1: ((-4, 0, 4), (2, 1, 2), 9511),
    2: ((0,), (1,), 0),
    3: ((0,), (1,), 0),
    4: ((0,), (1,), 0),
}
RAIL, FLAT, LEAD_OFF, WARM_UP, CLIP, GAP = 1, 2, 4, 8, 16, 32


def round_shift(v: I64, shift: int) -> I64:
    return v if shift == 0 else (v + (1 << (shift - 1))) >> shift


def to_uv(counts: I64, gain_mul: int, gain_shift: int) -> I64:
    return np.clip(round_shift(counts * gain_mul, gain_shift), -LIMIT_UV, LIMIT_UV)


def phases_q15(rate_hz: int) -> I64:
    """All phases, the mirrored half included: (up, taps), tap k for the input k before the newest."""
    up, _ = resampler.ratio(rate_hz)
    stored = np.array(resampler.phases_q15(rate_hz), dtype=np.int64)
    return np.array([stored[p] if p < len(stored) else stored[up - 1 - p][::-1] for p in range(up)])


def resample(x_uv: I64, rate_hz: int) -> tuple[I64, I64]:
    """Microvolts Q11 at 256 Hz, and for every output the index of its newest input."""
    if rate_hz == 256:
        return x_uv * 2048, np.arange(x_uv.size)
    up, down = resampler.ratio(rate_hz)
    taps = phases_q15(rate_hz)
    n_taps = taps.shape[1]
    at = np.arange(-(-x_uv.size * up // down), dtype=np.int64) * down  # in steps of 1/up input
    newest = at // up
    padded = np.concatenate([np.full(n_taps - 1, x_uv[0]), x_uv])
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_taps)[newest][:, ::-1]
    sums = np.einsum("nk,nk->n", windows, taps[at % up])
    return np.clip(round_shift(sums, 4), -LIMIT_UV * 2048, LIMIT_UV * 2048), newest


def blocker(x_q11: I64) -> tuple[I64, NDArray[np.bool_], list[int]]:
    """Microvolts Q2 without baseline, where it was limited, and after which samples it restored."""
    y_q2 = np.empty_like(x_q11)
    restores: list[int] = []
    base = int(x_q11[0])
    clipped = 0
    for i, x in enumerate(x_q11.tolist()):
        difference = x - base
        y = min(max((difference + 256) >> 9, -STREAM_LIMIT_Q2), STREAM_LIMIT_Q2)
        base += difference >> BLOCKER_SHIFT
        clipped = clipped + 1 if abs(y) == STREAM_LIMIT_Q2 else 0
        if clipped == RESTORE_SAMPLES:
            base, clipped = x, 0
            restores.append(i)
        y_q2[i] = y
    return y_q2, np.abs(y_q2) == STREAM_LIMIT_Q2, restores


@dataclass(frozen=True)
class Stream:
    """Samples of one rate with silence before the first: index -margin..n-1."""

    x_q2: I64
    margin: int

    def at(self, index: I64) -> I64:
        return np.asarray(self.x_q2[index + self.margin], dtype=np.int64)


MARGIN = 1024


def as_stream(x_q2: I64) -> Stream:
    return Stream(np.concatenate([np.zeros(MARGIN, np.int64), x_q2]), MARGIN)


def halve(stream: Stream, n_in: int) -> tuple[Stream, int, NDArray[np.bool_]]:
    """Half-band outputs k with 2k + 13 below n_in; the ones before zero are kept too."""
    n_out = (n_in - halfband.HALF_LENGTH + 1) // 2
    k = np.arange(-stream.margin // 2 + 16, n_out)
    total = stream.at(2 * k) << 13
    for i, pair in enumerate(halfband.pairs_q14()):
        total = total + pair * (stream.at(2 * k - 2 * i - 1) + stream.at(2 * k + 2 * i + 1))
    full = round_shift(total, halfband.FRACTION_BITS)
    limited = np.clip(full, -STREAM_LIMIT_Q2, STREAM_LIMIT_Q2)
    return Stream(limited, int(-k[0])), n_out, full != limited


def wavelet_power_q18(stream: Stream, voice: int, centres: I64) -> I64:
    """re^2 + im^2 at the given samples of the octave's stream."""
    real, imaginary = (np.array(part, dtype=np.int64) for part in morlet.taps_q15(voice))
    half = morlet.half_length(voice)
    offsets = np.arange(-half, half + 1)
    samples = stream.at(centres[:, None] + offsets)
    re = round_shift(samples @ np.concatenate([real[:0:-1], real]), 8)
    im = round_shift(samples @ np.concatenate([-imaginary[:0:-1], imaginary]), 8)
    return np.asarray(re * re + im * im, dtype=np.int64)


def log2_q12(value: int) -> int:
    table = log2.mantissa_q12()
    n = value.bit_length() - 1
    mantissa = (value << 31 >> n) - (1 << 31)  # 31 bits behind the leading one, truncated
    i, fraction = mantissa >> 25, (mantissa >> 17) & 255
    return n * 4096 + table[i] + (((table[i + 1] - table[i]) * fraction + 128) >> 8)


def level(power: int, log2_unit_q12: int) -> int:
    if power == 0:
        return -128
    return min(max(((10 * (log2_q12(power) - log2_unit_q12) + 2048) >> 12) - 128, -128), 127)


def levels(power: I64, log2_unit_q12: int) -> NDArray[np.int8]:
    flat = [level(int(p), log2_unit_q12) for p in power.ravel()]
    return np.array(flat, dtype=np.int8).reshape(power.shape)


def low_row(x4: Stream, n_columns: int) -> NDArray[np.int8]:
    slow = slower = power = 0
    codes = []
    for x in x4.at(np.arange(n_columns)).tolist():
        slow += (x * 256 - slow) >> 2
        slower += (slow - slower) >> 2
        power += (slower * slower - power) >> 3
        codes.append(level(power, 19 * 4096))
    return np.array(codes, dtype=np.int8)


def high_row(x0: Stream, x1: Stream, n_columns: int) -> NDArray[np.int8]:
    k = np.arange(n_columns)[:, None] * 8 + np.arange(-4, 4)
    high = x0.at(2 * k) - x1.at(k)
    return levels(np.sum(high * high, axis=1), 6 * 4096)


def beat_stream(x1: Stream, n_hops: int, restores: list[int]) -> NDArray[np.int16]:
    """Second high-pass and low-pass of the 128 Hz stream, eight samples a hop."""
    base = 0
    high: list[int] = []
    pending = list(restores)
    for hop in range(n_hops):
        while pending and pending[0] <= 16 * hop + 3:  # a restore acts before its hop is computed
            base = 0
            pending.pop(0)
        for x in x1.at(np.arange(8 * hop - 12, 8 * hop - 4)).tolist():
            difference = x * 16384 - base
            base += difference >> 7
            high.append(min(max((difference + 8192) >> 14, -STREAM_LIMIT_Q2), STREAM_LIMIT_Q2))
    samples = np.concatenate([np.zeros(20, np.int64), np.array(high, dtype=np.int64)])
    taps = np.array(lowpass.taps_q14(), dtype=np.int64)
    whole = np.concatenate([taps[:0:-1], taps])
    filtered = np.convolve(samples, whole, mode="valid")  # output i is centred on sample 8*0 - 22 + i
    return round_shift(filtered[22:], 16).astype(np.int16)


def column_flags(
    counts: I64,
    newest: I64,
    limited: list[NDArray[np.bool_]],
    n_hops: int,
    *,
    n_taps: int,
    rails: tuple[int, int],
    flat_counts: int,
) -> NDArray[np.uint8]:
    """Rail, flat, warm-up and clip of every column; limited[0] is the blocker, then the half-bands."""
    flags = np.zeros(n_hops, np.uint8)
    flags[:WARM_COLUMNS] |= WARM_UP
    railed = (counts <= rails[0]) | (counts >= rails[1])
    held = np.convolve(railed.astype(np.int64), np.ones(n_taps + 1, np.int64))[: counts.size] > 0
    # Which hop an input belongs to: the first one whose last output it precedes or makes.
    last_output = 16 * np.arange(n_hops) + 3
    first_input = np.concatenate([[0], newest[last_output[:-1]] + 1])
    past_input = newest[last_output] + 1
    run = 0
    for j in range(n_hops):
        mine = slice(int(first_input[j]), int(past_input[j]))
        if held[mine].any():
            flags[j] |= RAIL
        run = min(run + 1, FLAT_COLUMNS) if np.ptp(counts[mine]) <= flat_counts else 0
        if run == FLAT_COLUMNS:
            flags[max(j - FLAT_COLUMNS + 1, 0) : j + 1] |= FLAT
        low = max(16 * j - 12, 0)
        if limited[0][low : 16 * j + 4].any():
            flags[j] |= CLIP
        for stage, hits in enumerate(limited[1:], start=1):
            past = {1: 8 * j - 4, 2: 4 * j - 8, 3: 2 * j - 10, 4: j - 11}[stage]
            n_new = 16 >> stage
            if hits[max(past - n_new, 0) : max(past, 0)].any():
                flags[j] |= CLIP
    return flags


@dataclass(frozen=True)
class Output:
    codes_ts_i8: NDArray[np.int8]
    flags_u8: NDArray[np.uint8]
    beat_uv_i16: NDArray[np.int16]
    after_blocker_uv: NDArray[np.float64]  # what the wavelets are given
    power_uv2: NDArray[np.float64]  # (n_columns, 30), the integers before the logarithm


def front_end(
    counts: I64,
    *,
    rate_hz: int = 256,
    gain: tuple[int, int] = (1, 0),
    rails: tuple[int, int] = (-(2**31), 2**31 - 1),
) -> Output:
    """The whole path over a whole recording; rail, flat and clip flags included."""
    x_q11, newest = resample(to_uv(counts, *gain), rate_hz)
    y_q2, blocked, restores = blocker(x_q11)
    n_hops = (y_q2.size + 12) // HOP
    n_columns = max(n_hops - COLUMN_LAG, 0)
    streams, limited, n = [as_stream(y_q2)], [blocked], y_q2.size
    for _ in range(4):
        stream, n, hits = halve(streams[-1], n)
        streams.append(stream)
        limited.append(hits[stream.margin :])
    codes = np.full((n_columns, 32), -128, np.int8)
    power_uv2 = np.empty((n_columns, 30))
    for octave in range(5):
        offsets, weights, unit_q12 = POOLING[octave]
        centres = np.arange(n_columns)[:, None] * (HOP >> octave) + np.array(offsets)
        for voice in range(6):
            power = wavelet_power_q18(streams[octave], voice, centres.ravel()).reshape(centres.shape)
            pooled = power @ np.array(weights)
            codes[:, 6 * octave + voice] = levels(pooled, 18 * 4096 + unit_q12)
            power_uv2[:, 6 * octave + voice] = pooled / (2.0**18 * sum(weights))
    codes[:, 30] = low_row(streams[4], n_columns)
    codes[:, 31] = high_row(streams[0], streams[1], n_columns)
    flags = column_flags(
        counts, newest, limited, n_hops,
        n_taps=resampler.TAPS_PER_PHASE.get(rate_hz, 0), rails=rails,
        flat_counts=max((2 << gain[1]) // gain[0], 2),
    )  # fmt: skip
    return Output(codes, flags[:n_columns], beat_stream(streams[1], n_hops, restores), y_q2 / 4, power_uv2)


def r_peaks(beat_uv: NDArray[np.int16]) -> list[int]:
    """R peaks of the 128 Hz stream, from the description in firmware/src/qrs.c."""
    x = beat_uv.astype(np.int64)
    n = x.size
    before = np.concatenate([np.zeros(16, np.int64), x])  # index i + 16

    def at(offset: int) -> I64:
        return np.asarray(before[16 + offset : 16 + offset + n], dtype=np.int64)

    three = sum(at(offset) for offset in (-4, -5, -6))
    eleven = sum(at(offset) for offset in range(-10, 1))
    z = np.clip((11 * three - 3 * eleven) >> 6, -7000, 7000) ** 2
    total = np.concatenate([np.zeros(71, np.int64), np.cumsum(z)])  # total[i + 71]: up to and with i
    i = np.arange(n) + 71
    long, short = total[i] - total[i - 70], total[i - 28] - total[i - 42]

    peaks: list[int] = []
    mean_q4 = level = strongest = last_strength = 0
    last, start, inside = -46, 0, False
    for newest in range(n):
        judged = newest - 40
        mean_q4 += (int(z[newest]) * 16 - mean_q4 + 512) >> 10
        if judged < 0:
            continue
        if judged - last > 192:
            level -= level >> 9
        energy = int(short[newest])
        above = 5 * energy > int(long[newest]) + 11 * (mean_q4 >> 4)
        if above:
            if not inside:
                inside, start, strongest = True, judged, 0
            strongest = max(strongest, energy)
        if not inside or (above and judged - start < 96):
            continue
        inside = False
        peak = start + int(np.argmax(np.abs(x[start:judged]))) if judged > start else start
        soon = peak - last < 46 and strongest * 6 < last_strength
        if judged - start < 10 or peak - last < 25 or strongest < level >> 4 or soon:
            continue
        last, last_strength = peak, strongest
        level += (min(strongest, 4 * level) - level) >> 3 if level else strongest
        peaks.append(peak)
    return peaks


def beat_windows(beat_uv: NDArray[np.int16], peaks: list[int]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Shapes and rhythm of every beat, from the description in firmware/src/beat_window.c."""
    reach = 68
    x = np.concatenate([np.zeros(reach, np.int64), beat_uv.astype(np.int64), np.zeros(reach, np.int64)])
    template = np.zeros(128, np.int64)
    shapes = []
    for n, peak in enumerate(peaks):
        views = [x[peak + reach - 64 + off :][:128] for off in (0, -1, 1, -2, 2, -3, 3, -4, 4)]
        window = min(views, key=lambda view: int(np.abs(view - template).sum()))  # the first of equals
        both = np.stack([window - template, window], axis=1)
        shapes.append(np.clip((both + 16) >> 5, -128, 127).astype(np.int8))
        step = max(4096 >> min(n, 12), 48)
        template = template + np.clip(window - template, -step, step)
    return np.array(shapes, np.int8).reshape(-1, 128, 2), _rhythm(peaks)


def _rhythm(peaks: list[int]) -> NDArray[np.int8]:
    rows = [[0] * 10] if peaks else []
    intervals = [log2_q12(min(b - a, 512)) for a, b in pairwise(peaks)]
    waits = [log2_q12(min(b - a, 256)) for a, b in pairwise(peaks)] + [log2_q12(256)]
    slow = fast = last = intervals[0] if intervals else 0
    unrest = 0
    for n, (pre, post) in enumerate(zip(intervals, waits[1:], strict=True), start=1):
        q6 = [
            pre - slow, post - slow, last - slow, fast - slow, min(pre - slow, 0), abs(last - slow),
            min(pre - last, 0), min(pre - fast, 0), max(post - slow, 0),
        ]  # fmt: skip
        row = [(v + 32) >> 6 for v in q6] + [(unrest + 8) >> 4]
        rows.append([min(max(v, -127), 127) for v in row])
        if n < 64:
            slow += ((pre - slow) * (12 if pre > slow else 1) + 8) >> 4
        else:
            slow += min(max((pre - slow + 8) >> 4, -6), 30)
        fast += (pre - fast + 2) >> 2
        unrest += (abs(pre - last) - unrest + 4) >> 3
        last = pre
    return np.array(rows, np.int8).reshape(-1, 10)
