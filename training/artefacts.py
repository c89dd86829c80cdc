"""Disturbances that no recording of noise holds: each a signal of its own, drawn from a generator."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SETTLING_SPREAD = 1.2  # one in six is three times as restless as usual, as CinC 2017's first seconds are


def mains(rng: np.random.Generator, n_samples: int, rate_hz: int) -> Floats:
    """50 or 60 Hz and its odd harmonics, a little off, swelling and fading; amplitude 1."""
    base_hz = rng.choice([50.0, 60.0]) + rng.normal(0, 0.05)
    t = np.arange(n_samples) / rate_hz
    x = np.zeros(n_samples)
    for harmonic, share in ((1, 1.0), (3, rng.uniform(0, 0.3)), (5, rng.uniform(0, 0.1))):
        if harmonic * base_hz < rate_hz / 2:
            x += share * np.sin(2 * np.pi * (harmonic * base_hz * t + rng.random()))
    swell: Floats = 1 + 0.5 * rng.random() * np.sin(2 * np.pi * (rng.uniform(0.02, 0.5) * t + rng.random()))
    return x * swell


def emg(rng: np.random.Generator, n_samples: int, rate_hz: int) -> Floats:
    """Muscle: noise between some 5-25 Hz and some 40-150 Hz, in contractions of about a second."""
    low_hz, high_hz = rng.uniform(3, 25), rng.uniform(40, 150)
    noise = coloured(rng, n_samples, rate_hz, low_hz=low_hz, high_hz=high_hz, slope=rng.uniform(0, 0.5))
    return noise * _swelling(rng, n_samples, rate_hz, depth=rng.uniform(0, 1.5))


def movement(rng: np.random.Generator, n_samples: int, rate_hz: int) -> Floats:
    """Electrode movement: the slower the stronger, up to where a QRS lives."""
    noise = coloured(
        rng,
        n_samples,
        rate_hz,
        low_hz=rng.uniform(0.3, 2),
        high_hz=rng.uniform(8, 40),
        slope=rng.uniform(0.5, 1.5),
    )
    return noise * _swelling(rng, n_samples, rate_hz, depth=rng.uniform(0, 1.5))


def coloured(
    rng: np.random.Generator, n_samples: int, rate_hz: int, *, low_hz: float, high_hz: float, slope: float
) -> Floats:
    """Noise between two frequencies, amplitude falling as 1 / f^slope; RMS 1."""
    spectrum = rng.normal(size=n_samples // 2 + 1) + 1j * rng.normal(size=n_samples // 2 + 1)
    hz = np.fft.rfftfreq(n_samples, 1 / rate_hz)
    shape = np.where((hz >= low_hz) & (hz <= high_hz), np.maximum(hz, low_hz) ** -slope, 0.0)
    x: Floats = np.fft.irfft(spectrum * shape, n_samples)
    return x / max(float(x.std()), 1e-12)


def taps(rng: np.random.Generator, n_samples: int, rate_hz: int) -> Floats:
    """Knocks on the electrode: a few spikes that ring out; amplitude about 1."""
    x = np.zeros(n_samples)
    for at in rng.integers(n_samples, size=int(rng.integers(1, 8))):
        t = np.arange(min(n_samples - at, rate_hz)) / rate_hz
        ring = np.cos(2 * np.pi * rng.uniform(1, 20) * t + rng.random())
        x[at : at + len(t)] += (
            rng.choice([-1, 1]) * rng.uniform(0.3, 1) * np.exp(-t / rng.uniform(0.02, 0.3)) * ring
        )
    return x


def baseline_jumps(rng: np.random.Generator, n_samples: int, _rate_hz: int) -> Floats:
    """The electrode's offset changes at once; steps of up to 1."""
    x = np.zeros(n_samples)
    for at in rng.integers(n_samples, size=int(rng.integers(1, 4))):
        x[at:] += rng.uniform(-1, 1)
    return x


