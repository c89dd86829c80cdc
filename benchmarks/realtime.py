"""A board in real time, as discrete events: samples by interrupt into a ring, one loop that empties it.

Time is counted in samples: sample i arrives at i. The loop takes a portion when it is there, runs the front
end, then every network whose window is complete, to its end; meanwhile samples pile up. One that meets a full
ring is lost: the front end holds the one before, and a window that lost more than its rule allows is barred.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError

PORTION = 16  # samples the loop takes at a time
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A verdict: which network's, from which sample on it can be computed, which window it is of."""

    network: int
    index: int
    begin_s: float
    end_s: float
    is_run: bool = True  # False: barred by rule, the network does not see it


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Cycles."""

    a_sample: Mapping[str, float]  # by stage: what every sample costs
    interrupt: float  # to put a sample into the ring
    networks: Mapping[str, float]  # a window
    most_lost_s: Mapping[str, float] = field(default_factory=dict)  # of a window that is judged all the same

    def needed_hz(self, rate_hz: int, n_runs: Sequence[int], seconds: float) -> float:
        """Cycles a second that keep up in the long run."""
        networks = sum(n * cost for n, cost in zip(n_runs, self.networks.values(), strict=True))
        return rate_hz * (sum(self.a_sample.values()) + self.interrupt) + networks / seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """One network's, in their order: what the algorithm waited for, and what the core took after that."""

    network: str
    algorithm_s: F64
    compute_s: F64
    n_run: int

    def n_late(self, deadline_s: float) -> int:
        return int(np.count_nonzero(self.compute_s > deadline_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of a recording."""

    seconds: float
    n_samples: int
    n_lost: int
    n_barred: int  # windows without a verdict of their network, because samples of theirs were lost
    deepest_samples: int
    busy_s: Mapping[str, float]  # by stage
    verdicts: tuple[Verdicts, ...]
    needed_hz: float

    @property
    def load(self) -> float:
        return sum(self.busy_s.values()) / self.seconds


@dataclass(slots=True)
class Ring:
    """Samples that arrived and were not taken; runs of indices, as a lost one leaves a hole."""

    capacity: int
    n_samples: int  # of the recording
    arrived: int = 0  # all before this index have come, into the ring or lost
    held: int = 0
    deepest: int = 0
    runs: deque[tuple[int, int]] = field(default_factory=deque)  # first index, how many
    lost: list[tuple[int, int]] = field(default_factory=list)

    def advance(self, now: float) -> None:
        """Everything that arrives until now."""
        n_new = min(math.floor(now) + 1, self.n_samples) - self.arrived
        if n_new <= 0:
            return
        n_kept = min(n_new, self.capacity - self.held)
        if n_kept:
            self.runs.append((self.arrived, n_kept))
        if n_kept < n_new:
            self.lost.append((self.arrived + n_kept, n_new - n_kept))
        self.arrived += n_new
        self.held += n_kept
        self.deepest = max(self.deepest, self.held)

    def wait(self, n: int) -> float | None:
        """When n samples are there; None when they never will be."""
        if self.held >= n:
            return 0.0
        last = self.arrived + n - self.held - 1
        return float(last) if last < self.n_samples else None

    def take(self, n: int) -> int:
        """The n oldest leave; the index of the last of them."""
        self.held -= n
        while True:
            first, there = self.runs[0]
            if there > n:
                self.runs[0] = (first + n, there - n)
                return first + n - 1
            self.runs.popleft()
            n -= there
            if n == 0:
                return first + there - 1

    def n_lost(self, begin: float = 0, end: float = math.inf) -> int:
        """Of the samples between."""
        total = 0.0
        for first, n in reversed(self.lost):
            if first + n <= begin:
                break
            total += max(0, min(first + n, end) - max(first, begin))
        return round(total)


def play(
    dues: Sequence[Due], work: Work, *, n_samples: int, rate_hz: int, clock_hz: float, ring_samples: int
) -> Played:
    """From the first sample to the last whole portion; dues in the order of their index."""
    if ring_samples < PORTION:
        raise ContractError(
            f"--ring: expected at least {PORTION} samples, what the loop takes, got {ring_samples}"
        )
    stolen = work.interrupt * rate_hz / clock_hz
    if stolen >= 1:
        raise ContractError(f"{clock_hz / 1e6:g} MHz: interrupts alone take {100 * stolen:.0f} % of the core")
    stretch = rate_hz / clock_hz / (1 - stolen)  # cycles -> samples, interrupts in between
    names = tuple(work.networks)
    ring = Ring(capacity=ring_samples, n_samples=n_samples)
    cycles = dict.fromkeys((*work.a_sample, *names), 0.0)
    latencies: list[list[tuple[float, float]]] = [[] for _ in names]
    n_runs = [0] * len(names)
    waiting = deque(dues)
    now, taken, n_barred = 0.0, 0, 0
    while (there := ring.wait(PORTION)) is not None:
        now = max(now, there)
        ring.advance(now)
        last = ring.take(PORTION)
        ring.held += PORTION  # they leave it when the front end has read them
        for stage, cost in work.a_sample.items():
            cycles[stage] += (last + 1 - taken) * cost
        now += (last + 1 - taken) * sum(work.a_sample.values()) * stretch
        taken = last + 1
        ring.advance(now)
        ring.held -= PORTION
        while waiting and waiting[0].index <= last:
            due = waiting.popleft()
            name = names[due.network]
            n_lost = ring.n_lost(due.begin_s * rate_hz, due.end_s * rate_hz)
            if due.is_run and n_lost > work.most_lost_s.get(name, 0) * rate_hz:
                n_barred += 1
            elif due.is_run:
                cost = work.networks[name]
                cycles[name] += cost
                n_runs[due.network] += 1
                now += cost * stretch
                ring.advance(now)
            latencies[due.network].append((due.index / rate_hz - due.end_s, (now - due.index) / rate_hz))
    seconds = n_samples / rate_hz
    busy_s = {stage: spent / clock_hz for stage, spent in cycles.items()}
    busy_s["interrupts"] = ring.arrived * work.interrupt / clock_hz
    found = [np.array(of, np.float64).reshape(-1, 2) for of in latencies]
    runs = [sum(due.is_run for due in dues if due.network == k) for k in range(len(names))]
    return Played(
        seconds=seconds,
        n_samples=n_samples,
        n_lost=ring.n_lost(),
        n_barred=n_barred,
        deepest_samples=ring.deepest,
        busy_s=busy_s,
        verdicts=tuple(
            Verdicts(network=name, algorithm_s=of[:, 0], compute_s=of[:, 1], n_run=n)
            for name, of, n in zip(names, found, n_runs, strict=True)
        ),
        needed_hz=work.needed_hz(rate_hz, runs, seconds),
    )
