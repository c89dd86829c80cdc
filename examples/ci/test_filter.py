"""A C function with a budget: exact instructions on a Cortex-M4, on any machine that runs pytest."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.pytest_plugin import Budgeter

HERE = Path(__file__).resolve().parent


def test_the_filter_keeps_its_budget(wristlead_budget: "Budgeter") -> None:
    counted = wristlead_budget.c([HERE / "filter.c"], target="cortex-m4")
    counted.within("moving_mean", instructions=4000, text_bytes=400)
    assert counted.stack_bytes <= 96