def contact(rng: np.random.Generator, n_samples: int, rate_hz: int) -> Floats:
    """What follows when skin meets electrode: millivolts of offset that drift away in some seconds."""
    t = np.arange(n_samples) / rate_hz
    size = rng.choice([-1, 1]) * np.exp(rng.uniform(-2, 2))
    drift: Floats = size * (rng.uniform(0, 1) + np.exp(-t / np.exp(rng.uniform(np.log(0.1), np.log(3)))))
    return drift


def settling(rng: np.random.Generator, n_samples: int, rate_hz: int) -> Floats:
    """How fingers come to rest on electrodes: slow movement and some faster, gone in seconds; usual RMS 1."""
    t = np.arange(n_samples) / rate_hz
    x = np.zeros(n_samples)
    for high_hz, longest_s in ((2.0, 4.0), (rng.uniform(3, 10), 2.0)):
        size = np.exp(rng.normal(0, SETTLING_SPREAD))
        decay_s = np.exp(rng.uniform(np.log(longest_s / 6), np.log(longest_s)))
        slope = rng.uniform(0, 1)
        movement = coloured(rng, n_samples, rate_hz, low_hz=0.3, high_hz=high_hz, slope=slope)
        x += size * movement * np.exp(-t / decay_s)
    return x


def gain_step(rng: np.random.Generator, n_samples: int) -> Floats:
    """A factor of 1 that becomes another one, up to twice or half, from somewhere on."""
    gain = np.ones(n_samples)
    gain[rng.integers(n_samples) :] = 2 ** rng.uniform(-1, 1)
    return gain


def stretch(rng: np.random.Generator, n_samples: int, rate_hz: int, *, shortest_s: float) -> Mask:
    """One stretch of the recording: as long as stated, or longer, up to all of it."""
    length = int(rng.uniform(min(shortest_s * rate_hz, n_samples), n_samples))
    start = int(rng.integers(n_samples - length + 1))
    mask = np.zeros(n_samples, dtype=np.bool_)
    mask[start : start + length] = True
    return mask


def clip(x: Floats, low: float, high: float) -> Floats:
    """What a converter with these rails delivers."""
    return np.clip(x, low, high)


def levels_db(
    rng: np.random.Generator, n_samples: int, rate_hz: int, *, low_db: float, high_db: float
) -> Floats:
    """How strong noise is over time: one level throughout, or bursts with quiet between; an SNR per sample.

    Real noise rarely fills five seconds: half of the recordings change level every 1 to 12 s.
    """
    if rng.random() < 0.5:
        return np.full(n_samples, rng.uniform(low_db, high_db))
    levels = np.empty(n_samples)
    at = 0
    while at < n_samples:
        length = int(rng.uniform(1, 12) * rate_hz)
        levels[at : at + length] = QUIET_DB if rng.random() < 0.4 else rng.uniform(low_db, high_db)
        at += length
    return _smoothed(levels, round(0.2 * rate_hz))


QUIET_DB = 40.0  # a hundredth of a QRS: no noise to speak of


def _swelling(rng: np.random.Generator, n_samples: int, rate_hz: int, *, depth: float) -> Floats:
    """A positive envelope that changes over seconds."""
    n_knots = max(2, int(n_samples / rate_hz * rng.uniform(0.3, 2)) + 2)
    knots = rng.normal(0, depth, n_knots)
    envelope: Floats = np.exp(np.interp(np.linspace(0, n_knots - 1, n_samples), np.arange(n_knots), knots))
    return envelope


def _smoothed(x: Floats, width: int) -> Floats:
    """Moving average: noise does not start within one sample."""
    padded = np.pad(x, (width // 2, width - 1 - width // 2), mode="edge")
    sums = np.cumsum(np.concatenate([[0.0], padded]))
    smooth: Floats = (sums[width:] - sums[:-width]) / width
    return smooth
