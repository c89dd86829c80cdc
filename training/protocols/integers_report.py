"""What integers of a quality net found on external-test, as figures one can print again."""

from dataclasses import dataclass

from training.protocols.external_report import Figure, Row, row_lines

PROTOCOL = "external, int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What integers cost in one view, at MIT-BIH's threshold."""

    view: str
    n_changed: int  # called something else than in real numbers
    n_windows: int
    auc_lost: Figure
    balanced_accuracy_lost: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerMetrics:
    """`external-test-int8-sSEED.json`; belongs to one integer graph."""

    protocol: str
    recipe: str
    net: str
    seed: int
    judged_on: str
    n_recordings: int
    graph_sha256: str
    threshold: float  # logit, from MIT-BIH's validation part, of both networks
    rows: tuple[Row, ...]
    changes: tuple[Change, ...]


def render(metrics: IntegerMetrics) -> str:
    lines = [
        f"{metrics.protocol}, {metrics.recipe}: {metrics.net} s{metrics.seed}, graph "
        f"{metrics.graph_sha256[:12]}, judged on {metrics.judged_on} of CinC 2017 "
        f"({metrics.n_recordings} recordings)",
        "",
        *row_lines(metrics.rows),
        "",
        f"above {metrics.threshold:.3f} is clean, as MIT-BIH's validation part says; called otherwise by "
        "integers, and points lost:",
    ]
    lines += [
        f"  {one.view:16}{one.n_changed:6} of {one.n_windows}   "
        f"AUC {_points(one.auc_lost)}   BA {_points(one.balanced_accuracy_lost)}"
        for one in metrics.changes
    ]
    return "\n".join(lines)


def _points(lost: Figure) -> str:
    return f"{100 * lost.value:+.2f} [{100 * lost.low:+.2f}, {100 * lost.high:+.2f}]"
