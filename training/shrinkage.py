"""An ECG without the hiss of the tape it was kept on: small wavelet coefficients shrunk to nothing.

Between beats MIT-BIH hisses with some 14 uV around 30 Hz, CinC 2017 with 4. A net that learns what 'clean' is
on a tape takes the tape for granted.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WAVELET = "sym6"
DETAILS = 4  # at 360 Hz: all above 11 Hz; P and T waves live below
STRENGTH = 3.5  # times the hiss: one coefficient of 2,000 passes by chance
MAD_TO_SD = 0.6745  # of a normal distribution


def shrunk(x_uv: Floats) -> Floats:
    """A coefficient within the hiss of its own octave becomes 0, a large one stays what it is (garrote)."""
    import pywt

    approximation, *details = pywt.wavedec(x_uv, WAVELET, level=DETAILS)
    for index, detail in enumerate(details):
        hiss = float(np.median(np.abs(detail))) / MAD_TO_SD
        if hiss > 0:
            details[index] = pywt.threshold(detail, STRENGTH * hiss, mode="garrote")
    whole: Floats = pywt.waverec([approximation, *details], WAVELET)[: len(x_uv)]
    return whole
