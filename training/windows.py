"""How a recording is cut blindly into one-second windows, and what label each window gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.data.record import Annotations

PAPER_ABNORMAL = "LRVAaSFEe" + "jr!f/"
LEAST_RATE = Fraction(9, 1000)  # the paper's 0.9 %: a record with less of one class is left out


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRule:
    """Which marks decide a window: 1 if any is abnormal, 0 if only normal ones, dropped otherwise."""

    normal: str
    abnormal: str
    drops: str = ""  # a window with one of these is left out
    drops_unlisted: bool = False  # so is one with any mark that is neither normal nor abnormal
    pads_last: bool = True  # the last, partial second counts as a window

    def __post_init__(self) -> None:
        both = set(self.normal) & set(self.abnormal)
        if both:
            raise ContractError(f"label rule: {''.join(sorted(both))}: expected normal or abnormal, got both")

    def windows_in(self, length_samples: int, window_samples: int) -> int:
        whole, rest = divmod(length_samples, window_samples)
        return whole + (1 if rest and self.pads_last else 0)


# 'A' is what the code behind the paper does; the others are readings of its text (docs: the paper's 49,245).
RULES: Mapping[str, LabelRule] = {
    "A": LabelRule(normal="N", abnormal=PAPER_ABNORMAL),
    "A-without-last": LabelRule(normal="N", abnormal=PAPER_ABNORMAL, pads_last=False),
    "B": LabelRule(normal="N", abnormal=PAPER_ABNORMAL + "J", drops='+~"x|Q'),
    "B3": LabelRule(normal="N", abnormal=PAPER_ABNORMAL, drops_unlisted=True),
    "B4": LabelRule(normal="N", abnormal=PAPER_ABNORMAL + "J", drops='+~"x|'),
    # EC57: only S, V and F beats are abnormal; bundle branch block is a conduction, not an event.
    # Paced and unclassifiable beats decide nothing.
    "EC57": LabelRule(normal="NLRej", abnormal="AaJSVEF", pads_last=False),
}


def label_windows(
    marks: Annotations, rule: LabelRule, *, length_samples: int, window_samples: int
) -> NDArray[np.int8]:
    """One label per window in time order: 1, 0, or -1 for a window that is left out."""
    n_windows = rule.windows_in(length_samples, window_samples)
    labels = np.full(n_windows, -1, dtype=np.int8)
    dropped = np.zeros(n_windows, dtype=np.bool_)
    for sample, symbol in zip((marks.samples // window_samples).tolist(), marks.symbols, strict=True):
        if not 0 <= sample < n_windows:
            continue
        if symbol in rule.abnormal:
            labels[sample] = 1
        elif symbol in rule.normal:
            labels[sample] = max(labels[sample], 0)
        elif rule.drops_unlisted:
            dropped[sample] = True
        if symbol in rule.drops:
            dropped[sample] = True
    labels[dropped] = -1
    return labels


def is_kept(labels: NDArray[np.int8]) -> bool:
    """The paper's exclusion: both classes, each at least 0.9 % of the record's windows."""
    n_windows, n_positive = int((labels >= 0).sum()), int((labels == 1).sum())
    if n_windows == 0:
        return False
    rarer = min(n_positive, n_windows - n_positive)
    return Fraction(rarer, n_windows) >= LEAST_RATE
