"""The fixture `wristlead_budget`: exact counts of bundles and of your own C functions, inside your tests.

In a conftest.py, with a checkout of wristlead on the path:

    pytest_plugins = ["benchmarks.pytest_plugin"]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks import bundle_cost
from benchmarks.mcu import image
from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.image import PORT, ZIG, Image, plain
from benchmarks.mcu.targets import target as target_named
from device_sim.contract.cascade import read_application
from device_sim.contract.errors import BudgetExceeded, ContractError

MAX_INSTRUCTIONS = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One run of one image from main to its end."""

    built: Image
    instructions: Mapping[str, int]  # by function, what the compiler calls by itself included
    stack_bytes: int

    def within(
        self, function: str, *, instructions: int | None = None, text_bytes: int | None = None
    ) -> None:
        """Fails with the function, the measured and the allowed number."""
        if function not in self.instructions:
            known = ", ".join(self.instructions)
            raise ContractError(f"{function}: expected a function that ran and was not inlined: {known}")
        _hold(f"{function}: instructions", self.instructions[function], instructions, "instructions")
        _hold(f"{function}: text", self.built.n_bytes({function}), text_bytes, "bytes")


class Budgeter:
    """Builds, runs and counts; the same numbers on every machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._n = 0

    def c(
        self,
        sources: Sequence[Path],
        *,
        target: str = "cortex-m4",
        includes: Sequence[Path] = (),
        defines: Sequence[str] = (),
        compiler: str = ZIG,
    ) -> Counted:
        """Your sources; one of them has a main that calls what is to be counted."""
        self._n += 1
        built = image.build(
            [PORT / "startup.c", *sources],
            self._folder / f"c{self._n}.elf",
            target=target_named(target),
            compiler=compiler,
            defines=tuple(defines),
            includes=(*includes, PORT / "include"),
        )
        emulator = Emulator(built)
        emulator.run(jobs={}, max_instructions=MAX_INSTRUCTIONS)
        counted: dict[str, int] = {}
        for (function, caller), n in emulator.charged.items():
            counted[caller or function] = counted.get(caller or function, 0) + n
        return Counted(
            built=built,
            instructions={plain(name): n for name, n in counted.items()},
            stack_bytes=emulator.stack_bytes,
        )

    def bundle(self, folder: Path, *, target: str = "cortex-m4", compiler: str = ZIG) -> dict[str, int]:
        """What `wristlead gate` measures, by its names."""
        cost = bundle_cost.measure(read_application(folder), target_named(target), compiler=compiler)
        return {metric.name: metric.value for metric in cost.metrics()}


def _hold(what: str, measured: int, allowed: int | None, unit: str) -> None:
    if allowed is not None and measured > allowed:
        raise BudgetExceeded(what, measured=measured, allowed=allowed, unit=unit)


@pytest.fixture(scope="session")
def wristlead_budget(tmp_path_factory: pytest.TempPathFactory) -> Budgeter:
    """Exact counts; needs the extra [mcu]."""
    return Budgeter(tmp_path_factory.mktemp("wristlead_budget"))
