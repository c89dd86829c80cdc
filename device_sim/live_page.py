"""The live page: the same picture as a report's, filled as the device speaks."""

from pathlib import Path

from device_sim.document import document
from device_sim.markup import joined, tag

KEYS = "space holds and goes on, + and - zoom, arrows move while held, 0 goes on"


def live_page(name: str) -> str:
    """The whole document; live.js fills it."""
    short = Path(name).name
    top = tag(
        "header",
        tag("h1", short),
        tag("p", tag("span", "connecting", id="line", class_="word word-5"), " ", tag("span", id="about")),
        tag("dl", id="tiles", class_="tiles"),
    )
    tools = [
        tag("button", "hold", type="button", id="hold", aria_pressed="false"),
        tag("button", "+", type="button", data_act="closer", aria_label="zoom in"),
        tag("button", "\N{MINUS SIGN}", type="button", data_act="farther", aria_label="zoom out"),
        tag("button", "◀", type="button", data_act="back", aria_label="earlier"),
        tag("button", "▶", type="button", data_act="on", aria_label="later"),
    ]
    canvas = tag("canvas", tabindex=0, role="img", aria_label=f"The newest seconds of the ECG. Keys: {KEYS}.")
    picture = tag(
        "figure",
        canvas,
        tag("output"),
        tag("div", *tools, class_="tools", role="group", aria_label="View"),
        tag("figcaption", "What is on the right is newest; columns and verdicts follow their samples late."),
        id="picture",
        class_="moves",
    )
    changes = tag(
        "table",
        tag("thead", tag("tr", *(tag("th", one, scope="col") for one in ("at", "verdict", "score")))),
        tag("tbody", id="changes"),
    )
    sections = [
        tag("section", tag("h2", "Now", id="now-title"), picture, aria_labelledby="now-title"),
        tag(
            "section",
            tag("h2", "Changes", id="changes-title"),
            tag("div", changes, class_="wide", role="region", aria_label="Changes of verdict", tabindex=0),
            aria_labelledby="changes-title",
        ),
    ]
    spoken = tag("p", id="spoken", role="status", class_="unseen")
    foot = tag("footer", tag("p", "Not a medical device: it diagnoses nobody."))
    return document(
        f"{short} live",
        [top, tag("main", joined(sections), spoken, id="content"), foot],
        scripts=("scales.js", "picture.js", "controls.js", "live.js"),
        more_policy="; connect-src 'self'",
    )
