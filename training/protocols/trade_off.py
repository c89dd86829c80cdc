"""How well nets judge against what they multiply, from results folders: a table and a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from device_sim.contract.errors import ContractError
from training.data.cache import write_whole
from training.nets import count_parameters, make_net
from training.protocols.external import BASELINE, SINGLE
from training.protocols.external_report import ExternalMetrics
from training.protocols.paper_report import DEVICE, PaperMetrics
from training.quality_nets import image_macs
from training.results_folder import EXTERNAL_TEST, METRICS, read_metrics

MARKERS = "osD^vPX*<>"
COLOURS = ("C0", "C1", "C2", "C3", "C4", "C5", "C8")  # seven and ten markers: seventy nets that differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The seeds of one net on one side: AUC of single windows, and the mean ends of their intervals."""

    name: str
    side: str
    macs: int  # 0 for what is no net
    parameters: int
    aucs: tuple[float, ...]
    low: float
    high: float

    @property
    def mean(self) -> float:
        return fmean(self.aucs)


def read_trade_off(folders: Sequence[Path]) -> tuple[Judged, ...]:
    """Every net of every folder, on external-dev and where it was opened on external-test."""
    found = []
    for folder in folders:
        opened = folder / EXTERNAL_TEST
        for path in (folder / METRICS, *([opened] if opened.exists() else [])):
            metrics = read_metrics(path)
            if isinstance(metrics, ExternalMetrics):
                found += list(_of_external(metrics))
            elif isinstance(metrics, PaperMetrics):
                found += list(_of_paper(metrics))
            else:
                raise ContractError(
                    f"{path}: expected results of external or paper-000, got another protocol"
                )
    return tuple({(one.name, one.side): one for one in found}.values())  # the baseline stands in each


def render(found: Sequence[Judged]) -> str:
    lines = [
        "AUC of single windows (5 s) against multiplications; intervals over recordings, mean of the seeds'",
        f"{'net':48}{'side':15}{'M MAC':>8}{'parameters':>12}{'seeds':>6}{'AUC':>7}  95 %",
    ]
    for one in sorted(found, key=lambda one: (one.side, one.macs, -one.mean)):
        cost = f"{one.macs / 1e6:8.1f}{one.parameters:12,}{len(one.aucs):6}" if one.macs else " " * 26
        lines.append(f"{one.name:48}{one.side:15}{cost}{one.mean:7.3f}  [{one.low:.3f}, {one.high:.3f}]")
    return "\n".join(lines)


def trade_off_picture(path: Path, found: Sequence[Judged]) -> None:
    """A panel for each side; a dot a seed, the whisker is the interval over recordings."""
    from matplotlib.figure import Figure

    sides = sorted({one.side for one in found})
    names = list(dict.fromkeys(one.name for one in found if one.macs))
    macs = {one.name: one.macs for one in found}
    figure = Figure(figsize=(5.2 * len(sides) + 2.6, 4.6), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(sides), sharex=True, sharey=True, squeeze=False)[0]
    for axes, side in zip(panels, sides, strict=True):
        for one in (one for one in found if one.side == side):
            if not one.macs:
                axes.axhline(one.mean, color="k", linestyle="--", linewidth=1, label=one.name)
                axes.axhspan(one.low, one.high, color="k", alpha=0.06)
                continue
            number = names.index(one.name)
            alike = [name for name in names if macs[name] == one.macs]
            style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
            # nets of one cost stand beside each other
            x = one.macs / 1e6 * 1.07 ** (alike.index(one.name) - (len(alike) - 1) / 2)
            axes.plot([x, x], [one.low, one.high], color=style["color"], alpha=0.35, linewidth=1.2)
            axes.plot([x] * len(one.aucs), one.aucs, linestyle="", markersize=4.5, alpha=0.85, **style)
            axes.plot(
                x, one.mean, markersize=9, markerfacecolor="none", label=one.name, linestyle="", **style
            )
        axes.set(xscale="log", xlabel="M multiply-accumulates a window", title=side)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("AUC, 5 s windows of CinC 2017")
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize=8)
    figure.suptitle("small: a seed; large: their mean; whisker: 95 % over recordings")
    write_whole(path, lambda stream: figure.savefig(stream, format="png", metadata={"Software": None}))


def _of_external(metrics: ExternalMetrics) -> Iterator[Judged]:
    net = make_net(metrics.net, seed=0)
    rows = [metrics.row(f"{metrics.net} s{seed}", SINGLE) for seed in metrics.seeds]
    for name, macs, parameters, chosen in (
        (BASELINE, 0, 0, [metrics.row(BASELINE, SINGLE)]),
        (metrics.recipe, image_macs(net, DEVICE), count_parameters(net), rows),
    ):
        figures = [next(one for one in row.figures if one.name == "AUC") for row in chosen]
        yield Judged(
            name=name,
            side=metrics.judged_on,
            macs=macs,
            parameters=parameters,
            aucs=tuple(one.value for one in figures),
            low=fmean(one.low for one in figures),
            high=fmean(one.high for one in figures),
        )


def _of_paper(metrics: PaperMetrics) -> Iterator[Judged]:
    picture = (3, metrics.side, metrics.side)
    costs = {one.net: one for one in metrics.costs if one.shape in (picture, DEVICE)}
    for arm in dict.fromkeys((row.net, row.image, row.began) for row in metrics.rows):
        spreads = [row.auc for row in metrics.rows if (row.net, row.image, row.began) == arm]
        yield Judged(
            name=", ".join(arm),
            side=metrics.judged_on,
            macs=costs[arm[0]].macs,
            parameters=costs[arm[0]].parameters,
            aucs=tuple(one.value for one in spreads),
            low=fmean(one.low for one in spreads),
            high=fmean(one.high for one in spreads),
        )
