"""The picture of a recording without a script: SVG, its scalogram a PNG of one pixel a column."""

import base64
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from device_sim.frontend import ROW_HF, ROW_LF, ROWS, WAVELET_ROWS, Flag, row_hz
from device_sim.markup import Markup, joined, tag
from device_sim.picture import DB_PER_CODE, TICKS_HZ, Lane, stretches
from device_sim.png import png_of
from device_sim.report_recording import GAP_UV, Recording, pooled

WIDTH, LEFT, RIGHT = 1000, 70, 8
WIDE = WIDTH - LEFT - RIGHT
ECG_HEIGHT, LANE_HEIGHT, SCORE_HEIGHT, ROW_HEIGHT, FLAG_HEIGHT = 190, 22, 56, 5.5, 11
# From dark to light, evenly in lightness: the same stops as picture.js has.
STOPS = np.array([(11, 11, 30), (58, 29, 110), (160, 44, 125), (240, 103, 92), (253, 233, 184)], np.float64)


def palette() -> NDArray[np.uint8]:
    """256 colours."""
    at = np.linspace(0, len(STOPS) - 1, 256)
    rgb = np.stack([np.interp(at, np.arange(len(STOPS)), STOPS[:, c]) for c in range(3)], axis=1)
    return np.asarray(np.rint(rgb), np.uint8)


def still(recording: Recording, describes: str) -> Markup:
    """The whole recording at once; `describes` is said instead of being seen."""
    parts: list[Markup] = []
    y = 16.0
    for height, draw in _panels(recording):
        parts.append(draw(y))
        y += height + 10
    parts.append(_axis(recording, y))
    return tag(
        "svg",
        *parts,
        class_="still",
        viewBox=f"0 0 {WIDTH} {y + 20:.0f}",
        role="img",
        aria_label=describes,
        xmlns="http://www.w3.org/2000/svg",
    )


def _panels(recording: Recording) -> Iterator[tuple[float, Callable[[float], Markup]]]:
    yield ECG_HEIGHT, lambda y: _ecg(recording, y)
    for lane in recording.lanes:
        yield LANE_HEIGHT, lambda y, lane=lane: _lane(recording, lane, y)  # type: ignore[misc]
    for lane in recording.lanes:
        if any(one.score is not None for one in lane.said):
            yield SCORE_HEIGHT, lambda y, lane=lane: _score(recording, lane, y)  # type: ignore[misc]
    yield ROWS * ROW_HEIGHT, lambda y: _scalogram(recording, y)
    yield len(Flag) * FLAG_HEIGHT, lambda y: _flags(recording, y)


def _x(recording: Recording, seconds: float) -> float:
    return LEFT + (seconds - recording.first_s) / recording.seconds * WIDE


def _name(words: str, y: float) -> Markup:
    return tag("text", words, x=LEFT - 7, y=round(y + 4, 1), text_anchor="end")


def _ecg(recording: Recording, y: float) -> Markup:
    low, high = recording.limits_mv
    uv = np.clip(recording.x_uv, low * 1000, high * 1000)
    heights = y + ECG_HEIGHT * (high - uv / 1000) / (high - low)
    zero = _name("0 mV", y + ECG_HEIGHT * high / (high - low))
    return joined(
        [
            zero,
            tag("path", d=_polyline(recording, heights), fill="none", stroke="var(--ink)", stroke_width=1),
        ]
    )


