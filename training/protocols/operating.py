"""How a quality net would be used: where to set its threshold, when not to answer, what its score means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import confusion, expected_calibration_error, fit_temperature, sigmoid
from training.quality_metrics import false_noisy_rates

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SENSITIVITIES = (0.80, 0.85, 0.90, 0.95, 0.98)
N_STEPS = 10  # tenths of the score
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
class Step:
    """The windows whose score lies in one tenth."""

    tenth: int  # 0: a score below .1
    n_clean: int
    n_noisy: int
    alike: float  # share clean, all clean and all noisy windows weighing the same


@dataclass(frozen=True, slots=True, kw_only=True)
class AsMet:
    """A score where clean and noisy come as they come."""

    clean_share: float
    ece: float  # of scores moved by the odds of that share
    steps: tuple[Step, ...]


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
    as_met: AsMet | None = None


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


def band_of(scorer: str, scores: Floats, is_clean: Mask, is_certain: Mask, threshold: float) -> Band:
    """Temperature and width of the undecided, noisy and clean windows weighing the same.

    is_certain      Windows no reader would argue about: they alone choose the temperature
    """
    away, certain = scores - threshold, np.flatnonzero(is_certain)
    judged = certain[both_alike(is_clean[certain])]
    return Band(
        scorer=scorer,
        threshold=threshold,
        temperature=fit_temperature(away[judged], is_clean[judged].astype(np.int64)),
        half_width=float(np.quantile(np.abs(away[both_alike(is_clean)]), UNDECIDED)),
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
        as_met=as_met(away / band.temperature, is_clean),
    )


def as_met(log_odds: Floats, is_clean: Mask) -> AsMet:
    """What became of scores that were made for noisy and clean windows alike."""
    n_clean, n_noisy = int(is_clean.sum()), int((~is_clean).sum())
    moved = sigmoid(log_odds + np.log(n_clean / n_noisy))
    tenth = np.minimum((sigmoid(log_odds) * N_STEPS).astype(np.int64), N_STEPS - 1)
    steps = []
    for index in np.unique(tenth).tolist():
        clean, noisy = int((is_clean & (tenth == index)).sum()), int((~is_clean & (tenth == index)).sum())
        alike = (clean / n_clean) / (clean / n_clean + noisy / n_noisy)
        steps.append(Step(tenth=index, n_clean=clean, n_noisy=noisy, alike=alike))
    return AsMet(
        clean_share=n_clean / len(is_clean),
        ece=expected_calibration_error(moved, is_clean.astype(np.int64)),
        steps=tuple(steps),
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
    known = [(one.band.scorer, one.as_met) for one in calibrations if one.as_met is not None]
    return lines + (_meanings(known) if known else [])


def _meanings(known: Sequence[tuple[str, AsMet]]) -> list[str]:
    """Two lines a scorer: who had such a score."""
    tenths = "".join(f"{f'.{index}-':>7}" for index in range(N_STEPS))
    lines = [
        "",
        "share clean of the windows with a score in each tenth: noisy and clean weighing the same, then as "
        "they come; ECE of",
        "scores moved by the odds of the share met",
        f"{'scorer':32}{'':12}{tenths}{'clean':>8}{'ECE':>7}",
    ]
    for scorer, met in known:
        alike = {step.tenth: step.alike for step in met.steps}
        come = {step.tenth: step.n_clean / (step.n_clean + step.n_noisy) for step in met.steps}
        lines += [
            f"{scorer:32}{'alike':12}{_shares(alike)}",
            f"{'':32}{'as they come':12}{_shares(come)}{met.clean_share:8.3f}{met.ece:7.3f}",
        ]
    return lines


def _shares(shares: Mapping[int, float]) -> str:
    return "".join(f"{shares[index]:7.3f}" if index in shares else f"{'-':>7}" for index in range(N_STEPS))
