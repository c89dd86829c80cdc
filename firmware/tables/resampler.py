"""Polyphase filters from a board's sampling rate to the 256 Hz of the signal path."""

from functools import cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

RATE_OUT_HZ = 256
FRACTION_BITS = 15
STOP_DB = 70.0
# Taps each output costs: the transition band is 4.3 * rate / taps wide and centred on half of
# the lower rate, which leaves at least 90 Hz untouched where the source has it.
TAPS_PER_PHASE = {125: 16, 128: 16, 200: 20, 250: 20, 300: 20, 360: 24, 400: 28, 500: 32, 512: 32, 1000: 64}


def ratio(rate_hz: int) -> tuple[int, int]:
    """(up, down): rate_hz * up / down = 256."""
    divisor = gcd(RATE_OUT_HZ, rate_hz)
    return RATE_OUT_HZ // divisor, rate_hz // divisor


def n_stored_phases(rate_hz: int) -> int:
    """Phase p backwards is phase up-1-p, so half of them are stored."""
    return (ratio(rate_hz)[0] + 1) // 2


@cache
def phases_q15(rate_hz: int) -> tuple[tuple[int, ...], ...]:
    """The stored phases; tap k multiplies the input k samples before the newest.

    Every phase sums to exactly one: otherwise a constant input would become a tone at the
    frequency with which the phases repeat.
    """
    up, _ = ratio(rate_hz)
    prototype = _prototype(rate_hz)
    return tuple(
        tuple(int(c) for c in _integers(prototype[phase::up])) for phase in range(n_stored_phases(rate_hz))
    )


def worst_gain(rate_hz: int) -> float:
    """Largest sum of |tap| over the phases: how far the output can overshoot."""
    return max(sum(map(abs, taps)) for taps in phases_q15(rate_hz)) / (1 << FRACTION_BITS)


def _prototype(rate_hz: int) -> NDArray[np.float64]:
    up, _ = ratio(rate_hz)
    n = up * TAPS_PER_PHASE[rate_hz]
    cutoff = min(rate_hz, RATE_OUT_HZ) / 2 / (rate_hz * up)  # cycles per sample of the up-sampled grid
    time = np.arange(n) - (n - 1) / 2
    beta = 0.1102 * (STOP_DB - 8.7)  # Kaiser's rule
    return np.asarray(2 * cutoff * np.sinc(2 * cutoff * time) * np.kaiser(n, beta) * up, dtype=np.float64)


def _integers(taps: NDArray[np.float64]) -> NDArray[np.int64]:
    one = 1 << FRACTION_BITS
    rounded: NDArray[np.int64] = np.rint(taps / taps.sum() * one).astype(np.int64)
    left = one - int(rounded.sum())
    centre = taps.size // 2
    if np.array_equal(rounded, rounded[::-1]):  # a phase that is its own mirror stays so
        rounded[centre] += left // 2
        rounded[centre - 1] += left // 2
    else:
        rounded[int(np.argmax(np.abs(rounded)))] += left
    peak = int(np.argmax(rounded))
    over = max(int(rounded[peak]) - 32767, 0)  # a phase that hits a sample: int16 ends one short
    rounded[peak] -= over
    rounded[peak + 1] += over
    return rounded
