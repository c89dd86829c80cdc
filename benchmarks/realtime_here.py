"""A recording through the core of this machine, by its clock: how long each verdict took, and memory."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.mcu.device import Application
from benchmarks.realtime import F64, PORTION
from benchmarks.realtime_dues import Counts, length_us, portions, streams_of
from benchmarks.realtime_text import quantiles
from benchmarks.sheet import sheet
from device_sim.contract.cascade import bundles_of
from device_sim.contract.errors import ContractError
from device_sim.frontend import Flag
from device_sim.meter import peak_rss_bytes
from device_sim.sources import Source
from device_sim.verdict import Verdict

US = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What a recording took; times are this machine's and no gate."""

    seconds: float
    busy_s: float
    waited_s: tuple[F64, ...]  # by network: the algorithm's part of each verdict
    took_s: tuple[F64, ...]  # from a portion's arrival to its verdicts
    rss_bytes: int  # at its highest

    def n_late(self, deadline_s: float) -> int:
        return sum(int(np.count_nonzero(took_s > deadline_s)) for took_s in self.took_s)


def measure(
    source: Source,
    applications: Sequence[Application],
    seconds: float | None,
    clock: Callable[[], float] = time.perf_counter,
) -> Here:
    """Portion by portion, as a device takes them."""
    streams = streams_of(source, applications)
    bundles = [bundle for one in applications for bundle in bundles_of(one)]
    places = {bundle.digest: k for k, bundle in enumerate(bundles)}
    found: list[list[tuple[float, float]]] = [[] for _ in bundles]
    busy_s, end = 0.0, 0

    def push(counts_i32: Counts, line: Flag) -> tuple[float, list[Verdict]]:
        started_s = clock()
        said = [one for stream in streams for one in stream.push(counts_i32, line=line)]
        return clock() - started_s, said

    for end, (took_s, said) in portions(source, seconds, push):
        busy_s += took_s
        for verdict in said:
            k = places[verdict.bundle_digest]
            window_end_s = (verdict.t0_us + length_us(bundles[k])) * US
            found[k].append(((end - 1) / source.rate_hz - window_end_s, took_s))
    if end < PORTION:
        raise ContractError(f"{source.name}: expected at least {PORTION} samples, got {end}")
    arrays = [np.array(of, np.float64).reshape(-1, 2) for of in found]
    return Here(
        seconds=end / source.rate_hz,
        busy_s=busy_s,
        waited_s=tuple(of[:, 0] for of in arrays),
        took_s=tuple(of[:, 1] for of in arrays),
        rss_bytes=peak_rss_bytes(),
    )


def text(here: Here, names: Sequence[str], source: str, deadline_s: float) -> str:
    rows = [
        (
            name,
            f"{took_s.size:,}",
            *(f"{value:,.2f}" for value in quantiles(waited_s)),
            *(f"{1000 * value:,.3f}" for value in quantiles(took_s)),
        )
        for name, waited_s, took_s in zip(names, here.waited_s, here.took_s, strict=True)
    ]
    n_late = here.n_late(deadline_s)
    return "\n".join(
        [
            sheet(
                f"{source}, {here.seconds:,.0f} s on this machine, by its clock: the wait, then the core",
                ("network", "verdicts", "s p50", "p99", "max", "ms p50", "p99", "max"),
                rows,
            ),
            f"load                        {100 * here.busy_s / here.seconds:.3f} % of a core: "
            f"{here.seconds / here.busy_s:,.0f} x real time",
            f"late                        {n_late:,} verdicts later than {1000 * deadline_s:g} ms",
            f"memory, resident            {here.rss_bytes / 2**20:,.0f} MiB at most, Python and all",
        ]
    )
