"""What a run takes of this machine: the time from samples to verdicts, by its clock, and memory."""

import resource
import sys
import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np

from device_sim.contract.bundle import Bundle
from device_sim.verdict import Verdict

QUANTILES = (50, 99, 100)


class Meter:
    """Told when samples are there and when their verdicts are said; eight bytes for each verdict."""

    def __init__(self, bundles: Sequence[Bundle], clock: Callable[[], float] = time.perf_counter) -> None:
        self._bundles, self._clock = bundles, clock
        self._began_s = self._there_s = clock()
        self._took_s = {bundle.digest: array("d") for bundle in bundles}

    def arrived(self) -> None:
        """Samples are there."""
        self._there_s = self._clock()

    def said(self, verdicts: Sequence[Verdict]) -> None:
        """What they complete; what is pushed next was there already."""
        now_s = self._clock()
        for verdict in verdicts:
            self._took_s[verdict.bundle_digest].append(now_s - self._there_s)
        self._there_s = now_s

    def lines(self, seconds: float) -> list[str]:
        """A line for each network, then how fast all of it was."""
        elapsed_s = self._clock() - self._began_s
        speed = f"{elapsed_s:.2f} s for {seconds:.1f} s of signal, {seconds / elapsed_s:,.0f} x real time"
        memory = f"memory {peak_rss_bytes() / 2**20:,.0f} MiB at most"
        return [*map(self._latency, self._bundles), f"clock: {speed}; {memory}"]

    def _latency(self, bundle: Bundle) -> str:
        took_s = self._took_s[bundle.digest]
        if not took_s:
            return f"latency of {bundle.name}: no verdict"
        half, most, slowest = 1000 * np.percentile(took_s, QUANTILES)
        return (
            f"latency of {bundle.name}, from samples to verdict: {len(took_s):,} verdicts, "
            f"p50 {half:.3f}, p99 {most:.3f}, max {slowest:.3f} ms"
        )


def peak_rss_bytes() -> int:
    """Resident memory of this process at its highest; Linux counts it in KiB, macOS in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10
