"""The half-band low-pass that halves the rate: 27 taps, seven of them different."""

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.signal import remez

N_PAIRS = 7  # at offsets +-1, +-3 .. +-13
HALF_LENGTH = 2 * N_PAIRS - 1
PASS_EDGE = 0.17  # of the input rate: the top voice of the next octave ends here, -72 dB at 0.33
FRACTION_BITS = 14  # Q15 would leave 27 % of int32 unused in the worst case, Q14 leaves 63 %


@cache
def pairs_q14() -> tuple[int, ...]:
    """Coefficients of x[c-n] + x[c+n] for n = 1, 3 .. 13; the centre is exactly one half.

    A half-band filter is one half plus a filter that is zero at every even offset. That second
    filter is a full-band equiripple design of even length, spread out by two. Of all integers
    within one of it that keep the gain at zero frequency exactly one, the best are taken.
    """
    compact = remez(2 * N_PAIRS, [0, 2 * PASS_EDGE], [1.0], grid_density=64)[N_PAIRS:]
    quarter = 1 << (FRACTION_BITS - 2)
    rounded = np.rint(compact / compact.sum() * quarter).astype(np.int64)
    steps = np.array(list(product((-1, 0, 1), repeat=N_PAIRS)), dtype=np.int64)
    near = rounded + steps[rounded.sum() + steps.sum(axis=1) == quarter]
    omega = np.linspace(0, 2 * np.pi * PASS_EDGE, 200)
    waves = 2 * np.cos(np.outer(omega, 2 * np.arange(N_PAIRS) + 1)) / (1 << FRACTION_BITS)
    worst = np.abs(0.5 + near @ waves.T - 1).max(axis=1)  # the stop band is its mirror image
    return tuple(int(c) for c in near[int(np.argmin(worst))])


def response(omega: NDArray[np.float64]) -> NDArray[np.float64]:
    """Zero-phase frequency response of the integer filter; omega in radians per input sample."""
    gain = np.full_like(omega, 0.5)
    for i, coefficient in enumerate(pairs_q14()):
        gain += 2 * coefficient / (1 << FRACTION_BITS) * np.cos((2 * i + 1) * omega)
    return gain


def worst_sum(limit_in: int) -> int:
    """Largest magnitude the int32 accumulator can reach with every |sample| <= limit_in."""
    centre = 1 << (FRACTION_BITS - 1)
    return limit_in * (centre + 2 * sum(abs(c) for c in pairs_q14()))
