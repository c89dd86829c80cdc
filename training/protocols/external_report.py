"""What an external judgement of quality nets found, as figures one can print again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.cinc_windows import CincWindows
from training.metrics import Interval, confusion
from training.protocols.operating import Calibration, OperatingPoint
from training.protocols.operating import render as render_operating
from training.quality_metrics import (
    PAPER_POINTS,
    Ranked,
    balanced_accuracy,
    best_threshold,
    bootstrap_recordings,
    by_recording,
    false_noisy_rates,
    noisy_precision_area,
    ranked,
    roc_auc,
    smoothed,
    specificity_at,
)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Measure = Callable[[Floats | None], float]  # a figure, with recordings weighing as often as they were drawn
KINDS = ("normal", "af", "other")
CONTEXT = 3  # windows a device looks back over: 15 s
NOBODY = "nobody"  # chose a threshold of 0: noisy and clean windows taught equally often
COMPARED_AT = 0.887  # sensitivity of the paper's best net: false 'noisy' rates are compared there


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure and its 95 % interval over recordings."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One scorer, on one way of looking: single windows, three windows, whole recordings, rows blanked."""

    scorer: str  # the net and its seed, or the trivial baseline
    view: str
    n_clean: int
    n_noisy: int
    figures: tuple[Figure, ...]

    def value(self, name: str) -> float:
        return next(one.value for one in self.figures if one.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roc:
    """Specificity at every hundredth of sensitivity, 0 to 1."""

    scorer: str
    view: str
    specificity: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Where 'clean' begins, and who said so."""

    scorer: str
    view: str
    chosen_on: str  # MIT-BIH: its validation part, whatever the view; dev: external-dev, view by view
    logit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalMetrics:
    """`metrics.json` (external-dev) and `external-test.json`."""

    protocol: str
    recipe: str
    net: str
    judged_on: str
    seeds: tuple[int, ...]
    n_recordings: int
    n_too_short: int  # recordings that hold no whole window
    thresholds: tuple[Threshold, ...]
    rows: tuple[Row, ...]
    rocs: tuple[Roc, ...]
    points: tuple[OperatingPoint, ...] | None = None
    calibrations: tuple[Calibration, ...] | None = None

    def row(self, scorer: str, view: str) -> Row:
        return next(one for one in self.rows if one.scorer == scorer and one.view == view)


@dataclass(frozen=True, slots=True)
class View:
    """Scores beside truths: of windows, or of recordings."""

    name: str
    scores: Floats
    is_clean: Mask
    labels: NDArray[np.str_]
    recording: NDArray[np.int64]


def views_of(windows: CincWindows, scores: Floats) -> tuple[View, ...]:
    """Every way of looking at one scorer's windows."""
    single = View("5 s", scores, windows.is_clean, windows.window_labels, windows.recording)
    three = smoothed(scores, windows.recording, CONTEXT)
    later = windows.position > 0
    means = by_recording(scores, windows.recording, len(windows.names))
    known = np.flatnonzero(~np.isnan(means))
    labels = np.array(windows.labels)[known]
    return (
        single,
        View("15 s, causal", three, windows.is_clean, windows.window_labels, windows.recording),
        View(
            "5 s, not the first",
            scores[later],
            windows.is_clean[later],
            windows.window_labels[later],
            windows.recording[later],
        ),
        View("recording", means[known], labels != "noise", labels, known),
    )


def row_of(
    scorer: str, view: View, n_recordings: int, thresholds: Mapping[str, float], n_resamples: int
) -> Row:
    """All figures of one view; thresholds by the name of who chose them."""
    rank = ranked(view.scores, view.is_clean)
    measures: dict[str, Any] = {"AUC": lambda weights: roc_auc(rank, weights)}
    for sensitivity, _ in PAPER_POINTS:
        measures[f"Sp at Se {sensitivity}"] = _at(rank, sensitivity)
    measures["AUPRC noisy"] = lambda weights: noisy_precision_area(rank, weights)
    for chooser, threshold in thresholds.items():
        measures[f"BA, {chooser}"] = accuracy_of(view, threshold)
    figures = [_figure(name, measure, view, n_recordings, n_resamples) for name, measure in measures.items()]
    for chooser, threshold in thresholds.items():
        found = confusion(view.is_clean, view.scores > threshold)
        figures += [
            _plain(f"Se, {chooser}", found.sensitivity),
            _plain(f"Sp, {chooser}", found.specificity),
        ]
    cut = float(np.quantile(view.scores[view.is_clean], 1 - COMPARED_AT))
    rates = false_noisy_rates(view.scores, view.labels, cut, KINDS)
    figures += [_plain(f"{kind} called noisy", rate) for kind, rate in rates.items()]
    best = best_threshold(view.scores, view.is_clean)
    figures.append(_plain("BA, best possible", balanced_accuracy(view.scores, view.is_clean, best)))
    return Row(
        scorer=scorer,
        view=view.name,
        n_clean=int(view.is_clean.sum()),
        n_noisy=int((~view.is_clean).sum()),
        figures=tuple(figures),
    )


def roc_of(scorer: str, view: View) -> Roc:
    rank = ranked(view.scores, view.is_clean)
    found = tuple(round(specificity_at(rank, hundredth / 100), 4) for hundredth in range(101))
    return Roc(scorer=scorer, view=view.name, specificity=found)


def _at(rank: Ranked, sensitivity: float) -> Any:
    return lambda weights: specificity_at(rank, sensitivity, weights)


def accuracy_of(view: View, threshold: float) -> Measure:
    """Balanced accuracy where each recording's windows weigh as often as it was drawn."""
    passes = view.scores > threshold

    def measure(weights: Floats | None) -> float:
        known = np.ones(len(passes)) if weights is None else weights
        clean, noisy = known * view.is_clean, known * ~view.is_clean
        if not clean.sum() or not noisy.sum():
            return float("nan")
        return float((clean @ passes / clean.sum() + noisy @ ~passes / noisy.sum()) / 2)

    return measure


def _figure(name: str, measure: Any, view: View, n_recordings: int, n_resamples: int) -> Figure:
    interval: Interval = bootstrap_recordings(measure, view.recording, n_recordings, n_resamples=n_resamples)
    return Figure(name=name, value=measure(None), low=interval.low, high=interval.high)


def _plain(name: str, value: float) -> Figure:
    """A figure that is shown without an interval."""
    return Figure(name=name, value=value, low=value, high=value)


def render(metrics: ExternalMetrics) -> str:
    """The tables of an external judgement as text: one line a scorer and view."""
    taught = "MIT-BIH and NSTDB" if metrics.protocol == "external" else "them and then on the other folds"
    lines = [
        f"{metrics.protocol}, {metrics.recipe}: {metrics.net}, trained on {taught}, "
        f"judged on {metrics.judged_on} of CinC 2017 ({metrics.n_recordings} recordings, "
        f"{metrics.n_too_short} too short for a window)",
        "clean is positive; N, A, O: share called noisy where 0.887 of the clean pass; best: by truth",
        "BA val: threshold from MIT-BIH's validation part, or 0 of a net that was tuned to have it there",
        "",
        *row_lines(metrics.rows),
    ]
    lines += ["", "clean begins above:"]
    lines += [
        f"  {one.scorer:32}{one.view:20}{one.logit:8.3f}  chosen on {one.chosen_on}"
        for one in metrics.thresholds
    ]
    if metrics.points and metrics.calibrations:
        lines += render_operating(metrics.points, metrics.calibrations)
    paper = ", ".join(f"{sp} at {se}" for se, sp in PAPER_POINTS)
    lines += ["", f"the paper's points, Sp at Se: {paper}; its balanced accuracies .855, .860, .864"]
    return "\n".join(lines)


def row_lines(rows: Sequence[Row]) -> list[str]:
    """A heading, and a line for each row."""
    return [_heading(), *map(_line, rows)]


def _heading() -> str:
    points = "".join(f"{f'@{sensitivity}':>7}" for sensitivity, _ in PAPER_POINTS)
    return (
        f"{'scorer':32}{'view':20}{'AUC':>6} {'95 %':15}{'BA val':>7} {'95 %':15}{'BA dev':>7}{'best':>6}"
        f"{points}{'AUPRC':>7}{'N':>6}{'A':>6}{'O':>6}"
    )


def _line(row: Row) -> str:
    known = {one.name: one for one in row.figures}

    def spread(name: str) -> str:
        one = known.get(name)
        if one is None:
            return f"{'':6} {'':15}"
        return f"{one.value:6.3f} {f'[{one.low:.3f},{one.high:.3f}]':15}"

    def short(name: str, width: int) -> str:
        return f"{known[name].value:{width}.3f}" if name in known else " " * width

    points = "".join(short(f"Sp at Se {sensitivity}", 7) for sensitivity, _ in PAPER_POINTS)
    rates = "".join(short(f"{kind} called noisy", 6) for kind in KINDS)
    given = f"BA, {NOBODY}" if f"BA, {NOBODY}" in known else "BA, MIT-BIH"
    return (
        f"{row.scorer:32}{row.view:20}{spread('AUC')} {spread(given)}{short('BA, dev', 7)}"
        f"{short('BA, best possible', 6)}{points}{short('AUPRC noisy', 7)}{rates}"
    )
