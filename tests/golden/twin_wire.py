"""The wire by its definition: zlib's CRC-32, COBS as a split at zeros, payloads through struct; its vectors.

wire/: little-endian int32 words: magic, n_frames, n_damaged, n_bytes, and 1 where encoding the frames gives
the stream. For each frame its head as one word, n_payload and the payload; then the stream; all padded to
four bytes.
"""

import random
import struct
import zlib
from dataclasses import dataclass

MAGIC = 0x31574C57  # "WLW1"
SEED = 20261121
MAX_RAW = 248
HELLO, SAMPLES, STATUS, COLUMN, VERDICT, QUERY, ANSWER, ERROR, END = range(1, 10)


@dataclass(frozen=True, kw_only=True)
class Frame:
    type: int
    payload: bytes = b""
    version: int = 1
    session: int = 0
    sequence: int = 0

    @property
    def raw(self) -> bytes:
        head = bytes([self.version, self.type, self.session, self.sequence])
        return head + self.payload + struct.pack("<I", zlib.crc32(head + self.payload))


def encode(frame: Frame) -> bytes:
    """Each run between zeros behind its length plus one: no zero is left, so a zero ends the frame."""
    return b"".join(bytes([len(run) + 1]) + run for run in frame.raw.split(b"\0")) + b"\0"


def decode(stream: bytes) -> tuple[list[Frame], int]:
    """The frames of a stream, and how many stretches between two zeros were none."""
    frames, n_damaged = [], 0
    for stretch in stream.split(b"\0")[:-1]:
        if stretch:
            frame = _frame_of(stretch)
            frames += [frame] if frame else []
            n_damaged += frame is None
    return frames, n_damaged


def _frame_of(stretch: bytes) -> Frame | None:
    runs = []
    while stretch:
        if stretch[0] > len(stretch):
            return None
        runs.append(stretch[1 : stretch[0]])
        stretch = stretch[stretch[0] :]
    raw = b"\0".join(runs)
    if not 8 <= len(raw) <= MAX_RAW or struct.unpack("<I", raw[-4:])[0] != zlib.crc32(raw[:-4]):
        return None
    return Frame(version=raw[0], type=raw[1], session=raw[2], sequence=raw[3], payload=raw[4:-4])


def samples(first_index: int, counts: list[int], *, bytes_each: int = 2, line: int = 0) -> bytes:
    """The payload of a SAMPLES frame."""
    head = struct.pack("<IBBBx", first_index, len(counts), bytes_each, line)
    return head + b"".join(count.to_bytes(bytes_each, "little", signed=True) for count in counts)


def files() -> dict[str, tuple[str, bytes]]:
    """file -> (why it exists, its bytes)"""
    return {f"wire/{name}.bin": (why, to_bytes(stream)) for name, (why, stream) in _streams().items()}


def to_bytes(stream: bytes) -> bytes:
    frames, n_damaged = decode(stream)
    is_clean = b"".join(map(encode, frames)) == stream
    parts = [struct.pack("<5i", MAGIC, len(frames), n_damaged, len(stream), is_clean)]
    for frame in frames:
        parts += [frame.raw[:4], struct.pack("<i", len(frame.payload)), _padded(frame.payload)]
    return b"".join([*parts, _padded(stream)])


def from_bytes(raw: bytes) -> tuple[list[Frame], int, bytes]:
    """What to_bytes wrote: frames, how many stretches are damaged, the stream."""
    magic, n_frames, n_damaged, n_bytes, _is_clean = struct.unpack_from("<5i", raw)
    assert magic == MAGIC, f"not a vector of the wire: starts with {magic:#x}"
    at, frames = 20, []
    for _ in range(n_frames):
        head, n_payload = raw[at : at + 4], struct.unpack_from("<i", raw, at + 4)[0]
        payload = raw[at + 8 : at + 8 + n_payload]
        frames.append(
            Frame(version=head[0], type=head[1], session=head[2], sequence=head[3], payload=payload)
        )
        at += 8 + len(_padded(payload))
    return frames, n_damaged, raw[at : at + n_bytes]


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)


def _streams() -> dict[str, tuple[str, bytes]]:
    """name -> (why it exists, bytes on the wire)"""
    chance = random.Random(SEED)
    ramp = [Frame(type=SAMPLES, payload=samples(16 * k, [100 * k] * 16), sequence=k) for k in range(40)]
    clean = b"".join(map(encode, ramp))
    flipped = bytearray(clean)
    for _ in range(12):
        flipped[chance.randrange(len(clean))] ^= 1 << chance.randrange(8)
    shortened = bytes(byte for byte in clean if chance.random() > 0.005)
    sizes = [
        Frame(type=1 + n % 9, payload=chance.randbytes(n), session=n, sequence=255 - n) for n in range(241)
    ]
    extremes = [
        Frame(type=SAMPLES, payload=samples(2**32 - 3, [-32768, 32767, 0, -1, 1])),
        Frame(type=SAMPLES, payload=samples(5, [-(2**23), 2**23 - 1, 0, -1, 1], bytes_each=3, line=4)),
        Frame(type=SAMPLES, payload=samples(0, [-1] * 116)),
        Frame(type=SAMPLES, payload=samples(0, [0] * 77, bytes_each=3)),
    ]
    return {
        "sizes": ("every length of payload", b"".join(map(encode, sizes))),
        "zeros": ("a zero in every place", encode(Frame(type=0, version=0, payload=bytes(240)))),
        "no_zeros": ("the longest run without a zero", encode(Frame(type=END, payload=b"\xff" * 240))),
        "extremes": ("the ends of 16 and 24 bits, full frames", b"".join(map(encode, extremes))),
        "flipped": ("twelve bits flipped, in codes, zeros and payload", bytes(flipped)),
        "shortened": ("bytes lost anywhere", shortened),
        "attached": ("a receiver that comes in the middle of a frame", clean[17:]),
        "idle": ("zeros alone say nothing and harm nothing", bytes(9) + clean[:200] + bytes(300)),
        "too_long": (
            "a run that no frame is as long as, then frames",
            b"\x05" * 1000 + b"\0" + clean[:120] + b"\0" + b"\xff" * 254 + b"\0" + clean[:40],
        ),
        "noise": ("a wrong baud rate", chance.randbytes(20_000)),
    }
