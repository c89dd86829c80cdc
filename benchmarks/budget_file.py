"""A budget of the gate: what a bundle may cost on each core, how good it must be, what may drift."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mcu.targets import COUNTED, target
from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields

FORMAT = 1
LIMITED = ("instructions", "device_instructions", "flash_bytes", "ram_bytes", "arena_bytes", "stack_bytes")
REALTIME = ("load_percent", "core_ms", "ring_samples", "mean_ua")
LARGEST = 2**53
EXAMPLE = "see examples/ci/budget.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFile:
    """Limits by core and metric; a metric without a limit is only held against the baseline."""

    path: Path
    limits: Mapping[str, Mapping[str, int]]  # core -> metric -> at most
    accuracy: Mapping[str, float]  # "AUC on external-dev, 5 s" -> at least
    tolerance_percent: Mapping[str, float]  # metric -> above the baseline; 0 where it is not named
    realtime: Mapping[str, float]  # of `wristlead replay` -> at most

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.limits)


def read_budget(path: Path) -> BudgetFile:
    """The file, or one line about its first fault."""
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContractError(f"{path}: expected a budget, found none ({error.strerror}); {EXAMPLE}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: expected TOML: {error}") from None
    top = Fields(read, str(path))
    top.integer("format", FORMAT, FORMAT)
    limits = {}
    cores = top.object("limits")
    for core in cores.names():
        target(core)
        if core not in {one.name for one in COUNTED}:
            known = ", ".join(one.name for one in COUNTED)
            raise ContractError(f"{path}: limits.{core}: expected a core that can be counted: {known}")
        of = cores.object(core)
        limits[core] = {name: of.integer(_known(name, of.where), 0, LARGEST) for name in of.names()}
    if not limits:
        raise ContractError(f"{path}: limits: expected a core, such as [limits.cortex-m4]; {EXAMPLE}")
    accuracy = _numbers(top, "accuracy")
    realtime = _numbers(top, "realtime")
    tolerance = _numbers(top, "tolerance_percent")
    top.done()
    for name, percent in tolerance.items():
        if percent < 0 or not (name.split("/")[-1] in LIMITED or name in accuracy or name == "layers"):
            raise ContractError(
                f"{path}: tolerance_percent: expected at least 0 for one of {', '.join(LIMITED)}, layers "
                f"or an accuracy, got {name!r} = {percent:g}"
            )
    for name in realtime:
        if name not in REALTIME:
            raise ContractError(f"{path}: realtime: expected one of {', '.join(REALTIME)}, got {name[:40]!r}")
    return BudgetFile(
        path=path, limits=limits, accuracy=accuracy, tolerance_percent=tolerance, realtime=realtime
    )


def _known(name: str, where: str) -> str:
    if name.removeprefix("quality/").removeprefix("beat/") not in LIMITED:
        raise ContractError(f"{where}: expected one of {', '.join(LIMITED)}, got {name[:40]!r}")
    return name


def _numbers(top: Fields, name: str) -> dict[str, float]:
    if not top.has(name):
        return {}
    table = top.object(name)
    return {one: table.number(one) for one in table.names()}
