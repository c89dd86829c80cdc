"""What somebody else wrote stays text, wherever it stands in a page."""

import json
from html.parser import HTMLParser

import pytest

from device_sim.markup import Markup, embedded, joined, table, tag

HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "a & b < c > d",
    "<!--",
)


class Seen(HTMLParser):
    """Elements with their attributes, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("words", HOSTILE)
def test_text_and_attributes_stay_what_they_are(words: str) -> None:
    seen = Seen(tag("p", words, title=words))
    assert seen.elements == [("p", {"title": words})]
    assert seen.text == words


@pytest.mark.parametrize("words", HOSTILE)
def test_a_table_of_somebody_elses_words_has_no_element_of_theirs(words: str) -> None:
    seen = Seen(table(words, (words,), [(words, words)]))
    assert {name for name, _ in seen.elements} == {
        *("p", "div", "table", "caption"),
        *("thead", "tbody", "tr", "th", "td"),
    }


@pytest.mark.parametrize("words", HOSTILE)
def test_embedded_json_cannot_end_its_element(words: str) -> None:
    made = embedded("kept", {"name": words})
    inside = made.removeprefix('<script type="application/json" id="kept">').removesuffix("</script>")
    assert "<" not in inside
    assert json.loads(inside) == {"name": words}


def test_markup_is_escaped_once() -> None:
    assert joined([tag("b", "<"), Markup("<i/>"), "<"]) == "<b>&lt;</b><i/>&lt;"


def test_attributes_are_spelled_as_html_and_svg_want_them() -> None:
    made = tag("path", class_="a", stroke_width=1.5, viewBox="0 0 1 1", hidden=True, id=None, fill=False)
    assert made == '<path class="a" stroke-width="1.5" viewBox="0 0 1 1" hidden/>'
