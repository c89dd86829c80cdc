"""Holds what a bundle or a cascade costs against its budget and against what it cost before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from benchmarks.baseline import Baseline
from benchmarks.budget_file import BudgetFile
from benchmarks.bundle_cost import BundleCost, named
from benchmarks.mcu.device import Application
from device_sim.contract.errors import ContractError
from device_sim.contract.manifest import graph_sha256
from device_sim.contract.metrics import Metrics

MEASURED, FROM_CARD = "re-measured", "not re-measured"
ACCURACY = "accuracy"


class State(StrEnum):
    KEPT = "kept"
    BETTER = "better"  # --update would lower the baseline
    NEW = "new"  # the baseline does not know it
    WORSE = "WORSE"  # than the baseline
    OVER = "OVER"  # the budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric: what it is, was and may be."""

    name: str  # "cortex-m4/instructions", "accuracy/AUC on external-dev"
    unit: str
    measured: float
    baseline: float | None
    limit: float | None
    tolerance_percent: float
    about: str = ""
    larger_is_better: bool = False

    @property
    def state(self) -> State:
        sign = -1 if self.larger_is_better else 1
        if self.limit is not None and sign * self.measured > sign * self.limit:
            return State.OVER
        if self.baseline is None:
            return State.NEW
        slack = abs(self.baseline) * self.tolerance_percent / 100
        if sign * self.measured > sign * self.baseline + slack:
            return State.WORSE
        return State.BETTER if sign * self.measured < sign * self.baseline else State.KEPT

    @property
    def is_behind(self) -> bool:
        """Worse than the baseline, by whatever amount."""
        if self.baseline is None:
            return False
        return self.measured < self.baseline if self.larger_is_better else self.measured > self.baseline

    @property
    def is_broken(self) -> bool:
        return self.state in (State.WORSE, State.OVER)

    @property
    def message(self) -> str:
        """Names the metric, its layer and kernel, and both numbers."""
        what = f"{self.name} ({self.about})" if self.about else self.name
        if self.state is State.OVER:
            side = "at least" if self.larger_is_better else "allowed"
            return f"{what}: {self.measured:,} {self.unit}, {side} {self.limit:,} {self.unit}"
        was = f"{self.baseline:,}" if self.baseline is not None else "unknown"
        return f"{what}: {self.measured:,} {self.unit}, baseline {was} {self.unit}{self.change}"

    @property
    def change(self) -> str:
        if not self.baseline or self.baseline == self.measured:
            return ""
        return f" ({100 * (self.measured / self.baseline - 1):+.2f} %)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All rows of one bundle."""

    bundle: str  # or cascade
    digest: str
    rows: tuple[Row, ...]

    @property
    def accuracies(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.larger_is_better)

    @property
    def broken(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.is_broken)


def judge(
    application: Application,
    costs: Sequence[BundleCost],
    budget: BudgetFile,
    baseline: Baseline | None,
    remeasured: Sequence[Metrics] = (),
) -> Judgement:
    """Rows for every metric of every core, and for every figure of accuracy."""
    before = baseline.metrics if baseline else {}
    rows = [
        Row(
            name=f"{cost.target}/{metric.name}",
            unit=metric.unit,
            measured=metric.value,
            baseline=before.get(f"{cost.target}/{metric.name}"),
            limit=budget.limits[cost.target].get(metric.name),
            tolerance_percent=budget.tolerance_percent.get(
                "layers" if "layer " in metric.name else metric.name, 0
            ),
            about=metric.about,
        )
        for cost in costs
        for metric in cost.metrics()
    ]
    _expect_every_limit(budget, rows)
    figures, fresh = figures_of(application, remeasured)
    for name, value in figures.items():
        rows.append(
            Row(
                name=f"{ACCURACY}/{name}",
                unit="",
                measured=value,
                baseline=before.get(f"{ACCURACY}/{name}"),
                limit=budget.accuracy.get(name),
                tolerance_percent=budget.tolerance_percent.get(name, 0),
                about=MEASURED if name in fresh else FROM_CARD,
                larger_is_better=True,
            )
        )
    absent = [name for name in budget.accuracy if name not in figures]
    if absent:
        known = ", ".join(figures) or "none"
        raise ContractError(
            f"{budget.path}: accuracy: {absent[0]!r}: expected a figure of the bundle, it has: {known}"
        )
    return Judgement(bundle=application.name, digest=application.digest, rows=tuple(rows))


def figures_of(
    application: Application, remeasured: Sequence[Metrics]
) -> tuple[dict[str, float], frozenset[str]]:
    """What the integers are worth, by what was measured where; and which of these figures are of now."""
    figures: dict[str, float] = {}
    fresh: set[str] = set()
    for before, bundle in named(application).items():
        graph = graph_sha256(bundle.graph)
        for is_fresh, metrics in ((False, bundle.metrics), *((True, one) for one in remeasured)):
            if metrics is not None and metrics.graph_sha256 == graph:
                found = {f"{before}{one.name} on {one.on}": one.int8_value for one in metrics.figures}
                figures |= found
                fresh |= set(found) if is_fresh else set()
    return figures, frozenset(fresh)


def check_comparable(path: Path, name: str, costs: Sequence[BundleCost], baseline: Baseline) -> None:
    """Another bundle's numbers, or another compiler's, say nothing."""
    if baseline.bundle != name:
        raise ContractError(
            f"{path}: bundle: expected {name!r}, got {baseline.bundle!r}: name its own baseline"
        )
    for cost in costs:
        for tool, found in cost.tools.items():
            if baseline.tools.get(tool) != found:
                raise ContractError(
                    f"{path}: made with {tool} {baseline.tools.get(tool, 'unknown')}, here is {found}: "
                    "counts are a property of the tools; install those, or make the baseline anew"
                )


def _expect_every_limit(budget: BudgetFile, rows: Sequence[Row]) -> None:
    names = {row.name for row in rows}
    for core, limits in budget.limits.items():
        for name in limits:
            if f"{core}/{name}" not in names:
                raise ContractError(
                    f"{budget.path}: limits.{core}.{name}: this bundle has no such number: nothing feeds it"
                )


def first_baseline(judgement: Judgement, costs: Sequence[BundleCost]) -> Baseline:
    """Today's numbers."""
    return Baseline(
        bundle=judgement.bundle,
        digest=judgement.digest,
        tools=dict(costs[0].tools),
        metrics={row.name: row.measured for row in judgement.rows},
    )


def lowered_baseline(judgement: Judgement, before: Baseline, reason: str = "") -> Baseline:
    """What became better; what became worse only with a reason, which stays in the file."""
    metrics, steps = {}, []
    for row in judgement.rows:
        metrics[row.name] = row.measured
        if row.baseline is not None and row.is_behind:
            if reason:
                steps.append(f"{row.name}: {row.baseline:g} -> {row.measured:g}")
            else:
                metrics[row.name] = row.baseline  # inside its tolerance: not a step up each time
    made = replace(before, digest=judgement.digest, metrics=metrics)
    return made.with_reason(reason, tuple(steps)) if steps else made
