"""What P1 found, as figures one can print again: per record, per stage, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.metrics import bootstrap_mean, expected_calibration_error, fit_temperature, sigmoid
from training.protocols.personal import Outcome, PersonalResult, Stage, choose_on_test
from training.wearers import Wearer

STAGES: tuple[Stage, ...] = ("individual", "pretrained", "head_only", "full")
BIN_EDGES = (0.0, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 1.0)  # the paper's histograms
PAPER_INDIVIDUAL, PAPER_TUNED = 0.946, 0.935


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One stage on one record: the setting validation chose and what it gives, seed by seed."""

    stage: str
    lr: float
    batch_size: int
    is_balanced: bool
    validation_balanced_accuracy: float  # mean over seeds
    test_balanced_accuracy: tuple[float, ...]
    sensitivity: tuple[float, ...]
    specificity: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.test_balanced_accuracy))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    record: str
    n_windows: int
    n_positive: int
    tuned_stage: str
    chosen_on_test: float  # the paper's own way, seed 0
    stages: tuple[StageRow, ...]

    def stage(self, name: str) -> StageRow:
        return next(row for row in self.stages if row.stage == name)

    @property
    def tuned(self) -> float:
        return self.stage(self.tuned_stage).mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A mean over records with its 95 % interval (recordings drawn again)."""

    name: str
    mean: float
    low: float
    high: float
    per_seed: tuple[float, ...] | None = None

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    stage: str
    temperature: float  # fitted on validation
    ece_before: float
    ece_after: float  # both on test


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalMetrics:
    """`metrics.json` of a P1 run."""

    protocol: str
    stream: str
    rule: str
    seeds: tuple[int, ...]
    figures: tuple[Figure, ...]
    calibration: tuple[Calibration, ...]
    records: tuple[RecordRow, ...]

    def figure(self, name: str) -> Figure:
        return next(one for one in self.figures if one.name == name)


def measure(
    result: PersonalResult, wearers: Sequence[Wearer], *, stream: str, rule: str, seeds: Sequence[int]
) -> PersonalMetrics:
    leaked = choose_on_test(result.grid)
    rows = tuple(_record_row(result, wearer, leaked[wearer.name]) for wearer in wearers)
    return PersonalMetrics(
        protocol="P1",
        stream=stream,
        rule=rule,
        seeds=tuple(seeds),
        figures=_figures(result, rows, seeds, leaked),
        calibration=tuple(_calibration(result.finals, stage) for stage in STAGES),
        records=rows,
    )


def _record_row(result: PersonalResult, wearer: Wearer, leaked: float) -> RecordRow:
    labels = np.array(wearer.labels)
    return RecordRow(
        record=wearer.name,
        n_windows=int((labels >= 0).sum()),
        n_positive=int((labels == 1).sum()),
        tuned_stage=result.tuned_stage[wearer.name],
        chosen_on_test=leaked,
        stages=tuple(_stage_row(result.of(stage, wearer.name)) for stage in STAGES),
    )


def _stage_row(outcomes: Sequence[Outcome]) -> StageRow:
    first = outcomes[0]
    return StageRow(
        stage=first.stage,
        lr=first.lr,
        batch_size=first.batch_size,
        is_balanced=first.is_balanced,
        validation_balanced_accuracy=float(np.mean([one.validation_balanced_accuracy for one in outcomes])),
        test_balanced_accuracy=tuple(one.test.balanced_accuracy for one in outcomes),
        sensitivity=tuple(one.test.sensitivity for one in outcomes),
        specificity=tuple(one.test.specificity for one in outcomes),
    )


def _figures(
    result: PersonalResult, rows: Sequence[RecordRow], seeds: Sequence[int], leaked: Mapping[str, float]
) -> tuple[Figure, ...]:
    by_stage = {stage: {row.record: row.stage(stage).mean for row in rows} for stage in STAGES}
    tuned = {row.record: row.tuned for row in rows}
    seeds_of = {
        stage: tuple(
            float(np.mean([row.stage(stage).test_balanced_accuracy[i] for row in rows]))
            for i in range(len(seeds))
        )
        for stage in STAGES
    }
    tuned_seeds = tuple(
        float(np.mean([row.stage(row.tuned_stage).test_balanced_accuracy[i] for row in rows]))
        for i in range(len(seeds))
    )
    gain = {record: tuned[record] - by_stage["individual"][record] for record in tuned}
    return (
        *(_figure(stage, by_stage[stage], seeds_of[stage]) for stage in STAGES),
        _figure("fine-tuned", tuned, tuned_seeds),
        _figure("fine-tuned minus individual", gain, None),
        _figure("individual, chosen on test", leaked, None),
    )


def _figure(name: str, per_record: Mapping[str, float], per_seed: tuple[float, ...] | None) -> Figure:
    interval = bootstrap_mean(per_record)
    mean = float(np.mean(list(per_record.values())))
    return Figure(name=name, mean=mean, low=interval.low, high=interval.high, per_seed=per_seed)


def _calibration(finals: Sequence[Outcome], stage: Stage) -> Calibration:
    """One temperature per stage over all wearers: what a device could carry."""
    chosen = [one for one in finals if one.stage == stage]
    logits = np.concatenate([np.array(one.validation_logits) for one in chosen])
    labels = np.concatenate([np.array(one.validation_labels) for one in chosen])
    temperature = fit_temperature(logits, labels)
    test = np.concatenate([np.array(one.test_logits) for one in chosen])
    truth = np.concatenate([np.array(one.test_labels) for one in chosen])
    return Calibration(
        stage=stage,
        temperature=temperature,
        ece_before=expected_calibration_error(sigmoid(test), truth),
        ece_after=expected_calibration_error(sigmoid(test / temperature), truth),
    )


def bins(values: Sequence[float]) -> tuple[int, ...]:
    """How many records fall between two edges; 1.0 belongs to the last bin."""
    counts, _ = np.histogram(np.array(values), bins=np.array(BIN_EDGES))
    return tuple(int(count) for count in counts)


def render(metrics: PersonalMetrics) -> str:
    """The tables of a P1 run as text."""
    lines = [
        f"P1, stream {metrics.stream}, rule {metrics.rule}, {len(metrics.seeds)} seeds, balanced accuracy",
        "",
    ]
    lines += [_figure_line(figure) for figure in metrics.figures]
    lines += [
        f"paper: individual {PAPER_INDIVIDUAL} (chosen on test), fine-tuned {PAPER_TUNED}",
        "",
        "records per bin     " + " ".join(f"<={edge:.2f}" for edge in BIN_EDGES[1:]),
        "individual          " + _bin_line([row.stage("individual").mean for row in metrics.records]),
        "fine-tuned          " + _bin_line([row.tuned for row in metrics.records]),
        "",
        "calibration: temperature from validation, expected calibration error on test",
    ]
    lines += [
        f"{one.stage:12} T {one.temperature:5.2f}  ECE {one.ece_before:.3f} -> {one.ece_after:.3f}"
        for one in metrics.calibration
    ]
    lines += ["", f"{'rec':4}{'windows':>8}{'pos':>6}" + "".join(f"{stage:>12}" for stage in STAGES)]
    lines[-1] += f"{'fine-tuned':>12}  best setting alone (lr, batch, weighted)"
    lines += [_record_line(row) for row in metrics.records]
    return "\n".join(lines)


def _figure_line(figure: Figure) -> str:
    seeds = (
        "" if figure.per_seed is None else "  seeds " + " ".join(f"{value:.4f}" for value in figure.per_seed)
    )
    return f"{figure.name:28} {figure}{seeds}"


def _bin_line(values: Sequence[float]) -> str:
    return " ".join(f"{count:6d}" for count in bins(values))


def _record_line(row: RecordRow) -> str:
    alone = row.stage("individual")
    cells = "".join(f"{row.stage(stage).mean:12.3f}" for stage in STAGES)
    setting = f"{alone.lr:g}, {alone.batch_size}, {'yes' if alone.is_balanced else 'no'} ({row.tuned_stage})"
    return f"{row.record:4}{row.n_windows:8}{row.n_positive:6}{cells}{row.tuned:12.3f}  {setting}"
