"""Verdicts as JSON lines while a source runs, and what they amount to for a person."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.bundle import Bundle
from device_sim.contract.inputs import InputKind
from device_sim.frontend import Columns
from device_sim.meter import Meter
from device_sim.picture import Lane, Said
from device_sim.pipeline import CascadePipeline, OpenBundle, Pipeline, verdict_of
from device_sim.runner import NEEDS, FileKind
from device_sim.stream import StreamFrontEnd
from device_sim.verdict import Verdict
from device_sim.verdict_files import VerdictFiles


class Judging(Protocol):
    """Takes columns and says what they complete."""

    def push(self, columns: Columns) -> list[Verdict]: ...
    def finish(self) -> list[Verdict]: ...


class Inside:
    """The core's own stream: it judged when the samples came, its columns say only how far it is."""

    def __init__(self, front_end: StreamFrontEnd) -> None:
        self._front_end = front_end

    def push(self, columns: Columns) -> list[Verdict]:
        return self._front_end.verdicts()

    def finish(self) -> list[Verdict]:
        return self._front_end.verdicts()


class VerdictLines:
    """Takes the columns of one replay and writes a line for every verdict; keeps them where asked to."""

    def __init__(
        self,
        opened: OpenBundle,
        judging: Judging,
        *,
        write: Callable[[str], None],
        keep: bool = False,
        files: VerdictFiles | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._opened, self._judging, self._meter = opened, judging, meter
        self._write, self._keep, self._files = write, keep, files
        self._counts: Counter[tuple[str, str]] = Counter()  # by bundle's digest and word
        self._kept: list[Verdict] = []
        self._took_us: list[float] = []
        # What other programs do says nothing about a network; for one in a process apart we have to wait.
        is_here = NEEDS[opened.backend].file is FileKind.GRAPH
        self._clock_ns = time.thread_time_ns if is_here else time.perf_counter_ns
        self.clock = "by the processor's time" if is_here else "by the clock"

    def push(self, columns: Columns) -> None:
        started_ns = self._clock_ns()
        verdicts = self._judging.push(columns)
        if self._keep and verdicts:
            mean_us = (self._clock_ns() - started_ns) / 1000 / len(verdicts)
            self._took_us += [mean_us] * len(verdicts)
        self._take(verdicts)

    def finish(self) -> None:
        self._take(self._judging.finish())

    def summary(self) -> list[str]:
        """What judged, and how often it said what."""
        opened = self._opened
        lines = [
            f"{opened.application.name} {opened.application.digest[:12]} on {opened.backend}: "
            f"{opened.n_vectors} vectors reproduced ({NEEDS[opened.backend].family})"
        ]
        for bundle in opened.bundles:
            counts = {word: self._counts[bundle.digest, word] for word in words_of(bundle)}
            total = sum(counts.values())
            said = ", ".join(f"{word} {n} ({n / total:.0%})" for word, n in counts.items() if n)
            what = "verdicts" if len(opened.bundles) == 1 else f"verdicts of {bundle.name}"
            lines.append(f"{what}: {total}" + (f": {said}" if said else ""))
        return lines

    def lanes(self) -> tuple[Lane, ...]:
        """What was said and when, to be drawn: a lane for each network."""
        return lanes_of(self._opened.bundles, self._kept)

    def took_us(self) -> NDArray[np.float64]:
        """From columns to each kept verdict, on this machine; verdicts of a portion share its time."""
        return np.array(self._took_us)

    def timing(self) -> str:
        """What the networks took of this machine's time, where they can be told from the front end."""
        if not isinstance(self._judging, Pipeline | CascadePipeline):
            return ""
        mean_us, most_us = self._judging.network_us()
        return f"network {mean_us:,.0f} us a window, {most_us:,.0f} us at most; "

    def _take(self, verdicts: list[Verdict]) -> None:
        if verdicts:
            with _whole():
                self._say(verdicts)
        if self._keep:
            self._kept += verdicts
        if self._meter is not None:
            self._meter.said(verdicts)

    def _say(self, verdicts: list[Verdict]) -> None:
        self._write("\n".join(json.dumps(verdict.to_json()) for verdict in verdicts))
        for verdict in verdicts:
            self._counts[verdict.bundle_digest, verdict.label] += 1
            if self._files is not None:
                self._files.take(verdict)


@contextmanager
def _whole() -> Iterator[None]:
    """A ctrl-C waits: what was said at a time stands in the lines and in the files, or in neither."""
    if threading.current_thread() is not threading.main_thread():  # signals are not for it
        yield
        return
    caught: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda *told: caught.append(told))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught and callable(before):
        before(*caught[0])


def lanes_of(bundles: Sequence[Bundle], verdicts: Sequence[Verdict]) -> tuple[Lane, ...]:
    """A lane for each network, with what it said."""
    return tuple(
        lane_of(bundle, [one for one in verdicts if one.bundle_digest == bundle.digest]) for bundle in bundles
    )


def lane_of(bundle: Bundle, verdicts: Sequence[Verdict]) -> Lane:
    """Verdicts as they are drawn: a window's in its middle, a beat's at its R peak."""
    length_us = bundle.window.length_samples * 1_000_000 // bundle.window.rate_hz
    is_beat = bundle.input is InputKind.BEAT
    hop_us = length_us if is_beat else bundle.window.hop_us
    bad = verdict_of(bundle).unusable == bundle.labels.names[0]
    return Lane(
        name=bundle.name,
        words=words_of(bundle),
        wanted=bundle.labels.names[1 if bad else 0],
        seconds=hop_us / 1e6,
        said=tuple(
            Said(
                start_s=(one.t0_us + (length_us - hop_us) / 2) / 1e6,
                word=one.label,
                score=one.score if one.score_q15 >= 0 else None,
                by=one.by,
            )
            for one in verdicts
        ),
        are_beats=is_beat,
    )


def words_of(bundle: Bundle) -> tuple[str, ...]:
    """Every word a verdict may be, once."""
    spec = verdict_of(bundle)
    return tuple(dict.fromkeys((spec.unusable, spec.undecided, *bundle.labels.names)))
