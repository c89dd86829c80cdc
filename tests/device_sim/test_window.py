"""The window refuses what cannot be cut."""

import pytest

from device_sim.contract.errors import ContractError
from device_sim.contract.window import WindowSpec


def test_a_hop_of_a_second_is_due_after_a_second() -> None:
    assert WindowSpec(rate_hz=256, length_samples=1280, hop_samples=256, uv_per_lsb=1).hop_us == 1_000_000


@pytest.mark.parametrize("field", ["rate_hz", "hop_samples", "uv_per_lsb"])
def test_a_field_of_zero_is_named(field: str) -> None:
    fields = {"rate_hz": 256, "length_samples": 1280, "hop_samples": 256, "uv_per_lsb": 1} | {field: 0}
    with pytest.raises(ContractError, match=f"window.{field}: expected .* got 0"):
        WindowSpec(**fields)


def test_a_hop_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ContractError, match=r"expected 1\.\.1280 \(length_samples\), got 1281"):
        WindowSpec(rate_hz=256, length_samples=1280, hop_samples=1281, uv_per_lsb=1)
