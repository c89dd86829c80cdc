"""A picture of a replay: the ECG, what the device makes of it, and what it flags."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import WristleadError
from device_sim.frontend import ROW_HF, ROW_LF, WAVELET_ROWS, Flag, row_hz
from device_sim.replay import COLUMN_US
from device_sim.trace import Trace, write_whole
from device_sim.verdict import By

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MISSING = "drawing a picture needs the package `matplotlib`: pip install 'wristlead[report]'"
ENDINGS = (".png", ".svg", ".pdf")
WIDTH_POINTS = 2000  # more columns than this no picture shows
TICKS_HZ = (50, 30, 20, 10, 5, 3)
DB_PER_CODE = float(np.log10(2))
FLAG_COLOURS = {
    Flag.RAIL: "#d1495b",
    Flag.FLAT: "#8d99ae",
    Flag.LEAD_OFF: "#edae49",
    Flag.WARM_UP: "#66a182",
    Flag.CLIP: "#b5179e",
    Flag.GAP: "#30638e",
}
INK = "#22313f"
N_HUES = 6  # of page.css
BYS = tuple(By)  # as picture.js counts them
WANTED, OTHERS = "#66a182", ("#d1495b", "#edae49", "#7d5ba6", "#30638e")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One verdict, and where the stretch it is drawn over begins."""

    start_s: float
    word: str
    score: float | None = None  # None: not judged
    by: By = By.NETWORK


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Verdicts in a row; `wanted` is the word that asks for nothing to be done."""

    name: str
    words: tuple[str, ...]
    wanted: str
    seconds: float  # what each is drawn over
    said: tuple[Said, ...]
    are_beats: bool  # drawn as marks with their word, not as a band

    def hue(self, word: str) -> int:
        """Which colours of a page it has: the wanted word the first, the others the next in turn."""
        others = [one for one in self.words if one != self.wanted]
        return 0 if word == self.wanted else 1 + others.index(word) % (N_HUES - 1)

    def colour(self, word: str) -> str:
        others = [one for one in self.words if one != self.wanted]
        return WANTED if word == self.wanted else OTHERS[others.index(word) % len(OTHERS)]


def draw(trace: Trace, path: Path, lanes: Sequence[Lane] = ()) -> None:
    """Draw to a file; its ending says which kind."""
    figure = _figure(trace, lanes)
    write_whole(path, lambda stream: figure.savefig(stream, format=path.suffix[1:].lower(), dpi=130))


def check_drawable(path: Path) -> None:
    """Refuse before the replay rather than after it."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise WristleadError(f"{path}: {MISSING}") from None


