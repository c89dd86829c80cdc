"""How far integers are from the real numbers they stand for, on recordings: figures, limits, records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from device_sim.contract.fields import as_text, parse
from device_sim.contract.metrics import Figure, Metrics, metrics_from_json, metrics_to_json
from export.flips import Answers, FlipReport
from export.float_graph import F64
from export.judged import I8, I64, Asked
from export.standing import NOTHING, Standing, standing_from_json, standing_of
from training.evaluate import Windows, auc_of, balanced_accuracy_of

LEAST_AGREEMENT = 0.99
MOST_BALANCED_ACCURACY_LOST = 0.005
MOST_AUC_LOST = 0.002
# A record is judged by its own balanced accuracy where it has so many windows of each class ...
ENOUGH_OF_EACH = 100
MOST_LOST_IN_A_RECORD = 0.02
# ... and elsewhere by how many of its verdicts change: this share, or one.
MOST_CHANGED_IN_A_RECORD = 0.01
N_SHOWN = 20  # flips that are committed, those with the widest margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`int8-sSEED.json`: committed beside the checkpoint; belongs to one integer graph."""

    name: str
    side: str
    n_windows: int
    n_changed: int
    lost: Mapping[str, float]  # figure -> what integers cost, in its own unit; below zero they gain
    worst_record: str
    broken: tuple[str, ...]  # limits that do not hold, a line each
    layers: Mapping[str, int]  # how often each layer was the first that was off where a verdict changed
    flips: tuple[str, ...]  # the widest margins, a line each
    standing: Standing = NOTHING
    metrics: Metrics

    @property
    def agreement(self) -> float:
        return 1.0 - self.n_changed / self.n_windows

    def __str__(self) -> str:
        losses = ", ".join(f"{name} {100 * lost:+.2f}" for name, lost in self.lost.items())
        lines = [
            f"{self.name} on {self.side}: {self.n_changed} of {self.n_windows} verdicts change "
            f"({100 * self.agreement:.2f} % agree); points lost: {losses}",
            f"worst record: {self.worst_record}",
            "first layer that is off where a verdict changes: "
            + (", ".join(f"{layer} {n}" for layer, n in self.layers.items()) or "none"),
        ]
        lines += [f"LIMIT: {line}" for line in self.broken] or ["within every limit"]
        return "\n".join(lines)


def compare(
    name: str,
    side: str,
    windows: Windows,
    found: Answers,
    report: FlipReport,
    questions: Sequence[Asked],
    *,
    graph_sha256: str,
    is_opened: bool,
) -> Comparison:
    """Figures of both networks.

    is_opened       The side's figures are known already; without it only differences are kept
    """
    figures = _figures(side, windows, found)
    lost = {one.name: one.float_value - one.int8_value for one in figures}
    worst, records = _records(windows, found)
    kept = figures if is_opened else ()
    agreement = Figure(name="agreement", on=side, float_value=1.0, int8_value=round(found.agreement, 6))
    return Comparison(
        name=name,
        side=side,
        n_windows=len(windows),
        n_changed=len(found.changed),
        lost={name: round(value, 6) for name, value in lost.items()},
        worst_record=worst,
        broken=(*_broken(found.agreement, lost), *records),
        layers=report.layers(),
        flips=_widest(windows, report),
        standing=standing_of(windows, found, questions) if is_opened else NOTHING,
        metrics=Metrics(graph_sha256=graph_sha256, figures=(agreement, *kept)),
    )


def _figures(side: str, windows: Windows, found: Answers) -> tuple[Figure, ...]:
    before = figures_of(windows, found.before, found.logits)
    after = figures_of(windows, found.after, found.codes)
    return tuple(
        Figure(name=name, on=side, float_value=before[name], int8_value=after[name]) for name in before
    )


def figures_of(
    windows: Windows, classes: I64, numbers: Mapping[str, F64] | Mapping[str, I8]
) -> dict[str, float]:
    """What one network is worth: by its verdicts, and by the order of each output's numbers."""
    figures = {"balanced accuracy": balanced_accuracy_of(classes > 0, windows.verdict)}
    for output, truth in windows.truths.items():
        figures[f"AUC of {output}"] = auc_of(numbers[output].astype(np.float64), truth)
    return {name: round(value, 6) for name, value in figures.items()}


def _broken(agreement: float, lost: Mapping[str, float]) -> tuple[str, ...]:
    lines = []
    if agreement < LEAST_AGREEMENT:
        lines.append(f"agreement {agreement:.4f}, at least {LEAST_AGREEMENT}")
    for name, value in lost.items():
        most = MOST_AUC_LOST if name.startswith("AUC") else MOST_BALANCED_ACCURACY_LOST
        if value > most:
            lines.append(f"{name}: {value:.4f} lost, at most {most}")
    return tuple(lines)


def _records(windows: Windows, found: Answers) -> tuple[str, tuple[str, ...]]:
    """The record that changes most, and a line for each that changes too much."""
    lines, shares = [], {}
    for index, name in enumerate(windows.names):
        inside = windows.recording == index
        truth, before, after = windows.verdict[inside], found.before[inside], found.after[inside]
        n_changed = int((before != after).sum())
        shares[name] = n_changed / max(len(truth), 1)
        if min((truth == 1).sum(), (truth == 0).sum()) >= ENOUGH_OF_EACH:
            lost = balanced_accuracy_of(before > 0, truth) - balanced_accuracy_of(after > 0, truth)
            if lost > MOST_LOST_IN_A_RECORD:
                lines.append(f"record {name}: {lost:.4f} lost, at most {MOST_LOST_IN_A_RECORD}")
        elif n_changed > max(1.0, MOST_CHANGED_IN_A_RECORD * len(truth)):
            lines.append(
                f"record {name}: {n_changed} of {len(truth)} verdicts change, "
                f"at most {max(1, int(MOST_CHANGED_IN_A_RECORD * len(truth)))}"
            )
    worst = max(shares, key=lambda name: shares[name])
    return f"{worst}, {100 * shares[worst]:.2f} % of its verdicts change", tuple(lines)


def _widest(windows: Windows, report: FlipReport) -> tuple[str, ...]:
    ordered = sorted(report.flips, key=lambda one: -one.margin)[:N_SHOWN]
    return tuple(
        f"{windows.names[windows.recording[one.window]]}, window {one.window}: {one.before} -> {one.after}, "
        f"margin {one.margin:.3f}, off: {one.first_diverging or 'by rounding alone'}"
        for one in ordered
    )


def to_json(comparison: Comparison) -> str:
    """As it is committed."""
    made = {**asdict(comparison), "metrics": metrics_to_json(comparison.metrics)}
    return json.dumps(made, indent=1) + "\n"


def from_json(raw: bytes, where: str) -> Comparison:
    """Reads what to_json wrote."""
    read = parse(raw, where)
    lost, layers = read.object("lost"), read.object("layers")
    found = Comparison(
        name=read.text("name"),
        side=read.text("side"),
        n_windows=read.integer("n_windows", 1, 2**31 - 1),
        n_changed=read.integer("n_changed", 0, 2**31 - 1),
        lost={name: lost.number(name) for name in lost.names()},
        worst_record=read.text("worst_record"),
        broken=read.items("broken", as_text),
        layers={name: layers.integer(name, 1, 2**31 - 1) for name in layers.names()},
        flips=read.items("flips", as_text),
        standing=standing_from_json(read.object("standing")) if read.has("standing") else NOTHING,
        metrics=metrics_from_json(read.object("metrics")),
    )
    read.done()
    return found
