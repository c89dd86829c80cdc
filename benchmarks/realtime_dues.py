"""What a recording asks of a device: each verdict, with the sample that lets it be computed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.realtime import PORTION, Due
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.frontend import NOTHING, Columns, Flag, FrontEnd
from device_sim.pipeline import OpenBundle
from device_sim.replay import limited
from device_sim.sources import Chunk, Samples, Source, split

US = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The core of this machine read the recording; an emulated one gives the same bytes."""

    n_samples: int
    dues: tuple[Due, ...]


def asked_of(source: Source, opened: Sequence[OpenBundle], seconds: float | None) -> Asked:
    """Portion by portion, as a device takes them; what only the end of a recording gives is not asked."""
    front_end = FrontEnd(
        rate_hz=source.rate_hz, uv_per_count=source.uv_per_count, rails_counts=source.rails_counts
    )
    pipelines = [one.pipeline(delay_us=front_end.delay_us) for one in opened]
    lengths_us = [length_us(one.bundle) for one in opened]
    n_max = None if seconds is None else max(1, round(seconds * source.rate_hz))
    dues, n_samples = [], 0
    for end, columns in _portions(limited(source, n_max), front_end):
        n_samples = end
        for k, pipeline in enumerate(pipelines):
            dues += [
                Due(
                    network=k,
                    index=end - 1,
                    begin_s=verdict.t0_us * US,
                    end_s=(verdict.t0_us + lengths_us[k]) * US,
                    is_run=not verdict.by_rule,
                )
                for verdict in pipeline.push(columns)
            ]
    if n_samples < PORTION:
        raise ContractError(f"{source.name}: expected at least {PORTION} samples, got {n_samples}")
    return Asked(n_samples=n_samples, dues=tuple(dues))


def length_us(bundle: Bundle) -> int:
    return bundle.window.length_samples * 1_000_000 // bundle.window.rate_hz


def _portions(chunks: Iterable[Chunk], front_end: FrontEnd) -> Iterator[tuple[int, Columns]]:
    """Index after each portion, and its columns; a gap is held, as the device does when it has ended."""
    last, line = 0, NOTHING
    for chunk in chunks:
        end = chunk.first_index + chunk.n_samples
        if isinstance(chunk, Samples):
            line = Flag.LEAD_OFF if chunk.lead_off else NOTHING
            for part in split(chunk, PORTION):
                last = int(part.counts_i32[-1])
                yield part.first_index + part.n_samples, front_end.push(part.counts_i32, line=line)
        else:
            yield end, front_end.push(np.full(chunk.n_samples, last, np.int32), line=Flag.GAP)
