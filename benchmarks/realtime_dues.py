"""What a recording asks of a device: each verdict, with the sample that lets it be computed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.mcu.device import Application
from benchmarks.realtime import PORTION, Due
from device_sim.app import app_of
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import bundles_of
from device_sim.contract.errors import ContractError
from device_sim.frontend import NOTHING, Flag
from device_sim.replay import limited
from device_sim.sources import Samples, Source, split
from device_sim.stream import CoreStream, Table
from device_sim.verdict import By, Verdict

US = 1e-6
Counts = NDArray[np.int32]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The core of this machine read the recording; an emulated one gives the same bytes."""

    n_samples: int
    dues: tuple[Due, ...]


def streams_of(source: Source, applications: Sequence[Application]) -> list[CoreStream]:
    return [
        CoreStream(
            Table(app_of(one)),
            rate_hz=source.rate_hz,
            uv_per_count=source.uv_per_count,
            rails_counts=source.rails_counts,
        )
        for one in applications
    ]


def asked_of(source: Source, applications: Sequence[Application], seconds: float | None) -> Asked:
    """Portion by portion, as a device takes them; what only the end of a recording gives is not asked."""
    streams = streams_of(source, applications)

    def push(counts_i32: Counts, line: Flag) -> list[Verdict]:
        return [one for stream in streams for one in stream.push(counts_i32, line=line)]

    bundles = [bundle for one in applications for bundle in bundles_of(one)]
    places = {bundle.digest: (k, length_us(bundle)) for k, bundle in enumerate(bundles)}
    dues, n_samples = [], 0
    for end, said in portions(source, seconds, push):
        n_samples = end
        for verdict in said:
            network, us = places[verdict.bundle_digest]
            dues.append(
                Due(
                    network=network,
                    index=end - 1,
                    begin_s=verdict.t0_us * US,
                    end_s=(verdict.t0_us + us) * US,
                    is_run=verdict.by is By.NETWORK,
                )
            )
    if n_samples < PORTION:
        raise ContractError(f"{source.name}: expected at least {PORTION} samples, got {n_samples}")
    return Asked(n_samples=n_samples, dues=tuple(dues))


def length_us(bundle: Bundle) -> int:
    return bundle.window.length_samples * 1_000_000 // bundle.window.rate_hz


def portions(
    source: Source, seconds: float | None, push: Callable[[Counts, Flag], Answer]
) -> Iterator[tuple[int, Answer]]:
    """Index after each portion, and its answer; a gap is held once it has ended, as on the device."""
    last = 0
    n_max = None if seconds is None else max(1, round(seconds * source.rate_hz))
    for chunk in limited(source, n_max):
        if isinstance(chunk, Samples):
            line = Flag.LEAD_OFF if chunk.lead_off else NOTHING
            for part in split(chunk, PORTION):
                last = int(part.counts_i32[-1])
                yield part.first_index + part.n_samples, push(part.counts_i32, line)
        else:
            end = chunk.first_index + chunk.n_samples
            yield end, push(np.full(chunk.n_samples, last, np.int32), Flag.GAP)
