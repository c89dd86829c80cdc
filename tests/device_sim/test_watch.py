"""The terminal's picture of a device: what is said, how the line is, at any width."""

import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from rich.console import Console

from device_sim.__main__ import main
from device_sim.contract.errors import printable
from device_sim.contract.inputs import InputKind
from device_sim.live import Line, Live, Paced
from device_sim.pipeline import OpenBundle
from device_sim.synthetic import Fault, Scene, SyntheticSource
from device_sim.watch import LINE_WORDS, Screen
from tests.device_sim.bundles import WINDOWS, bundle_of
from tests.device_sim.conftest import ROOT
from tests.device_sim.terminals import heed_interrupts
from tests.device_sim.test_live import played, scene


def shown(screen: Screen, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=True)
    console.print(screen.drawn(width))
    return console.export_text()


def watched(kind: InputKind, *faults: Fault, seconds: float = 14) -> tuple[Screen, OpenBundle]:
    opened = OpenBundle(bundle_of(kind))
    live = Live(played(scene(seconds, *faults))[0], opened)
    screen = Screen(live)
    for moment in live:
        screen.take(moment)
    return screen, opened


@pytest.mark.parametrize("kind", WINDOWS)
def test_the_newest_verdict_the_rate_and_the_line_are_named(kind: InputKind) -> None:
    screen, opened = watched(kind)
    text = shown(screen, 100)
    words = {*opened.bundle.labels.names, "uncertain", "unusable"}
    line = next(line for line in text.splitlines() if f"test-{kind}" in line)
    assert any(f" {word} " in line for word in words)
    assert "synthetic seed 1" in text
    assert LINE_WORDS[Line.ENDED] in text
    bpm = int(next(line for line in text.splitlines() if "heart rate" in line).split()[3])
    assert 60 < bpm < 80
    assert "14 s, lead II, 256 Hz" in text


def test_a_flag_is_named_while_it_is_there() -> None:
    screen, _opened = watched(InputKind.IMAGE, Fault(kind="lead_off", start_s=11, seconds=3))
    assert "lead-off" in shown(screen, 100)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_longer_than_the_terminal_is_wide(width: int) -> None:
    screen, _opened = watched(InputKind.BEAT)
    lines = shown(screen, width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum(any("\u2801" <= letter <= "\u28ff" for letter in line) for line in lines) >= 3


def test_before_anything_is_there_it_says_so() -> None:
    live = Live(Paced(SyntheticSource(Scene(seconds=1)), once=True), OpenBundle(bundle_of(InputKind.IMAGE)))
    text = shown(Screen(live), 80)
    assert "unknown" in text
    assert LINE_WORDS[Line.LIVE] in text


def test_a_name_cannot_command_the_terminal() -> None:
    assert printable("a\x1b[2Jb\x07") == "a?[2Jb?"


def test_without_a_terminal_the_command_that_writes_lines_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["watch", "--synthetic"]) == 2
    said = "wristlead watch: expected a terminal, got another kind of output; `wristlead run` writes lines\n"
    assert capsys.readouterr().err == said


def test_ctrl_c_ends_it_and_the_picture_stays() -> None:
    ours, theirs = pty.openpty()
    watch = subprocess.Popen(
        [sys.executable, "-m", "device_sim", "watch", "--synthetic"],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        preexec_fn=heed_interrupts,
    )
    os.close(theirs)
    try:
        received, until_s = b"", time.monotonic() + 20
        while b"1 s, lead II" not in received and time.monotonic() < until_s:
            if select.select([ours], [], [], 0.2)[0]:
                received += os.read(ours, 65_536)
        watch.send_signal(signal.SIGINT)
        while watch.poll() is None and time.monotonic() < until_s:
            if select.select([ours], [], [], 0.2)[0]:  # what it still draws has to go somewhere
                with suppress(OSError):  # it has gone
                    os.read(ours, 65_536)
        _out, said = watch.communicate(timeout=20)
    finally:
        watch.kill()
        os.close(ours)
    assert "live" in received.decode()
    assert (watch.returncode, said) == (0, b"")
