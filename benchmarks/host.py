"""Times the front end on this machine beside its peers: one process, one core, turn by turn."""

import ctypes
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import drive, peers
from benchmarks.peers import Absent
from device_sim import binding
from device_sim.frontend import HOP_SAMPLES, NO_RAILS, STREAM_HZ, FrontEnd, columns_of

ROUNDS = 300
HOLD_SAMPLES = binding.COLUMN_LAG * HOP_SAMPLES  # until the last column of an isolated window is complete
UPDATE_SAMPLES = STREAM_HZ  # 1 s
WINDOWS_A_PUSH = 10
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

# Ours. The core is called as the peers' compiled parts are: into memory that is there.
WINDOW = "isolated window"
STREAMED = "window of a stream"
INSIDE = "window of a stream, no Python"
OBJECTS = "isolated window, columns_of()"
UPDATE = "1 s update"
UPDATE_OBJECTS = "1 s update, FrontEnd.push()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """All rounds of one side."""

    name: str
    package: str  # "" for ours
    rounds_us: NDArray[np.float64]

    @property
    def median_us(self) -> float:
        return float(np.median(self.rounds_us))

    @property
    def least_us(self) -> float:
        return float(self.rounds_us.min())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times longer a peer takes: medians, minima, and the middle 80 % of the rounds' own ratios."""

    of_medians: float
    of_minima: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCost:
    """What one run on one machine said."""

    machine: str
    timings: tuple[Timing, ...]
    absent: tuple[Absent, ...]

    @property
    def peers(self) -> tuple[Timing, ...]:
        return tuple(t for t in self.timings if t.package)

    def ours(self, name: str) -> Timing:
        return next(t for t in self.timings if t.name == name)

    def ratio(self, peer: Timing, ours: str) -> Ratio:
        """The two sides of a round ran within milliseconds of each other: a busy machine slows both."""
        mine = self.ours(ours)
        each = peer.rounds_us / mine.rounds_us
        low, high = np.percentile(each, (10, 90))
        return Ratio(
            of_medians=peer.median_us / mine.median_us,
            of_minima=peer.least_us / mine.least_us,
            low=float(low),
            high=float(high),
        )


def measure(rounds: int = ROUNDS) -> HostCost:
    """Every side once a round, so that whatever else the machine does falls on all of them."""
    for name in THREAD_LIMITS:
        os.environ.setdefault(name, "1")
    os.environ.setdefault("SSQ_PARALLEL", "0")
    counts_i32 = drive.ecg(STREAM_HZ, 5).counts_i32
    with _on_one_core():
        others, absent = peers.peers(counts_i32.astype(np.float64))
        sides: dict[str, tuple[str, Callable[[], object], int]] = {
            name: ("", call, share) for name, call, share in _ours(counts_i32)
        }
        sides |= {peer.name: (peer.package, peer.compute, 1) for peer in others}
        rounds_us = np.empty((len(sides), rounds))
        for turn in range(rounds):
            for i, (_, call, share) in enumerate(sides.values()):
                call()  # not timed: the side before left the caches full of its own
                start_ns = time.perf_counter_ns()
                call()
                rounds_us[i, turn] = (time.perf_counter_ns() - start_ns) / 1000 / share
    timings = tuple(
        Timing(name=name, package=package, rounds_us=rounds_us[i])
        for i, (name, (package, _, _)) in enumerate(sides.items())
    )
    return HostCost(machine=machine(), timings=timings, absent=tuple(absent))


def machine() -> str:
    """The processor by its own name, where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return f"{next(models, platform.processor() or 'unknown processor')}, {platform.machine()}"


def _ours(counts_i32: NDArray[np.int32]) -> Iterator[tuple[str, Callable[[], object], int]]:
    """Name, what to call, and how many windows one call computes."""
    held_i32 = np.full(HOLD_SAMPLES, counts_i32[-1], np.int32)
    many_i32 = np.tile(counts_i32, WINDOWS_A_PUSH)
    second_i32 = counts_i32[:UPDATE_SAMPLES].copy()
    alone, stream, update = _Path(), _Path(), _Path()
    objects = FrontEnd(rate_hz=STREAM_HZ)

    def window() -> None:
        alone.start()
        alone.push(counts_i32)
        alone.push(held_i32)

    yield WINDOW, window, 1
    yield STREAMED, lambda: stream.push(counts_i32), 1
    yield INSIDE, lambda: stream.push(many_i32), WINDOWS_A_PUSH
    yield OBJECTS, lambda: columns_of(counts_i32, rate_hz=STREAM_HZ), 1
    yield UPDATE, lambda: update.push(second_i32), 1
    yield UPDATE_OBJECTS, lambda: objects.push(second_i32), 1


class _Path:
    """One signal path without the Python objects around it."""

    def __init__(self) -> None:
        self._library = binding.core()
        self._state = (ctypes.c_uint64 * -(-self._library.wl_sizeof_frontend() // 8))()
        self._image, self._beats = binding.Image(), binding.BeatRing()
        self._input = binding.Input(STREAM_HZ, 1, 0, *NO_RAILS)
        self.start()

    def start(self) -> None:
        self._library.wl_frontend_init(self._state, self._input, self._image, self._beats)

    def push(self, counts_i32: NDArray[np.int32]) -> None:
        self._library.wl_frontend_push(self._state, counts_i32.ctypes.data, counts_i32.size, 0)


@contextmanager
def _on_one_core() -> Iterator[None]:
    """A thread that a library starts all the same shares the core with it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
