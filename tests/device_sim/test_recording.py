"""Values become counts by one rule, and a recording streams what it holds."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.contract.errors import ContractError
from device_sim.recording import ReadAs, Recording, check_span, counts_of, pick_lead, scale_of, whole
from device_sim.sources import Gap, Samples


def place(index: int) -> str:
    return f"f:{index}"


def recording(**changes: object) -> Recording:
    facts: dict[str, object] = {
        "name": "f",
        "kind": "text",
        "lead": "1",
        "leads": ("1",),
        "rate_hz": Fraction(250),
        "uv_per_count": Fraction(1),
        "chunks": whole(np.arange(1000, dtype=np.int32)),
    }
    return Recording(**(facts | changes))  # type: ignore[arg-type]


def test_millivolts_round_half_to_even() -> None:
    scale = scale_of(ReadAs(units="mV"), name="f")
    assert counts_of(np.array([0.0005, 0.0015, -0.0025, 1.0]), scale, place).tolist() == [0, 2, -2, 1000]


def test_adc_counts_stay_as_they_are_and_carry_their_gain() -> None:
    scale = scale_of(ReadAs(units="adc", gain_per_mv=Fraction(200)), name="f")
    assert scale.uv_per_count == 5
    assert counts_of(np.array([-7.0, 1023.0]), scale, place).tolist() == [-7, 1023]


def test_adc_without_a_gain_says_which_option() -> None:
    with pytest.raises(ContractError, match="expected a gain; say --gain"):
        scale_of(ReadAs(units="adc"), name="f")


def test_a_gain_without_adc_is_refused() -> None:
    with pytest.raises(ContractError, match="expected --units adc beside it, got mV"):
        scale_of(ReadAs(units="mV", gain_per_mv=Fraction(200)), name="f")


def test_a_fraction_of_a_count_is_refused() -> None:
    scale = scale_of(ReadAs(units="adc", gain_per_mv=Fraction(200)), name="f")
    with pytest.raises(ContractError, match=r"f:1: expected a whole number of ADC counts, got 1\.5"):
        counts_of(np.array([1.0, 1.5]), scale, place)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(value: float) -> None:
    with pytest.raises(ContractError, match=f"f:2: expected a finite number, got {value:g}"):
        counts_of(np.array([1.0, 2.0, value]), scale_of(ReadAs(), name="f"), place)


@pytest.mark.parametrize("value", [1e300, -1e17, 2.0**40])
def test_a_huge_value_is_refused_and_does_not_wrap(value: float) -> None:
    with pytest.raises(ContractError, match="f:0: expected at most 500 mV"):
        counts_of(np.array([value]), scale_of(ReadAs(), name="f"), place)


def test_millivolts_taken_for_microvolts_are_noticed() -> None:
    with pytest.raises(ContractError, match=r"got 1\.4 uV; say --units mV, or --units uV if it is so"):
        check_span(np.array([-0.2, 1.2, 0.1]), ReadAs(), name="f")


@pytest.mark.parametrize("values", [[0.0, 0.0], [3.0, 9.0], [0.5, 900.0]])
def test_a_flat_line_and_a_real_signal_are_not_suspected(values: list[float]) -> None:
    check_span(np.array(values), ReadAs(), name="f")


def test_named_units_are_believed() -> None:
    check_span(np.array([-0.2, 1.2]), ReadAs(units="uV"), name="f")


def test_an_unknown_lead_is_answered_with_the_list() -> None:
    with pytest.raises(ContractError, match=r"expected a lead of this file \(I, II\), got --lead V9"):
        pick_lead("V9", ("I", "II"), None, name="f")


@given(block_samples=st.integers(1, 1200))
def test_any_block_length_streams_the_same_samples(block_samples: int) -> None:
    chunks = (
        Samples(first_index=0, counts_i32=np.arange(400, dtype=np.int32)),
        Gap(first_index=400, n_samples=50, estimated=False),
        Samples(first_index=450, counts_i32=np.arange(450, 1000, dtype=np.int32)),
    )
    source = recording(chunks=chunks).source(block_samples=block_samples)
    expected = 0
    for chunk in source:
        assert chunk.first_index == expected
        if isinstance(chunk, Samples):
            assert chunk.counts_i32[0] == expected
        expected += chunk.n_samples
    assert expected == source.n_samples == 1000


def test_a_recording_without_a_rate_asks_for_it() -> None:
    with pytest.raises(ContractError, match="expected a sampling rate, found none in the file; say --rate"):
        recording(rate_hz=None).source()


def test_a_rate_that_is_not_whole_is_refused() -> None:
    with pytest.raises(ContractError, match=r"got 128\.5 Hz"):
        recording(rate_hz=Fraction(257, 2)).source()
