"""The pictures of a run, the paper's figures among them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from training.data.cache import write_whole
from training.protocols.personal import Outcome
from training.protocols.personal_report import BIN_EDGES, PersonalMetrics, bins

Curve = Sequence[Sequence[float]]  # train loss, validation loss, train BA, validation BA per epoch


def learning_curve(path: Path, curve: Curve, *, title: str, best_epoch: int | None = None) -> None:
    """Loss and balanced accuracy over epochs, as the paper draws record 203."""
    figure, (left, right) = _canvas(1, 2, (9.0, 3.4))
    epochs = range(1, len(curve) + 1)
    for column, name, axes in (
        (0, "train", left),
        (1, "validation", left),
        (2, "train", right),
        (3, "validation", right),
    ):
        axes.plot(epochs, [row[column] for row in curve], label=name)
    for axes, name in ((left, "loss"), (right, "balanced accuracy")):
        if best_epoch is not None:
            axes.axvline(best_epoch + 1, color="0.6", linestyle="--", linewidth=1)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.legend()
    figure.suptitle(title)
    _save(figure, path)


def histogram(path: Path, values: Sequence[float], *, title: str) -> None:
    """How many records reach which balanced accuracy, in the paper's bins."""
    figure, axes = _canvas(1, 1, (5.0, 3.4))
    axes.bar([f"{low:.2f}-{high:.2f}" for low, high in pairwise(BIN_EDGES)], bins(values))
    axes.tick_params(axis="x", rotation=45)
    axes.set_ylabel("records")
    axes.set_title(title)
    _save(figure, path)


def record_bars(path: Path, metrics: PersonalMetrics) -> None:
    """Balanced accuracy per record, alone and fine-tuned."""
    figure, axes = _canvas(1, 1, (6.0, 8.0))
    places = range(len(metrics.records))
    axes.barh(
        [place - 0.2 for place in places],
        [row.stage("individual").mean for row in metrics.records],
        0.4,
        label="individual",
    )
    axes.barh(
        [place + 0.2 for place in places], [row.tuned for row in metrics.records], 0.4, label="fine-tuned"
    )
    axes.set_yticks(list(places), [row.record for row in metrics.records])
    axes.set_xlim(0.5, 1.0)
    axes.set_xlabel("balanced accuracy on the test part, mean of the seeds")
    axes.invert_yaxis()
    axes.legend(loc="lower left")
    _save(figure, path)


def personal_pictures(folder: Path, metrics: PersonalMetrics, finals: Sequence[Outcome], shown: str) -> None:
    histogram(
        folder / "individual.png",
        [row.stage("individual").mean for row in metrics.records],
        title="individual",
    )
    histogram(folder / "fine-tuned.png", [row.tuned for row in metrics.records], title="fine-tuned")
    record_bars(folder / "records.png", metrics)
    stages: Mapping[str, str] = {"individual": "alone", "full": "fine-tuned"}
    for stage, name in stages.items():
        one = next(one for one in finals if one.record == shown and one.stage == stage)
        learning_curve(
            folder / f"record-{shown}-{stage}.png",
            one.curve,
            title=f"record {shown}, {name}",
            best_epoch=one.best_epoch,
        )


def _canvas(rows: int, columns: int, inches: tuple[float, float]) -> Any:
    """A figure that needs no screen and no global state."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, dpi=110, layout="constrained")
    return figure, figure.subplots(rows, columns)


def _save(figure: Any, path: Path) -> None:
    # no date and no version inside: the same run draws the same bytes
    write_whole(path, lambda stream: figure.savefig(stream, format="png", metadata={"Software": None}))
