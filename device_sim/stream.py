"""The C stream: samples of one lead in any portions, events as they are due."""

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_sim import binding
from device_sim.app import App, Network
from device_sim.contract.errors import ContractError
from device_sim.contract.verdict import FLAGS
from device_sim.executor import Executor
from device_sim.frontend import (
    NOTHING,
    ROWS,
    Columns,
    Flag,
    FrontEnd,
    input_of,
    unrolled,
)
from device_sim.verdict import By, Verdict

NO_FLAGS: Mapping[str, int] = MappingProxyType({})
EVENT = np.dtype(
    [
        *(("t0_us", "<i8"), ("window", "<u4"), ("margin_q8", "<i4"), ("score_q15", "<i4")),
        *((name, "u1") for name in ("network", "label", "by", "n_logits")),
        *(("flag_columns", f"V{binding.FLAGS}"), ("logits", f"V{binding.LOGITS}")),
    ],
    align=True,
)  # binding.Event, whole rows at a time
ROOM = 64  # events at a time: half a minute of a cascade's
BYS = (By.NETWORK, By.RULE, By.GATE)  # enum wl_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one network's events are called."""

    labels: Mapping[int, str]
    digest: str
    net: str


class Table:
    """struct wl_app and everything it points to, kept alive."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.words = tuple(map(_words, app.networks))
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
            one.bundle.painting.colours.ctypes.data if one.bundle.painting else None,
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
        self._table, self._room = table, room
        self._core = binding.core()
        self.state = (ctypes.c_uint64 * (-(-self._core.wl_sizeof_stream() // 8)))()
        self._memory = np.zeros(table.app.memory_bytes, np.int8)
        self._events = (binding.Event * room)()
        self._rows = np.frombuffer(memoryview(self._events).cast("B"), EVENT)
        self._n_events = ctypes.c_size_t()
        self._input = input_of(rate_hz, uv_per_count, rails_counts)
        status = self._core.wl_stream_init(self.state, table.struct, self._input, self._memory.ctypes.data)
        if status:
            raise ContractError(
                f"stream: the core refused {', '.join(one.bundle.name for one in table.app.networks)} at "
                f"{rate_hz} Hz, gain {uv_per_count}, rails {rails_counts}: status {status}"
            )

    def push(self, counts: ArrayLike, *, line: Flag = NOTHING) -> list[Verdict]:
        """What these samples complete; line (LEAD_OFF, GAP) is true of all of them."""
        array = binding.as_counts(counts)
        said: list[Verdict] = []
        taken = 0
        while True:
            taken += self._core.wl_stream_push(
                *(self.state, array[taken:].ctypes.data, array.size - taken, int(line)),
                *(self._events, self._room, self._n_events),
            )
            said += self._verdicts(self._n_events.value)
            if taken == array.size and self._n_events.value < self._room:
                return said

    def finish(self) -> list[Verdict]:
        """What the end of the recording still gives."""
        said: list[Verdict] = []
        while True:
            n_events = self._core.wl_stream_finish(self.state, self._events, self._room)
            said += self._verdicts(n_events)
            if n_events < self._room:
                return said

    def _verdicts(self, n_events: int) -> Iterator[Verdict]:
        """Events with the words and digests of their bundles."""
        for t0_us, window, margin_q8, score_q15, network, label, by, n, flags, logits in self._rows[
            :n_events
        ].tolist():
            words = self._table.words[network]
            yield Verdict(
                label=words.labels[label],
                score_q15=score_q15,
                margin_q8=margin_q8,
                by=BYS[by],
                t0_us=t0_us,
                window_index=window,
                flags={flag: k for flag, k in zip(FLAGS, flags, strict=True) if k}
                if any(flags)
                else NO_FLAGS,
                bundle_digest=words.digest,
                logits=logits[:n],
                net=words.net,
            )


class StreamFrontEnd(FrontEnd):
    """The front end inside a stream: columns as ever, and verdicts beside them."""

    def __init__(
        self,
        table: Table,
        *,
        rate_hz: int,
        uv_per_count: Fraction | float | int = 1,
        rails_counts: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(rate_hz=rate_hz, uv_per_count=uv_per_count, rails_counts=rails_counts)
        self._stream = CoreStream(
            table, rate_hz=rate_hz, uv_per_count=uv_per_count, rails_counts=rails_counts
        )
        self._verdicts: list[Verdict] = []
        inside = binding.StreamHead.from_buffer(self._stream.state)
        self._head = inside.frontend
        self._codes = np.ctypeslib.as_array(inside.image.code).reshape(binding.IMAGE_COLUMNS, ROWS)
        self._flags = np.ctypeslib.as_array(inside.image.flags)
        self._beat_uv = np.ctypeslib.as_array(inside.beats.x_uv)

    def verdicts(self) -> list[Verdict]:
        """Those that are new since the last call."""
        new, self._verdicts = self._verdicts, []
        return new

    def flush(self) -> Columns:
        """The end: what its last sample, held, still completes; a caller cuts what it does not hold."""
        column, beat = int(self._head.n_columns), int(self._head.n_beats)
        self._verdicts += self._stream.finish()
        column_end, beat_end = int(self._head.n_columns), int(self._head.n_beats)
        return Columns(
            first_index=column,
            codes_ts_i8=unrolled(self._codes, column, column_end),
            flags_u8=unrolled(self._flags, column, column_end),
            first_beat_index=beat,
            beat_uv_i16=unrolled(self._beat_uv, beat, beat_end),
        )

    def _take(self, chunk: NDArray[np.int32], line: Flag) -> None:
        self._verdicts += self._stream.push(chunk, line=line)


def _words(one: Network) -> Words:
    labels = dict(enumerate(one.bundle.labels.names))
    labels |= {binding.UNDECIDED: one.spec.undecided, binding.UNUSABLE: one.spec.unusable}
    return Words(labels=labels, digest=one.bundle.digest, net=one.net)
