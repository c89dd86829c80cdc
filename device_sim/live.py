"""A source as it happens: moments of samples, columns, beats and verdicts, and how the line is."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from device_sim.feed import NO_COLUMNS
from device_sim.frontend import BEAT_HZ, Columns
from device_sim.link_source import LinkSource
from device_sim.picture import Lane
from device_sim.pipeline import OpenBundle
from device_sim.replay import STRIDE_COLUMNS, Replay
from device_sim.rpeaks import RPeaks
from device_sim.send import Pace
from device_sim.sources import Annotations, Chunk, Gap, Samples, Source, split
from device_sim.verdict_lines import lanes_of

MOMENT_S = 0.25  # how often somebody who looks on is told
BLOCK_S = 0.0625  # of a recording that is played: what a device puts into a frame
STALL_S = 1.5  # without a sample for so long a line is silent
RATE_BEATS = 8  # intervals that a heart rate is the median of
NEW_S = 5.0  # a rate is of beats no older
LONGEST_GAP_S = 10  # that is handed on sample by sample


class Line(StrEnum):
    """How the line to a device is."""

    LIVE = "live"
    SILENT = "silent"  # open, and nothing comes
    AWAY = "away"  # unplugged; it is looked for
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What became known at the same time; the parts are of different times, as a device knows them."""

    first_sample: int
    x_uv: NDArray[np.float32]  # not a number in a gap
    columns: Columns
    peaks_s: tuple[float, ...]
    lanes: tuple[Lane, ...]  # verdicts that became due, by network


class Paced:
    """A recording or a scene in real time, from its beginning again at its end unless it is played once."""

    def __init__(
        self,
        source: Source,
        *,
        once: bool,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name, self.lead, self.rate_hz = source.name, source.lead, source.rate_hz
        self.uv_per_count: Fraction = source.uv_per_count
        self.rails_counts = source.rails_counts
        self.n_samples: int | None = source.n_samples if once else None
        self.annotations: Annotations | None = None
        self.interrupted = False
        self._source, self._once, self._clock, self._sleep = source, once, clock, sleep

    def __iter__(self) -> Iterator[Chunk]:
        pace = Pace(rate_hz=self.rate_hz, clock=self._clock, sleep=self._sleep)
        block, at = max(1, round(BLOCK_S * self.rate_hz)), 0
        while True:
            for chunk in self._source:
                for part in _parts(chunk, block):
                    left_s = pace.left_s(at + part.n_samples)
                    if left_s > 0:
                        self._sleep(left_s)
                    if self.interrupted:
                        return
                    yield _from(part, at)
                    at += part.n_samples
            if self._once:
                return


def _parts(chunk: Chunk, block_samples: int) -> Iterator[Chunk]:
    if isinstance(chunk, Samples):
        yield from split(chunk, block_samples)
        return
    for start in range(0, chunk.n_samples, block_samples):
        n_samples = min(block_samples, chunk.n_samples - start)
        yield Gap(first_index=chunk.first_index + start, n_samples=n_samples, estimated=chunk.estimated)


def _from(chunk: Chunk, first_index: int) -> Chunk:
    """The same, later in the stream."""
    if isinstance(chunk, Gap):
        return Gap(first_index=first_index, n_samples=chunk.n_samples, estimated=chunk.estimated)
    return Samples(first_index=first_index, counts_i32=chunk.counts_i32, lead_off=chunk.lead_off)


class Live:
    """One source through the front end and a bundle; iterate for its moments, in a thread of its own."""

    def __init__(
        self,
        source: LinkSource | Paced,
        opened: OpenBundle | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source, self.opened = source, opened
        self._clock = clock
        self._heard_s = clock()
        self._has_ended = False
        self._x_uv: list[NDArray[np.float32]] = []
        self._n_taken = 0
        self._replay = Replay(source, on_chunk=self._heard)
        self._pipeline = opened.pipeline(delay_us=self._replay.delay_us) if opened else None
        self._detector = RPeaks()

    @property
    def delay_us(self) -> int:
        return self._replay.delay_us

    @property
    def line(self) -> Line:
        """May be asked from any thread."""
        if self._has_ended:
            return Line.ENDED
        if isinstance(self.source, LinkSource) and self.source.is_away:
            return Line.AWAY
        return Line.SILENT if self._clock() - self._heard_s > STALL_S else Line.LIVE

    def stop(self) -> None:
        """The source ends as soon as it notices; may be called from any thread."""
        self.source.interrupted = True

    def __iter__(self) -> Iterator[Moment]:
        waiting: list[Columns] = []
        try:
            for columns in self._replay:
                waiting.append(columns)
                n_samples, n_columns = sum(x.size for x in self._x_uv), sum(c.flags_u8.size for c in waiting)
                if n_samples >= MOMENT_S * self.source.rate_hz or n_columns >= STRIDE_COLUMNS:
                    yield self._moment(waiting)
                    waiting = []
            yield self._moment(waiting, is_last=True)
        finally:
            self._has_ended = True

    def _heard(self, chunk: Chunk) -> None:
        self._heard_s = self._clock()
        if isinstance(chunk, Gap):
            shown = min(chunk.n_samples, LONGEST_GAP_S * self.source.rate_hz)
            if shown < chunk.n_samples:
                # Of an hour without a cable only the end: what came just before it is not shown.
                self._n_taken += sum(x.size for x in self._x_uv) + chunk.n_samples - shown
                self._x_uv = []
            self._x_uv.append(np.full(shown, np.nan, np.float32))
        else:
            uv = chunk.counts_i32 * float(self.source.uv_per_count)
            self._x_uv.append(uv.astype(np.float32))

    def _moment(self, waiting: list[Columns], *, is_last: bool = False) -> Moment:
        columns = _joined(waiting)
        x_uv = np.concatenate([np.empty(0, np.float32), *self._x_uv])
        first, self._n_taken, self._x_uv = self._n_taken, self._n_taken + x_uv.size, []
        peaks = self._detector.push(columns.beat_uv_i16) / BEAT_HZ - self.delay_us / 1e6
        lanes: tuple[Lane, ...] = ()
        if self.opened is not None and self._pipeline is not None:
            verdicts = self._pipeline.push(columns) + (self._pipeline.finish() if is_last else [])
            lanes = lanes_of(self.opened.bundles, verdicts)
        return Moment(
            first_sample=first, x_uv=x_uv, columns=columns, peaks_s=tuple(peaks.tolist()), lanes=lanes
        )


def _joined(parts: list[Columns]) -> Columns:
    first = parts[0] if parts else NO_COLUMNS
    return Columns(
        first_index=first.first_index,
        codes_ts_i8=np.concatenate([NO_COLUMNS.codes_ts_i8, *(part.codes_ts_i8 for part in parts)]),
        flags_u8=np.concatenate([NO_COLUMNS.flags_u8, *(part.flags_u8 for part in parts)]),
        first_beat_index=first.first_beat_index,
        beat_uv_i16=np.concatenate([NO_COLUMNS.beat_uv_i16, *(part.beat_uv_i16 for part in parts)]),
    )


class HeartRate:
    """Beats a minute from the newest beats; unknown where the newest is old."""

    def __init__(self) -> None:
        self._peaks_s: list[float] = []

    def push(self, peaks_s: tuple[float, ...]) -> None:
        self._peaks_s = [*self._peaks_s, *peaks_s][-RATE_BEATS - 1 :]

    def bpm(self, now_s: float) -> float | None:
        """As of a time in the source."""
        if len(self._peaks_s) < 3 or now_s - self._peaks_s[-1] > NEW_S:
            return None
        return 60 / float(np.median(np.diff(self._peaks_s)))
