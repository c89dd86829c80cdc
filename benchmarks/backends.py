"""A bundle on every backend of this machine: time of a window and memory, turn by turn in one run."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.sheet import sheet
from device_sim.apart import Apart
from device_sim.contract.bundle import Bundle, read_bundle
from device_sim.contract.errors import ContractError
from device_sim.runner import NEEDS, Backend, model_in
from device_sim.vectors import check_vectors, read_vectors

ROUNDS = 40
WINDOWS = 16  # of a round
SPREAD = (10, 90)  # percent of the rounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One backend in a process of its own; CPU time of all its threads, Python's call into it included."""

    backend: str
    family: str
    window_us: float  # median of the rounds
    ratio: tuple[float, float, float]  # to the core in the same round: median and spread
    resident_bytes: int  # of its process, Python and numpy included, at the end
    start_s: float  # from nothing to the first answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All that ran, and why the others did not."""

    bundle: str
    costs: tuple[Cost, ...]
    absent: tuple[str, ...]


def measure(
    folder: Path, backends: Sequence[Backend], *, rounds: int = ROUNDS, windows: int = WINDOWS
) -> Table:
    """Every backend reproduces the bundle's vectors first; then they take turns, round by round."""
    bundle = read_bundle(folder)
    inputs = _inputs(bundle, windows)
    asked = list(dict.fromkeys([Backend.CORE, *backends]))  # the others are compared with it
    with ExitStack() as stack:
        runners: dict[Backend, Apart] = {}
        started: dict[Backend, float] = {}
        absent = []
        for backend in asked:
            before = perf_counter()
            try:
                runners[backend] = stack.enter_context(Apart(backend, model_in(bundle, backend)))
            except ContractError as error:
                absent.append(str(error))
                continue
            check_vectors(bundle, runners[backend], NEEDS[backend].family)
            started[backend] = perf_counter() - before
            _pin(runners[backend].pid)
        cpu_us = {backend: np.empty(rounds) for backend in runners}
        for turn in range(-1, rounds):  # the first warms up
            for backend, runner in runners.items():
                runner.run(inputs)
                if turn >= 0:
                    cpu_us[backend][turn] = runner.cpu_ns / 1000 / windows
        costs = tuple(
            Cost(
                backend=backend.value,
                family=NEEDS[backend].family.value,
                window_us=float(np.median(cpu_us[backend])),
                ratio=_ratio(cpu_us[backend], cpu_us[Backend.CORE]),
                resident_bytes=resident_bytes(runner.pid),
                start_s=started[backend],
            )
            for backend, runner in runners.items()
        )
    return Table(bundle=f"{bundle.name} {bundle.digest[:12]}", costs=costs, absent=tuple(absent))


def _inputs(bundle: Bundle, windows: int) -> dict[str, NDArray[np.int8]]:
    """The bundle's own vectors, as often as it takes."""
    found, _ = read_vectors(bundle, NEEDS[Backend.CORE].family)
    return {name: np.resize(codes, (windows, *codes.shape[1:])) for name, codes in found.items()}


def _pin(pid: int) -> None:
    """All on the same core: nobody gets a second one."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})


def _ratio(ours: NDArray[np.float64], core: NDArray[np.float64]) -> tuple[float, float, float]:
    each = ours / core
    low, high = np.percentile(each, SPREAD)
    return float(np.median(each)), float(low), float(high)


def resident_bytes(pid: int) -> int:
    """What the process holds in memory now (Linux)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def text(table: Table) -> str:
    """For a terminal."""
    rows = [
        [
            cost.backend,
            cost.family,
            f"{cost.window_us:,.0f}",
            "{:.2f} [{:.2f}, {:.2f}]".format(*cost.ratio),
            f"{cost.resident_bytes / 1e6:.1f}",
            f"{cost.start_s:.2f}",
        ]
        for cost in table.costs
    ]
    head = ["backend", "family", "us a window", f"to core [{SPREAD[0]}, {SPREAD[1]} %]", "RSS MB", "start s"]
    title = f"{table.bundle}: one thread, each in a process of its own, in turns; CPU time"
    return "\n".join([sheet(title, head, rows), *(f"  not here: {reason}" for reason in table.absent)])


def record(table: Table) -> dict[str, Any]:
    """For a file."""
    return {"format": 1, "bench": "backends", **asdict(table)}
