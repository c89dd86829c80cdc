"""A bundle opened on a backend: samples in, verdicts out, the same for any portions."""

import time
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_sim.apart import Apart
from device_sim.app import NETS, app_of, is_streamed
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of, read_application
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.inputs import IMAGES, InputKind
from device_sim.contract.verdict import FLAGS, VerdictSpec
from device_sim.feed import BeatFeed, Windows, feed_of, inputs_of
from device_sim.fingerprint import check_frontend
from device_sim.frontend import BEAT_HZ, HOP_SAMPLES, NOTHING, STREAM_HZ, Columns, Flag, FrontEnd
from device_sim.gate import Gatekeeper
from device_sim.runner import NEEDS, Backend, FileKind, Runner, model_in, open_runner
from device_sim.stream import CoreStream, Table
from device_sim.vectors import check_vectors
from device_sim.verdict import UNKNOWN_Q15, Answer, By, Judge, Verdict

BATCH_WINDOWS = 512  # what is held at a time of a long recording
COLUMN_LAG = 39  # hops until a column is complete
BEATS_A_HOP, BEATS_BEHIND = 8, 14
NO_FLAGS: Mapping[str, int] = MappingProxyType({})


class Pipeline:
    """One network: columns in order in any portions, verdicts as their windows complete."""

    def __init__(
        self,
        bundle: Bundle,
        runner: Runner,
        *,
        delay_us: int,
        net: str = "",
        gatekeeper: Gatekeeper | None = None,
    ) -> None:
        self._bundle, self._runner, self._delay_us, self._net = bundle, runner, delay_us, net
        self._digest, self._spec = bundle.digest, verdict_of(bundle)
        self._judge = Judge(self._spec, bundle.labels)
        self._gatekeeper = gatekeeper
        is_behind = gatekeeper is not None and bundle.input is InputKind.BEAT
        self._feed = BeatFeed(gatekeeper, usable=self._judge.usable) if is_behind else feed_of(bundle)
        self._n_windows = 0
        self._n_run, self._run_ns, self._most_ns = 0, 0, 0

    def push(self, columns: Columns) -> list[Verdict]:
        """Verdicts of the windows that these columns complete."""
        return self._judged(self._feed.push(columns))

    def finish(self) -> list[Verdict]:
        """Verdicts that waited for what will not come: the beat after the last one."""
        return self._judged(self._feed.finish())

    def network_us(self) -> tuple[float, float]:
        """Time of the network alone: mean of a window, and the slowest batch's mean."""
        return self._run_ns / max(1, self._n_run) / 1000, self._most_ns / 1000

    def _judged(self, windows: Windows) -> list[Verdict]:
        return [
            verdict
            for start in range(0, windows.n_windows, BATCH_WINDOWS)
            for verdict in self._batch(windows.part(start, start + BATCH_WINDOWS))
        ]

    def _batch(self, windows: Windows) -> Iterator[Verdict]:
        usable = self._judge.usable(windows.flag_columns)
        signal = np.full(usable.size, Answer.YES.value) if windows.signal is None else windows.signal
        asked = usable & (signal == Answer.YES.value)
        logits = self._logits(windows, asked)
        codes = self._codes(logits)
        if self._gatekeeper is not None and self._bundle.input in IMAGES:
            self._gatekeeper.hear(codes[self._gatekeeper.gate.output], usable)
        flagged = windows.flag_columns.any(axis=1).tolist()
        first, self._n_windows = self._n_windows, self._n_windows + windows.n_windows
        judged = self._judge.push(codes, asked)
        times_us = (windows.t0_us - self._delay_us).tolist()
        for k, (label, score_q15, margin_q8) in enumerate(judged):
            by = By.NETWORK if asked[k] else By.GATE if usable[k] else By.RULE
            if by is By.GATE:
                is_unsure = signal[k] == Answer.UNDECIDED.value
                label, score_q15 = self._spec.undecided if is_unsure else self._spec.unusable, UNKNOWN_Q15
            yield Verdict(
                label=label,
                score_q15=score_q15,
                margin_q8=margin_q8,
                by=by,
                t0_us=times_us[k],
                window_index=first + k,
                flags=_named(windows.flag_columns[k]) if flagged[k] else NO_FLAGS,
                bundle_digest=self._digest,
                logits=logits[k].tobytes() if asked[k] else b"",
                net=self._net,
            )

    def _logits(self, windows: Windows, asked: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Every output of every window, one after the other; the network sees only what may be judged."""
        graph = self._bundle.graph
        inputs = inputs_of(self._bundle, windows.parts)
        logits = np.zeros((asked.size, sum(graph.tensor(name).n_bytes for name in graph.outputs)), np.int8)
        if asked.all() and asked.size:
            logits = self._run(inputs)
        elif asked.any():
            logits[asked] = self._run({name: x[asked] for name, x in inputs.items()})
        return logits

    def _codes(self, logits: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
        """The outputs of one code."""
        graph, at, codes = self._bundle.graph, 0, {}
        for name in graph.outputs:
            if graph.tensor(name).n_bytes == 1:
                codes[name] = logits[:, at]
            at += graph.tensor(name).n_bytes
        return codes

    def _run(self, inputs: Mapping[str, NDArray[np.int8]]) -> NDArray[np.int8]:
        started = time.perf_counter_ns()
        said = self._runner.run(inputs)
        taken_ns, n_windows = time.perf_counter_ns() - started, len(next(iter(inputs.values())))
        self._n_run, self._run_ns = self._n_run + n_windows, self._run_ns + taken_ns
        self._most_ns = max(self._most_ns, taken_ns // n_windows)
        outputs = [said[name].reshape(n_windows, -1) for name in self._bundle.graph.outputs]
        return np.concatenate(outputs, axis=1)


def _named(counts: NDArray[np.int64]) -> dict[str, int]:
    return {flag: n for flag, n in zip(FLAGS, counts.tolist(), strict=True) if n}


class CascadePipeline:
    """Two networks: after each column what is said of the signal, then what is said of its beats."""

    def __init__(self, cascade: Cascade, runners: Sequence[Runner], *, delay_us: int) -> None:
        keeper = Gatekeeper(cascade.gate, cascade.quality.window.hop_samples // HOP_SAMPLES)
        self._quality, self._beat = (
            Pipeline(bundle, runner, delay_us=delay_us, net=net, gatekeeper=keeper)
            for net, bundle, runner in zip(NETS, bundles_of(cascade), runners, strict=True)
        )
        self._hop = 0
        self._n_columns = self._n_beats = 0

    def push(self, columns: Columns) -> list[Verdict]:
        """Verdicts of the windows and beats that these columns complete."""
        said: list[Verdict] = []
        for part in self._hops(columns):
            said += self._quality.push(part)
            said += self._beat.push(part)
        return said

    def finish(self) -> list[Verdict]:
        """Verdicts that waited for what will not come."""
        return [*self._quality.finish(), *self._beat.finish()]

    def network_us(self) -> tuple[float, float]:
        """Of the quality network, which takes nearly all of it."""
        return self._quality.network_us()

    def _hops(self, columns: Columns) -> Iterator[Columns]:
        """Hop by hop, as the core goes: after hop h (0, 1 ..) h - 38 columns, 8 h - 14 beat samples."""
        first_column, first_beat = self._n_columns, self._n_beats
        last_column = first_column + columns.flags_u8.size
        last_beat = first_beat + columns.beat_uv_i16.size
        while self._n_columns < last_column or self._n_beats < last_beat:
            column = min(max(self._hop + 1 - COLUMN_LAG, self._n_columns), last_column)
            beat = min(max(BEATS_A_HOP * self._hop - BEATS_BEHIND, self._n_beats), last_beat)
            yield Columns(
                first_index=self._n_columns,
                codes_ts_i8=columns.codes_ts_i8[self._n_columns - first_column : column - first_column],
                flags_u8=columns.flags_u8[self._n_columns - first_column : column - first_column],
                first_beat_index=self._n_beats,
                beat_uv_i16=columns.beat_uv_i16[self._n_beats - first_beat : beat - first_beat],
            )
            self._n_columns, self._n_beats = column, beat
            self._hop += 1


class OpenBundle:
    """What may judge, its vectors reproduced; a runtime beside it ends with close() or a `with`."""

    def __init__(self, application: Bundle | Cascade, backend: Backend = Backend.CORE) -> None:
        self.application, self.backend = application, backend
        self.bundles = bundles_of(application)
        self.n_vectors = 0
        self._apart: list[Apart] = []
        self._runners: list[Runner] = []
        try:
            for bundle in self.bundles:
                self._open(bundle)
        except BaseException:
            self.close()
            raise

    def _open(self, bundle: Bundle) -> None:
        verdict_of(bundle)
        check_frontend(bundle)
        model = model_in(bundle, self.backend)
        if NEEDS[self.backend].file is FileKind.GRAPH:
            self._runners.append(open_runner(self.backend, model))
        else:
            self._apart.append(Apart(self.backend, model))
            self._runners.append(self._apart[-1])
        self.n_vectors += check_vectors(bundle, self._runners[-1], NEEDS[self.backend].family)

    @property
    def is_inside(self) -> bool:
        """Whether the core cuts the windows too."""
        return self.backend is Backend.CORE and is_streamed(self.application)

    @cached_property
    def table(self) -> Table:
        """For streams of the core."""
        return Table(app_of(self.application))

    @property
    def bundle(self) -> Bundle:
        """The only one."""
        if isinstance(self.application, Cascade):
            raise ContractError(f"{self.application.name}: expected a single bundle, got a cascade of two")
        return self.application

    def run(
        self,
        samples: ArrayLike,
        *,
        rate_hz: int,
        uv_per_lsb: Fraction | float | int = 1,
        rails: tuple[int, int] | None = None,
    ) -> list[Verdict]:
        """A whole recording: integer counts of one lead, worth uv_per_lsb microvolts each."""
        stream = self.stream(rate_hz=rate_hz, uv_per_lsb=uv_per_lsb, rails=rails)
        return [*stream.push(samples), *stream.finish()]

    def stream(
        self,
        *,
        rate_hz: int,
        uv_per_lsb: Fraction | float | int = 1,
        rails: tuple[int, int] | None = None,
    ) -> "Stream | CoreStream":
        """A recording as it comes."""
        if self.is_inside:
            return CoreStream(self.table, rate_hz=rate_hz, uv_per_count=uv_per_lsb, rails_counts=rails)
        front_end = FrontEnd(rate_hz=rate_hz, uv_per_count=uv_per_lsb, rails_counts=rails)
        return Stream(front_end, self.pipeline(delay_us=front_end.delay_us), rate_hz)

    def pipeline(self, *, delay_us: int) -> Pipeline | CascadePipeline:
        """From columns on, for a caller with a front end of its own."""
        if isinstance(self.application, Cascade):
            return CascadePipeline(self.application, self._runners, delay_us=delay_us)
        return Pipeline(self.application, self._runners[0], delay_us=delay_us)

    def close(self) -> None:
        for one in self._apart:
            one.close()

    def __enter__(self) -> "OpenBundle":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stream:
    """Samples of one lead in any portions; verdicts as they are due."""

    def __init__(self, front_end: FrontEnd, pipeline: Pipeline | CascadePipeline, rate_hz: int) -> None:
        self._front_end, self._pipeline, self._rate_hz = front_end, pipeline, rate_hz
        self._n_samples = 0

    def push(self, samples: ArrayLike, *, line: Flag = NOTHING) -> list[Verdict]:
        """line (LEAD_OFF, GAP) is true of all these samples; in a gap they are made up to fill it."""
        columns = self._front_end.push(samples, line=line)
        self._n_samples += np.size(samples)
        return self._pipeline.push(columns)

    def finish(self) -> list[Verdict]:
        """What the end of the recording still gives: columns whose centre it holds, the last beats."""
        if self._n_samples == 0:
            return []
        rest = self._front_end.flush()
        n_columns = -(-self._n_samples * STREAM_HZ // (self._rate_hz * HOP_SAMPLES)) - rest.first_index
        n_beats = -(-self._n_samples * BEAT_HZ // self._rate_hz) - rest.first_beat_index
        due = Columns(
            first_index=rest.first_index,
            codes_ts_i8=rest.codes_ts_i8[: max(0, n_columns)],
            flags_u8=rest.flags_u8[: max(0, n_columns)],
            first_beat_index=rest.first_beat_index,
            beat_uv_i16=rest.beat_uv_i16[: max(0, n_beats)],
        )
        return [*self._pipeline.push(due), *self._pipeline.finish()]


def verdict_of(bundle: Bundle) -> VerdictSpec:
    """What a bundle says verdicts are made of, or one line where it says nothing."""
    if bundle.verdict is None:
        raise ContractError(
            f"{bundle.name}: verdict: expected thresholds and scores, found none; "
            "this network gives numbers that nobody has calibrated"
        )
    return bundle.verdict


def open_bundle(path: Path | str, backend: Backend | str = Backend.CORE) -> OpenBundle:
    """Read, check and start a bundle: every digest, the front end's, and its vectors on the backend."""
    folder = Path(path)
    try:
        return OpenBundle(read_application(folder), Backend(backend))
    except (ContractError, DigestError) as error:
        if str(error).startswith(str(folder)):
            raise
        raise type(error)(f"{folder}: {error}") from None
