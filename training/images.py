"""Colour pictures of an ECG for paper 000's nets: a wavelet transform, or the device's image, through `jet`.

The paper says 'a 2-D image', obtained by a continuous wavelet transform of 5 s, and no more. This is the
picture usual for nets that know photographs: an analytic Morlet wavelet, rows spaced evenly in log frequency,
magnitude from the picture's own least to its greatest, a colour from blue to red. It knows no microvolts.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]  # [n, 3, side, side], red green blue, high frequencies on top
RATE_HZ = 128
INTERVAL_SAMPLES = 5 * RATE_HZ
# What a hand-held recorder keeps: rows above would tell recorders apart, and 0.5 Hz swings twice in 5 s
BAND_HZ = (0.5, 45.0)
OMEGA = 6.0  # radians under one standard deviation of the wavelet: some six cycles of it are seen
BATCH = 256
VERSION = "1"  # part of every cache key: raise it when a picture changes


def colour_table() -> Pictures:
    """`jet` by its definition, 256 colours [256, 3]: three tents, each of height 1 and cut at 1."""
    x = np.arange(256)[:, None] / 255
    tents = np.clip(1.5 - np.abs(4 * x - np.array([3, 2, 1])), 0, 1)
    table: Pictures = np.rint(tents * 255).astype(np.uint8)
    return table


def row_frequencies_hz(n_rows: int) -> NDArray[np.float64]:
    """From the highest, so that it is drawn on top."""
    low, high = BAND_HZ
    return np.geomspace(high, low, n_rows)


def magnitudes(x_uv: NDArray[np.float32], n_rows: int) -> NDArray[np.float32]:
    """|CWT| of each interval [n, 640] alone, mirrored at its ends: [n, rows, 640]."""
    from scipy.fft import fft, ifft

    centred = x_uv - x_uv.mean(axis=1, keepdims=True)
    half = INTERVAL_SAMPLES // 2
    spectrum = fft(np.pad(centred, ((0, 0), (half, half)), mode="symmetric"), axis=1)
    found = ifft(spectrum[:, None, :] * _wavelets(n_rows), axis=2)
    whole: NDArray[np.float32] = np.abs(found[:, :, half:-half])
    return whole


def pictures(x_uv: NDArray[np.float32], side: int) -> Pictures:
    """Intervals [n, 640] in microvolts at 128 Hz as pictures of side x side."""
    found = np.empty((len(x_uv), 3, side, side), np.uint8)
    for start in range(0, len(x_uv), BATCH):
        levels = magnitudes(x_uv[start : start + BATCH], side) @ _pooling(side)
        found[start : start + BATCH] = painted(_stretched(levels))
    return found


def pictures_of_codes(codes_st_i8: NDArray[np.int8], side: int) -> Pictures:
    """The device's images [n, 32, 80] by nearest neighbour through the same table: integers throughout."""
    n_rows, n_columns = codes_st_i8.shape[1:]
    places = 2 * np.arange(side) + 1
    rows, columns = places * n_rows // (2 * side), places * n_columns // (2 * side)
    return painted((codes_st_i8[:, rows][:, :, columns].astype(np.int16) + 128).astype(np.uint8))


def painted(levels_u8: NDArray[np.uint8]) -> Pictures:
    """[n, rows, columns] through the colour table: [n, 3, rows, columns]."""
    return np.ascontiguousarray(np.moveaxis(colour_table()[levels_u8], -1, 1))


def _stretched(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Each picture from its least to its greatest; a flat line is least everywhere."""
    least, most = levels.min(axis=(1, 2), keepdims=True), levels.max(axis=(1, 2), keepdims=True)
    share = (levels - least) / np.maximum(most - least, 1e-6)
    stretched: NDArray[np.uint8] = np.rint(share * 255).astype(np.uint8)
    return stretched


@cache
def _wavelets(n_rows: int) -> NDArray[np.float32]:
    """Each row's Morlet in frequency, peak 2: a sine of that frequency has its amplitude."""
    hz = np.fft.fftfreq(2 * INTERVAL_SAMPLES, 1 / RATE_HZ)
    ratio = np.maximum(hz, 0)[None, :] / row_frequencies_hz(n_rows)[:, None]
    bells: NDArray[np.float64] = 2 * np.exp(-0.5 * (OMEGA * (ratio - 1)) ** 2) * (ratio > 0)
    return bells.astype(np.float32)


@cache
def _pooling(side: int) -> NDArray[np.float32]:
    """Mean over each column's stretch of time, fractions of samples included: [640, side]."""
    edges = np.arange(side + 1) * INTERVAL_SAMPLES / side
    samples = np.arange(INTERVAL_SAMPLES)[:, None]
    overlap = np.minimum(samples + 1, edges[1:]) - np.maximum(samples, edges[:-1])
    weights: NDArray[np.float64] = np.maximum(overlap, 0)
    weights /= weights.sum(axis=0)
    return weights.astype(np.float32)
