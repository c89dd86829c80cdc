"""Meeting whoever is at the other end of a line: it is asked who it is until it answers, or time is up."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from device_sim.contract.errors import ContractError, StreamError
from device_sim.framing import Deframer, Event
from device_sim.link import Link, LinkClosed
from device_sim.link_text import LineReceiver, is_text
from device_sim.recording import ReadAs
from device_sim.wire import Ask, Query
from device_sim.wire_codec import Encoder

WAIT_S = 10.0
LOOK_S = 0.1  # how soon an interrupt is heard
ASK_EVERY_S = 1.0  # a board that resets when its port is opened answers only later
ENOUGH_TO_TELL_BYTES = 65_536


def ask_who(link: Link, encoder: Encoder) -> None:
    """QUERY HELLO; the read that follows notices a line that is closed."""
    with suppress(LinkClosed):
        link.write(encoder.payload(Query(ask=Ask.HELLO)))


def met(
    link: Link,
    encoder: Encoder,
    read_as: ReadAs,
    *,
    name: str,
    baud: int,
    wait_s: float,
    clock: Callable[[], float],
) -> tuple[Deframer | LineReceiver, Sequence[Event]]:
    """Frames that begin with a HELLO, or lines of numbers; and what has come of them so far."""
    deframer, received, events = Deframer(name), b"", list[Event]()
    began_s = asked_s = clock()
    is_whole = False
    if link.is_live:
        ask_who(link, encoder)
    while not is_whole and clock() - began_s < wait_s:
        if link.is_live and clock() - asked_s > ASK_EVERY_S:
            asked_s = clock()
            ask_who(link, encoder)
        try:
            piece = link.read(LOOK_S)
        except LinkClosed:
            is_whole, piece = True, b""
        received = (received + piece)[:ENOUGH_TO_TELL_BYTES]
        events += deframer.feed(piece, clock())
        if deframer.hello is not None:
            _refuse_text_options(read_as, name=name)
            return deframer, events
        if deframer.n_frames == 0 and is_text(received, is_whole=is_whole):
            lines = LineReceiver(name, read_as, is_live=link.is_live)
            return lines, lines.feed(received, clock())
    within = "before it closed" if is_whole else f"within {wait_s:g} s"
    garbage = f" {within}; the baud rate is the first suspect: say --baud N (now {baud})"
    if not link.is_live:
        garbage = "; a recording is named with --file"
        if not received:
            raise StreamError(f"{name}: expected a device or what one has sent, got nothing at all{garbage}")
    raise StreamError(f"{name}: {_stranger(len(received), deframer, within, garbage)}")


def _stranger(n_bytes: int, deframer: Deframer, within: str, garbage: str) -> str:
    """Why nobody was met, and what to do about it."""
    if not n_bytes:
        board = "is the board powered and its firmware running? press reset, or say --wait SECONDS"
        return f"expected a device that sends, got nothing {within}; {board}"
    if deframer.n_out:
        return (
            f"expected a HELLO with rate and gain, got {deframer.n_frames} frames {within} "
            "and none; a device repeats HELLO every few seconds: docs/protocol.md"
        )
    if deframer.n_frames:
        return (
            f"expected a device, got the questions of a host {within}; "
            "is this the other end of the line, or a loop?"
        )
    return f"expected frames or lines of numbers, got {n_bytes} bytes of neither{garbage}"


def _refuse_text_options(read_as: ReadAs, *, name: str) -> None:
    for option, value in (
        ("--units", read_as.units),
        ("--gain", read_as.gain_per_mv),
        ("--lead", read_as.lead),
        ("--dtype", read_as.dtype),
    ):
        if value is not None:
            raise ContractError(f"{name}: {option}: expected none, HELLO says it; leave it out, got {value}")
