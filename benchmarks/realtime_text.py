"""What a replay on a board says: stages, verdicts, ring, energy; and every limit that broke, a line each."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.board_cost import BoardCost, energy
from benchmarks.mcu.cycles import Interval
from benchmarks.realtime import F64, Played
from benchmarks.sheet import sheet

COUNT_BYTES = 4  # a sample in the ring
QUANTILES = (50, 99, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One replay and what it was asked of."""

    source: str
    rate_hz: int
    cost: BoardCost
    played: Played
    ring_samples: int
    deadline_s: float
    end: str  # of the interval of cycles

    @property
    def ram_bytes(self) -> int:
        return self.cost.sizes.ram_bytes + COUNT_BYTES * self.ring_samples

    @property
    def mean_ua(self) -> float | None:
        power = self.cost.board.power
        return None if power is None else power.mean_ua(min(self.played.load, 1))


def text(told: Told, battery_mah: float) -> str:
    played, board = told.played, told.cost.board
    stages = [
        (stage, f"{busy * board.clock_hz / played.seconds / 1e6:,.3f}", f"{100 * busy / played.seconds:,.2f}")
        for stage, busy in played.busy_s.items()
    ]
    stages.append(("all", "", f"{100 * played.load:,.2f}"))
    rows = [
        (
            one.network,
            f"{one.compute_s.size:,}",
            f"{one.n_late(told.deadline_s):,}",
            *(f"{value:,.2f}" for value in quantiles(one.algorithm_s)),
            *(f"{1000 * value:,.1f}" for value in quantiles(one.compute_s)),
        )
        for one in played.verdicts
    ]
    load = Interval(low=played.load, high=played.load)
    return "\n".join(
        [
            sheet(
                f"{told.source}, {played.seconds:,.0f} s at {told.rate_hz} Hz on {board.name}, "
                f"{board.clock_hz / 1e6:g} MHz: modelled, cycles at their {told.end} end",
                ("stage", "Mcycles/s", "load %"),
                stages,
            ),
            sheet(
                "Sample to verdict: the algorithm's wait after a window's end, then what the core takes",
                ("network", "verdicts", "late", "s p50", "p99", "max", "ms p50", "p99", "max"),
                rows,
            ),
            f"ring                        at most {played.deepest_samples} of {told.ring_samples} samples; "
            f"lost {played.n_lost:,} of {played.n_samples:,}",
            f"keeps up from               {played.needed_hz / 1e6:,.2f} MHz on, if it may wait",
            *energy(board, load, battery_mah),
        ]
    )


def breaches(told: Told, budget: Mapping[str, float]) -> list[str]:
    """What is late or lost always counts; the rest against the budget's table [realtime]."""
    played, board = told.played, told.cost.board
    lines = [
        f"LATE {one.network}: {one.n_late(told.deadline_s):,} of {one.compute_s.size:,} verdicts later than "
        f"{1000 * told.deadline_s:g} ms, the worst {1000 * float(one.compute_s.max()):,.0f} ms; "
        f"the time goes to {_where(played)}"
        for one in played.verdicts
        if one.n_late(told.deadline_s)
    ]
    if played.n_lost:
        lines.append(
            f"LOST {played.n_lost:,} of {played.n_samples:,} samples at a full ring of {told.ring_samples}, "
            f"and {played.n_barred:,} windows with them; the time goes to {_where(played)}"
        )
    for what, needed, there in (
        ("flash", told.cost.sizes.flash_bytes, board.flash_bytes),
        ("RAM", told.ram_bytes, board.ram_bytes),
    ):
        if needed > there > 0:  # a computer's flash is a card
            lines.append(f"OVER {what}: {needed:,} bytes, {board.name} has {there:,}")
    found = {
        "load_percent": 100 * played.load,
        "core_ms": 1000
        * max((float(one.compute_s.max()) for one in played.verdicts if one.compute_s.size), default=0),
        "ring_samples": played.deepest_samples,
        "mean_ua": told.mean_ua,
    }
    for name, limit in budget.items():
        value = found[name]
        if value is None:
            lines.append(f"OVER {name}: not known, {board.name}'s file names no currents; allowed {limit:g}")
        elif value > limit:
            lines.append(f"OVER {name}: {value:,.2f}, allowed {limit:g}")
    return lines


def _where(played: Played) -> str:
    total = sum(played.busy_s.values())
    ordered = sorted(played.busy_s.items(), key=lambda one: -one[1])
    return ", ".join(f"{stage} {100 * busy / total:.0f} %" for stage, busy in ordered)


def quantiles(values: F64) -> tuple[float, ...]:
    return (
        tuple(float(np.percentile(values, q)) for q in QUANTILES) if values.size else (0.0,) * len(QUANTILES)
    )
