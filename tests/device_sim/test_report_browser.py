"""The page in a real browser: whole, quiet, narrow enough for a phone, moved by keys and fingers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_sim.__main__ import main
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, write_application
from tests.device_sim.browser import Browser, Page
from tests.device_sim.bundles import WINDOWS, bundle_of, cascade_of

APPLICATIONS: dict[str, Bundle | Cascade] = {
    **{str(kind): bundle_of(kind) for kind in WINDOWS},
    "cascade": cascade_of(),
}
SECTIONS = ["Recording", "Latency", "Memory", "Cost by layer", "Integers", "Provenance"]
TITLES = "[...document.querySelectorAll('main h2')].map(one => one.textContent)"
DRAWN = "document.querySelector('canvas').toDataURL().length"  # an empty one has 3,000
NAMELESS = """[...document.querySelectorAll('svg, canvas, button, input, nav, [role=region]')].filter(one =>
    !(one.getAttribute('aria-label') || one.getAttribute('aria-labelledby') || one.textContent.trim())
).map(one => one.outerHTML.slice(0, 80))"""
BOX = "(b => [b.left, b.top, b.width])(document.querySelector('canvas').getBoundingClientRect())"
VIEW = "document.querySelector('output').textContent"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of every kind of bundle."""
    folder = tmp_path_factory.mktemp("reports")
    for kind, application in APPLICATIONS.items():
        write_application(application, folder / kind)
        page = str(folder / f"{kind}.html")
        assert main(["run", str(folder / kind), "--synthetic", "--seconds", "20", "--report", page]) == 0
    return folder


@pytest.fixture
def opened(browser: Browser, reports: Path) -> Iterator["Opener"]:
    opener = Opener(browser, reports)
    yield opener
    for page in opener.pages:
        page.close()


class Opener:
    """Pages that are closed at the end of a test."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser, self._folder = browser, folder
        self.pages: list[Page] = []

    def __call__(
        self, kind: str, *, width: int = 1100, is_dark: bool = False, runs_scripts: bool = True
    ) -> Page:
        page = Page(self._browser, width=width, is_dark=is_dark, runs_scripts=runs_scripts)
        self.pages.append(page)
        page.go((self._folder / f"{kind}.html").as_uri())
        if runs_scripts:
            page.wait("document.querySelector('#picture').classList.contains('moves')")
            page.wait(f"{DRAWN} > 20000")
        return page


@pytest.mark.parametrize("kind", APPLICATIONS)
def test_every_kind_of_bundle_has_a_whole_page_and_no_complaint(kind: str, opened: Opener) -> None:
    page = opened(kind)
    assert page.value(TITLES) == SECTIONS
    assert page.value("document.querySelectorAll('main svg').length") == 3  # still, histogram, memory
    assert page.value("document.querySelectorAll('main table').length") >= 7
    assert page.value(NAMELESS) == []
    assert [one for one in page.fetched() if not one.startswith(("file:", "data:"))] == []
    assert page.complaints() == []


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_a_phone_scrolls_in_one_direction_only(is_dark: bool, opened: Opener) -> None:
    page = opened("image", width=390, is_dark=is_dark)
    assert page.value("document.documentElement.scrollWidth") == 390
    background = page.value("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(16, 20, 26)" if is_dark else "rgb(251, 250, 247)")
    sizes = page.value(
        "[...document.querySelectorAll('button')].map(one => Math.min(one.offsetWidth, one.offsetHeight))"
    )
    assert min(sizes) >= 44
    assert page.complaints() == []


def test_keys_and_buttons_move_the_view(opened: Opener) -> None:
    page = opened("image")
    assert page.value(VIEW) == "0.0 s to 20.0 s shown"
    page.value("document.querySelector('canvas').focus()")
    page.press("+")
    assert page.value(VIEW) == "4.0 s to 16.0 s shown"
    page.press("ArrowRight")
    assert page.value(VIEW) == "7.0 s to 19.0 s shown"
    page.value("document.querySelector('button[data-act=back]').click()")
    assert page.value(VIEW) == "4.0 s to 16.0 s shown"
    page.press("0")
    assert page.value(VIEW) == "0.0 s to 20.0 s shown"
    assert page.value("getComputedStyle(document.querySelector('canvas')).outlineStyle") == "solid"


def test_what_is_under_the_pointer_is_told_in_words(opened: Opener) -> None:
    page = opened("image")
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=600, y=0)
    page.value("document.querySelector('canvas').scrollIntoView({behavior: 'instant'})")
    left, top, width = page.value(BOX)
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=left + width / 2, y=top + 80)
    told = str(page.value(VIEW))
    assert " mV · " in told
    assert "score" in told or "by rule" in told


def test_two_fingers_zoom_and_one_moves(opened: Opener) -> None:
    page = opened("beat", width=390)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    page.value("document.querySelector('canvas').scrollIntoView({block: 'center', behavior: 'instant'})")
    left, top, width = page.value(BOX)
    middle, y = left + width / 2, top + 60

    def touch(kind: str, *xs: float) -> None:
        points = [{"x": x, "y": y, "id": k} for k, x in enumerate(xs)]
        page.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    touch("touchStart", middle - 20, middle + 20)
    touch("touchMove", middle - 40, middle + 40)
    touch("touchEnd")
    page.value("document.querySelector('button[data-act=back]').click()")
    start_s, end_s = map(float, re.findall(r"[\d.]+", page.value(VIEW)))
    assert 8 < end_s - start_s < 14


@pytest.mark.parametrize("kind", APPLICATIONS)
def test_without_scripts_all_of_it_is_still_there(kind: str, opened: Opener) -> None:
    page = opened(kind, runs_scripts=False)
    assert page.value(TITLES) == SECTIONS
    still = "document.querySelector('#picture svg')"
    assert page.value(f"{still}.getBoundingClientRect().height") > 300
    assert page.value(f"{still}.querySelectorAll('image').length") == 1
    assert page.value(f"{still}.querySelectorAll('rect').length") > 4
    assert page.value("getComputedStyle(document.querySelector('canvas')).display") == "none"
    assert page.complaints() == []