def _figure(trace: Trace, lanes: Sequence[Lane]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7.2), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.01, hspace=0.0)  # type: ignore[union-attr,call-arg]
    heights = (2.2, *(0.34 for _ in lanes), 0.28, 3.2, 0.28, 1.0)
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    ecg, *verdicts, high, wavelets, low, flags = axes
    for axes_of, lane in zip(verdicts, lanes, strict=True):
        _draw_lane(axes_of, lane)
    if lanes:
        _name_words(ecg, lanes)
    # Pooled to the width of the picture; one more column of padding than none keeps times exact.
    pool = max(1, -(-trace.flags_u8.size // WIDTH_POINTS))
    level_dbuv = (_pooled_max(trace.codes_ts_i8, pool).astype(np.float64) + 128) * DB_PER_CODE
    first_s = (-trace.delay_us - COLUMN_US / 2) / 1e6
    span_s = (first_s, first_s + level_dbuv.shape[0] * pool * COLUMN_US / 1e6)
    top_db = max(30.0, float(np.ceil(level_dbuv.max(initial=0.0) / 10) * 10))
    _draw_ecg(ecg, trace)
    _draw_rows(high, level_dbuv[:, [ROW_HF]], span_s, top_db, "HF")
    image = _draw_rows(wavelets, level_dbuv[:, :WAVELET_ROWS], span_s, top_db, None)
    _draw_rows(low, level_dbuv[:, [ROW_LF]], span_s, top_db, "LF")
    _label_frequencies(wavelets)
    _draw_flags(flags, trace, first_s)
    flags.set_xlabel("time in s")
    flags.set_xlim(0.0, max(span_s[1], trace.x_uv.size / trace.rate_hz))
    bar = figure.colorbar(image, ax=[high, wavelets, low], pad=0.01, fraction=0.03, aspect=28)
    bar.set_label("level in dB above 1 µV")
    bar.outline.set_visible(False)
    ecg.set_title(
        f"{Path(trace.name).name}, lead {trace.lead}, {trace.rate_hz} Hz", loc="left", color=INK, fontsize=12
    )
    figure.align_ylabels(list(axes))
    return figure


def _draw_ecg(axes: "Axes", trace: Trace) -> None:
    x_mv = trace.x_uv.astype(np.float64) / 1000
    x_mv -= np.nanmedian(x_mv)
    times_s = np.arange(x_mv.size) / trace.rate_hz
    if x_mv.size > 4 * WIDTH_POINTS:
        pool = -(-x_mv.size // (2 * WIDTH_POINTS))
        blocks = x_mv[: x_mv.size // pool * pool].reshape(-1, pool)
        starts_s = times_s[: blocks.size : pool]
        axes.fill_between(starts_s, blocks.min(axis=1), blocks.max(axis=1), color=INK, linewidth=0.3)
    else:
        axes.plot(times_s, x_mv, color=INK, linewidth=0.8)
    axes.set_ylim(*ecg_limits_mv(x_mv, trace.rate_hz))
    axes.set_ylabel("ECG in mV")
    axes.grid(axis="both", color="#e3e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    _without_frame(axes)


def ecg_limits_mv(x_mv: NDArray[np.float64], rate_hz: int) -> tuple[float, float]:
    """Limits that fit an ordinary second; a rail of 400 mV may leave the picture."""
    n_seconds = max(1, x_mv.size // rate_hz)
    seconds = [part[np.isfinite(part)] for part in np.array_split(x_mv, n_seconds)]
    low_mv = float(np.median([part.min() for part in seconds if part.size]))
    high_mv = float(np.median([part.max() for part in seconds if part.size]))
    margin_mv = max(0.05, 0.4 * (high_mv - low_mv))
    return low_mv - margin_mv, high_mv + margin_mv


def _draw_lane(axes: "Axes", lane: Lane) -> None:
    """A band of colours, or a mark for every beat."""
    for word in lane.words:
        said = [one for one in lane.said if one.word == word]
        if lane.are_beats:
            peaks_s = [one.start_s + lane.seconds / 2 for one in said]
            axes.vlines(peaks_s, 0.1, 0.9, colors=lane.colour(word), linewidth=2.5)
        else:
            bars = [(one.start_s, lane.seconds) for one in said]
            axes.broken_barh(bars, (0.08, 0.84), facecolors=lane.colour(word))
    axes.set_ylim(0, 1)
    axes.set_yticks([0.5], ["beats" if lane.are_beats else "verdict"])
    _without_frame(axes)


def _name_words(axes: "Axes", lanes: Sequence[Lane]) -> None:
    """Colours and their words, beside the title."""
    from matplotlib.patches import Patch

    patches = [Patch(color=lane.colour(word), label=word) for lane in lanes for word in lane.words]
    axes.legend(
        handles=patches,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=len(patches),
        frameon=False,
        fontsize=9,
        handlelength=0.9,
    )


def _draw_rows(
    axes: "Axes",
    level_dbuv: NDArray[np.float64],
    span_s: tuple[float, float],
    top_db: float,
    label: str | None,
) -> Any:
    n_rows = level_dbuv.shape[1]
    image = axes.imshow(
        level_dbuv.T,
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        vmin=0,
        vmax=top_db,
        extent=(span_s[0], span_s[1], n_rows - 0.5, -0.5),
    )
    axes.set_yticks([0] if label else [], [label] if label else [])
    _without_frame(axes)
    return image


def _label_frequencies(axes: "Axes") -> None:
    top_hz = row_hz(0)
    axes.set_yticks([6 * np.log2(top_hz / hz) for hz in TICKS_HZ], [str(hz) for hz in TICKS_HZ])
    axes.set_ylabel("frequency in Hz")


def _draw_flags(axes: "Axes", trace: Trace, first_s: float) -> None:
    column_s = COLUMN_US / 1e6
    for lane, (flag, colour) in enumerate(FLAG_COLOURS.items()):
        bars = [
            (first_s + start * column_s, (end - start) * column_s)
            for start, end in stretches((trace.flags_u8 & flag.value) != 0)
        ]
        axes.broken_barh(bars, (lane - 0.36, 0.72), facecolors=colour, linewidth=0)
    names = [str(flag.name).lower().replace("_", "-") for flag in FLAG_COLOURS]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_ylabel("flags")
    axes.grid(axis="x", color="#e3e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    _without_frame(axes)


def _without_frame(axes: "Axes") -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=INK)


def stretches(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, end) of every run of True."""
    padded = np.concatenate([[False], mask, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _pooled_max(codes_ts_i8: NDArray[np.int8], pool: int) -> NDArray[np.int8]:
    """The loudest of every `pool` columns."""
    missing = -codes_ts_i8.shape[0] % pool
    padded = np.pad(codes_ts_i8, ((0, missing), (0, 0)), mode="edge") if missing else codes_ts_i8
    return np.asarray(padded.reshape(-1, pool, codes_ts_i8.shape[1]).max(axis=1))
