"""What P3 and P4 found, as figures one can print again: gross, average, per record, with and without."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.metrics import Confusion, bootstrap, mean_known
from training.protocols.beat_verdict import BeatScore, total

MINUS = {"all": (), "without 232": ("232",), "without 202": ("202",)}  # 232: three quarters of DS2's S beats
COLUMNS = (
    ("Se", 7),
    ("Sp", 7),
    ("BA", 7),
    ("S", 6),
    ("S Se", 7),
    ("S +P", 7),
    ("V", 6),
    ("V Se", 7),
    ("V +P", 7),
)
Score = Callable[[BeatScore], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordScore:
    """One recording and one seed."""

    record: str
    seed: int
    abnormal: Confusion
    s: Confusion
    v: Confusion


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerFigure:
    """One rate: counts added over recordings (gross), mean over recordings (average), mean over the seeds."""

    name: str
    cohort: str  # all, or without a record
    gross: float
    gross_low: float
    gross_high: float
    average: float
    per_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerMetrics:
    """`metrics.json` and `ds2.json` of an inter-patient run."""

    protocol: str
    recipe: str
    net: str
    stream: str
    task: str
    judged_on: str  # "folds of DS1, .." or "DS2"
    seeds: tuple[int, ...]
    temperature: float
    ece: float
    n_missed_v: int  # V beats that no detected peak met
    figures: tuple[StrangerFigure, ...]
    records: tuple[RecordScore, ...]

    def figure(self, name: str, cohort: str = "all") -> StrangerFigure:
        return next(one for one in self.figures if one.name == name and one.cohort == cohort)


BINARY: Mapping[str, Score] = {
    "balanced accuracy": lambda one: one.abnormal.balanced_accuracy,
    "abnormal Se": lambda one: one.abnormal.sensitivity,
    "abnormal Sp": lambda one: one.abnormal.specificity,
    "abnormal +P": lambda one: one.abnormal.precision,
}
PER_CLASS: Mapping[str, Score] = {
    "S Se": lambda one: one.s.sensitivity,
    "S +P": lambda one: one.s.precision,
    "S FPR": lambda one: one.s.false_positive_rate,
    "V Se": lambda one: one.v.sensitivity,
    "V +P": lambda one: one.v.precision,
    "V FPR": lambda one: one.v.false_positive_rate,
}


def figures_of(rows: Sequence[RecordScore], *, has_classes: bool) -> tuple[StrangerFigure, ...]:
    """Every rate, for every cohort that differs from the whole."""
    rates = {**BINARY, **PER_CLASS} if has_classes else BINARY
    records = sorted({row.record for row in rows})
    found = []
    for cohort, left_out in MINUS.items():
        kept = [record for record in records if record not in left_out]
        if cohort == "all" or len(kept) < len(records):
            found += [_figure(name, cohort, rate, rows, kept) for name, rate in rates.items()]
    return tuple(found)


def _figure(
    name: str, cohort: str, rate: Score, rows: Sequence[RecordScore], records: Sequence[str]
) -> StrangerFigure:
    seeds = sorted({row.seed for row in rows})
    scores = {(row.seed, row.record): BeatScore(abnormal=row.abnormal, s=row.s, v=row.v) for row in rows}

    def gross(chosen: Sequence[str], seed: int) -> float:
        return rate(total([scores[seed, record] for record in chosen]))

    per_seed = tuple(gross(records, seed) for seed in seeds)
    interval = bootstrap(
        records, lambda drawn: float(np.mean([gross(drawn, seed) for seed in seeds])), n_resamples=500
    )
    return StrangerFigure(
        name=name,
        cohort=cohort,
        gross=float(np.mean(per_seed)),
        gross_low=interval.low,
        gross_high=interval.high,
        average=mean_known([rate(scores[seed, record]) for seed in seeds for record in records]),
        per_seed=per_seed,
    )


def render(metrics: StrangerMetrics) -> str:
    """The tables of an inter-patient run as text."""
    lines = [
        f"{metrics.protocol}, {metrics.recipe}: {metrics.net} on the {metrics.stream} stream, "
        f"{metrics.task}, judged on {metrics.judged_on}, {len(metrics.seeds)} seeds",
        f"temperature {metrics.temperature:.2f}, expected calibration error {metrics.ece:.3f}, "
        f"V beats without a peak {metrics.n_missed_v}",
        "",
        f"{'rate':20}{'cohort':14}{'gross':>8}  {'95 % interval':17}{'average':>8}  seeds",
    ]
    for one in metrics.figures:
        seeds = " ".join(f"{value:.3f}" for value in one.per_seed)
        interval = f"[{one.gross_low:.3f}, {one.gross_high:.3f}]"
        lines.append(
            f"{one.name:20}{one.cohort:14}{one.gross:8.4f}  {interval:17}{one.average:8.4f}  {seeds}"
        )
    lines += [
        "",
        f"{'rec':5}{'abnormal':>9}" + "".join(f"{name:>{width}}" for name, width in COLUMNS),
    ]
    lines += [_record_line(metrics, record) for record in sorted({row.record for row in metrics.records})]
    return "\n".join(lines)


def _record_line(metrics: StrangerMetrics, record: str) -> str:
    """Counts over the seeds, so the number of beats is the seeds' mean."""
    rows = [row for row in metrics.records if row.record == record]
    one = total([BeatScore(abnormal=row.abnormal, s=row.s, v=row.v) for row in rows])
    n = len(rows)
    binary = (one.abnormal.sensitivity, one.abnormal.specificity, one.abnormal.balanced_accuracy)
    return (
        f"{record:5}{(one.abnormal.tp + one.abnormal.fn) // n:9}"
        + "".join(f"{value:7.3f}" for value in binary)
        + f"{(one.s.tp + one.s.fn) // n:6}{one.s.sensitivity:7.3f}{one.s.precision:7.3f}"
        + f"{(one.v.tp + one.v.fn) // n:6}{one.v.sensitivity:7.3f}{one.v.precision:7.3f}"
    )
