"""One application on every board: what fits, what it loads, how long a battery lasts."""

from dataclasses import dataclass
from typing import Any

from benchmarks import board_cost
from benchmarks.board_cost import BoardCost
from benchmarks.mcu import cycles
from benchmarks.mcu.device import Application
from benchmarks.sheet import sheet
from device_sim.contract.errors import ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBoard:
    name: str
    cost: BoardCost | None  # None: nobody has a model of its core
    why: str = ""


def measure(application: Application, heart_rate_bpm: float) -> list[OnBoard]:
    found = []
    for name in board_cost.board_names():
        board = board_cost.board_named(name)
        try:
            cycles.model_of(board.core)
        except ContractError:
            found.append(OnBoard(name=name, cost=None, why="no model of its core"))
            continue
        cost = board_cost.measure([application], board, heart_rate_bpm=heart_rate_bpm)
        found.append(OnBoard(name=name, cost=cost))
    return found


def numbers(application: Application, heart_rate_bpm: float, found: list[OnBoard]) -> dict[str, Any]:
    return {
        "application": application.name,
        "digest": application.digest,
        "heart_rate_bpm": heart_rate_bpm,
        "boards": [
            {
                "name": one.name, "flash_bytes": one.cost.sizes.flash_bytes,
                "ram_bytes": one.cost.sizes.ram_bytes,
                "load_low": round(one.cost.load.low, 6), "load_high": round(one.cost.load.high, 6),
            }
            for one in found
            if one.cost is not None
        ],
    }  # fmt: skip


def text(application: Application, heart_rate_bpm: float, battery_mah: float, found: list[OnBoard]) -> str:
    return sheet(
        f"{application.name} at {heart_rate_bpm:g} beats a minute: bytes exact, load and days modelled, "
        f"{battery_mah:g} mAh for the core alone or, where it says so, for the whole board",
        ("board", "core", "MHz", "flash", "RAM", "load %", "to", "days", "to", "currents"),
        [_row(one, battery_mah) for one in found],
    )


def _row(one: OnBoard, battery_mah: float) -> tuple[str, ...]:
    if one.cost is None:
        return (one.name, one.why, *("-",) * 8)
    board, load = one.cost.board, one.cost.load
    power = board.power
    days = ("-", "-")
    if power is not None:
        days = (
            _days(power.days(battery_mah, min(load.high, 1))),
            _days(power.days(battery_mah, min(load.low, 1))),
        )
    return (
        one.name,
        board.core,
        f"{board.clock_hz / 1e6:g}",
        f"{one.cost.sizes.flash_bytes:,}",
        f"{one.cost.sizes.ram_bytes:,}",
        f"{100 * load.low:.2f}",
        f"{100 * load.high:.2f}",
        *days,
        "-" if power is None else power.standing,
    )


def _days(days: float) -> str:
    return f"{days:,.0f}" if days >= 10 else f"{days:.1f}"
