"""HTML and SVG from pieces: whatever is not Markup is text of somebody else's and is escaped."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

VOID = {"meta", "link", "br", "img", "input", "path", "rect", "line", "circle", "image", "use", "stop", "col"}


class Markup(str):
    """Escaped already."""

    __slots__ = ()


def text(words: str) -> Markup:
    """Escaped, unless it is Markup."""
    return words if isinstance(words, Markup) else Markup(escape(words, quote=True))


def joined(parts: Iterable[str]) -> Markup:
    return Markup("".join(map(text, parts)))


def tag(name: str, /, *children: str, **attributes: str | int | float | bool | None) -> Markup:
    """One element; `class_` is class, `stroke_width` stroke-width, None leaves an attribute out."""
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID and not children:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{joined(children)}</{name}>")


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    shown = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(shown, quote=True)}"'


def figure(picture: Markup, name: str) -> Markup:
    """A picture that keeps its size on a phone and is scrolled there."""
    return tag("figure", picture, class_="wide", role="group", aria_label=name, tabindex=0)


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()
) -> Markup:
    """A table with a caption; the first cell of a row is its header, columns in `numbers` stand right."""

    def cell(kind: str, k: int, words: str, **more: str) -> Markup:
        return tag(kind, words, class_="number" if k in numbers else None, **more)

    top = tag("tr", *(cell("th", k, words, scope="col") for k, words in enumerate(head)))
    body = [
        tag(
            "tr",
            cell("th", 0, row[0], scope="row"),
            *(cell("td", k, words) for k, words in enumerate(row[1:], 1)),
        )
        for row in rows
    ]
    made = tag("table", tag("caption", caption), tag("thead", top), tag("tbody", *body))
    # What is wider than a phone is scrolled by itself, under a caption that stays; the keyboard reaches it.
    scrolled = tag("div", made, class_="wide", role="region", aria_label=caption, tabindex=0)
    return joined([tag("p", caption, class_="caption", aria_hidden="true"), scrolled])


def embedded(identity: str, value: Any) -> Markup:
    """JSON for the page's own script; nothing in it can end the element."""
    raw = json.dumps(value, separators=(",", ":"), allow_nan=False)
    safe = raw.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return tag("script", Markup(safe), type="application/json", id=identity)
