"""A made-up recorder: its band, its rate, its gain and its steps; a net must not know one from another.

MIT-BIH reaches from 0.1 to 100 Hz, CinC 2017 from 0.5 to 40: left alone, the band tells the set.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RATES_HZ = (250, 256, 300, 300, 300, 360, 500)  # 300: a third of all, the hand-held recorders'
UV_PER_COUNT = (Fraction(1), Fraction(1), Fraction(5, 2), Fraction(5))
HAND_HELD_CHANCE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """What stands between skin and samples."""

    low_hz: float
    high_hz: float
    high_order: int
    rate_hz: int
    gain: float
    uv_per_count: Fraction

    def band(self, x_uv: Floats, rate_hz: int) -> Floats:
        """Filtered as the recorder does it: causal, one pole below, a few above."""
        from scipy.signal import butter, sosfilt

        low = butter(1, self.low_hz, btype="highpass", fs=rate_hz, output="sos")
        high = butter(self.high_order, self.high_hz, btype="lowpass", fs=rate_hz, output="sos")
        filtered: Floats = sosfilt(np.concatenate([low, high]), x_uv)
        return filtered

    def counts(self, x_uv: Floats, rate_hz: int) -> NDArray[np.int32]:
        """At the recorder's rate, in its steps."""
        from scipy.signal import resample_poly

        ratio = Fraction(self.rate_hz, rate_hz)
        sampled = x_uv if ratio == 1 else resample_poly(x_uv, ratio.numerator, ratio.denominator)
        rounded: NDArray[np.int32] = np.rint(sampled / float(self.uv_per_count)).astype(np.int32)
        return rounded


def draw_recorder(
    rng: np.random.Generator,
    *,
    gain_low: float,
    gain_high: float,
    hand_held_chance: float = HAND_HELD_CHANCE,
) -> Recorder:
    """Mostly the band of a hand-held recorder (0.5-40 Hz, give or take), sometimes a wide one."""
    if rng.random() < hand_held_chance:
        low_hz, high_hz, steepest = rng.uniform(0.3, 0.9), rng.uniform(28, 45), 12
    else:
        low_hz, high_hz, steepest = np.exp(rng.uniform(np.log(0.05), np.log(0.5))), rng.uniform(45, 150), 5
    return Recorder(
        low_hz=float(low_hz),
        high_hz=float(high_hz),
        high_order=int(rng.integers(1, steepest + 1)),
        rate_hz=int(rng.choice(RATES_HZ)),
        gain=float(np.exp(rng.uniform(np.log(gain_low), np.log(gain_high)))),
        uv_per_count=UV_PER_COUNT[rng.integers(len(UV_PER_COUNT))],
    )
