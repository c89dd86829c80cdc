"""The optimised layers: the same bytes as here, and fewer instructions a MAC than the reference."""

from dataclasses import replace

import pytest

from benchmarks import kernels
from benchmarks.mcu import model, qemu
from benchmarks.mcu.targets import M4, M55
from device_sim.__main__ import main
from device_sim.contract.errors import ContractError

SMALL = kernels.SHAPES[2:4] + kernels.SHAPES[6:]  # the rows; a map of 28 x 28 takes ten times as long


@pytest.fixture(scope="module")
def costs(mcu_extra: None) -> list[kernels.KernelCost]:
    return kernels.measure(M4, shapes=SMALL)


def test_every_layer_is_below_the_reference(costs: list[kernels.KernelCost]) -> None:
    assert [cost.shape.name for cost in costs] == ["C", "D", "G", "H"]
    assert [cost.macs for cost in costs] == [655_360, 20_480, 20_480, 8_192]
    assert all(cost.limit and cost.limit.kept for cost in costs), kernels.text(costs)


def test_a_layer_above_the_reference_is_exit_1(
    costs: list[kernels.KernelCost], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernels, "measure", lambda target, compiler: costs)
    assert main(["bench", "kernels"]) == 0
    capsys.readouterr()
    slow = [replace(costs[0], instructions=costs[0].macs * 2.062)]
    monkeypatch.setattr(kernels, "measure", lambda target, compiler: slow)
    assert main(["bench", "kernels"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_a_layer_with_other_bytes_has_no_cost(mcu_extra: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "hash_here", lambda graph, windows: 0)
    with pytest.raises(ContractError, match="dense 256 to 32: cortex-m4 and this machine give different"):
        kernels.measure(M4, shapes=kernels.SHAPES[-1:])


def test_the_m55_s_vectors_give_these_bytes_below_their_reference(mcu_extra: None) -> None:
    if not qemu.is_installed():
        pytest.skip(f"{qemu.SYSTEM}: {qemu.INSTALL}")
    costs = kernels.measure(M55, shapes=SMALL)
    assert all(cost.limit and cost.limit.kept for cost in costs), kernels.text(costs)
    assert all(cost.stack_bytes is None for cost in costs)
