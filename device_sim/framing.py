"""Bytes of a wire to samples and messages; what is lost becomes a Gap, never a silence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim import binding
from device_sim.contract.errors import StreamError
from device_sim.frontend import RATES_HZ, Flag
from device_sim.sources import Gap, Samples
from device_sim.wire import (
    Answer,
    Column,
    DeviceError,
    End,
    FrameType,
    Hello,
    InputPart,
    Judged,
    Query,
    Status,
)
from device_sim.wire_codec import VERSION, Decoder, Frames, Run, content_of

Message = Hello | Status | Column | Judged | Query | Answer | DeviceError | End | InputPart
Event = Samples | Gap | Message
MESSAGES: dict[int, type[Message]] = {
    kind.TYPE: kind for kind in (Hello, Status, Column, Judged, Query, Answer, DeviceError, End, InputPart)
}
INDEX_MODULUS = 2**32
# A frame this far behind is a copy or came late; further back, the device has started again.
LATE_SAMPLES = 4096
# A leap forward may be this much longer than the clock says, before it counts as another start.
LEAP_S = 60.0
LONGEST_UNPACED_GAP_S = 3600.0


@dataclass(slots=True)
class Tally:
    """What the receiver had to put up with."""

    n_late: int = 0  # frames that came twice, or after their place was given up
    n_restarts: int = 0
    n_foreign: int = 0  # frames of a type this version does not know


class Deframer:
    """One device's stream: feed it bytes in any portions, with the time they came."""

    def __init__(self, name: str) -> None:
        self.hello: Hello | None = None
        self.tally = Tally()
        self._name = name
        self._decoder = Decoder()
        self._session: int | None = None
        self._next: int | None = None  # index the device will give its next sample, by what came so far
        self._n_out = 0  # samples and gaps handed on
        self._last_s = 0.0  # when the last samples came
        self._is_reopened = False
        self._pending: list[NDArray[np.int32]] = []
        self._pending_line = 0

    @property
    def n_frames(self) -> int:
        return self._decoder.n_frames

    @property
    def n_damaged(self) -> int:
        """Stretches between two zeros that were no frame; who joins in the middle of one begins with it."""
        return self._decoder.n_damaged

    @property
    def n_out(self) -> int:
        """Samples so far, those of gaps included."""
        return self._n_out

    def feed(self, received: bytes, at_s: float) -> list[Event]:
        """Everything these bytes complete; neighbouring samples in one piece, messages among them first."""
        events: list[Event] = []
        for frames in self._decoder.frames(received):
            at = 0
            while at < frames.n_frames:
                at += self._taken(frames, at, at_s, events)
        self._flush(events)
        return events

    def reopened(self) -> None:
        """The line was down: an index that falls back is a new beginning, however little."""
        self._is_reopened = True

    def outage(self, n_samples: int) -> Gap:
        """A gap that only the clock knows, where no index does."""
        gap = Gap(first_index=self._n_out, n_samples=n_samples, estimated=True)
        self._n_out += n_samples
        return gap

    def _taken(self, frames: Frames, at: int, at_s: float, events: list[Event]) -> int:
        """One message, or all samples that continue one another; how many frames that were."""
        frame = frames[at]
        if frame.version != VERSION:
            raise StreamError(
                f"{self._name}: expected protocol {VERSION}, got {frame.version}; "
                "update wristlead, or the device's firmware"
            )
        if frame.type != FrameType.SAMPLES:
            self._message(frame, events)
            return 1
        run = frames.run(at)
        if run is None:
            raise StreamError(
                f"{self._name}: SAMPLES: expected as many bytes as it counts, got {frame.n_payload}; "
                "the device speaks another dialect: compare its firmware with docs/protocol.md"
            )
        self._samples(run, at_s, events)
        return run.n_frames

    def _samples(self, run: Run, at_s: float, events: list[Event]) -> None:
        counts, n_behind = run.counts_i32, 0
        if self._next is not None:
            ahead = (run.first_index - self._next) % INDEX_MODULUS
            n_behind = (self._next - run.first_index) % INDEX_MODULUS
            if self._is_restart(run.session, ahead, n_behind, at_s):
                self._restarted(run.first_index, at_s, events)
                n_behind = 0
            elif n_behind <= LATE_SAMPLES:
                self.tally.n_late += min(run.n_frames, n_behind * run.n_frames // max(1, counts.size))
            else:
                self._flush(events)
                events.append(Gap(first_index=self._n_out, n_samples=ahead, estimated=False))
                self._n_out += ahead
                self._next = run.first_index
                n_behind = 0
        self._session, self._is_reopened = run.session, False
        if n_behind >= counts.size:
            return
        if self._pending and self._pending_line != run.line:
            self._flush(events)
        self._pending.append(counts[n_behind:])
        self._pending_line = run.line
        self._next = (run.first_index + counts.size) % INDEX_MODULUS
        self._last_s = at_s

    def _is_restart(self, session: int, ahead: int, n_behind: int, at_s: float) -> bool:
        if session != self._session or (self._is_reopened and n_behind <= LATE_SAMPLES and n_behind > 0):
            return True
        if n_behind <= LATE_SAMPLES:
            return False
        is_paced = self.hello is not None and self.hello.is_paced
        rate_hz = max(RATES_HZ) if self.hello is None else self.hello.rate_hz
        passed_s = at_s - self._last_s if is_paced else LONGEST_UNPACED_GAP_S
        return ahead > (passed_s + LEAP_S) * rate_hz

    def _restarted(self, first_index: int, at_s: float, events: list[Event]) -> None:
        """The device counts from another beginning: how long it was away, only the clock can say."""
        self._flush(events)
        self.tally.n_restarts += 1
        n_missed = 1
        if self.hello is not None and self.hello.is_paced:
            n_missed = round((at_s - self._last_s) * self.hello.rate_hz)
        # what it counted since its new beginning and never came is missing in any case
        n_lost = first_index if first_index <= LATE_SAMPLES else 0
        events.append(self.outage(max(1, n_missed, n_lost)))

    def _flush(self, events: list[Event]) -> None:
        if not self._pending:
            return
        counts = self._pending[0] if len(self._pending) == 1 else np.concatenate(self._pending)
        lead_off = bool(self._pending_line & Flag.LEAD_OFF)
        events.append(Samples(first_index=self._n_out, counts_i32=counts, lead_off=lead_off))
        self._n_out += counts.size
        self._pending = []

    def _message(self, frame: binding.Frame, events: list[Event]) -> None:
        kind = MESSAGES.get(frame.type)
        if kind is None:
            self.tally.n_foreign += 1
            return
        message = kind.unpack(content_of(frame), name=self._name)
        if isinstance(message, Hello):
            self._check_hello(message)
        if isinstance(message, End):
            self._ended(message, events)
        events.append(message)

    def _check_hello(self, hello: Hello) -> None:
        before = self.hello
        if before is not None:
            for what, old, new in (
                ("rate_hz", before.rate_hz, hello.rate_hz),
                ("uv_per_count", before.uv_per_count, hello.uv_per_count),
                ("rails", before.rails_counts, hello.rails_counts),
            ):
                if old != new:
                    raise StreamError(
                        f"{self._name}: HELLO: expected {what} {old} as before, got {new}; "
                        "another device was plugged in: begin a new run"
                    )
        self.hello = hello

    def _ended(self, end: End, events: list[Event]) -> None:
        """The frames before the end may be lost too; then their index tells."""
        self._flush(events)
        if self._next is None:
            return
        ahead = (end.next_index - self._next) % INDEX_MODULUS
        if 0 < ahead < INDEX_MODULUS // 2:
            events.append(Gap(first_index=self._n_out, n_samples=ahead, estimated=False))
            self._n_out += ahead
            self._next = end.next_index
