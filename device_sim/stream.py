"""The C stream: samples of one lead in any portions, events as they are due."""

import ctypes
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_sim import binding
from device_sim.app import App, Network
from device_sim.contract.errors import ContractError
from device_sim.contract.verdict import FLAGS
from device_sim.executor import Executor
from device_sim.frontend import NO_RAILS, NOTHING, Flag, rational_gain
from device_sim.verdict import By, Verdict

ROOM = 64  # events at a time: half a minute of a cascade's
BYS = (By.NETWORK, By.RULE, By.GATE)  # enum wl_by


class Table:
    """struct wl_app and everything it points to, kept alive."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._executors = [Executor(one.bundle.graph, one.memory) for one in app.networks]
        self._scores: list[NDArray[np.uint16]] = []
        networks = (binding.Network * len(app.networks))(*map(self._network, app.networks, self._executors))
        self.struct = binding.App(networks, None, len(networks), app.memory_bytes)
        if app.gate is not None:
            gate = app.gate
            self.struct.gate = ctypes.pointer(
                binding.Gate(
                    *(gate.accept_q8, gate.reject_q8, gate.hold_q8, app.gate_question),
                    *(gate.windows, gate.protects),
                )
            )

    def _network(self, one: Network, executor: Executor) -> binding.Network:
        scores = [np.array(question.score_q15, np.uint16) for question in one.spec.questions]
        self._scores += scores
        questions = [
            binding.Question(
                table.ctypes.data,
                question.accept_q8,
                question.reject_q8,
                question.hold_q8,
                one.at_of(question),
            )
            for question, table in zip(one.spec.questions, scores, strict=True)
        ]
        return binding.Network(
            ctypes.pointer(executor.net),
            (binding.Question * len(questions))(*questions),
            (binding.Place * len(one.outputs))(*(binding.Place(*place) for place in one.outputs)),
            *(len(questions), len(one.outputs), one.at, one.at_rr, one.hop),
            *(one.spec.mean_windows, one.spec.mean_hops, one.unusable_score_q15),
            (ctypes.c_int16 * binding.FLAGS)(*one.flag_limits),
            one.input,
            (ctypes.c_uint8 * 8).from_buffer_copy(bytes.fromhex(one.bundle.digest[:16])),
        )


class CoreStream:
    """One stream of the core; its memory is its own."""

    def __init__(
        self,
        table: Table,
        *,
        rate_hz: int,
        uv_per_count: Fraction | float | int = 1,
        rails_counts: tuple[int, int] | None = None,
        room: int = ROOM,
    ) -> None:
        self._table = table
        self._core = binding.core()
        self._state = (ctypes.c_uint64 * (-(-self._core.wl_sizeof_stream() // 8)))()
        self._memory = np.zeros(table.app.memory_bytes, np.int8)
        self._room = room
        self._events = (binding.Event * room)()
        self._n_events = ctypes.c_size_t()
        self._input = binding.Input(rate_hz, *rational_gain(uv_per_count), *(rails_counts or NO_RAILS))
        status = self._core.wl_stream_init(self._state, table.struct, self._input, self._memory.ctypes.data)
        if status:
            raise ContractError(f"stream: the core refused its tables or its input: status {status}")

    def push(self, counts: ArrayLike, *, line: Flag = NOTHING) -> Iterator[binding.Event]:
        """What these samples complete; an event holds until the next is asked for."""
        array = binding.as_counts(counts)
        taken = 0
        while True:
            taken += self._core.wl_stream_push(
                *(self._state, array[taken:].ctypes.data, array.size - taken, int(line)),
                *(self._events, self._room, self._n_events),
            )
            yield from self._events[: self._n_events.value]
            if taken == array.size and self._n_events.value < self._room:
                return

    def finish(self) -> Iterator[binding.Event]:
        """What the end of the recording still gives."""
        n_events = self._room
        while n_events == self._room:
            n_events = self._core.wl_stream_finish(self._state, self._events, self._room)
            yield from self._events[:n_events]


def verdicts_of(events: Iterator[binding.Event], app: App) -> list[Verdict]:
    """Events with the words and digests of their bundles."""
    words = [
        {
            **dict(enumerate(one.bundle.labels.names)),
            binding.UNDECIDED: one.spec.undecided,
            binding.UNUSABLE: one.spec.unusable,
        }
        for one in app.networks
    ]
    digests = [one.bundle.digest for one in app.networks]
    return [
        Verdict(
            label=words[event.network][event.label],
            score_q15=event.score_q15,
            margin_q8=event.margin_q8,
            by=BYS[event.by],
            t0_us=event.t0_us,
            window_index=event.window,
            flags={flag: n for flag, n in zip(FLAGS, event.flag_columns, strict=True) if n},
            bundle_digest=digests[event.network],
        )
        for event in events
    ]
