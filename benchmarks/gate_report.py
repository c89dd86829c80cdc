"""What the gate says: a table for people, JSON for dashboards, JUnit for test reports, lines for GitHub."""

import json
from collections.abc import Iterator
from xml.etree import ElementTree

from benchmarks.gate import FROM_CARD, MEASURED, Judgement, Row, State
from benchmarks.sheet import sheet

FORMAT = 1


def text(judgement: Judgement) -> str:
    """Every row that is limited or has moved; the others are counted."""
    shown = [row for row in judgement.rows if _is_worth_a_line(row)]
    rows = [
        (row.name, *map(_number, (row.measured, row.baseline, row.limit)), row.change.strip(" ()"), row.state)
        for row in shown
    ]
    title = f"{judgement.bundle} {judgement.digest[:12]}: exact, the same on every machine"
    parts = [sheet(title, ("metric", "measured", "baseline", "budget", "", ""), rows)]
    hidden = len(judgement.rows) - len(shown)
    if hidden:
        parts.append(f"  {hidden} layers as in the baseline or without one")
    parts += [f"  {line}" for line in _accuracy(judgement)]
    parts += [f"FAILED {row.message}" for row in judgement.broken]
    n_better = sum(row.state is State.BETTER for row in judgement.rows)
    if n_better and not judgement.broken:
        parts.append(f"{n_better} metrics are better than the baseline: --update writes that down")
    return "\n".join(parts)


def _is_worth_a_line(row: Row) -> bool:
    is_layer = "/layer " in row.name
    return not is_layer or row.state not in (State.KEPT, State.NEW)


def _accuracy(judgement: Judgement) -> Iterator[str]:
    """Which figures are of now and which stand on the card."""
    for about, where in (
        (MEASURED, "with this very graph"),
        (FROM_CARD, "read from figures of this graph's hash"),
    ):
        names = [row.name.split("/", 1)[1] for row in judgement.accuracies if row.about == about]
        if names:
            yield f"{about}, {where}: {', '.join(names)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


def json_text(judgement: Judgement) -> str:
    """One object with everything."""
    made = {
        "format": FORMAT,
        "bundle": judgement.bundle,
        "digest": judgement.digest,
        "passed": not judgement.broken,
        "metrics": [
            {
                "name": row.name, "unit": row.unit, "value": row.measured, "baseline": row.baseline,
                "limit": row.limit, "tolerance_percent": row.tolerance_percent, "about": row.about,
                "state": row.state.lower(),
            }
            for row in judgement.rows
        ],
    }  # fmt: skip
    return json.dumps(made, indent=1) + "\n"


def smaller_is_better(judgement: Judgement) -> str:
    """The list that github-action-benchmark reads as customSmallerIsBetter."""
    rows = [row for row in judgement.rows if not row.larger_is_better]
    return (
        json.dumps([{"name": row.name, "unit": row.unit, "value": row.measured} for row in rows], indent=1)
        + "\n"
    )


def junit(judgement: Judgement) -> str:
    """A test case for every metric."""
    suite = ElementTree.Element(
        "testsuite",
        name=f"wristlead gate {judgement.bundle}",
        tests=str(len(judgement.rows)),
        failures=str(len(judgement.broken)),
    )
    for row in judgement.rows:
        case = ElementTree.SubElement(suite, "testcase", classname=judgement.bundle, name=row.name)
        if row.is_broken:
            ElementTree.SubElement(case, "failure", message=row.message).text = row.message
        else:
            ElementTree.SubElement(case, "system-out").text = row.message
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def annotations(judgement: Judgement, budget: str) -> Iterator[str]:
    """Lines that GitHub shows beside the budget; % and line ends are its escapes."""
    for row in judgement.broken:
        message = row.message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        yield f"::error file={budget},title=wristlead gate::{message}"


def summary(judgement: Judgement) -> str:
    """Markdown for the page of a run."""
    verdict = "failed" if judgement.broken else "passed"
    lines = [
        f"### wristlead gate: {judgement.bundle} `{judgement.digest[:12]}` {verdict}",
        "",
        "| metric | measured | baseline | budget | change | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for row in judgement.rows:
        if _is_worth_a_line(row):
            numbers = " | ".join(map(_number, (row.measured, row.baseline, row.limit)))
            lines.append(f"| {row.name} | {numbers} | {row.change.strip(' ()')} | {row.state} |")
    return "\n".join(lines) + "\n\n"
