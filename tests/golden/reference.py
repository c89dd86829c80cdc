"""The front end as mathematics: float64, from the equations, nothing shared with the project.

Bounds that tests hold the integers to:

* A code is 20 log2(uV) - 128, so half a code is 1.75 % of amplitude. The logarithm table errs
  by at most (1/64)^2 / (8 ln 2) = 4.4e-5 octaves plus a Q12 rounding of 1.2e-4 on each of its
  two ends: 0.005 codes. The multiplication by ten and its rounding add half a code. A float64
  code that is not rounded therefore lies within 0.51 codes of the integer one if the power is
  the same, and |difference| <= 1 leaves half a code (1.75 %) for the filters.
* The streams carry 0.25 uV steps: white rounding noise of 0.072 uV rms a stage. Behind a
  wavelet of noise gain 0.38 (row 0) to 0.29 (row 5) three to five such sources stay below
  0.06 uV, that is 60 dB below 60 uV.
"""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 256
HOP = 16
TOP_HZ = 61.44
OMEGA_0 = 6.0
N_ROWS = 30
# Octave -> positions of the 256 Hz stream beside the centre, and their weights.
POOLING = {
    0: ((-8, -4, 0, 4, 8), (3, 2, 2, 2, 3)),
    1: ((-8, 0, 8), (2, 1, 2)),
    2: ((0,), (1,)),
    3: ((0,), (1,)),
    4: ((0,), (1,)),
}

Array = NDArray[np.float64]


def row_hz(row: int) -> float:
    return float(TOP_HZ * 2.0 ** (-row / 6))


def morlet_kernel(row: int) -> NDArray[np.complex128]:
    """2/(s sqrt(2 pi)) exp(-t^2/2s^2) exp(j 2 pi f t) at the sample instants, 8 sigma to each side.

    Sampling is exact quadrature here: the transform of the integrand is below 1e-9 at the
    sampling rate's first image even for the top row (6.5 sigma beyond the Nyquist frequency).
    A sine of A uV at the centre frequency gives |W| = A.
    """
    sigma = OMEGA_0 * RATE_HZ / (2 * np.pi * row_hz(row))
    n = np.arange(-int(np.ceil(8 * sigma)), int(np.ceil(8 * sigma)) + 1)
    envelope = 2 / (sigma * np.sqrt(2 * np.pi)) * np.exp(-(n**2) / (2 * sigma**2))
    return np.asarray(envelope * np.exp(2j * np.pi * row_hz(row) * n / RATE_HZ), dtype=np.complex128)


def wavelet(x_uv: Array, row: int, centres: NDArray[np.int64]) -> NDArray[np.complex128]:
    """True Morlet coefficients of x around the given samples; x is held constant beyond its ends."""
    kernel = morlet_kernel(row)
    half = kernel.size // 2
    padded = np.concatenate([np.full(half, x_uv[0]), x_uv, np.full(half, x_uv[-1])])
    spectrum_length = 1 << int(np.ceil(np.log2(padded.size + kernel.size)))
    full = np.fft.ifft(
        np.fft.fft(padded, spectrum_length) * np.fft.fft(np.conj(kernel[::-1]), spectrum_length)
    )
    return np.asarray(full[centres + 2 * half], dtype=np.complex128)


def pooled_power(x_uv: Array, n_columns: int) -> Array:
    """Weighted mean of |W|^2 over each column's pooling positions, (n_columns, 30), uV^2.

    Samples before the first equal it, as the history of a fresh device does.
    """
    power = np.empty((n_columns, N_ROWS))
    for row in range(N_ROWS):
        offsets, weights = POOLING[row // 6]
        centres = np.arange(n_columns)[:, None] * HOP + np.array(offsets)
        squares = np.abs(wavelet(x_uv, row, centres.ravel())).reshape(centres.shape) ** 2
        power[:, row] = squares @ np.array(weights) / sum(weights)
    return power


def code(power_uv2: Array) -> Array:
    """10 log2(power) - 128 within int8's range, not rounded."""
    clipped: Array = np.clip(10 * np.log2(np.maximum(power_uv2, 1e-30)) - 128, -128, 127)
    return clipped
