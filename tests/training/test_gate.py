"""A beat waits for the first windows that hold its second, and the gate is made of their codes."""

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from training.gate import N_AROUND, SHUT_Q8, GateForm, gate_q8

CODES = np.array([10, 20, -30, 40, 51, 60, 70], np.int8)
ALL = np.ones(len(CODES), np.bool_)


def said(
    how: str, n_windows: int, peak: int, usable: np.ndarray[tuple[int], np.dtype[np.bool_]] = ALL
) -> int:
    form = GateForm(how=how, n_windows=n_windows)  # type: ignore[arg-type]
    return int(gate_q8(form, CODES, usable, np.array([peak]))[0])


def holding(peak: int) -> list[int]:
    """By definition: windows of 640 samples, every 128, that hold the beat's second whole."""
    return [k for k in range(len(CODES)) if 128 * k <= peak - 64 and peak + 64 <= 128 * k + 640]


@pytest.mark.parametrize("peak", [64, 300, 575, 576, 577, 640, 703, 704, 705, 1000])
def test_the_first_windows_that_hold_the_beat_count(peak: int) -> None:
    found = holding(peak)
    assert len(found) >= 1
    for n in range(1, N_AROUND + 1):
        first = CODES[found[:n]].astype(int)
        assert said("best", n, peak) == 256 * first.max()
        assert said("worst", n, peak) == 256 * first.min()
        assert said("mean", n, peak) == int(np.floor(256 * first.sum() / len(first) + 0.5))


def test_a_mean_is_rounded_half_up() -> None:
    assert said("mean", 3, 576 + 128) == round(256 * (20 - 30 + 40) / 3)
    assert said("mean", 2, 576 + 3 * 128) == 256 * 91 // 2


def test_a_barred_window_is_left_out() -> None:
    usable = ALL.copy()
    usable[1] = False
    assert said("mean", 3, 576, usable) == 256 * (10 - 30) // 2
    assert said("newest", 2, 576, usable) == SHUT_Q8


def test_the_gate_is_shut_where_no_window_holds_the_beat() -> None:
    assert said("best", 4, 64 + 128 * 11) == SHUT_Q8
    assert said("mean", 3, 576, np.zeros(len(CODES), np.bool_)) == SHUT_Q8
    assert gate_q8(GateForm(), CODES[:0], ALL[:0], np.array([64, 640])).tolist() == [SHUT_Q8] * 2


def test_the_first_second_lies_in_the_first_window() -> None:
    assert said("mean", 3, 10) == 256 * 10


def test_a_form_that_waits_for_too_many_windows_is_refused() -> None:
    with pytest.raises(ContractError, match=r"expected 1\.\.4"):
        GateForm(n_windows=5)
