"""One source through the front end and a bundle, from its first sample to its last."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from device_sim.frontend import HOP_SAMPLES, STREAM_HZ, Columns
from device_sim.meter import Meter
from device_sim.pipeline import OpenBundle
from device_sim.replay import Replay, Report, Stride, by_the_second, strides
from device_sim.sources import Chunk, Source
from device_sim.stream import StreamFrontEnd
from device_sim.trace import Trace
from device_sim.verdict_files import VerdictFiles
from device_sim.verdict_lines import Inside, VerdictLines


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What is still wanted when the source is at its end."""

    columns: bool = False
    samples: bool = False  # and verdicts, with the time each took
    by_the_second: bool = False  # judged in portions of a second, as a device does, so that times are of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a run leaves behind; no lines without a bundle."""

    trace: Trace
    report: Report
    lines: VerdictLines | None


def play(
    source: Source,
    opened: OpenBundle | None,
    *,
    seconds: float | None,
    keep: Keep,
    write: Callable[[str], None],
    files: VerdictFiles | None = None,
    on_chunk: Callable[[Chunk], None] = lambda chunk: None,
    meter: Meter | None = None,
    on_stride: Callable[[Stride, int], None] | None = None,
) -> Played:
    """Verdicts as lines to `write`; on_stride is told each second and the resampler's delay.

    With a meter the source is played in portions of a column, as a device takes them.
    """

    def seen(chunk: Chunk) -> None:
        trace.add_chunk(chunk)
        on_chunk(chunk)
        if meter is not None:
            meter.arrived()

    inside = None
    if opened is not None and opened.is_inside and not keep.by_the_second:
        inside = StreamFrontEnd(
            opened.table,
            rate_hz=source.rate_hz,
            uv_per_count=source.uv_per_count,
            rails_counts=source.rails_counts,
        )
    portion_samples = None if meter is None else max(1, source.rate_hz * HOP_SAMPLES // STREAM_HZ)
    replay = Replay(source, seconds=seconds, on_chunk=seen, front_end=inside, portion_samples=portion_samples)
    trace = Trace(source, delay_us=replay.delay_us, keep_samples=keep.samples)
    lines = None
    if opened is not None:
        judging = Inside(inside) if inside else opened.pipeline(delay_us=replay.delay_us)
        lines = VerdictLines(opened, judging, write=write, keep=keep.samples, files=files, meter=meter)
    delay_us, is_kept = replay.delay_us, keep.columns or keep.samples
    judged = _judged(replay, lines, keep)
    if on_stride is None and not is_kept:
        deque(judged, maxlen=0)  # nobody looks at seconds
    else:
        for stride in strides(judged, delay_us):
            if on_stride is not None:
                on_stride(stride, delay_us)
            if is_kept:
                trace.add_stride(stride)
    return Played(trace=trace, report=replay.report(), lines=lines)


def _judged(replay: Replay, lines: VerdictLines | None, keep: Keep) -> Iterator[Columns]:
    """The same columns; verdicts are written as they pass."""
    for columns in replay:
        for part in by_the_second(columns) if keep.by_the_second else (columns,):
            if lines is not None:
                lines.push(part)
            yield part
    if lines is not None:
        lines.finish()
