"""Chunks, rates and plausible voltages."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.contract.errors import ContractError
from device_sim.frontend import RATES_HZ
from device_sim.sources import Samples, check_microvolts, check_rate, split


@given(n_samples=st.integers(1, 500), block_samples=st.integers(1, 600), first_index=st.integers(0, 10**9))
def test_any_split_gives_the_same_samples_in_order(
    n_samples: int, block_samples: int, first_index: int
) -> None:
    counts_i32 = np.arange(n_samples, dtype=np.int32)
    parts = list(split(Samples(first_index=first_index, counts_i32=counts_i32, lead_off=True), block_samples))
    assert np.array_equal(np.concatenate([part.counts_i32 for part in parts]), counts_i32)
    expected = first_index
    for part in parts:
        assert part.first_index == expected
        assert part.lead_off
        assert 1 <= part.n_samples <= block_samples
        expected += part.n_samples


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_every_rate_with_a_table_passes(rate_hz: int) -> None:
    assert check_rate(Fraction(rate_hz), where="x") == rate_hz


def test_another_rate_is_answered_with_the_list() -> None:
    with pytest.raises(ContractError, match=r"x: expected a rate of 125, 128, .* 1000 Hz, got 257 Hz"):
        check_rate(257, where="x")


def test_a_volt_is_refused_at_its_sample() -> None:
    counts = np.array([0, 500_000, -500_000, 1_000_000], dtype=np.int64)
    with pytest.raises(
        ContractError, match=r"s3: expected at most 500 mV either way, got 1000 mV; are the units"
    ):
        check_microvolts(counts, Fraction(1), lambda index: f"s{index}")


def test_the_limit_follows_the_gain() -> None:
    check_microvolts(np.array([100_000]), Fraction(5), str)
    with pytest.raises(ContractError, match=r"got -500\.005 mV"):
        check_microvolts(np.array([-100_001]), Fraction(5), str)
