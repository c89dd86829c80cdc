"""A device as its host sees it: HELLO, samples, STATUS, answers; frames or lines, ready for the line."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, StreamError
from device_sim.frontend import Flag
from device_sim.sources import Chunk, Gap, Source
from device_sim.wire import (
    Ask,
    Complaint,
    DeviceError,
    End,
    FrameType,
    Hello,
    InputPart,
    Payload,
    Query,
    Status,
)
from device_sim.wire_codec import SAMPLES_A_FRAME, Decoder, Encoder, Frames, Run, content_of

BLOCKS_A_SECOND = 16
HELLO_EVERY_S = 4
BOOT_S = 1.0  # a device that resets itself misses so much
BATTERY_MV = 3900
Heard = Query | InputPart | Run  # what a host may send


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """What a device sends at one moment: whole frames, or lines."""

    due_index: int  # the sample of the recording that must have been taken
    frames: tuple[bytes, ...]


class Device:
    """Plays chunks of counts as frames; what it says beside them comes from `also`."""

    def __init__(
        self,
        source: Source,
        chunks: Iterable[Chunk],
        *,
        bytes_each: int,
        is_paced: bool,
        firmware: str,
        session: int = 1,
        rails_counts: tuple[int, int] | None = None,
        bundle_sha256: bytes = bytes(32),
        restarts: Callable[[], bool] = lambda: False,
        also: Callable[[int, NDArray[np.int32], Flag], Sequence[Payload]] = lambda first, counts, line: (),
        at_end: Callable[[], Sequence[Payload]] = lambda: (),
        answers: Callable[[Heard], Sequence[Payload] | None] = lambda heard: None,
        is_silent: Callable[[], bool] = lambda: False,
    ) -> None:
        self.rate_hz = source.rate_hz
        self.hello = Hello(
            rate_hz=source.rate_hz,
            uv_per_count=source.uv_per_count,
            lead=source.lead,
            rails_counts=rails_counts or source.rails_counts,
            bytes_each=bytes_each,
            is_paced=is_paced,
            firmware=firmware,
            bundle_sha256=bundle_sha256,
        )
        self._chunks = chunks
        self._restarts = restarts
        self._also = also
        self._at_end = at_end
        self._answers = answers
        self._is_silent = is_silent
        self._encoder = Encoder(session=session)
        self._host = Decoder()
        self._begun_at = 0  # index of the recording at which this session began
        self._index = 0
        self._line = 0

    def packets(self) -> Iterator[Packet]:
        """Everything from the first HELLO to END."""
        yield Packet(due_index=0, frames=(self._said(self.hello),))
        hello_at, status_at = HELLO_EVERY_S * self.rate_hz, self.rate_hz
        for first, counts, line in blocks(self._chunks, self._block_samples):
            self._index = first
            if self._restarts():
                yield from self._reset()
                hello_at = self._index + HELLO_EVERY_S * self.rate_hz
            if first < self._begun_at:
                continue  # it was not awake yet
            self._line = int(line)
            frames = [self._samples(first, counts, line)]
            self._index = first + counts.size
            frames += [self._said(one) for one in self._also(first, counts, line)]
            if self._index >= hello_at:
                hello_at += HELLO_EVERY_S * self.rate_hz
                frames.append(self._said(self.hello))
            if self._index >= status_at:
                status_at += self.rate_hz
                frames.append(self._said(self.status()))
            yield Packet(due_index=self._index, frames=() if self._is_silent() else tuple(frames))
        if not self._is_silent():
            last = (*self._at_end(), End(next_index=self._next))
            yield Packet(due_index=self._index, frames=tuple(map(self._said, last)))

    def status(self) -> Status:
        """How it is now."""
        return Status(next_index=self._next, line=self._line, battery_mv=BATTERY_MV, battery_percent=80)

    def asked(self, received: bytes) -> bytes:
        """The answers to what a host sent; nothing to what is no frame."""
        said: list[Payload] = []
        for frames in self._host.frames(received):
            for at in range(frames.n_frames):
                said += self._answer(frames, at)
        return b"".join(map(self._said, said))

    @property
    def _block_samples(self) -> int:
        return min(self.rate_hz // BLOCKS_A_SECOND, SAMPLES_A_FRAME[self.hello.bytes_each])

    @property
    def _next(self) -> int:
        return (self._index - self._begun_at) % 2**32

    def _answer(self, frames: Frames, at: int) -> Sequence[Payload]:
        kind = frames[at].type
        if kind not in (FrameType.QUERY, FrameType.INPUT, FrameType.SAMPLES):
            return (DeviceError(code=Complaint.UNKNOWN_TYPE, about=kind, text="no host sends this"),)
        heard = _heard(frames, at)
        if heard is None:
            text = f"{FrameType(kind).name} has another length"
            return (DeviceError(code=Complaint.MALFORMED, about=kind, text=text),)
        if isinstance(heard, Query) and heard.ask == Ask.HELLO:
            return (self.hello,)
        if isinstance(heard, Query) and heard.ask == Ask.STATUS:
            return (self.status(),)
        answers = self._answers(heard)
        if answers is not None:
            return answers
        if not isinstance(heard, Query):
            return (DeviceError(code=Complaint.NOT_NOW, about=kind, text="not now, or not so much"),)
        text = f"nothing known of {heard.ask}:{heard.item}"
        return (DeviceError(code=Complaint.UNKNOWN_ITEM, about=kind, detail=heard.item, text=text),)

    def _reset(self) -> Iterator[Packet]:
        """Another session, that counts from zero; what was to be taken meanwhile is lost."""
        self._begun_at = self._index + round(BOOT_S * self.rate_hz)
        self._index = self._begun_at
        self._encoder = Encoder(session=(self._encoder.session + 1) % 256)
        yield Packet(due_index=self._begun_at, frames=(self._said(self.hello),))

    def _said(self, payload: Payload) -> bytes:
        return self._encoder.payload(payload)

    def _samples(self, first: int, counts: NDArray[np.int32], line: Flag) -> bytes:
        return self._encoder.samples(
            first - self._begun_at, counts, bytes_each=self.hello.bytes_each, line=int(line)
        )


def _heard(frames: Frames, at: int) -> Heard | None:
    """What a host sent; None where it contradicts itself."""
    frame = frames[at]
    if frame.type == FrameType.SAMPLES:
        return frames.run(at, n_frames=1)
    try:
        if frame.type == FrameType.QUERY:
            return Query.unpack(content_of(frame), name="host")
        return InputPart.unpack(content_of(frame), name="host")
    except StreamError:
        return None


def text_packets(source: Source, chunks: Iterable[Chunk]) -> Iterator[Packet]:
    """One integer a line, as a sketch prints: no index, so what is missing is not seen."""
    yield Packet(due_index=0, frames=(b"# one sample a line\n",))
    for first, counts, _line in blocks(chunks, source.rate_hz // BLOCKS_A_SECOND):
        lines = "".join(f"{count}\n" for count in counts.tolist()).encode()
        yield Packet(due_index=first + counts.size, frames=(lines,))


def blocks(chunks: Iterable[Chunk], n_samples: int) -> Iterator[tuple[int, NDArray[np.int32], Flag]]:
    """(index, counts, line) of at most n_samples; a gap is a leap of the index."""
    at = 0
    for chunk in chunks:
        if not isinstance(chunk, Gap):
            line = Flag.LEAD_OFF if chunk.lead_off else Flag(0)
            for start in range(0, chunk.n_samples, n_samples):
                yield at + start, chunk.counts_i32[start : start + n_samples], line
        at += chunk.n_samples


def bytes_each_of(chunks: Iterable[Chunk], *, name: str) -> int:
    """Two bytes where every count fits, else three."""
    largest = max(
        (
            max(abs(int(chunk.counts_i32.min())), abs(int(chunk.counts_i32.max()) + 1))
            for chunk in chunks
            if not isinstance(chunk, Gap) and chunk.n_samples
        ),
        default=0,
    )
    if largest > 2**23:
        raise ContractError(f"{name}: expected counts of at most 24 bits, got {largest}")
    return 2 if largest <= 2**15 else 3
