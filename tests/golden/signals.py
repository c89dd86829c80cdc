"""Test signals from equations, in microvolts."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Each wave of a beat: where in the cycle, how wide (cycles), how tall (of the R peak).
WAVES = (
    (0.20, 0.025, 0.12),
    (0.37, 0.010, -0.12),
    (0.40, 0.012, 1.0),
    (0.43, 0.010, -0.25),
    (0.65, 0.050, 0.30),
)


def ecg(seconds: float, rate_hz: int, *, r_uv: float = 1000, bpm: float = 72, delay_s: float = 0) -> Array:
    """A sum of Gaussians per beat, evenly paced."""
    phase = ((np.arange(int(seconds * rate_hz)) / rate_hz - delay_s) * bpm / 60) % 1
    return np.asarray(
        r_uv * sum(a * np.exp(-((phase - m) ** 2) / (2 * w * w)) for m, w, a in WAVES), dtype=np.float64
    )


def chirp(seconds: float, rate_hz: int, *, from_hz: float, to_hz: float, amplitude_uv: float) -> Array:
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return np.asarray(
        amplitude_uv * np.sin(2 * np.pi * (from_hz * t + (to_hz - from_hz) * t * t / (2 * seconds)))
    )
