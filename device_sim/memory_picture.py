"""A picture of the memory plan: addresses upwards, what the loop is doing to the right, how much is used."""

from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from device_sim.memory import FRAMES, RECEIVE, Memory
from device_sim.plan import Place
from device_sim.trace import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, PAPER = "#22313f", "#ffffff"
REGION_COLOURS = ("#30638e", "#3f7cac", "#5f9ecb")
TENSOR_COLOURS = ("#edae49", "#d1495b", "#66a182", "#b5179e", "#7d5ba6", "#e08e45")
FRAME_COLOUR = "#8d99ae"
LABEL_HEIGHT, LETTER_STEPS = 0.02, 0.085  # of the whole height, and of a step: what a name needs
KIB = 1024


def draw_memory(memory: Memory, title: str, path: Path) -> None:
    """Draw to a file; its ending says which kind."""
    from matplotlib.figure import Figure

    n_steps = len(memory.steps)
    figure = Figure(figsize=(max(9.0, 0.6 * n_steps + 2), 7.5), layout="constrained")
    plan, use = figure.subplots(2, 1, sharex=True, height_ratios=(6, 1))
    _draw_plan(plan, memory)
    _draw_use(use, memory)
    for axes in (plan, use):
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelcolor=INK)
        axes.yaxis.label.set_color(INK)
    use.set_xlim(0, n_steps)
    use.set_xticks([k + 0.5 for k in range(n_steps)], memory.steps, rotation=45, ha="right", fontsize=8)
    waste = f" (+{memory.waste:.1%})" if memory.waste else ""
    plan.set_title(
        f"{title}: {memory.total_bytes:,} bytes; largest live set {memory.largest_live_bytes:,}{waste}",
        loc="left",
        color=INK,
    )
    write_whole(path, lambda stream: figure.savefig(stream, format=path.suffix[1:].lower(), dpi=130))


def _draw_plan(axes: "Axes", memory: Memory) -> None:
    at, top = 0, memory.total_bytes
    for colour, region in zip(cycle(REGION_COLOURS), memory.regions, strict=False):
        label = f"{region.name}  {region.n_bytes}"
        _box(axes, (0, len(memory.steps)), (at, region.n_bytes), colour, label, top)
        at += region.n_bytes
    colours = cycle(TENSOR_COLOURS)
    for place in memory.arena.places:
        colour = FRAME_COLOUR if place.name in FRAMES else next(colours)
        extent = (at + place.offset_bytes, place.n_bytes)
        _box(axes, span_of(place, memory), extent, colour, f"{place.name}  {place.n_bytes}", top)
    ticks = range(0, top + 1, KIB * max(1, round(top / KIB / 10)))
    axes.set_yticks(list(ticks), [str(tick // KIB) for tick in ticks])
    axes.set_ylim(0, top * 1.01)
    axes.set_ylabel("address in KiB")


def span_of(place: Place, memory: Memory) -> tuple[float, float]:
    """In steps; where one is written over the other they share a step, half of it each."""
    is_followed = any(other.written_over == place.name for other in memory.arena.places)
    begins = place.first_step - RECEIVE + (0.5 if place.written_over else 0.0)
    return begins, place.last_step - RECEIVE + 1 - (0.5 if is_followed else 0.0)


def _box(
    axes: "Axes", span: tuple[float, float], place: tuple[int, int], colour: str, label: str, top: int
) -> None:
    """A rectangle, with its name where there is room for it."""
    width = span[1] - span[0]
    axes.broken_barh([(span[0], width)], place, facecolors=colour, edgecolor=PAPER, linewidth=0.8)
    if place[1] < LABEL_HEIGHT * top:
        return
    text = label if len(label) * LETTER_STEPS <= width else label.split("  ")[0]
    if len(text) * LETTER_STEPS <= width + 0.5:
        middle = (span[0] + span[1]) / 2, place[0] + place[1] / 2
        axes.text(*middle, text, ha="center", va="center", fontsize=7, color=PAPER, clip_on=True)


def _draw_use(axes: "Axes", memory: Memory) -> None:
    live = [n_bytes / KIB for n_bytes in memory.live_bytes()]
    axes.bar([k + 0.5 for k in range(len(live))], live, width=0.94, color=REGION_COLOURS[0])
    axes.set_ylim(0, max(live) * 1.15)
    axes.set_ylabel("in use, KiB")
