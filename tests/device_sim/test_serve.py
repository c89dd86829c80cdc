"""`wristlead serve` as browsers see it: live, guarded, light, and not stopped by a pulled plug."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from device_sim.__main__ import main
from device_sim.contract.bundle import write_bundle
from device_sim.contract.errors import StreamError
from device_sim.contract.inputs import InputKind
from device_sim.fan import QUEUE
from device_sim.frontend import Flag
from device_sim.live import Live, Moment, Paced
from device_sim.synthetic import Scene, SyntheticSource
from tests.device_sim.browser import Browser, Page
from tests.device_sim.bundles import bundle_of
from tests.device_sim.conftest import ROOT
from tests.device_sim.terminals import Process, address_of, terminal

MOST_RESIDENT_BYTES = 60_000_000
MOST_LOAD = 0.10
LINE = "document.getElementById('line').textContent"
SAID = "document.getElementById('said-0').textContent"
FLAGS = "page.model.bits.values.slice(0, page.model.bits.n)"
END_S = "page.model ? page.model.end_s : 0"


@pytest.fixture(scope="module")
def aiohttp() -> Any:
    return pytest.importorskip("aiohttp", reason="the `serve` extra is not installed")


@contextmanager
def served(*arguments: object) -> Iterator[tuple[Process, str]]:
    """The process and the address of its page."""
    with terminal("serve", *arguments, "--listen", "127.0.0.1:0") as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.fullmatch(r"the page is at (http://127\.0\.0\.1:\d+/)\n", line)
        assert found, line + server.stderr.read()
        yield server, found[1]


def ended(server: Process) -> tuple[float, int, str]:
    """Seconds that ctrl-C took, exit code, and what was said."""
    began_s = time.monotonic()
    server.send_signal(signal.SIGINT)
    _out, said = server.communicate(timeout=20)
    return time.monotonic() - began_s, server.returncode, said


def status_of(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.usefixtures("aiohttp")
def test_a_device_that_is_pulled_out_and_plugged_in_again_goes_on_in_the_browser(
    browser: Browser, tmp_path: Path
) -> None:
    write_bundle(bundle_of(InputKind.BEAT), tmp_path / "b")
    port = tmp_path / "tty"
    device = ("simulate-device", "--scene", "normal", "--port", f"pty:{port}")
    page = Page(browser, width=390, is_dark=True)
    with terminal(*device) as first:
        address_of(first)
        with served(tmp_path / "b", "--port", port) as (server, url):
            page.go(url)
            page.wait(f"{LINE} === 'live'")
            page.wait(f"['N', 'V', 'S', 'uncertain', 'unusable'].includes({SAID})")
            page.wait("document.getElementById('bpm').textContent.endsWith('bpm')")
            assert page.value("document.documentElement.scrollWidth") == 390
            first.kill()
            page.wait(f"{LINE}.startsWith('unplugged')")
            before_s = page.value(END_S)
            with terminal(*device) as second:
                address_of(second)
                page.wait(f"{LINE} === 'live'")
                page.wait(f"{END_S} > {before_s} + 2")
                page.wait(f"{FLAGS}.some(bits => bits & {Flag.GAP.value})")
            assert page.complaints() == []
            seconds, code, said = ended(server)
            page.wait(f"{LINE}.startsWith('no answer')")
    page.close()
    assert (code, said) == (0, "stopped\n")
    assert seconds < 5


@pytest.mark.usefixtures("aiohttp")
def test_a_page_can_be_held_and_goes_on(browser: Browser, tmp_path: Path) -> None:
    write_bundle(bundle_of(InputKind.IMAGE), tmp_path / "b")
    with served(tmp_path / "b", "--synthetic", "--scene", "normal") as (_server, url):
        page = Page(browser, width=1100, is_dark=False).go(url)
        page.wait(f"{END_S} > 1.5")
        page.value("document.getElementById('hold').click()")
        held = page.value("page.picture.view")
        page.wait(f"{END_S} > {held[1]} + 1")
        assert page.value("page.picture.view") == held
        assert page.value("document.getElementById('hold').getAttribute('aria-pressed')") == "true"
        page.value("document.querySelector('canvas').focus()")
        page.press(" ")
        page.wait(f"page.picture.view[1] > {held[1]} + 0.5")
        assert page.complaints() == []
        page.close()


def memory_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory and time differently")
def test_a_reader_costs_little_and_sees_what_was_before(aiohttp: Any) -> None:
    async def read(url: str, pid: int) -> tuple[list[dict[str, Any]], float]:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}stream") as stream:
            used_s, began_s, said = cpu_s(pid), time.monotonic(), []
            while time.monotonic() < began_s + 3:
                text = (await stream.receive(timeout=5)).data
                said += [json.loads(line) for line in text.split("\n")]
            return said, (cpu_s(pid) - used_s) / (time.monotonic() - began_s)

    with served(ROOT / "models" / "quality-tiny", "--synthetic", "--scene", "normal") as (server, url):
        time.sleep(1.5)
        said, load = asyncio.run(read(url, server.pid))
        assert memory_bytes(server.pid) < MOST_RESIDENT_BYTES
    assert said[0]["kind"] == "hello"
    assert said[0]["name"] == "synthetic seed 1"
    moments = [one for one in said if one["kind"] == "moment"]
    assert moments[0]["first"] == 0
    assert [one["first"] for one in moments[1:]] == [one["first"] + len(one["x"]) for one in moments[:-1]]
    assert 3 * 256 < sum(len(one["x"]) for one in moments) < 9 * 256
    assert load < MOST_LOAD


def test_a_reader_that_does_not_read_makes_nobody_late_and_nothing_grow(aiohttp: Any) -> None:
    from device_sim.server import Server

    async def raced() -> tuple[str, int, int]:
        live = Live(Paced(SyntheticSource(Scene(seconds=1)), once=True), None)
        server = Server(live, token=None)
        app = aiohttp.web.Application()
        app.add_routes([aiohttp.web.get("/stream", server._stream)])
        runner = aiohttp.web.AppRunner(app)
        await runner.setup()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        at = f"http://127.0.0.1:{runner.addresses[0][1]}/stream"
        async with aiohttp.ClientSession() as session, session.ws_connect(at) as reads:
            lazy, lazy_writer = await asyncio.open_connection(*runner.addresses[0])
            lazy_writer.write(
                b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await lazy.readline()
            for k in range(400):
                server._fan.publish(f'{{"kind":"{k}"}}' + " " * 100_000)
                while json.loads((await reads.receive(timeout=10)).data)["kind"] != str(k):
                    pass
            behind = max(server._fan._listeners, key=lambda one: one.n_dropped)
            found = behind.n_dropped, len(behind._waiting)
            lazy_writer.close()
        await runner.cleanup()
        return str(k), *found

    last, n_dropped, n_waiting = asyncio.run(raced())
    assert last == "399"
    assert n_dropped > 100
    assert n_waiting == QUEUE


@pytest.mark.usefixtures("aiohttp")
def test_a_source_that_fails_is_named_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    from device_sim.server import Server

    class Failing(Live):
        def __iter__(self) -> Iterator[Moment]:
            raise StreamError("/dev/tty: expected 256 Hz, measured 250 Hz")

    async def read() -> str:
        server = Server(Failing(Paced(SyntheticSource(Scene(seconds=1)), once=True), None), token=None)
        server._read(asyncio.get_running_loop())
        return server._failed

    assert asyncio.run(read()) == "/dev/tty: expected 256 Hz, measured 250 Hz"
    assert capsys.readouterr().err == "/dev/tty: expected 256 Hz, measured 250 Hz\n"


@pytest.mark.usefixtures("aiohttp")
def test_another_site_and_another_name_are_turned_away() -> None:
    with served("--synthetic") as (_server, url):
        assert status_of(url) == 200
        assert status_of(url, Host="evil.example") == 403
        assert status_of(f"{url}stream", Origin="http://evil.example") == 403
        assert status_of(f"{url}nothing") == 404


@pytest.mark.usefixtures("aiohttp")
def test_elsewhere_nobody_looks_without_the_token() -> None:
    with terminal("serve", "--synthetic", "--listen", "0.0.0.0:0") as server:
        assert server.stderr is not None
        found = re.search(r"http://0\.0\.0\.0:(\d+)/\?token=(\S{20,})", server.stderr.readline())
        assert found is not None
        url = f"http://127.0.0.1:{found[1]}/"
        assert status_of(url) == 403
        assert status_of(f"{url}stream?token=x") == 403
        assert status_of(f"{url}?token={found[2]}") == 200


@pytest.mark.usefixtures("aiohttp")
def test_a_recording_that_is_played_once_ends_and_the_page_stays(tmp_path: Path) -> None:
    record = tmp_path / "short.csv"
    record.write_text("\n".join(map(str, range(256))))
    with served("--file", record, "--rate", 256, "--once") as (server, url):
        time.sleep(1.5)
        assert status_of(url) == 200
        assert ended(server)[1:] == (0, "stopped\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--synthetic", "--listen", "here"],
            "--listen: expected HOST:PORT, such as 127.0.0.1:8480, got 'here'",
        ),
        (["--synthetic", "--listen", "127.0.0.1:99999"], "--listen: expected HOST:PORT"),
        (
            ["--synthetic", "--listen", "a..b:80"],
            "a..b:80: expected an address to listen on, got: no name",
        ),
        ([], "wristlead serve: expected one of --synthetic, --file FILE, --port PORT and - (stdin), got 0"),
        (["--port", "/dev/none"], "/dev/none: expected a serial port, found none there"),
        (["--file", "none.hea"], "none.hea: expected a recording, found no such file"),
        (["--file", "none.hea", "--seconds", "3"], "--seconds: means nothing here but to --synthetic"),
        (
            ["--synthetic", "--backend", "core"],
            "wristlead serve: --backend: expected a bundle beside it, got none",
        ),
    ],
)
def test_a_request_without_sense_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    found = capsys.readouterr().err
    assert said in found
    assert found.count("\n") == 1


@pytest.mark.usefixtures("aiohttp")
def test_an_address_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["serve", "--synthetic", "--listen", at]) == 2
    said = f"{at}: expected an address to listen on, got: Address already in use\n"
    assert capsys.readouterr().err == said


def test_without_the_package_the_command_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    assert main(["serve", "--synthetic"]) == 2
    said = "wristlead serve: it needs the package `aiohttp`: pip install 'wristlead[serve]'\n"
    assert capsys.readouterr().err == said
