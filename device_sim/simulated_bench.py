"""The bench of a simulated device: what a host puts into it goes through the same core."""

import time
import zlib
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.bundle import Bundle
from device_sim.frontend import Flag
from device_sim.judged import bare
from device_sim.on_board import constants_on_board
from device_sim.plan import plan
from device_sim.program import program
from device_sim.send_device import Heard
from device_sim.twin import every_tensor
from device_sim.wire import Answer, Ask, InputPart, Judged, Payload, Query
from device_sim.wire_codec import Run

PART_BYTES = 228  # of an ANSWER
QUIET_S = 10.0  # without a frame of the host, a device goes back to its wearer


class Stream(Protocol):
    """The rest of the device, at its beginning."""

    def push(self, first: int, counts: NDArray[np.int32], line: Flag) -> Sequence[Payload]: ...


class SimulatedBench:
    """The networks of a device, one of them on the bench; None is the answer to what makes no sense now."""

    def __init__(
        self,
        bundles: Sequence[Bundle],
        fresh: Callable[[], Stream],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bundles, self._fresh, self._clock = bundles, fresh, clock
        self._taken = 0  # a network, from 1 on; 0: the device is its wearer's
        self._heard_s = clock()
        self._begin()

    @property
    def is_taken(self) -> bool:
        """Until the host gives it back, or is not heard of any more."""
        return self._taken > 0 and self._clock() - self._heard_s < QUIET_S

    @property
    def _bundle(self) -> Bundle:
        """Whose network is on the bench; off it the first."""
        return self._bundles[max(0, self._taken - 1)]

    def _begin(self) -> None:
        graph = self._bundle.graph
        self._constants = constants_on_board(graph, program(graph, plan(graph)))
        self._inputs = {name: np.zeros(graph.tensor(name).shape, np.int8) for name in graph.inputs}
        self._made: dict[str, NDArray[np.int8]] = {}
        self._stepped = -1
        self._stream = self._fresh()
        self._n_fed = 0

    def heard(self, heard: Heard) -> Sequence[Payload] | None:
        """What it says to a frame of a host."""
        self._taken, self._heard_s = self._taken if self.is_taken else 0, self._clock()
        if isinstance(heard, Query):
            return self._asked(heard)
        return self._given(heard) if isinstance(heard, InputPart) else self._fed(heard)

    def _asked(self, query: Query) -> Sequence[Payload] | None:
        """BENCH and TENSOR at any time, the others while it is taken."""
        match query.ask:
            case Ask.BENCH if query.item <= len(self._bundles):
                self._taken = query.item
                self._begin()
                return (_said(query),)
            case Ask.TENSOR if query.item < len(self._constants):
                one = self._constants[query.item]
                about = zlib.crc32(one.raw).to_bytes(4, "little") + one.name.encode()
                return (_said(query, about[:PART_BYTES], n_bytes=len(one.raw)),)
            case Ask.STEP if self.is_taken and query.item in (0, self._stepped, self._stepped + 1):
                return self._step(query)
            case Ask.LAYER if self.is_taken and query.item == self._stepped:
                return parted(query, self._output(query.item))
            case Ask.LOGITS if self.is_taken and self._stepped == len(self._bundle.graph.operators) - 1:
                return (self._logits(query.item),)
        return None

    def _given(self, part: InputPart) -> Sequence[Payload] | None:
        """Some bytes of an input, where there are so many."""
        names = self._bundle.graph.inputs
        if not self.is_taken or part.number >= len(names):
            return None
        whole = self._inputs[names[part.number]].reshape(-1)
        if part.offset + len(part.part) > whole.size:
            return None
        whole[part.offset : part.offset + len(part.part)] = np.frombuffer(part.part, np.int8)
        self._stepped = -1
        return (Answer(ask=Ask.INPUT, item=part.number, offset=part.offset, n_bytes=whole.size, part=b""),)

    def _fed(self, run: Run) -> Sequence[Payload] | None:
        """In place of the converter's; what came before already is only acknowledged."""
        if not self.is_taken or run.first_index > self._n_fed:
            return None
        said: list[Payload] = []
        end = run.first_index + run.counts_i32.size
        if end > self._n_fed:
            fresh = run.counts_i32[self._n_fed - run.first_index :]
            said += self._stream.push(self._n_fed, fresh, Flag(run.line))
            self._n_fed = end
        return [*said, Answer(ask=Ask.SAMPLES, item=0, offset=end, n_bytes=0, part=b"")]

    def _step(self, query: Query) -> Sequence[Payload] | None:
        if query.item >= len(self._bundle.graph.operators):
            return None
        if query.item == 0:
            # the core keeps no layer past its last reader; the twin has them all, byte for byte the same
            self._made = every_tensor(self._bundle.graph, self._inputs)
        self._stepped = query.item
        raw = self._output(query.item)
        part = zlib.crc32(raw).to_bytes(4, "little") + bytes(4)  # no cycles: nobody counts them here
        return (_said(query, part, n_bytes=len(raw)),)

    def _output(self, layer: int) -> bytes:
        return self._made[self._bundle.graph.operators[layer].output].tobytes()

    def _logits(self, window: int) -> Judged:
        outputs = (self._made[name] for name in self._bundle.graph.outputs)
        return bare(window, self._bundle, b"".join(codes.tobytes() for codes in outputs))


def _said(query: Query, part: bytes = b"", *, n_bytes: int = 0) -> Answer:
    return Answer(ask=query.ask, item=query.item, offset=0, n_bytes=n_bytes, part=part)


def parted(query: Query, whole: bytes) -> list[Answer]:
    """An answer in as many frames as it takes."""
    return [
        Answer(
            ask=query.ask,
            item=query.item,
            offset=at,
            n_bytes=len(whole),
            part=whole[at : at + PART_BYTES],
        )
        for at in range(0, len(whole), PART_BYTES)
    ]
