"""The mantissa table of the binary logarithm: 64 steps between one and two."""

import numpy as np

INDEX_BITS = 6
FRACTION_BITS = 12


def mantissa_q12() -> tuple[int, ...]:
    """round(4096 log2(1 + i/64)), i = 0..64: the last entry is where the next octave starts."""
    steps = 1 << INDEX_BITS
    exact = np.log2(1 + np.arange(steps + 1) / steps) * (1 << FRACTION_BITS)
    return tuple(int(v) for v in np.rint(exact))
