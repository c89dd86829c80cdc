"""Signal-to-noise ratio as `nst` defines it, and the same inside the band in which an ECG is read."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.beat_classes import beats_of
from training.data.record import Annotations

Floats = NDArray[np.float64]
N_BEATS = 300  # `nst` looks at the first 300 normal beats and at the first 300 s of noise
N_SECONDS = 300
REACH_S = 0.05  # of a QRS, to either side of its mark
TRIM = 0.05  # cut from each end before averaging
# What leaves a QRS readable does not count: wander below, mains and muscle hiss above. Measured: labels by
# the SNR of this band separate CinC 2017 better than labels by the whole band's.
READ_BAND_HZ = (0.67, 40.0)
READ_ORDER = 4  # 0.3 Hz 28 dB down, 60 Hz 14 dB
NORMAL = "NLRej"


def trimmed_mean(values: Floats) -> float:
    """Mean of the middle 90 %."""
    ordered = np.sort(values)
    n_cut = int(len(ordered) * TRIM)
    return float(ordered[n_cut : len(ordered) - n_cut].mean())


def signal_power(x_uv: Floats, qrs_samples: NDArray[np.int64], rate_hz: int) -> float:
    """A QRS of peak-to-peak p stands for a sine of power p^2 / 8."""
    return qrs_swing(x_uv, qrs_samples, rate_hz) ** 2 / 8


def qrs_swing(x_uv: Floats, qrs_samples: NDArray[np.int64], rate_hz: int) -> float:
    """Peak-to-peak amplitude of the usual QRS."""
    reach = round(REACH_S * rate_hz)
    inside = qrs_samples[(qrs_samples >= reach) & (qrs_samples + reach < len(x_uv))][:N_BEATS]
    if len(inside) == 0:
        raise ContractError("signal power: expected beats inside the signal, got none")
    windows = x_uv[inside[:, None] + np.arange(-reach, reach + 1)]
    return trimmed_mean(np.ptp(windows, axis=1))


def noise_power(noise_uv: Floats, rate_hz: int) -> float:
    """Square of the usual RMS of a second; each second around its own mean."""
    n_seconds = min(N_SECONDS, len(noise_uv) // rate_hz)
    if n_seconds == 0:
        raise ContractError(f"noise power: expected a second of noise or more, got {len(noise_uv)} samples")
    seconds = noise_uv[: n_seconds * rate_hz].reshape(n_seconds, rate_hz)
    return trimmed_mean(seconds.std(axis=1)) ** 2


def noise_gain(signal_uv2: float, noise_uv2: float, snr_db: float) -> float:
    """What noise is multiplied by before it is added."""
    return float(np.sqrt(signal_uv2 / (noise_uv2 * 10 ** (snr_db / 10))))


def snr_db(signal_uv2: float, noise_uv2: float) -> float:
    return float(10 * np.log10(signal_uv2 / noise_uv2))


def normal_beats(annotations: Annotations) -> NDArray[np.int64]:
    """Marks of normal beats; of all beats where the heart is paced and there are none."""
    normal = annotations.only(NORMAL).samples
    return normal if len(normal) else beats_of(annotations).samples


def in_read_band(x_uv: Floats, rate_hz: int, low_hz: float = READ_BAND_HZ[0]) -> Floats:
    """What of a signal lies where an ECG is read."""
    from scipy.signal import sosfilt

    filtered: Floats = sosfilt(_read_band(rate_hz, low_hz), x_uv)
    return filtered


@cache
def _read_band(rate_hz: int, low_hz: float) -> Any:
    from scipy.signal import butter

    return butter(READ_ORDER, (low_hz, READ_BAND_HZ[1]), btype="bandpass", fs=rate_hz, output="sos")
