"""A bundle opened on a backend: samples in, verdicts out, the same for any portions."""

import time
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_sim.apart import Apart
from device_sim.contract.bundle import Bundle, read_bundle
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.verdict import FLAGS, VerdictSpec
from device_sim.feed import Windows, feed_of, inputs_of
from device_sim.fingerprint import check_frontend
from device_sim.frontend import BEAT_HZ, HOP_SAMPLES, NOTHING, STREAM_HZ, Columns, Flag, FrontEnd
from device_sim.runner import NEEDS, Backend, FileKind, Runner, model_in, open_runner
from device_sim.vectors import check_vectors
from device_sim.verdict import By, Judge, Verdict

BATCH_WINDOWS = 512  # what is held at a time of a long recording
NO_FLAGS: Mapping[str, int] = MappingProxyType({})


class Pipeline:
    """One stream: columns in order in any portions, verdicts as their windows complete."""

    def __init__(self, bundle: Bundle, runner: Runner, *, delay_us: int) -> None:
        self._bundle, self._runner, self._delay_us = bundle, runner, delay_us
        self._digest = bundle.digest
        self._feed = feed_of(bundle)
        self._judge = Judge(verdict_of(bundle), bundle.labels)
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
        codes = self._codes(windows, usable)
        flagged = windows.flag_columns.any(axis=1).tolist()
        first, self._n_windows = self._n_windows, self._n_windows + windows.n_windows
        judged = self._judge.push(codes, usable)
        times_us, by_rule = (windows.t0_us - self._delay_us).tolist(), (~usable).tolist()
        for k, (label, score_q15, margin_q8) in enumerate(judged):
            yield Verdict(
                label=label,
                score_q15=score_q15,
                margin_q8=margin_q8,
                by=By.RULE if by_rule[k] else By.NETWORK,
                t0_us=times_us[k],
                window_index=first + k,
                flags=_named(windows.flag_columns[k]) if flagged[k] else NO_FLAGS,
                bundle_digest=self._digest,
            )

    def _codes(self, windows: Windows, usable: NDArray[np.bool_]) -> dict[str, NDArray[np.int8]]:
        """One code for each output and window; the network sees only what may be judged."""
        graph = self._bundle.graph
        inputs = inputs_of(self._bundle, windows.parts)
        if usable.all():
            return {name: y.reshape(-1) for name, y in self._run(inputs).items() if y[0].size == 1}
        codes = {name: np.zeros(usable.size, np.int8) for name in graph.outputs}
        if usable.any():
            said = self._run({name: x[usable] for name, x in inputs.items()})
            for name, y in said.items():
                if y[0].size == 1:
                    codes[name][usable] = y.reshape(-1)
        return codes

    def _run(self, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, NDArray[np.int8]]:
        started = time.perf_counter_ns()
        said = self._runner.run(inputs)
        taken_ns, n_windows = time.perf_counter_ns() - started, len(next(iter(inputs.values())))
        self._n_run, self._run_ns = self._n_run + n_windows, self._run_ns + taken_ns
        self._most_ns = max(self._most_ns, taken_ns // n_windows)
        return said


def _named(counts: NDArray[np.int64]) -> dict[str, int]:
    return {flag: n for flag, n in zip(FLAGS, counts.tolist(), strict=True) if n}


class OpenBundle:
    """A bundle ready to judge, its vectors reproduced; a runtime beside it ends with close() or a `with`."""

    def __init__(self, bundle: Bundle, backend: Backend = Backend.CORE) -> None:
        self.bundle, self.backend = bundle, backend
        verdict_of(bundle)
        check_frontend(bundle)
        model = model_in(bundle, backend)
        self._apart = Apart(backend, model) if NEEDS[backend].file is not FileKind.GRAPH else None
        self._runner: Runner = self._apart or open_runner(backend, model)
        try:
            self.n_vectors = check_vectors(bundle, self._runner, NEEDS[backend].family)
        except BaseException:
            self.close()
            raise

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
    ) -> "Stream":
        """A recording as it comes."""
        front_end = FrontEnd(rate_hz=rate_hz, uv_per_count=uv_per_lsb, rails_counts=rails)
        return Stream(front_end, self.pipeline(delay_us=front_end.delay_us), rate_hz)

    def pipeline(self, *, delay_us: int) -> Pipeline:
        """From columns on, for a caller with a front end of its own."""
        return Pipeline(self.bundle, self._runner, delay_us=delay_us)

    def close(self) -> None:
        if self._apart is not None:
            self._apart.close()

    def __enter__(self) -> "OpenBundle":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stream:
    """Samples of one lead in any portions; verdicts as they are due."""

    def __init__(self, front_end: FrontEnd, pipeline: Pipeline, rate_hz: int) -> None:
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
        return OpenBundle(read_bundle(folder), Backend(backend))
    except (ContractError, DigestError) as error:
        if str(error).startswith(str(folder)):
            raise
        raise type(error)(f"{folder}: {error}") from None
