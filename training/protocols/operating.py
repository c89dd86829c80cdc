"""How a quality net would be used: where to set its threshold, when not to answer, what its score means."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import confusion, expected_calibration_error, fit_temperature, sigmoid
from training.quality_metrics import false_noisy_rates

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SENSITIVITIES = (0.80, 0.85, 0.90, 0.95, 0.98)
UNDECIDED = 0.10  # share of MIT-BIH's validation windows, noisy and clean alike, that get no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A threshold that lets this share of dev's clean windows pass, and what it does where it is judged."""

    scorer: str
    view: str
    wanted: float  # sensitivity on dev
    logit: float
    sensitivity: float
    specificity: float
    noisy_precision: float  # of the windows called noisy
    normal_refused: float
    af_refused: float
    other_refused: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What a score means, from MIT-BIH's validation part: sigmoid((logit - threshold) / temperature)."""

    scorer: str
    threshold: float
    temperature: float
    half_width: float  # nearer to the threshold than this, in logits: no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A band where it is judged; clean and noisy weigh the same, however many there are."""

    band: Band
    ece_before: float  # with a temperature of 1
    ece_after: float
    clean_undecided: float
    noisy_undecided: float
    sensitivity: float  # of the windows that get an answer
    specificity: float


def thresholds_for(scores: Floats, is_clean: Mask) -> list[float]:
    """Where each of SENSITIVITIES is reached."""
    return [float(np.quantile(scores[is_clean], 1 - wanted)) for wanted in SENSITIVITIES]


def point_of(
    scorer: str,
    view: str,
    wanted: float,
    logit: float,
    scores: Floats,
    is_clean: Mask,
    labels: NDArray[np.str_],
) -> OperatingPoint:
    found = confusion(is_clean, scores > logit)
    refused = false_noisy_rates(scores, labels, logit, ("normal", "af", "other"))
    return OperatingPoint(
        scorer=scorer,
        view=view,
        wanted=wanted,
        logit=logit,
        sensitivity=found.sensitivity,
        specificity=found.specificity,
        noisy_precision=found.tn / max(found.tn + found.fn, 1),
        normal_refused=refused["normal"],
        af_refused=refused["af"],
        other_refused=refused["other"],
    )


def band_of(scorer: str, scores: Floats, is_clean: Mask, threshold: float) -> Band:
    """Temperature and width of the undecided, noisy and clean windows weighing the same."""
    chosen = both_alike(is_clean)
    away = scores[chosen] - threshold
    return Band(
        scorer=scorer,
        threshold=threshold,
        temperature=fit_temperature(away, is_clean[chosen].astype(np.int64)),
        half_width=float(np.quantile(np.abs(away), UNDECIDED)),
    )


def calibration_of(band: Band, scores: Floats, is_clean: Mask) -> Calibration:
    away = scores - band.threshold
    chosen = both_alike(is_clean)
    truth = is_clean[chosen].astype(np.int64)
    is_decided = np.abs(away) > band.half_width
    decided = confusion(is_clean[is_decided], away[is_decided] > 0)
    return Calibration(
        band=band,
        ece_before=expected_calibration_error(sigmoid(away[chosen]), truth),
        ece_after=expected_calibration_error(sigmoid(away[chosen] / band.temperature), truth),
        clean_undecided=float(np.mean(~is_decided[is_clean])),
        noisy_undecided=float(np.mean(~is_decided[~is_clean])),
        sensitivity=decided.sensitivity,
        specificity=decided.specificity,
    )


def both_alike(is_clean: Mask) -> NDArray[np.int64]:
    """Indices with as many noisy as clean: the fewer come again and again."""
    sides = np.flatnonzero(is_clean), np.flatnonzero(~is_clean)
    n = max(map(len, sides))
    return np.concatenate([np.resize(side, n) for side in sides])


def render(points: Sequence[OperatingPoint], calibrations: Sequence[Calibration]) -> list[str]:
    """Two tables: thresholds to choose from, and what stands around the threshold."""
    lines = [
        "",
        "operating points, by the share of dev's clean windows that pass; N, A, O: share called noisy",
        f"{'scorer':32}{'view':16}{'wanted':>7}{'logit':>8}{'Se':>7}{'Sp':>7}{'+P noisy':>9}"
        f"{'N':>6}{'A':>6}{'O':>6}",
    ]
    lines += [
        f"{one.scorer:32}{one.view:16}{one.wanted:7.2f}{one.logit:8.3f}{one.sensitivity:7.3f}"
        f"{one.specificity:7.3f}{one.noisy_precision:9.3f}{one.normal_refused:6.3f}{one.af_refused:6.3f}"
        f"{one.other_refused:6.3f}"
        for one in points
    ]
    lines += [
        "",
        "calibration and abstention, 5 s windows, noisy and clean weighing the same; T and band from MIT-BIH",
        f"{'scorer':32}{'T':>6}{'ECE T=1':>9}{'ECE':>7}{'no answer within':>18}{'of clean':>10}"
        f"{'of noisy':>10}"
        f"{'Se else':>9}{'Sp else':>9}",
    ]
    lines += [
        f"{one.band.scorer:32}{one.band.temperature:6.2f}{one.ece_before:9.3f}{one.ece_after:7.3f}"
        f"{f'{one.band.threshold:.2f} +- {one.band.half_width:.2f}':>18}{one.clean_undecided:10.3f}"
        f"{one.noisy_undecided:10.3f}{one.sensitivity:9.3f}{one.specificity:9.3f}"
        for one in calibrations
    ]
    return lines
