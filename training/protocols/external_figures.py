"""Pictures of an external judgement: a ROC a scorer beside the paper's points, and what scores mean."""

from pathlib import Path

from training.data.cache import write_whole
from training.protocols.external_report import ExternalMetrics
from training.protocols.operating import N_STEPS
from training.quality_metrics import PAPER_POINTS

VIEWS = ("5 s", "15 s, causal")
POINT_NAMES = ("light CNN, empty", "light CNN, pre-trained", "GoogLeNet")


def roc_picture(path: Path, metrics: ExternalMetrics) -> None:
    """Sensitivity for clean against specificity; blanked scorers are left to the table."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.4), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(VIEWS), sharey=True)
    grid = [hundredth / 100 for hundredth in range(101)]
    for axes, view in zip(panels, VIEWS, strict=True):
        for roc in metrics.rocs:
            if roc.view == view and not roc.scorer.endswith("blanked"):
                auc = metrics.row(roc.scorer, view).value("AUC")
                axes.plot(grid, roc.specificity, label=f"{roc.scorer}: {auc:.3f}", linewidth=1.2)
        for (sensitivity, specificity), name in zip(PAPER_POINTS, POINT_NAMES, strict=True):
            axes.plot(sensitivity, specificity, "k^", markersize=5)
            axes.annotate(
                name, (sensitivity, specificity), (-4, 5), textcoords="offset points", ha="right", size=7
            )
        axes.set(xlim=(0.5, 1.0), ylim=(0.3, 1.0), xlabel="clean windows accepted (Se)", title=view)
        axes.legend(loc="lower left", fontsize=8)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("noisy windows rejected (Sp)")
    figure.suptitle(f"{metrics.recipe} on {metrics.judged_on} of CinC 2017; triangles: the paper's table")
    # no date and no version inside: the same run draws the same bytes
    write_whole(path, lambda stream: figure.savefig(stream, format="png", metadata={"Software": None}))


def calibration_picture(path: Path, metrics: ExternalMetrics) -> None:
    """Who is given which score: clean and noisy weighing the same, and as they come."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.8), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="as it is said")
    nets = [one for one in metrics.calibrations or () if not one.band.scorer.endswith("blanked")]
    for number, one in enumerate(nets):
        if one.as_met is None:
            continue
        steps = one.as_met.steps
        said = [(step.tenth + 0.5) / N_STEPS for step in steps]
        colour = f"C{number}"
        axes.plot(
            said, [step.alike for step in steps], "o-", markersize=4, color=colour, label=one.band.scorer
        )
        come = [step.n_clean / (step.n_clean + step.n_noisy) for step in steps]
        axes.plot(said, come, "--", linewidth=1, color=colour)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="score", ylabel="share clean of the windows with that score")
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(alpha=0.3)
    figure.suptitle(
        f"{metrics.recipe} on {metrics.judged_on}, 5 s\nlines: both weigh the same; dashed: as they come"
    )
    write_whole(path, lambda stream: figure.savefig(stream, format="png", metadata={"Software": None}))
