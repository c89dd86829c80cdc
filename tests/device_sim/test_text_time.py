"""A column of time gives the rate and shows what is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, StreamError
from device_sim.frontend import RATES_HZ
from device_sim.recording import ReadAs
from device_sim.sources import Chunk, Gap
from device_sim.text_layout import layout_of
from device_sim.text_time import Timeline


def timeline(
    times: NDArray[np.float64], *, claimed_hz: int | None = None, header: str = "time,ecg"
) -> Timeline:
    layout, _ = layout_of(iter([(1, header)]), ReadAs(), name="f")
    return Timeline.of(times, numbers(times), layout, claimed_hz, name="f")


def numbers(times: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(range(2, 2 + times.size))


def cut(times: NDArray[np.float64], line: Timeline) -> list[Chunk]:
    return list(line.cut(np.zeros(times.size, np.int32), times, numbers(times)))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("header", ["time,ecg", "time_ms,ecg"])
def test_times_rounded_to_a_millisecond_still_tell_the_rate(rate_hz: int, header: str) -> None:
    times = np.round(np.arange(2 * rate_hz) / rate_hz, 3) * (1000 if "ms" in header else 1)
    line = timeline(times, header=header)
    assert line.rate_hz == rate_hz
    assert [type(chunk).__name__ for chunk in cut(times, line)] == ["Samples"]


@given(rate_hz=st.sampled_from(RATES_HZ), start=st.integers(1, 300), n_lost=st.integers(1, 400))
def test_lost_samples_become_a_gap_of_their_number(rate_hz: int, start: int, n_lost: int) -> None:
    indices = np.concatenate([np.arange(start), np.arange(start + n_lost, start + n_lost + 900)])
    times = indices / rate_hz
    chunks = cut(times, timeline(times, claimed_hz=rate_hz))
    assert Gap(first_index=start, n_samples=n_lost, estimated=False) in chunks
    assert sum(chunk.n_samples for chunk in chunks) == indices[-1] + 1


def test_a_jump_between_two_samples_is_estimated() -> None:
    times = np.concatenate([np.arange(500), 500 + 20.4 + np.arange(500)]) / 250
    gaps = [chunk for chunk in cut(times, timeline(times)) if isinstance(chunk, Gap)]
    assert [(gap.n_samples, gap.estimated) for gap in gaps] == [(20, True)]


def test_an_index_column_needs_no_rate_to_show_a_gap() -> None:
    indices = np.array([5.0, 6, 7, 10, 11])
    chunks = cut(indices, timeline(indices, header="sample,ecg"))
    assert [(chunk.first_index, chunk.n_samples) for chunk in chunks] == [(0, 3), (3, 2), (5, 2)]


def test_a_wrong_claim_is_told_the_measured_rate() -> None:
    with pytest.raises(StreamError, match=r"f: expected 256 Hz from --rate, measured 250 Hz over 4 s"):
        timeline(np.arange(1001) / 250, claimed_hz=256)


def test_time_that_runs_back_is_refused_at_its_line() -> None:
    with pytest.raises(StreamError, match=r"f:4: time: expected more than the line before, got 0\.001"):
        timeline(np.array([0, 0.004, 0.001]))


def test_a_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(ContractError, match="f:3: time: expected a finite time, got nan"):
        timeline(np.array([0, np.nan, 0.008]))


def test_a_day_between_two_samples_is_not_a_gap() -> None:
    times = np.concatenate([np.arange(500) / 250, 86_400 + np.arange(500) / 250])
    with pytest.raises(StreamError, match="f:502: expected a gap of at most 3600 s, got 86398 s"):
        cut(times, timeline(times))


def test_milliseconds_under_the_name_of_seconds_are_noticed() -> None:
    with pytest.raises(StreamError, match=r"measured 0.25 Hz; if it counts milliseconds, name it time_ms"):
        timeline(np.arange(0.0, 4000, 4))


def test_times_too_close_for_any_recorder_are_refused() -> None:
    with pytest.raises(StreamError, match="expected at most 100000 Hz in its time column, measured inf Hz"):
        timeline(np.array([0, 1e-320, 2e-320]))
