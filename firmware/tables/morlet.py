"""The analytic Morlet wavelets: six voices, one set of integer taps for all five octaves.

A wavelet of octave s sees the signal through s half-bands, so its taps are fitted together with
them: the least-squares fit of (half-band cascade x taps) to the true Morlet, weighted with the
spectrum of an ECG, summed over the octaves. Rounding to integers is part of the fit.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from firmware.tables import halfband

RATE_HZ = 256
N_OCTAVES = 5
N_VOICES = 6
TOP_HZ = 61.44  # 0.24 of the rate
OMEGA_0 = 6.0  # centre frequency over bandwidth: cycles against time resolution
SUPPORT_SIGMAS = 3.75  # the Gaussian is below 0.1 % beyond
FRACTION_BITS = 15
STREAM_LIMIT = 32764  # +-8191 uV in Q2
COLOUR_POLE = 0.98  # ECG power falls with frequency ..
COLOUR_WHITE = 0.05  # .. down to a floor of muscle and amplifier noise
N_FREQUENCIES = 2048

Array = NDArray[np.float64]


def centre_hz(octave: int, voice: int) -> float:
    return float(TOP_HZ * 2.0 ** (-octave - voice / N_VOICES))


def sigma_samples(voice: int) -> float:
    """Standard deviation of the envelope, in samples of the octave's own stream."""
    return float(OMEGA_0 * RATE_HZ / (2 * np.pi * centre_hz(0, voice)))


def half_length(voice: int) -> int:
    return int(np.ceil(SUPPORT_SIGMAS * sigma_samples(voice)))


MAX_HALF = half_length(N_VOICES - 1)


@cache
def taps_q15(voice: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Real and imaginary taps k = 0..h of one voice; the real part sums to exactly zero."""
    real = _fit(*_normal_equations(voice, imaginary=False))
    imaginary = _fit(*_normal_equations(voice, imaginary=True))
    # Zero frequency must vanish exactly, or 300 mV of electrode offset would show in every row.
    real = _descend(*_normal_equations(voice, imaginary=False), _sum_to_zero(real), keep_sum=True)
    imaginary = _descend(*_normal_equations(voice, imaginary=True), imaginary, keep_sum=False)
    return tuple(int(c) for c in real), (0, *(int(c) for c in imaginary))


def worst_sum(voice: int) -> int:
    """Largest magnitude the int32 accumulator can reach, over both parts."""
    real, imaginary = taps_q15(voice)
    sums = (abs(real[0]) + 2 * sum(map(abs, real[1:])), 2 * sum(map(abs, imaginary)))
    return STREAM_LIMIT * max(sums)


def _normal_equations(voice: int, *, imaginary: bool) -> tuple[Array, Array]:
    """Quadratic form of the weighted error in the taps: c' G c - 2 b' c, taps in units of one LSB."""
    omega = (np.arange(N_FREQUENCIES) + 0.5) * np.pi / N_FREQUENCIES
    colour = 1 / np.abs(1 - COLOUR_POLE * np.exp(-1j * omega)) ** 2 + COLOUR_WHITE
    k = np.arange(1 if imaginary else 0, half_length(voice) + 1)
    gram, rhs = np.zeros((k.size, k.size)), np.zeros(k.size)
    for octave in range(N_OCTAVES):
        target = _morlet_response(omega, octave, voice, imaginary=imaginary)
        wave = np.sin if imaginary else np.cos
        basis = 2 * wave(np.outer(omega, k * 2**octave))
        if not imaginary:
            basis[:, 0] = 1
        seen = basis * _cascade_response(omega, octave)[:, None] / (1 << FRACTION_BITS)
        weight = colour / np.sum(colour * target**2)  # every octave counts the same
        gram += seen.T @ (seen * weight[:, None])
        rhs += seen.T @ (weight * target)
    return gram, rhs


def _morlet_response(omega: Array, octave: int, voice: int, *, imaginary: bool) -> Array:
    """Transform of 2/(sigma sqrt(2 pi)) exp(-n^2/(2 sigma^2)) cos or sin (omega_c n)."""
    centre = 2 * np.pi * centre_hz(octave, voice) / RATE_HZ
    sigma = sigma_samples(voice) * 2**octave
    near: Array = np.exp(-0.5 * (sigma * (omega - centre)) ** 2)
    mirror: Array = np.exp(-0.5 * (sigma * (omega + centre)) ** 2)
    return near - mirror if imaginary else near + mirror


def _cascade_response(omega: Array, octave: int) -> Array:
    gain = np.ones_like(omega)
    for stage in range(octave):
        gain = gain * halfband.response(omega * 2**stage)
    return gain


def _fit(gram: Array, rhs: Array) -> NDArray[np.int64]:
    taps: NDArray[np.int64] = np.rint(np.linalg.solve(gram, rhs)).astype(np.int64)
    return taps


def _sum_to_zero(real: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum over -h..h is c0 + 2 (c1 + ..): let c0 take what rounding left."""
    return np.concatenate(([-2 * real[1:].sum()], real[1:]))


def _descend(gram: Array, rhs: Array, taps: NDArray[np.int64], *, keep_sum: bool) -> NDArray[np.int64]:
    """Better integers than rounding finds: steps of one or two taps by one LSB while the error falls."""
    moves = _moves(taps.size, keep_sum=keep_sum)
    costs = np.einsum("mi,ij,mj->m", moves, gram, moves)
    while True:
        change = costs + 2 * moves @ (gram @ taps - rhs)
        best = int(np.argmin(change))
        if change[best] > -1e-9 * abs(float(taps @ gram @ taps)) * 1e-6:
            return taps
        taps = taps + moves[best].astype(np.int64)


def _moves(n: int, *, keep_sum: bool) -> Array:
    single = np.vstack([np.eye(n), -np.eye(n)])
    pairs = [a + b for i, a in enumerate(single) for b in single[i + 1 :] if np.any(a + b)]
    moves: Array = np.vstack([single, *pairs])
    if keep_sum:
        moves[:, 0] = -2 * moves[:, 1:].sum(axis=1)
        moves = moves[np.any(moves != 0, axis=1)]
    unique: Array = np.unique(moves, axis=0)
    return unique
