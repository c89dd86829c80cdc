"""How long a verdict took, beside the budget of a window: a histogram and the numbers behind it."""

import numpy as np
from numpy.typing import NDArray

from device_sim.markup import Markup, figure, joined, table, tag
from device_sim.report_subject import Subject

WIDTH, HEIGHT, LEFT, RIGHT, TOP = 1000, 150, 30, 30, 26
PER_DECADE = 24  # bins
SHOWN = (
    (50, "half take at most"),
    (95, "95 % take at most"),
    (99, "99 % take at most"),
    (100, "the slowest"),
)


def latency_section(took_us: NDArray[np.float64], clock: str, subject: Subject) -> Markup:
    """This machine's times, which say nothing about the device; then what was counted on cores."""
    budget_us = subject.budget.window_us if subject.budget else None
    words = f"From a second of columns to its verdicts, {clock} of the machine that wrote this page."
    parts = [tag("p", words, class_="quiet")]
    if took_us.size:
        rows = [_row(name, float(np.percentile(took_us, at)), budget_us) for at, name in SHOWN]
        told = "; ".join(f"{name} {time}" for name, time, _share in rows)
        parts.append(
            figure(_histogram(took_us, budget_us, f"Histogram of {took_us.size} verdicts: {told}"), "Latency")
        )
        head = ("verdicts", "time", "of the budget")
        caption = f"{took_us.size:,} verdicts" + (
            f"; the budget is {budget_us / 1000:g} ms" if budget_us else ""
        )
        parts.append(table(caption, head, rows, numbers=(1, 2)))
    else:
        parts.append(tag("p", "No verdict was due."))
    if budget_us:
        counted = [
            (part.bundle.name, cost.core, f"{n:,}", f"{n / budget_us:,.0f} million a second")
            for part in subject.parts
            for cost in part.costs
            for n in [cost.totals.get("instructions", 0)]
            if n
        ]
        columns = ("network", "core", "instructions a window", "to keep the budget")
        parts += (
            [table("Counted: what a core has to do", columns, counted, numbers=(2, 3))] if counted else []
        )
    return joined(parts)


def milliseconds(us: float) -> str:
    return f"{us / 1000:.2g} ms" if us < 10_000 else f"{us / 1000:.0f} ms"


def _row(name: str, us: float, budget_us: int | None) -> tuple[str, str, str]:
    return name, milliseconds(us), f"{us / budget_us:.1%}" if budget_us else ""


def _histogram(took_us: NDArray[np.float64], budget_us: int | None, describes: str) -> Markup:
    """Time to the right, by powers of ten; the budget is a line."""
    low = np.floor(np.log10(max(took_us.min(), 1.0)))
    high = np.ceil(np.log10(max(took_us.max(), budget_us or 0, 10 ** (low + 1)) * 1.1))
    edges = np.linspace(low, high, round((high - low) * PER_DECADE) + 1)
    counts, _edges = np.histogram(np.log10(np.maximum(took_us, 1.0)), edges)

    def x_at(exponent: float) -> float:
        return round(float(LEFT + (WIDTH - LEFT - RIGHT) * (exponent - low) / (high - low)), 1)

    bottom, parts = TOP + HEIGHT, []
    for exponent in range(int(low), int(high) + 1):
        x, us = x_at(exponent), 10**exponent
        name = f"{us} µs" if us < 1000 else f"{us // 1000} ms" if us < 1_000_000 else f"{us // 1_000_000} s"
        parts.append(tag("line", x1=x, x2=x, y1=TOP, y2=bottom, stroke="var(--grid)"))
        parts.append(tag("text", name, x=x, y=bottom + 16, text_anchor="middle"))
    for count, start, end in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            height = round(float(HEIGHT * count / counts.max()), 1)
            size = {"width": round(x_at(end) - x_at(start) - 1, 1), "height": height}
            parts.append(tag("rect", x=x_at(start), y=bottom - height, fill="var(--bar-ink)", rx=1.5, **size))
    if budget_us:
        x = x_at(float(np.log10(budget_us)))
        parts.append(tag("line", x1=x, x2=x, y1=TOP - 4, y2=bottom, stroke="var(--accent)", stroke_width=2))
        words, style = f"budget {milliseconds(budget_us)}", "fill:var(--accent);font-weight:600"
        parts.append(
            tag("text", words, x=x, y=14, text_anchor="end" if x > WIDTH / 2 else "start", style=style)
        )
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {bottom + 24}", role="img", aria_label=describes)
