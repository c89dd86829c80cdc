"""A linear model that finds S beats by rhythm alone: ten log2 ratios and a bias."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.beats import RR_FEATURES


@dataclass(frozen=True, slots=True, kw_only=True)
class RhythmModel:
    """Above zero: the beat came too early to be normal."""

    weights: tuple[float, ...]
    bias: float

    @property
    def n_parameters(self) -> int:
        return len(self.weights) + 1

    def logits(self, rr: NDArray[np.float32]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = rr.astype(np.float64) @ np.array(self.weights) + self.bias
        return found


def fit_rhythm(
    rr: NDArray[np.float32],
    classes: NDArray[np.str_],
    weights: NDArray[np.float64] | None = None,
    *,
    penalty: float = 1.0,
) -> RhythmModel:
    """N against S, both weighing the same; V and F are morphology's business."""
    from sklearn.linear_model import LogisticRegression

    chosen = (classes == "N") | (classes == "S")
    model = LogisticRegression(C=1.0 / penalty, class_weight="balanced", max_iter=1000)
    model.fit(rr[chosen], classes[chosen] == "S", None if weights is None else weights[chosen])
    assert model.coef_.shape == (1, RR_FEATURES)
    return RhythmModel(weights=tuple(float(w) for w in model.coef_[0]), bias=float(model.intercept_[0]))
