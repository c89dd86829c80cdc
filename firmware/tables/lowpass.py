"""The 30 Hz low-pass of the 128 Hz beat stream: linear phase, so a QRS keeps its shape."""

from functools import cache

import numpy as np
from scipy.signal import remez

RATE_HZ = 128
HALF_LENGTH = 10
PASS_HZ, STOP_HZ = 24.4, 42.0  # half power falls on 30 Hz; mains of 50 Hz is 70 dB down
STOP_WEIGHT = 4.0
FRACTION_BITS = 14


@cache
def taps_q14() -> tuple[int, ...]:
    """Centre tap and the ten taps beside it; the whole filter sums to exactly one."""
    whole = remez(
        2 * HALF_LENGTH + 1, [0, PASS_HZ, STOP_HZ, RATE_HZ / 2], [1, 0], weight=[1, STOP_WEIGHT], fs=RATE_HZ
    )
    half = np.rint(whole[HALF_LENGTH:] / whole.sum() * (1 << FRACTION_BITS)).astype(np.int64)
    half[0] += (1 << FRACTION_BITS) - half[0] - 2 * half[1:].sum()
    return tuple(int(c) for c in half)


def worst_sum(limit_in: int) -> int:
    taps = taps_q14()
    return limit_in * (abs(taps[0]) + 2 * sum(map(abs, taps[1:])))
