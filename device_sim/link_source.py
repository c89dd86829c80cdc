"""A device on a line as a source: it is asked who it is, and outlasts being unplugged."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from types import FrameType as StackFrame

from device_sim.contract.errors import ContractError, StreamError
from device_sim.framing import Deframer, Event
from device_sim.link import BAUD, Link, LinkClosed, open_link
from device_sim.link_clock import RateMeter
from device_sim.link_text import LineReceiver, is_text
from device_sim.recording import ReadAs
from device_sim.sources import Annotations, Chunk, Gap, Samples
from device_sim.wire import Ask, DeviceError, End, Hello, Judged, Query, Status
from device_sim.wire_codec import Encoder

WAIT_S = 10.0
LOOK_S = 0.1  # how soon an interrupt is heard
ASK_EVERY_S = 1.0  # a board that resets when its port is opened answers only later
RETRY_S = 0.2
ENOUGH_TO_TELL_BYTES = 65_536
SLEEPLESS = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # a lid that is closed stops no device


class LinkSource:
    """Whatever listens or talks at the other end of a line: frames or text, found out by itself."""

    def __init__(
        self,
        name: str,
        read_as: ReadAs | None = None,
        *,
        baud: int = BAUD,
        wait_s: float = WAIT_S,
        is_unpaced: bool = False,
        open_line: Callable[..., Link] = open_link,
        clock: Callable[[], float] = lambda: time.clock_gettime(SLEEPLESS),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = "stdin" if name == "-" else name
        self.n_samples: int | None = None
        self.annotations: Annotations | None = None
        self.interrupted = False
        self.complaint: DeviceError | None = None  # the last one
        self.status: Status | None = None
        self.n_judged = 0  # verdicts the device gave itself
        self.ended_by = "--seconds"  # whoever reads it, unless something happens before
        self._port, self._baud, self._wait_s = name, baud, wait_s
        self._open_line, self._clock, self._sleep = open_line, clock, sleep
        self._encoder = Encoder()
        self._link = open_line(name, baud=baud)
        self._is_over = False
        try:
            self._receiver, self._events = self._met(read_as or ReadAs())
            facts = self._facts(read_as or ReadAs())
        except BaseException:
            self._link.close()
            raise
        self.lead, self.rate_hz, self.uv_per_count, self.rails_counts, said_by, is_paced = facts
        self._meter: RateMeter | None = None
        if is_paced and self._link.is_live and not is_unpaced:
            self._meter = RateMeter(self.rate_hz, name=self.name, said_by=said_by)

    def __iter__(self) -> Iterator[Chunk]:
        """Samples and gaps until the device says END, a file ends, or nobody is there any more."""
        events, silent_s = self._events, 0.0
        try:
            while True:
                for event in events:
                    if isinstance(event, Samples | Gap):
                        yield event
                    elif isinstance(event, DeviceError):
                        self.complaint = event
                    elif isinstance(event, Status):
                        self.status = event
                    elif isinstance(event, Judged):
                        self.n_judged += 1
                    elif isinstance(event, End):
                        self.ended_by = "END"
                        return
                if self.interrupted or self._is_over:
                    return
                received = self._read()
                now_s = self._clock()
                # counted in looks, not by the clock: nobody listened while the machine slept
                silent_s = 0.0 if received else silent_s + LOOK_S
                if silent_s > self._wait_s and not self._is_over:
                    self.ended_by = f"silence for {self._wait_s:g} s"
                    return
                events = self._receiver.feed(received, now_s) if received else []
                if self._meter is not None and events:
                    self._meter.arrived(self._receiver.n_out, now_s)
        finally:
            self._link.close()

    def summary(self) -> str:
        """How the line was, in one line."""
        receiver = self._receiver
        if isinstance(receiver, LineReceiver):
            parts = [f"{receiver.n_lines} lines of text, {receiver.n_bad} without a number"]
        else:
            tally = receiver.tally
            parts = [f"{receiver.n_frames} frames, {receiver.n_damaged} damaged"]
            parts += [f"{tally.n_late} late or twice"] if tally.n_late else []
            parts += [f"{tally.n_restarts} restarts"] if tally.n_restarts else []
            parts += [f"{tally.n_foreign} of an unknown type"] if tally.n_foreign else []
            parts += _on_board(receiver.hello)
        if self._meter is not None and self._meter.drift_ppm is not None:
            parts.append(f"drift {self._meter.drift_ppm:+.0f} ppm over {self._meter.seconds:.0f} s")
        if self.n_judged:
            parts.append(f"{self.n_judged} verdicts of the device's own")
        if self.status is not None and self.status.n_overflow:
            parts.append(f"{self.status.n_overflow} samples the device had no room for")
        if self.complaint is not None:
            parts.append(f"the device says: {self.complaint.text or f'error {self.complaint.code}'}")
        return f"link: {', '.join(parts)}; ended by {'ctrl-C' if self.interrupted else self.ended_by}"

    @contextmanager
    def stopping_at_interrupt(self) -> Iterator[None]:
        """ctrl-C ends the stream, as if the device had; whoever reads it finishes what was begun."""

        def stop(_signal: int, _frame: StackFrame | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt  # twice: at once
            self.interrupted = True

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _read(self) -> bytes:
        """What came; after an outage nothing yet."""
        try:
            return self._link.read(LOOK_S)
        except LinkClosed:
            pass
        if not self._link.is_live:
            self._is_over, self.ended_by = True, "the end of the stream"
            return b"\n" if isinstance(self._receiver, LineReceiver) else b""  # a last line need not end
        self._link.close()
        self._is_over = not self._came_back()
        if self._is_over:
            self.ended_by = f"the device went away and did not come back within {self._wait_s:g} s"
        return b""

    def _came_back(self) -> bool:
        until_s = self._clock() + self._wait_s
        while self._clock() < until_s and not self.interrupted:
            try:
                self._link = self._open_line(self._port, baud=self._baud)
            except StreamError:
                self._sleep(RETRY_S)
                continue
            self._receiver.reopened()
            if self._meter is not None:
                self._meter.restart()
            self._ask()
            return True
        return False

    def _ask(self) -> None:
        with suppress(LinkClosed):  # the read that follows notices it too
            self._link.write(self._encoder.payload(Query(ask=Ask.HELLO)))

    def _met(self, read_as: ReadAs) -> tuple[Deframer | LineReceiver, Sequence[Event]]:
        """Who is there: frames that begin with a HELLO, or lines of numbers."""
        deframer, received, events = Deframer(self.name), b"", list[Event]()
        began_s = asked_s = self._clock()
        is_whole = False
        if self._link.is_live:
            self._ask()
        while not is_whole and self._clock() - began_s < self._wait_s:
            if self._link.is_live and self._clock() - asked_s > ASK_EVERY_S:
                asked_s = self._clock()
                self._ask()
            try:
                piece = self._link.read(LOOK_S)
            except LinkClosed:
                is_whole, piece = True, b""
            received = (received + piece)[:ENOUGH_TO_TELL_BYTES]
            events += deframer.feed(piece, self._clock())
            if deframer.hello is not None:
                _refuse_text_options(read_as, name=self.name)
                return deframer, events
            if deframer.n_frames == 0 and is_text(received, is_whole=is_whole):
                lines = LineReceiver(self.name, read_as, is_live=self._link.is_live)
                return lines, lines.feed(received, self._clock())
        raise StreamError(self._stranger(received, deframer, is_whole=is_whole))

    def _stranger(self, received: bytes, deframer: Deframer, *, is_whole: bool) -> str:
        """Why nobody was met, and what to do about it."""
        within = "before it closed" if is_whole else f"within {self._wait_s:g} s"
        if not received:
            advice = "is the board powered and its firmware running? press reset, or say --wait SECONDS"
            return f"{self.name}: expected a device that sends, got nothing {within}; {advice}"
        if deframer.n_out:
            return (
                f"{self.name}: expected a HELLO with rate and gain, got {deframer.n_frames} frames {within} "
                "and none; a device repeats HELLO every few seconds: docs/protocol.md"
            )
        if deframer.n_frames:
            return (
                f"{self.name}: expected a device, got the questions of a host {within}; "
                "is this the other end of the line, or a loop?"
            )
        what = f"{self.name}: expected frames or lines of numbers, got {len(received)} bytes of neither"
        if not self._link.is_live:
            return f"{what}; a recording is named with --file"
        return f"{what} {within}; the baud rate is the first suspect: say --baud N (now {self._baud})"

    def _facts(self, read_as: ReadAs) -> tuple[str, int, Fraction, tuple[int, int] | None, str, bool]:
        """Lead, rate, gain, rails, who said the rate, and whether a clock is behind the samples."""
        if isinstance(self._receiver, LineReceiver):
            layout = self._receiver.layout
            lead = layout.lead if layout else "1"
            scale = self._receiver.scale
            return lead, self._receiver.rate_hz, scale.uv_per_count, read_as.rails_counts, "--rate", True
        hello = self._receiver.hello
        assert hello is not None
        if read_as.rate_hz not in (None, hello.rate_hz):
            raise StreamError(
                f"{self.name}: expected {read_as.rate_hz} Hz from --rate, got {hello.rate_hz} Hz from HELLO; "
                "leave out --rate"
            )
        rails = read_as.rails_counts or hello.rails_counts
        return hello.lead, hello.rate_hz, hello.uv_per_count, rails, "HELLO", hello.is_paced


def _on_board(hello: Hello | None) -> list[str]:
    """What the device carries, where it says so."""
    if hello is None or not any(hello.bundle_sha256):
        return []
    return [f"bundle {hello.bundle_sha256.hex()[:12]} on board"]


def _refuse_text_options(read_as: ReadAs, *, name: str) -> None:
    for option, value in (
        ("--units", read_as.units),
        ("--gain", read_as.gain_per_mv),
        ("--lead", read_as.lead),
        ("--dtype", read_as.dtype),
    ):
        if value is not None:
            raise ContractError(f"{name}: {option}: expected none, HELLO says it; leave it out, got {value}")
