"""What a page says of a bundle: memory by lifetime, cost by layer, what integers change, provenance."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

from device_sim.contract.bundle import Bundle
from device_sim.contract.metrics import Figure
from device_sim.evidence import CoreCost
from device_sim.markup import Markup, figure, joined, table, tag
from device_sim.memory import FRAMES, RECEIVE, Memory
from device_sim.memory_picture import span_of
from device_sim.plan import Place
from device_sim.report_subject import Fact, Part, Subject
from device_sim.show_bundle import nodes

WIDTH, LEFT, MAP_HEIGHT, USE_HEIGHT, NAMES_HEIGHT = 1000, 56, 360, 70, 92
LETTER, LINE = 6.2, 13  # what a letter and a line of 11 px need
FLIP = re.compile(r"(.+), window (\d+): (\d+) -> (\d+), margin ([\d.]+), off: (.+)")
NOT_COUNTED = (
    "Instructions are counted by `wristlead gate` (in a checkout) and lie outside the bundle; "
    "name its baseline with --cost."
)


def by_part(subject: Subject, body_of: Callable[[Part], Markup]) -> Markup:
    """The same of each network, under its name where there are several."""
    if len(subject.parts) == 1:
        return body_of(subject.parts[0])
    return joined(joined([tag("h3", part.bundle.name), body_of(part)]) for part in subject.parts)


def memory_section(subject: Subject) -> Markup:
    """Every byte beside the stack: where it lies and when it is needed."""
    memory = subject.memory
    budget = "" if subject.budget is None else f" of the {subject.budget.ram_bytes:,} budgeted"
    told = (
        f"{memory.total_bytes:,} bytes of RAM{budget}, beside the stack: {memory.fixed_bytes:,} are always "
        f"in use, the arena of {memory.arena.arena_bytes:,} is shared by frames and tensors. Upwards "
        f"addresses, to the right what the loop is doing. {memory.why() or 'There are no holes'}."
    )
    live = memory.live_bytes()
    rows = [
        (
            place.name,
            "frame" if place.name in FRAMES else "tensor",
            f"{place.n_bytes:,}",
            *_when(place, memory),
        )
        for place in memory.arena.places
    ]
    fixed = [(one.name, "state", f"{one.n_bytes:,}", "always", "") for one in memory.regions]
    return joined(
        [
            tag("p", told),
            figure(
                _map(memory, f"Memory map of {subject.name}. {told} The table has every part."), "Memory map"
            ),
            tag(
                "details",
                tag("summary", "Memory as tables"),
                table(
                    "Parts of the RAM", ("part", "kind", "bytes", "from", "to"), [*fixed, *rows], numbers=(2,)
                ),
                table(
                    "In use at each step of the loop",
                    ("step", "bytes"),
                    [(name, f"{n:,}") for name, n in zip(memory.steps, live, strict=True)],
                    numbers=(1,),
                ),
            ),
        ]
    )


def _when(place: Place, memory: Memory) -> tuple[str, str]:
    return memory.steps[place.first_step - RECEIVE], memory.steps[place.last_step - RECEIVE]


def _map(memory: Memory, describes: str) -> Markup:
    parts: list[Markup] = []
    at = 0
    n_steps, total = len(memory.steps), memory.total_bytes
    for region in memory.regions:
        words = f"{region.name} {region.n_bytes:,}"
        parts.append(_box(memory, (0, n_steps), (at, region.n_bytes), "4", words))
        at += region.n_bytes
    hues = cycle("032")
    for place in memory.arena.places:
        hue = "frame" if place.name in FRAMES else next(hues)
        extent = (at + place.offset_bytes, place.n_bytes)
        parts.append(_box(memory, span_of(place, memory), extent, hue, f"{place.name} {place.n_bytes:,}"))
    step = 1024 * max(1, round(total / 1024 / 8))
    for n_bytes in range(0, total + 1, step):
        y = _y(memory, n_bytes)
        parts.append(tag("text", f"{n_bytes // 1024} KiB", x=LEFT - 6, y=round(y + 4), text_anchor="end"))
    parts += _use(memory)
    height = MAP_HEIGHT + USE_HEIGHT + NAMES_HEIGHT + 20
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=describes)


def _y(memory: Memory, n_bytes: int) -> float:
    return 8 + MAP_HEIGHT * (1 - n_bytes / memory.total_bytes)


def _x(memory: Memory, step: float) -> float:
    return LEFT + (WIDTH - LEFT) * step / len(memory.steps)


def _box(memory: Memory, span: tuple[float, float], extent: tuple[int, int], hue: str, words: str) -> Markup:
    """A rectangle, with its name where there is room for it."""
    x, width = _x(memory, span[0]), _x(memory, span[1]) - _x(memory, span[0])
    top, height = _y(memory, sum(extent)), MAP_HEIGHT * extent[1] / memory.total_bytes
    box = tag(
        "rect",
        tag("title", words),
        x=round(x, 1),
        y=round(top, 1),
        width=round(width - 1, 1),
        height=round(max(height - 1, 0.6), 1),
        rx=2,
        fill=f"var(--band-{hue}, var(--paper))",
        stroke=f"var(--ink-{hue}, var(--quiet))",
        stroke_width=0.7,
    )
    n_letters = int((width - 8) / LETTER)
    if height < LINE or n_letters < 5:
        return box
    shown = words if len(words) <= n_letters else "…" + words[1 - n_letters :]
    name = tag(
        "text",
        shown,
        x=round(x + width / 2, 1),
        y=round(top + height / 2 + 4, 1),
        text_anchor="middle",
        style=f"fill:var(--ink-{hue}, var(--quiet))",
    )
    return joined([box, name])


def _use(memory: Memory) -> Iterator[Markup]:
    live = memory.live_bytes()
    top = MAP_HEIGHT + 18
    for k, (name, n_bytes) in enumerate(zip(memory.steps, live, strict=True)):
        height = USE_HEIGHT * n_bytes / max(live)
        x, width = _x(memory, k), (WIDTH - LEFT) / len(live)
        yield tag(
            "rect",
            x=round(x, 1),
            y=round(top + USE_HEIGHT - height, 1),
            width=round(width - 2, 1),
            height=round(height, 1),
            rx=2,
            fill="var(--bar)",
        )
        middle, low = round(x + width / 2, 1), top + USE_HEIGHT + 12
        shown = name if len(name) < 17 else "…" + name[-15:]
        yield tag("text", shown, x=middle, y=low, text_anchor="end", transform=f"rotate(-40 {middle} {low})")
    yield tag("text", "in use", x=LEFT - 6, y=top + USE_HEIGHT // 2, text_anchor="end")


def layers_of(part: Part) -> Markup:
    """Multiplications by layer, which are exact, and instructions where they were counted."""
    rows = list(nodes(part.bundle, part.memory))
    total = sum(row["macs"] for row in rows)
    cores = [cost for cost in part.costs if cost.layers]
    head = ("operator", "kind", "output", "MAC", "share", "weights", *(cost.core for cost in cores))
    body = []
    for row in rows:
        share = row["macs"] / total if total else 0.0
        bar = tag("span", style=f"width:{100 * share:.1f}%")
        counted = [f"{cost.layers[row['name']]:,}" if row["name"] in cost.layers else "" for cost in cores]
        shape = " x ".join(map(str, row["output_shape"]))
        macs, weights = f"{row['macs']:,}", f"{row['weight_bytes']:,}"
        meter = joined([f"{share:.1%}", tag("div", bar, class_="meter")])
        body.append((row["name"], row["op"], shape, macs, meter, weights, *counted))
    sums = [f"{sum(cost.layers.values()):,}" for cost in cores]
    weights = sum(row["weight_bytes"] for row in rows)
    body.append(("together", "", "", f"{total:,}", "", f"{weights:,}", *sums))
    unit = " Under a core: instructions a window, counted in an emulator." if cores else ""
    caption = f"Operators in order: multiply-accumulates (MAC) a window, bytes of weights.{unit}"
    return table(caption, head, body, numbers=(3, *range(5, len(head))))


def totals_section(subject: Subject) -> Markup:
    """The device as a whole, where it was counted."""
    return _totals(subject.costs) if subject.costs else tag("p", NOT_COUNTED, class_="quiet")


def _totals(costs: Sequence[CoreCost]) -> Markup:
    names = list(dict.fromkeys(name for cost in costs for name in cost.totals))
    rows = [
        (cost.core, *(f"{cost.totals[name]:,}" if name in cost.totals else "" for name in names))
        for cost in costs
    ]
    head = ("core", *(name.replace("_", " ") for name in names))
    caption = "The whole device; device instructions are a second at 200 beats a minute"
    return table(caption, head, rows, numbers=tuple(range(1, len(head))))


def integers_of(part: Part) -> Markup:
    """What eight bits cost: figures beside those of real numbers, and the verdicts that change."""
    bundle, changed = part.bundle, part.changed
    parts: list[Markup] = []
    if bundle.metrics is None:
        parts.append(tag("p", "The bundle carries no figures.", class_="quiet"))
    else:
        rows = [
            (one.name, one.on, f"{one.float_value:.4f}", f"{one.int8_value:.4f}", _step(one))
            for one in bundle.metrics.figures
        ]
        head = ("figure", "on", "real numbers", "int8", "difference")
        parts.append(table("Measured with exactly this graph", head, rows, numbers=(2, 3, 4)))
    if changed is None:
        words = "The comparison, verdict by verdict, lies outside the bundle; name it with --changed."
        return joined([*parts, tag("p", words, class_="quiet")])
    share = changed.n_changed / max(1, changed.n_windows)
    words = f"{changed.n_changed:,} of {changed.n_windows:,} verdicts on {changed.side} change ({share:.2%})."
    where = ", ".join(f"{name} {n}" for name, n in changed.layers.items())
    parts.append(tag("p", tag("strong", words), f" Integers and real numbers part first in: {where}."))
    wide = table(
        "Changed verdicts with the widest margin, in scores",
        ("recording", "window", "real numbers say", "int8 says", "margin", "part in"),
        [_flip(line, bundle) for line in changed.widest],
        numbers=(1, 4),
    )
    return joined([*parts, tag("details", tag("summary", f"The {len(changed.widest)} widest"), wide)])


def _step(one: Figure) -> str:
    return f"{one.int8_value - one.float_value:+.4f}"


def _flip(line: str, bundle: Bundle) -> list[str]:
    found = FLIP.fullmatch(line)
    if found is None:
        return [line, "", "", "", "", ""]
    names = bundle.labels.names
    before, after = (names[int(k)] if int(k) < len(names) else k for k in (found[3], found[4]))
    return [found[1], found[2], before, after, found[5], found[6]]


def provenance_of(part: Part) -> Markup:
    """All that `wristlead show` says of the bundle."""
    return facts_table("What the bundle says of itself", part.facts)


def facts_table(caption: str, facts: Sequence[Fact]) -> Markup:
    """Names and values; values without a name belong to the one above."""
    groups: list[tuple[str, list[str]]] = []
    for name, words in facts:
        if name:
            groups.append((name, []))
        groups[-1][1].append(words)
    rows = [
        (
            name,
            joined(tag("div", tag("code", one) if _is_digest(one) else one, class_="words") for one in words),
        )
        for name, words in groups
        if name != "metrics"  # a section of its own has them
    ]
    return table(caption, ("fact", "value"), rows)


def _is_digest(words: str) -> bool:
    return re.search(r"\b[0-9a-f]{40,64}\b", words) is not None
