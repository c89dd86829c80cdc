"""What frames say: one dataclass for each type, its payload as docs/protocol.md draws it."""

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import ClassVar, Protocol

from device_sim.contract.errors import StreamError
from device_sim.frontend import NO_RAILS, ROWS, rational_gain
from device_sim.sources import check_rate


class FrameType(IntEnum):
    """enum wl_frame_type."""

    HELLO = 1
    SAMPLES = 2
    STATUS = 3
    COLUMN = 4
    VERDICT = 5
    QUERY = 6
    ANSWER = 7
    ERROR = 8
    END = 9
    INPUT = 10


class Ask(IntEnum):
    """What a QUERY asks for."""

    HELLO = 0
    STATUS = 1
    COLUMNS = 2  # item 1: send them from now on, 0: no more
    TENSOR = 3
    LAYER = 4
    BENCH = 5  # item 1, 2, ..: a network on the bench, 0: back to the wearer
    STEP = 6
    LOGITS = 7
    INPUT = 8  # never asked: what an ANSWER to an INPUT frame is about
    SAMPLES = 9  # the same, of SAMPLES that come from a host


class Payload(Protocol):
    """A frame's content."""

    TYPE: ClassVar[FrameType]

    def pack(self) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What the device is."""

    TYPE: ClassVar[FrameType] = FrameType.HELLO
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<HBBiB3xii8s16s32s")

    rate_hz: int
    uv_per_count: Fraction
    lead: str
    rails_counts: tuple[int, int] | None = None
    bytes_each: int = 2
    is_paced: bool = True  # False: a recording, played faster than it was made
    firmware: str = ""
    bundle_sha256: bytes = field(default=bytes(32), repr=False)

    def pack(self) -> bytes:
        mul, shift = rational_gain(self.uv_per_count)
        low, high = self.rails_counts or NO_RAILS
        return self.LAYOUT.pack(
            *(self.rate_hz, self.bytes_each, not self.is_paced, mul, shift, low, high),
            *(self.lead.encode()[:8], self.firmware.encode()[:16], self.bundle_sha256),
        )

    @classmethod
    def unpack(cls, payload: bytes, *, name: str) -> "Hello":
        _check_length(payload, cls.LAYOUT.size, "HELLO", name=name)
        rate_hz, bytes_each, flags, mul, shift, low, high, lead, firmware, sha256 = cls.LAYOUT.unpack(payload)
        if mul <= 0 or shift > 30 or low >= high:
            raise StreamError(
                f"{name}: HELLO: expected a gain above 0 and rails low < high, "
                f"got {mul}/2^{shift} and {low}..{high}; the device's firmware is wrong about itself"
            )
        return cls(
            rate_hz=check_rate(rate_hz, where=f"{name}: HELLO"),
            uv_per_count=Fraction(mul, 2**shift),
            lead=_text(lead),
            rails_counts=None if (low, high) == NO_RAILS else (low, high),
            bytes_each=bytes_each,
            is_paced=not flags & 1,
            firmware=_text(firmware),
            bundle_sha256=sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the device is."""

    TYPE: ClassVar[FrameType] = FrameType.STATUS
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<IIHBB")

    next_index: int  # of the sample it will send next
    n_overflow: int = 0  # samples it had no room for
    battery_mv: int = 0  # 0: unknown
    battery_percent: int = 255  # 255: unknown
    line: int = 0  # bits of enum wl_flag: RAIL, LEAD_OFF

    def pack(self) -> bytes:
        return self.LAYOUT.pack(
            self.next_index, self.n_overflow, self.battery_mv, self.battery_percent, self.line
        )

    @classmethod
    def unpack(cls, payload: bytes, *, name: str) -> "Status":
        _check_length(payload, cls.LAYOUT.size, "STATUS", name=name)
        next_index, n_overflow, battery_mv, battery_percent, line = cls.LAYOUT.unpack(payload)
        return cls(
            next_index=next_index,
            n_overflow=n_overflow,
            battery_mv=battery_mv,
            battery_percent=battery_percent,
            line=line,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the scalogram, as the device computed it."""

    TYPE: ClassVar[FrameType] = FrameType.COLUMN
    LAYOUT: ClassVar[struct.Struct] = struct.Struct(f"<IB3x{ROWS}s")

    index: int
    flags: int
    codes: bytes  # int8

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.index, self.flags, self.codes)

    @classmethod
    def unpack(cls, payload: bytes, *, name: str) -> "Column":
        _check_length(payload, cls.LAYOUT.size, "COLUMN", name=name)
        index, flags, codes = cls.LAYOUT.unpack(payload)
        return cls(index=index, flags=flags, codes=codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict as the device gives it."""

    TYPE: ClassVar[FrameType] = FrameType.VERDICT
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<IIqihBB8s")
    REFUSED: ClassVar[int] = 253  # labels that are no label of the network
    UNDECIDED: ClassVar[int] = 254
    UNUSABLE: ClassVar[int] = 255

    window_index: int
    t0_us: int
    label: int
    score_q15: int
    margin_q8: int
    bundle: bytes  # the first 8 bytes of its digest
    logits: bytes = b""  # int8, as many as the network has outputs
    cycles: int = 0  # 0: not counted

    def pack(self) -> bytes:
        head = self.LAYOUT.pack(
            *(self.window_index, self.cycles, self.t0_us, self.margin_q8, self.score_q15),
            *(self.label, len(self.logits), self.bundle),
        )
        return head + self.logits

    @classmethod
    def unpack(cls, payload: bytes, *, name: str) -> "Judged":
        head, logits = payload[: cls.LAYOUT.size], payload[cls.LAYOUT.size :]
        _check_length(head, cls.LAYOUT.size, "VERDICT", name=name)
        window, cycles, t0_us, margin_q8, score_q15, label, n_logits, bundle = cls.LAYOUT.unpack(head)
        _check_length(logits, n_logits, "VERDICT: logits", name=name)
        return cls(
            window_index=window,
            cycles=cycles,
            t0_us=t0_us,
            margin_q8=margin_q8,
            score_q15=score_q15,
            label=label,
            bundle=bundle,
            logits=logits,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a host wants to know."""

    TYPE: ClassVar[FrameType] = FrameType.QUERY
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BxH")

    ask: int
    item: int = 0

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.ask, self.item)

    @classmethod
    def unpack(cls, payload: bytes, *, name: str) -> "Query":
        _check_length(payload, cls.LAYOUT.size, "QUERY", name=name)
        ask, item = cls.LAYOUT.unpack(payload)
        return cls(ask=ask, item=item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """To a QUERY for a tensor or a layer: a part of its bytes, or its CRC-32 and its name."""

    TYPE: ClassVar[FrameType] = FrameType.ANSWER
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BxHII")

    ask: int
    item: int
    offset: int
    n_bytes: int  # of the whole
    part: bytes

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.ask, self.item, self.offset, self.n_bytes) + self.part

    @classmethod
    def unpack(cls, payload: bytes, *, name: str) -> "Answer":
        head, part = payload[: cls.LAYOUT.size], payload[cls.LAYOUT.size :]
        _check_length(head, cls.LAYOUT.size, "ANSWER", name=name)
        ask, item, offset, n_bytes = cls.LAYOUT.unpack(head)
        return cls(ask=ask, item=item, offset=offset, n_bytes=n_bytes, part=part)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPart:
    """From a host: some bytes of one input of the network on the bench."""

    TYPE: ClassVar[FrameType] = FrameType.INPUT
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<B3xI")

    number: int  # of the input, as the manifest lists them
    offset: int
    part: bytes

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.number, self.offset) + self.part

    @classmethod
    def unpack(cls, payload: bytes, *, name: str) -> "InputPart":
        head, part = payload[: cls.LAYOUT.size], payload[cls.LAYOUT.size :]
        _check_length(head, cls.LAYOUT.size, "INPUT", name=name)
        number, offset = cls.LAYOUT.unpack(head)
        return cls(number=number, offset=offset, part=part)


class Complaint(IntEnum):
    """Codes of an ERROR frame."""

    UNKNOWN_TYPE = 1
    MALFORMED = 2
    UNKNOWN_ITEM = 3
    CONVERTER = 4  # the analogue front end failed; samples are missing from here on
    NOT_NOW = 5  # only on the bench, or out of order


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceError:
    """What the device could not do."""

    TYPE: ClassVar[FrameType] = FrameType.ERROR
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BBH")

    code: int
    about: int = 0  # the type of the frame it refuses; 0: none
    detail: int = 0
    text: str = ""

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.code, self.about, self.detail) + self.text.encode()[:236]

    @classmethod
    def unpack(cls, payload: bytes, *, name: str) -> "DeviceError":
        head, text = payload[: cls.LAYOUT.size], payload[cls.LAYOUT.size :]
        _check_length(head, cls.LAYOUT.size, "ERROR", name=name)
        code, about, detail = cls.LAYOUT.unpack(head)
        return cls(code=code, about=about, detail=detail, text=_text(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Nothing follows."""

    TYPE: ClassVar[FrameType] = FrameType.END
    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<I")

    next_index: int

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.next_index)

    @classmethod
    def unpack(cls, payload: bytes, *, name: str) -> "End":
        _check_length(payload, cls.LAYOUT.size, "END", name=name)
        return cls(next_index=cls.LAYOUT.unpack(payload)[0])


def _check_length(payload: bytes, expected: int, what: str, *, name: str) -> None:
    if len(payload) != expected:
        raise StreamError(
            f"{name}: {what}: expected {expected} bytes, got {len(payload)}; "
            "the device speaks another dialect: compare its firmware with docs/protocol.md"
        )


def _text(raw: bytes) -> str:
    text = raw.split(b"\0")[0].decode(errors="replace")
    return "".join(character for character in text if character.isprintable())
