"""One page that needs nothing else: what a bundle said of a recording, what it costs, where it comes from."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.document import document
from device_sim.markup import Markup, embedded, joined, table, tag
from device_sim.picture import Lane
from device_sim.replay import Report
from device_sim.report_bundle import (
    by_part,
    facts_table,
    integers_of,
    layers_of,
    memory_section,
    provenance_of,
    totals_section,
)
from device_sim.report_latency import latency_section, milliseconds
from device_sim.report_recording import MAX_SAMPLES, Recording
from device_sim.report_still import runs, still
from device_sim.report_subject import Subject
from device_sim.show_bundle import SHORT

MAX_ROWS = 200
BUTTONS = (
    ("closer", "+", "zoom in"),
    ("farther", "\N{MINUS SIGN}", "zoom out"),
    ("back", "◀", "earlier"),
    ("on", "▶", "later"),
    ("before", "◀ change", "the verdict change before"),
    ("next", "change ▶", "the next verdict change"),
    ("all", "all", "the whole recording"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A recording and what was said of it."""

    recording: Recording
    report: Report
    took_us: NDArray[np.float64]  # of each verdict
    clock: str  # what they were measured by, in words
    backend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    identity: str
    title: str
    body: Markup


def page_of(heard: Heard | None, subject: Subject | None) -> str:
    """The whole document."""
    title = heard.recording.title if heard else subject.name if subject else "wristlead"
    sections = list(_sections(heard, subject))
    top = tag(
        "header",
        tag("h1", title),
        tag("p", _subtitle(heard, subject), class_="quiet"),
        tag("dl", *_tiles(heard, subject), class_="tiles"),
    )
    links = [tag("li", tag("a", one.title, href=f"#{one.identity}")) for one in sections]
    body = [
        tag("section", tag("h2", one.title, id=f"{one.identity}-title"), one.body, **_labelled(one.identity))
        for one in sections
    ]
    foot = tag("footer", tag("p", "Written by wristlead. Not a medical device: it diagnoses nobody."))
    nav = tag("nav", tag("ul", *links), aria_label="Sections")
    return document(
        title,
        [top, nav, tag("main", *body, id="content"), foot],
        scripts=("scales.js", "picture.js", "controls.js", "report.js") if heard else (),
    )


def _labelled(identity: str) -> dict[str, str]:
    return {"id": identity, "aria_labelledby": f"{identity}-title"}


def _subtitle(heard: Heard | None, subject: Subject | None) -> str:
    parts = [f"{heard.report.seconds:,.1f} s"] if heard else []
    if subject is not None:
        on = f" on {heard.backend}" if heard else ""
        parts.append(f"{subject.name} {subject.digest[:SHORT]}{on}")
    return " · ".join(parts)


def _sections(heard: Heard | None, subject: Subject | None) -> Iterator[Section]:
    if heard is not None:
        yield Section(identity="recording", title="Recording", body=_recording(heard.recording))
    if subject is None:
        return
    if heard is not None:
        body = latency_section(heard.took_us, heard.clock, subject)
        yield Section(identity="latency", title="Latency", body=body)
    yield Section(identity="memory", title="Memory", body=memory_section(subject))
    layers = joined([by_part(subject, layers_of), totals_section(subject)])
    yield Section(identity="layers", title="Cost by layer", body=layers)
    yield Section(identity="integers", title="Integers", body=by_part(subject, integers_of))
    whole = [facts_table("What the cascade says of itself", subject.facts)] if subject.facts else []
    body = joined([*whole, by_part(subject, provenance_of)])
    yield Section(identity="provenance", title="Provenance", body=body)


def _tiles(heard: Heard | None, subject: Subject | None) -> Iterator[Markup]:
    for lane in heard.recording.lanes if heard else ():
        yield _said_tile(lane)
    if heard is not None:
        yield _tile("heart rate", *heart_rate(heard.recording.beats_s))
        shares = heard.report.flag_shares.items()
        flagged = [f"{name.replace('_', '-')} {share:.0%}" for name, share in shares if share >= 0.005]
        yield _tile("flagged columns", ", ".join(flagged) or "none", "", size="")
    if subject is None:
        return
    budget = subject.budget
    if heard is not None and heard.took_us.size:
        p99_us = float(np.percentile(heard.took_us, 99))
        beside = (p99_us, budget.window_us) if budget else None
        of = f"of {milliseconds(budget.window_us)}, on this machine" if budget else "on this machine"
        yield _tile("latency, 99 %", milliseconds(p99_us), of, beside)
    ram_of, flash_of = (budget.ram_bytes, budget.flash_bytes) if budget else (None, None)
    yield _tile("RAM beside the stack", *_bytes(subject.memory.total_bytes, ram_of))
    yield _tile("weights in flash", *_bytes(subject.weight_bytes, flash_of))


def _bytes(n_bytes: int, budget: int | None) -> tuple[str, str, tuple[float, float] | None]:
    size = f"{n_bytes / 1024:.1f} KiB"
    return (size, f"of {budget / 1024:.0f} KiB", (n_bytes, budget)) if budget else (size, "", None)


