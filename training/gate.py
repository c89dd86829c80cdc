"""The gate: a beat counts where the quality windows around it are good enough."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError

I64 = NDArray[np.int64]
WINDOW, HOP = 640, 128  # of the 128 Hz stream: five seconds, every second
HALF_BEAT = 64
N_AROUND = (WINDOW - 2 * HALF_BEAT) // HOP  # windows that hold a beat's second whole
SHUT_Q8 = -129 << 8  # below every code
How = Literal["mean", "best", "worst", "newest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateForm:
    """Which windows a beat waits for, the oldest first, and what is made of them."""

    how: How = "mean"
    n_windows: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.n_windows <= N_AROUND:
            raise ContractError(f"n_windows: expected 1..{N_AROUND}, got {self.n_windows}")

    def __str__(self) -> str:
        return f"{self.how} of {self.n_windows}" if self.how != "newest" else f"only the {self.n_windows}."


def gate_q8(form: GateForm, codes: NDArray[np.int8], usable: NDArray[np.bool_], peaks: I64) -> I64:
    """What the gate says of a beat at each 128 Hz sample: code in Q8, or shut: no usable window."""
    if len(codes) == 0:
        return np.full(len(peaks), SHUT_Q8, np.int64)
    first = np.maximum(-((WINDOW - HALF_BEAT - peaks) // HOP), 0)
    windows = first[:, None] + np.arange(form.n_windows)
    known = np.minimum(windows, len(codes) - 1)
    begins = np.maximum(peaks - HALF_BEAT, 0)
    holds = (windows == known) & (windows * HOP <= begins[:, None]) & usable[known]
    said = codes.astype(np.int64)[known]
    if form.how == "mean":
        made = _mean_q8(np.where(holds, said, 0).sum(axis=1), holds.sum(axis=1))
    elif form.how == "best":
        made = np.where(holds, said, -128).max(axis=1) << 8
    elif form.how == "worst":
        made = np.where(holds, said, 127).min(axis=1) << 8
    else:
        made = said[:, -1] << 8
    is_known = holds[:, -1] if form.how == "newest" else holds.any(axis=1)
    return np.where(is_known, made, SHUT_Q8)


def _mean_q8(sums: I64, counts: I64) -> I64:
    """Half up, as the judge of the device rounds."""
    counts = np.maximum(counts, 1)
    mean: I64 = ((sums << 9) + counts) // (2 * counts)
    return mean
