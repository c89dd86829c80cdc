"""Watch a device in the terminal: its ECG, what the network says, heart rate, flags, and how the line is."""

import argparse
import signal
import sys
from collections import deque
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

import numpy as np

from device_sim import options
from device_sim.braille import braille
from device_sim.contract.errors import ContractError, printable
from device_sim.live import HeartRate, Line, Live, Moment
from device_sim.live_source import add_options, live_of
from device_sim.picture import Lane, Said
from device_sim.replay import flag_names
from device_sim.verdict import By

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

COMMAND = "wristlead watch"
REFRESH_HZ = 4
SHOWN_S = 6.0  # of the ECG, across the terminal
TRACE_ROWS = 8  # of characters; each is four dots high
SAID_SHOWN = 60  # verdicts in a row
STYLES = ("green", "red", "yellow", "magenta", "blue", "white")  # by Lane.hue
LINE_STYLES = {Line.LIVE: "green", Line.SILENT: "yellow", Line.AWAY: "red", Line.ENDED: "white"}
LINE_WORDS = {
    Line.LIVE: "live",
    Line.SILENT: "silent: the line is open and nothing comes",
    Line.AWAY: "unplugged: waiting for it to come back",
    Line.ENDED: "ended",
}
EPILOG = (
    "ctrl-C ends it. A device that is unplugged is waited for, as long as --wait says or without end; "
    "a recording is played in real time."
)


def main(argv: Sequence[str]) -> int:
    """0 when the source ended or was ended."""
    args = options.with_bundle(_parser().parse_args(argv), command=COMMAND)
    if not sys.stdout.isatty():
        raise ContractError(
            f"{COMMAND}: expected a terminal, got another kind of output; `wristlead run` writes lines"
        )
    with live_of(args, command=COMMAND) as live:
        _watch(live)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = options.OneLineParser(prog=COMMAND, description=__doc__, epilog=EPILOG, allow_abbrev=False)
    add_options(parser)
    return parser


def _watch(live: Live) -> None:
    from rich.console import Console
    from rich.live import Live as Display

    screen = Screen(live)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if live.source.interrupted:
            raise KeyboardInterrupt  # twice: at once
        live.stop()

    before = signal.signal(signal.SIGINT, stop)
    console = Console()
    try:
        with Display(
            get_renderable=lambda: screen.drawn(console.width), console=console, refresh_per_second=REFRESH_HZ
        ):
            for moment in live:
                screen.take(moment)
    finally:
        signal.signal(signal.SIGINT, before)


class Screen:
    """What is on it: the newest seconds, and the newest verdicts of each network."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._rate_hz = live.source.rate_hz
        self._x_uv = np.empty(0, np.float32)
        self._end_s = 0.0
        self._flags: tuple[str, ...] = ()
        self._rate = HeartRate()
        self._lanes: list[Lane] = []
        self._said: list[deque[Said]] = []

    def take(self, moment: Moment) -> None:
        """The next moment."""
        kept = int(SHOWN_S * self._rate_hz)
        self._x_uv = np.concatenate([self._x_uv, moment.x_uv])[-kept:]
        self._end_s = (moment.first_sample + moment.x_uv.size) / self._rate_hz
        self._rate.push(moment.peaks_s)
        if moment.columns.flags_u8.size:
            bits = int(np.bitwise_or.reduce(moment.columns.flags_u8))
            self._flags = tuple(name.replace("_", "-") for name in flag_names(bits))
        if not self._said:
            self._said = [deque(maxlen=SAID_SHOWN) for _ in moment.lanes]
        self._lanes = list(moment.lanes)
        for kept_said, lane in zip(self._said, moment.lanes, strict=True):
            kept_said.extend(lane.said)

    def drawn(self, width: int) -> "RenderableType":
        """As wide as the terminal is now."""
        from rich.console import Group
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        line = self._live.line
        name, state = printable(self._live.source.name), f" {LINE_WORDS[line]} "
        title = Text.assemble((f"{name}  ", "bold"), (state, f"reverse {LINE_STYLES[line]}"))
        trace = Text("\n".join(braille(self._x_uv, width - 4, TRACE_ROWS, int(SHOWN_S * self._rate_hz))))
        facts = Table.grid(padding=(0, 2))
        for lane, said in zip(self._lanes, self._said, strict=True):
            facts.add_row(Text(lane.name), self._newest(lane, said), self._row(lane, said, width))
        bpm = self._rate.bpm(self._end_s)
        facts.add_row(
            Text("heart rate"), Text("unknown" if bpm is None else f"{bpm:.0f} bpm", "bold"), Text()
        )
        facts.add_row(Text("flags"), Text(", ".join(self._flags) or "none", "bold"), Text())
        lead = printable(self._live.source.lead)
        foot = Text(f"{self._end_s:.0f} s, lead {lead}, {self._rate_hz} Hz; ctrl-C ends", "dim")
        return Panel(
            Group(trace, facts), title=title, title_align="left", subtitle=foot, subtitle_align="left"
        )

    def _newest(self, lane: Lane, said: "deque[Said]") -> "Text":
        from rich.text import Text

        if not said:
            return Text("nothing was due yet", "dim")
        one = said[-1]
        score = (
            f"by {one.by}"
            if one.by is not By.NETWORK
            else ""
            if one.score is None
            else f"score {one.score:.2f}"
        )
        return Text.assemble((f" {one.word} ", f"reverse {STYLES[lane.hue(one.word)]}"), f" {score}")

    def _row(self, lane: Lane, said: "deque[Said]", width: int) -> "Text":
        """A letter for each of the newest verdicts: the first of its word, small where it is as wanted."""
        from rich.text import Text

        room = max(0, width - 62)
        row = Text()
        for one in list(said)[-room:] if room else ():
            letter = one.word[0].lower() if one.word == lane.wanted else one.word[0].upper()
            row.append(letter, STYLES[lane.hue(one.word)])
        return row
