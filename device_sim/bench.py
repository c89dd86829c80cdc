"""A device on the bench: a host asks for what is in its memory, and puts windows and samples into it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import StreamError
from device_sim.framing import Deframer, Message
from device_sim.link import BAUD, Link, LinkClosed, open_link
from device_sim.link_meet import LOOK_S, WAIT_S, met
from device_sim.recording import ReadAs
from device_sim.wire import Answer, Ask, Column, Complaint, DeviceError, Hello, InputPart, Judged, Query
from device_sim.wire_codec import Encoder

ANSWER_S = 3.0  # a layer on a slow core takes less
SLOWEST_BYTES_S = 480  # a line of 4,800 baud
TRIES = 3
PART_BYTES = 232  # of an INPUT
FEED_SAMPLES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBoard:
    """A constant as the device has it."""

    name: str
    n_bytes: int
    crc32: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What one layer left in the device."""

    n_bytes: int
    crc32: int
    cycles: int  # 0: not counted


class Bench:
    """One frame at a time, each answered before the next: a device needs room for no more."""

    def __init__(
        self,
        name: str,
        *,
        baud: int = BAUD,
        wait_s: float = WAIT_S,
        open_line: Callable[..., Link] = open_link,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.heard: list[Column | Judged] = []  # what samples from here have brought about
        self._clock = clock
        self._unread: list[Message] = []  # what came behind the last answer
        self._encoder = Encoder()
        self._link = open_line(name, baud=baud)
        try:
            receiver, _ = met(
                self._link, self._encoder, ReadAs(), name=name, baud=baud, wait_s=wait_s, clock=clock
            )
            if not isinstance(receiver, Deframer) or not self._link.is_live:
                raise StreamError(
                    f"{name}: expected a device that can be asked, got lines of text or a recording; "
                    "the firmware of docs/protocol.md can be verified, a sketch cannot"
                )
        except BaseException:
            self._link.close()
            raise
        assert receiver.hello is not None
        self._deframer = receiver
        self.hello: Hello = receiver.hello

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(LinkClosed):
            self._link.write(self._encoder.payload(Query(ask=Ask.BENCH, item=0)))
        self._link.close()

    def take(self, network: int) -> None:
        """From now on the device sends nothing by itself; its stream is at its beginning."""
        self._answer(Ask.BENCH, network)
        self.heard.clear()

    def constants(self, at_most: int) -> Iterator[OnBoard]:
        """All there are, or the first so many of a device that has more and more of them."""
        for item in range(at_most):
            said = self._asked(Ask.TENSOR, item)
            if isinstance(said, DeviceError):
                if said.code == Complaint.UNKNOWN_ITEM and item > 0:
                    return
                self._refused(f"TENSOR {item}", said)
            crc32 = int.from_bytes(said.part[:4], "little")
            name = said.part[4:].decode(errors="replace")
            yield OnBoard(name=name, n_bytes=said.n_bytes, crc32=crc32)

    def put(self, number: int, raw: bytes) -> None:
        """The whole of one input of the network."""
        for offset in range(0, len(raw), PART_BYTES):
            part = InputPart(number=number, offset=offset, part=raw[offset : offset + PART_BYTES])
            what = f"INPUT {number}, byte {offset}"
            said = self._exchanged(self._encoder.payload(part), what, _about(Ask.INPUT, number, offset))
            if isinstance(said, DeviceError):
                self._refused(what, said)

    def step(self, layer: int) -> Stepped:
        """Run one layer; the first one begins a window."""
        said = self._answer(Ask.STEP, layer)
        crc32, cycles = (int.from_bytes(said.part[at : at + 4], "little") for at in (0, 4))
        return Stepped(n_bytes=said.n_bytes, crc32=crc32, cycles=cycles)

    def output(self, layer: int, n_bytes: int) -> bytes:
        """What the layer that ran last has written; parts that are lost are asked for with all the others."""
        parts: dict[int, bytes] = {}
        for _ in range(TRIES):
            self._gather(layer, n_bytes, parts)
            if sum(map(len, parts.values())) == n_bytes:
                return b"".join(parts[offset] for offset in sorted(parts))
        raise StreamError(f"{self.name}: LAYER {layer}: expected every part, lost some {TRIES} times")

    def logits(self, window: int) -> Judged:
        """What the last layers say, as a VERDICT of that number."""

        def is_ours(message: Message) -> bool:
            return isinstance(message, Judged) and message.window_index == window

        what = f"LOGITS {window}"
        query = Query(ask=Ask.LOGITS, item=window)
        said = self._exchanged(self._encoder.payload(query), what, is_ours)
        if isinstance(said, DeviceError):
            self._refused(what, said)
        assert isinstance(said, Judged)
        return said

    def feed(self, counts_i32: NDArray[np.int32]) -> int:
        """Samples as if the converter had taken them, from its beginning on; the cycles they took."""
        cycles = 0
        for first in range(0, counts_i32.size, FEED_SAMPLES):
            block = counts_i32[first : first + FEED_SAMPLES]
            frame = self._encoder.samples(first, block, bytes_each=self.hello.bytes_each)
            what = f"SAMPLES {first}"
            said = self._exchanged(frame, what, _about(Ask.SAMPLES, 0, first + block.size))
            if isinstance(said, DeviceError):
                self._refused(what, said)
            assert isinstance(said, Answer)
            cycles += int.from_bytes(said.part[:4], "little")
        return cycles

    def _gather(self, layer: int, n_bytes: int, parts: dict[int, bytes]) -> None:
        """Whatever comes of a layer, until its end or for as long as the slowest line would take."""
        first = self._answer(Ask.LAYER, layer)
        now_s = self._clock()
        end_s = now_s + ANSWER_S + n_bytes / SLOWEST_BYTES_S
        until_s = min(end_s, now_s + ANSWER_S)
        waiting: list[Message] = [first, *self._unread]
        while self._clock() < until_s:
            for message in waiting:
                if isinstance(message, Answer) and (message.ask, message.item) == (Ask.LAYER, layer):
                    self._check_part(message, layer, n_bytes)
                    parts[message.offset] = message.part
                    until_s = min(end_s, self._clock() + ANSWER_S)
                    if message.offset + len(message.part) == n_bytes:
                        return
            waiting = self._messages()

    def _check_part(self, one: Answer, layer: int, n_bytes: int) -> None:
        """A device that never comes to an end is not waited for."""
        if one.n_bytes != n_bytes or not one.part or one.offset + len(one.part) > n_bytes:
            raise StreamError(
                f"{self.name}: LAYER {layer}: expected parts of {n_bytes} bytes, "
                f"got {len(one.part)} from {one.offset} on of {one.n_bytes}"
            )

    def _answer(self, ask: Ask, item: int) -> Answer:
        said = self._asked(ask, item)
        if isinstance(said, DeviceError):
            self._refused(f"{ask.name} {item}", said)
        return said

    def _asked(self, ask: Ask, item: int) -> Answer | DeviceError:
        query = self._encoder.payload(Query(ask=ask, item=item))
        said = self._exchanged(query, f"{ask.name} {item}", _about(ask, item, 0))
        assert isinstance(said, Answer | DeviceError)
        return said

    def _exchanged(self, frame: bytes, what: str, is_answer: Callable[[Message], bool]) -> Message:
        """What answers a frame; sent again where nothing does, for an answer may be lost."""
        for _ in range(TRIES):
            self._write(frame)
            until_s = self._clock() + ANSWER_S
            while self._clock() < until_s:
                messages = self._messages()
                for at, message in enumerate(messages):
                    if isinstance(message, DeviceError) or is_answer(message):
                        self._unread = messages[at + 1 :]
                        return message
        raise StreamError(
            f"{self.name}: {what}: expected an answer, got none to {TRIES} questions; "
            "is the cable in, and nobody else on the line?"
        )

    def _messages(self) -> list[Message]:
        try:
            received = self._link.read(LOOK_S)
        except LinkClosed:
            self._went_away()
        events = self._deframer.feed(received, self._clock())
        messages = [event for event in events if isinstance(event, Message)]
        self.heard += [message for message in messages if isinstance(message, Column | Judged)]
        return messages

    def _write(self, frame: bytes) -> None:
        try:
            self._link.write(frame)
        except LinkClosed:
            self._went_away()

    def _went_away(self) -> NoReturn:
        raise StreamError(f"{self.name}: the device went away; plug it in and begin again") from None

    def _refused(self, what: str, error: DeviceError) -> NoReturn:
        raise StreamError(
            f"{self.name}: {what}: expected an answer, got ERROR {error.code}: {error.text or 'no words'}; "
            "does this firmware have a bench? docs/protocol.md"
        )


def _about(ask: Ask, item: int, offset: int) -> Callable[[Message], bool]:
    def is_ours(message: Message) -> bool:
        return isinstance(message, Answer) and (message.ask, message.item, message.offset) == (
            ask,
            item,
            offset,
        )

    return is_ours