def _polyline(recording: Recording, heights: NDArray[np.float64]) -> str:
    """Lowest and highest of each unit of width; a new stroke behind a gap."""
    each = max(1, -(-heights.size // (2 * WIDE)))
    marks: list[str] = []
    pen = "M"
    for k in range(0, heights.size, each):
        there = heights[k : k + each][recording.x_uv[k : k + each] != GAP_UV]
        if not there.size:
            pen = "M"
            continue
        x = _x(recording, k / recording.rate_hz)
        ends = [float(there.max())] if there.size == 1 else [float(there.max()), float(there.min())]
        for at in ends:
            marks.append(f"{pen}{x:.1f} {at:.1f}")
            pen = "L"
    return "".join(marks)


def _lane(recording: Recording, lane: Lane, y: float) -> Markup:
    boxes = []
    drawn: set[tuple[int, int]] = set()  # an hour of beats has no more marks than there is width
    for word, start_s, end_s in runs(lane):
        hue = lane.hue(word)
        x, width = _x(recording, start_s), (end_s - start_s) / recording.seconds * WIDE
        if (round(x), hue) in drawn:
            continue
        drawn.add((round(x), hue))
        colours = {"fill": f"var(--{'ink' if lane.are_beats else 'band'}-{hue})"}
        if lane.are_beats:
            boxes.append(tag("rect", x=x + width / 2, y=y, width=1.5, height=LANE_HEIGHT, **colours))
            continue
        boxes.append(tag("rect", x=x, y=y, width=width, height=LANE_HEIGHT, **colours))
        if len(word) * 7 < width:
            style = f"fill:var(--ink-{hue})"
            boxes.append(tag("text", word, x=x + width / 2, y=y + 15, text_anchor="middle", style=style))
    return joined([_name("beats" if lane.are_beats else "verdict", y + LANE_HEIGHT / 2), *boxes])


def runs(lane: Lane) -> list[tuple[str, float, float]]:
    """(word, from, to) of neighbouring verdicts that say the same; every beat by itself."""
    found: list[tuple[str, float, float]] = []
    for one in lane.said:
        end_s = one.start_s + lane.seconds
        if not lane.are_beats and found and found[-1][0] == one.word and one.start_s < found[-1][2] + 1e-3:
            found[-1] = (one.word, found[-1][1], end_s)
        else:
            found.append((one.word, one.start_s, end_s))
    return found


def _score(recording: Recording, lane: Lane, y: float) -> Markup:
    marks, pen, last = [], "M", 0.0
    for one in lane.said:
        if one.score is None:
            pen = "M"
            continue
        x = _x(recording, one.start_s + lane.seconds / 2)
        if pen == "L" and x - last < 0.5:
            continue  # nobody sees more
        last = x
        marks.append(f"{pen}{x:.1f} {y + SCORE_HEIGHT * (1 - one.score):.1f}")
        pen = "L"
    line = tag("path", d="".join(marks), fill="none", stroke="var(--accent)", stroke_width=1.3)
    return joined([_name("1", y), _name("score", y + SCORE_HEIGHT / 2), _name("0", y + SCORE_HEIGHT), line])


def _scalogram(recording: Recording, y: float) -> Markup:
    each = max(1, -(-len(recording.codes_ts_i8) // (2 * WIDE)))
    codes = pooled(recording.codes_ts_i8, each, np.maximum)
    order = [ROW_HF, *range(WAVELET_ROWS), ROW_LF]
    levels = (codes[:, order].astype(np.float64) + 128) * DB_PER_CODE / recording.top_db
    indices = np.rint(255 * np.clip(levels, 0, 1)).astype(np.uint8)
    raw = base64.b64encode(png_of(np.ascontiguousarray(indices.T), palette())).decode()
    x = _x(recording, recording.columns_first_s)
    end = _x(recording, recording.columns_first_s + len(recording.codes_ts_i8) * recording.column_s)
    image = tag(
        "image",
        x=x,
        y=y,
        width=end - x,
        height=ROWS * ROW_HEIGHT,
        preserveAspectRatio="none",
        href=f"data:image/png;base64,{raw}",
        style="image-rendering:pixelated",
    )
    names = [_name("HF", y + ROW_HEIGHT / 2), _name("LF", y + (ROWS - 0.5) * ROW_HEIGHT)]
    for hz in TICKS_HZ:
        at = 6 * np.log2(row_hz(0) / hz)
        if 1.5 < at < WAVELET_ROWS - 3:
            names.append(_name(f"{hz} Hz" if hz == 10 else str(hz), y + (1.5 + at) * ROW_HEIGHT))
    return joined([image, *names])


def _flags(recording: Recording, y: float) -> Markup:
    boxes = []
    each = max(1, -(-recording.flags_u8.size // WIDE))
    flags = pooled(recording.flags_u8, each, np.bitwise_or)
    column_s = recording.column_s * each
    for k, flag in enumerate(Flag):
        top = y + k * FLAG_HEIGHT
        boxes.append(_name(str(flag.name).lower().replace("_", "-"), top + FLAG_HEIGHT / 2))
        for start, end in stretches((flags & flag.value) != 0):
            x = _x(recording, recording.columns_first_s + start * column_s)
            width = max(1.0, (end - start) * column_s / recording.seconds * WIDE)
            boxes.append(
                tag("rect", x=x, y=top + 1.5, width=width, height=FLAG_HEIGHT - 3, fill="var(--flag)")
            )
    return joined(boxes)


def _axis(recording: Recording, y: float) -> Markup:
    ends = ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    return joined(
        tag(
            "text",
            f"{recording.first_s + share * recording.seconds:.4g} s",
            x=LEFT + share * WIDE,
            y=round(y + 8, 1),
            text_anchor=anchor,
        )
        for share, anchor in ends
    )
