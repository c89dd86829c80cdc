"""A device on a line as a source: it is asked who it is, and outlasts being unplugged."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from types import FrameType as StackFrame

from device_sim.contract.errors import StreamError
from device_sim.link import BAUD, Link, LinkClosed, open_link
from device_sim.link_clock import RateMeter
from device_sim.link_meet import LOOK_S, WAIT_S, ask_who, met
from device_sim.link_text import LineReceiver
from device_sim.recording import ReadAs
from device_sim.sources import Annotations, Chunk, Gap, Samples
from device_sim.wire import DeviceError, End, Hello, Judged, Status
from device_sim.wire_codec import Encoder

RETRY_S = 0.2
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
        patience_s: float | None = None,
        is_unpaced: bool = False,
        open_line: Callable[..., Link] = open_link,
        clock: Callable[[], float] = lambda: time.clock_gettime(SLEEPLESS),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = "stdin" if name == "-" else name
        self.n_samples: int | None = None
        self.annotations: Annotations | None = None
        self.interrupted = False
        self.is_away = False  # unplugged, and looked for
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
            self._receiver, self._events = met(
                self._link,
                self._encoder,
                read_as or ReadAs(),
                name=self.name,
                baud=baud,
                wait_s=wait_s,
                clock=clock,
            )
            facts = self._facts(read_as or ReadAs())
        except BaseException:
            self._link.close()
            raise
        self._wait_s = wait_s if patience_s is None else patience_s  # for a device that is known
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
        self.is_away = True
        self._is_over = not self._came_back()
        self.is_away = False
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
            ask_who(self._link, self._encoder)
            return True
        return False

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
