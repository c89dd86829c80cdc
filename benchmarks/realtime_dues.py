"""What a recording asks of a device: each verdict, with the sample that lets it be computed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.mcu.device import Application
from benchmarks.realtime import PORTION, Due
from device_sim.app import app_of
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import bundles_of
from device_sim.contract.errors import ContractError
from device_sim.frontend import NOTHING, Flag
from device_sim.replay import limited
from device_sim.sources import Chunk, Samples, Source, split
from device_sim.stream import CoreStream, Table
from device_sim.verdict import By, Verdict

US = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The core of this machine read the recording; an emulated one gives the same bytes."""

    n_samples: int
    dues: tuple[Due, ...]


def asked_of(source: Source, applications: Sequence[Application], seconds: float | None) -> Asked:
    """Portion by portion, as a device takes them; what only the end of a recording gives is not asked."""
    streams = [
        CoreStream(
            Table(app_of(one)),
            rate_hz=source.rate_hz,
            uv_per_count=source.uv_per_count,
            rails_counts=source.rails_counts,
        )
        for one in applications
    ]
    bundles = [bundle for one in applications for bundle in bundles_of(one)]
    places = {bundle.digest: (k, length_us(bundle)) for k, bundle in enumerate(bundles)}
    n_max = None if seconds is None else max(1, round(seconds * source.rate_hz))
    dues, n_samples = [], 0
    for end, said in _portions(limited(source, n_max), streams):
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


def _portions(chunks: Iterable[Chunk], streams: Sequence[CoreStream]) -> Iterator[tuple[int, list[Verdict]]]:
    """Index after each portion, and what it completes; a gap is held once it has ended, as on the device."""
    last = 0
    for chunk in chunks:
        if isinstance(chunk, Samples):
            line = Flag.LEAD_OFF if chunk.lead_off else NOTHING
            for part in split(chunk, PORTION):
                last = int(part.counts_i32[-1])
                said = [one for stream in streams for one in stream.push(part.counts_i32, line=line)]
                yield part.first_index + part.n_samples, said
        else:
            held = np.full(chunk.n_samples, last, np.int32)
            said = [one for stream in streams for one in stream.push(held, line=Flag.GAP)]
            yield chunk.first_index + chunk.n_samples, said
