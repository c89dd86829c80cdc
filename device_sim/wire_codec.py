"""The two ends of a wire, through the C codec: frames to bytes, bytes to frames."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim import binding
from device_sim.contract.errors import ContractError
from device_sim.wire import FrameType, Payload

VERSION = 1
SAMPLES_A_FRAME = {2: 116, 3: 77}  # by bytes each
FRAMES_AT_ONCE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The samples of some SAMPLES frames that continue one another."""

    first_index: int
    counts_i32: NDArray[np.int32]
    n_frames: int
    session: int
    line: int


class Encoder:
    """One end of a link: frames in, bytes for the wire out."""

    def __init__(self, *, session: int = 0) -> None:
        self.session = session
        self.n_frames = 0
        self._core = binding.core()
        self._frame = binding.Frame(version=VERSION, session=session)
        self._bytes = ctypes.create_string_buffer(binding.WIRE_BYTES)

    def payload(self, payload: Payload) -> bytes:
        """One frame."""
        packed = payload.pack()
        ctypes.memmove(self._frame.payload, packed, len(packed))
        self._frame.n_payload = len(packed)
        return self._encoded(payload.TYPE)

    def samples(
        self, first_index: int, counts_i32: NDArray[np.int32], *, bytes_each: int, line: int = 0
    ) -> bytes:
        """One SAMPLES frame; all counts must fit into it."""
        counts = np.ascontiguousarray(counts_i32, np.int32)
        self._frame.n_payload = 0
        n_taken = self._core.wl_frame_put_samples(
            self._frame, first_index % 2**32, counts.ctypes.data, counts.size, bytes_each, line
        )
        if n_taken != counts.size:
            raise ContractError(f"SAMPLES: expected at most {n_taken} samples, got {counts.size}")
        return self._encoded(FrameType.SAMPLES)

    def _encoded(self, kind: FrameType) -> bytes:
        self._frame.type = kind
        self._frame.sequence = self.n_frames % 256
        self.n_frames += 1
        n_bytes = self._core.wl_wire_encode(self._frame, self._bytes)
        return self._bytes.raw[:n_bytes]


class Frames:
    """Some frames in the order they came."""

    def __init__(self, room: "ctypes.Array[binding.Frame]", n_frames: int) -> None:
        self.n_frames = n_frames
        self._room = room
        self._core = binding.core()

    def __getitem__(self, at: int) -> binding.Frame:
        return self._room[at]

    def run(self, at: int, n_frames: int | None = None) -> Run | None:
        """The samples from one frame on, of at most so many; None where it contradicts itself."""
        n_frames = self.n_frames - at if n_frames is None else n_frames
        counts = np.empty(n_frames * SAMPLES_A_FRAME[2], np.int32)
        n_counts = ctypes.c_size_t()
        n_frames = self._core.wl_frames_samples(
            ctypes.addressof(self._room) + at * ctypes.sizeof(binding.Frame),
            n_frames,
            counts.ctypes.data,
            n_counts,
        )
        if n_frames == 0:
            return None
        first = self._room[at]
        return Run(
            first_index=int.from_bytes(bytes(first.payload[:4]), "little"),
            counts_i32=counts[: n_counts.value].copy(),
            n_frames=n_frames,
            session=first.session,
            line=first.payload[6],
        )


class Decoder:
    """The other end: bytes in any portions, whole frames out."""

    def __init__(self) -> None:
        self._core = binding.core()
        self._wire = binding.Wire()
        self._core.wl_wire_init(self._wire)

    @property
    def n_frames(self) -> int:
        return int(self._wire.n_frames)

    @property
    def n_damaged(self) -> int:
        """Stretches between two zeros that were no frame."""
        return int(self._wire.n_damaged)

    def frames(self, received: bytes) -> Iterator[Frames]:
        """The frames that these bytes complete, in portions."""
        while received:
            room = (binding.Frame * FRAMES_AT_ONCE)()
            n_found = ctypes.c_size_t()
            n_taken = self._core.wl_wire_decode(
                self._wire, received, len(received), room, FRAMES_AT_ONCE, n_found
            )
            received = received[n_taken:]
            yield Frames(room, n_found.value)

    def each(self, received: bytes) -> list[binding.Frame]:
        """The same frames, one by one."""
        return [found[at] for found in self.frames(received) for at in range(found.n_frames)]


def content_of(frame: binding.Frame) -> bytes:
    """The payload as bytes."""
    return bytes(frame.payload[: frame.n_payload])
