"""Other people's C functions and bundles under a budget, from their own tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.pytest_plugin import Budgeter
from device_sim.contract.errors import BudgetExceeded, ContractError

ROOT = Path(__file__).resolve().parents[2]
FILTER = ROOT / "examples" / "ci" / "filter.c"


@pytest.fixture(scope="module")
def budgeter(mcu_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Budgeter:
    return Budgeter(tmp_path_factory.mktemp("budget"))


def test_a_function_is_counted_exactly_and_held(budgeter: Budgeter) -> None:
    first, second = (budgeter.c([FILTER]) for _ in range(2))
    assert first.instructions == second.instructions
    n = first.instructions["moving_mean"]
    assert 256 * 5 < n < 4000
    first.within("moving_mean", instructions=n)
    with pytest.raises(BudgetExceeded, match=f"moving_mean: instructions: {n} instructions, allowed {n - 1}"):
        first.within("moving_mean", instructions=n - 1)
    with pytest.raises(BudgetExceeded, match=r"moving_mean: text: .* bytes, allowed 1 bytes"):
        first.within("moving_mean", text_bytes=1)


def test_a_function_that_did_not_run_is_named(budgeter: Budgeter) -> None:
    with pytest.raises(ContractError, match="median: expected a function that ran"):
        budgeter.c([FILTER]).within("median", instructions=1)


def test_the_example_passes_as_somebody_would_run_it(mcu_extra: None) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/ci"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