def _tile(
    name: str, figure: str, beside: str, share: tuple[float, float] | None = None, *, size: str = "figure"
) -> Markup:
    meter = []
    if share is not None:
        is_over = share[0] > share[1]
        width = min(100.0, 100 * share[0] / share[1])
        bar = tag("span", class_="over" if is_over else None, style=f"width:{width:.1f}%")
        meter = [tag("div", bar, class_="meter", role="presentation")]
        beside += ", over the budget" if is_over else ""
    words = [tag("dd", figure, class_=size or None), tag("dd", beside, class_="quiet")]
    return tag("div", tag("dt", name), *words, *meter)


def _said_tile(lane: Lane) -> Markup:
    counts = Counter(one.word for one in lane.said)
    total = sum(counts.values())
    words = [
        tag(
            "dd",
            tag("span", word, class_=f"word word-{lane.hue(word)}"),
            f" {counts[word]:,} ({counts[word] / total:.0%})",
        )
        for word in lane.words
        if counts[word]
    ]
    parts = [
        tag(
            "span",
            style=f"width:{100 * counts[word] / total:.1f}%;background:var(--ink-{lane.hue(word)})",
        )
        for word in lane.words
        if counts[word]
    ]
    share = [tag("dd", *parts, class_="share", aria_hidden="true")] if parts else []
    name = f"{total:,} beats" if lane.are_beats else f"{total:,} windows"
    told = words or [tag("dd", "nothing was due")]
    return tag("div", tag("dt", f"{lane.name}: {name}"), *share, *told, class_="said")


def heart_rate(beats_s: NDArray[np.float64]) -> tuple[str, str]:
    """Median of the intervals between beats, and how many there are."""
    intervals_s = np.diff(beats_s)
    if not intervals_s.size:
        return "unknown", f"{beats_s.size} beats found"
    return f"{60 / float(np.median(intervals_s)):.0f} bpm", f"median of {beats_s.size:,} beats found"


def _recording(recording: Recording) -> Markup:
    told = describe(recording)
    tools = [
        tag("button", face, type="button", data_act=act, aria_label=name, title=name)
        for act, face, name in BUTTONS
    ]
    slider = tag("input", type="range", min=0, max=1000, value=0, aria_label="position in the recording")
    keys = "+ and - zoom, arrows move, n and p go to the next and the previous change, 0 shows all"
    canvas = tag(
        "canvas",
        tabindex=0,
        role="img",
        aria_label=f"{told} Keys: {keys}.",
        aria_describedby="recording-note",
    )
    figure = tag(
        "figure",
        still(recording, told),
        canvas,
        tag("output", aria_live="polite"),
        tag("div", *tools, slider, class_="tools", role="group", aria_label="View"),
        tag("figcaption", _note(recording), id="recording-note"),
        id="picture",
    )
    lists = [_legend(lane) for lane in recording.lanes]
    tables = [_said_table(lane) for lane in recording.lanes if lane.said]
    return joined([*lists, figure, *tables, embedded("recording-data", recording.to_json())])


def describe(recording: Recording) -> str:
    """The picture in words."""
    said = []
    for lane in recording.lanes:
        counts = Counter(one.word for one in lane.said)
        words = ", ".join(f"{word} {counts[word]}" for word in lane.words if counts[word])
        said.append(f" {lane.name} says: {words or 'nothing'}.")
    rate, found = heart_rate(recording.beats_s)
    return (
        f"ECG of {recording.seconds:.1f} s over verdicts, scores, scalogram and flags of the same time. "
        f"Heart rate {rate}, {found}.{''.join(said)}"
    )


def _note(recording: Recording) -> str:
    pooled = (
        ""
        if recording.pool == 1
        else f" The recording is long: of every {recording.pool} samples the lowest and highest are here "
        f"({MAX_SAMPLES:,} numbers at most)."
    )
    return (
        "Small triangles are the R peaks the device finds. The scalogram is as the device saw it: 30 "
        "wavelets from 61 Hz down, HF above and LF below, a column every 62.5 ms, brighter is louder (0 to "
        f"{recording.top_db:.0f} dB above 1 µV).{pooled}"
    )


def _legend(lane: Lane) -> Markup:
    words = [tag("li", tag("span", word, class_=f"word word-{lane.hue(word)}")) for word in lane.words]
    return tag("ul", tag("li", f"{lane.name} says"), *words, class_="legend")


def _said_table(lane: Lane) -> Markup:
    """Stretches of equal verdicts; of beats those that are not as wanted."""
    found = runs(lane)
    if lane.are_beats:
        found = [one for one in found if one[0] != lane.wanted]
    rows = [
        (f"{start_s:.2f}", f"{end_s:.2f}", tag("span", word, class_=f"word word-{lane.hue(word)}"))
        for word, start_s, end_s in found[:MAX_ROWS]
    ]
    what = f"beats that are not {lane.wanted}" if lane.are_beats else "stretches"
    more = (
        "" if len(found) <= MAX_ROWS else f"; the first {MAX_ROWS} are here, all are lines of `wristlead run`"
    )
    caption = f"{lane.name}: {len(found):,} {what}{more}"
    head = ("from, s", "to, s", "verdict")
    return tag(
        "details", tag("summary", f"Verdicts as a table ({len(found):,} {what})"), table(caption, head, rows)
    )
