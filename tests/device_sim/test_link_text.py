"""Lines of numbers as a sketch prints them: found out, cut anywhere, and what is no number a Gap."""

from fractions import Fraction

import numpy as np
import pytest

from device_sim.contract.errors import ContractError, StreamError
from device_sim.link_text import PATIENCE_LINES, LineReceiver, is_text
from device_sim.recording import ReadAs
from device_sim.sources import Gap, Samples

AT_250 = ReadAs(rate_hz=250)


def receiver(read_as: ReadAs = AT_250, *, is_live: bool = False) -> LineReceiver:
    return LineReceiver("port", read_as, is_live=is_live)


def shape(chunks: list[Samples | Gap]) -> list[object]:
    return [
        chunk.counts_i32.tolist() if isinstance(chunk, Samples) else (chunk.n_samples, chunk.estimated)
        for chunk in chunks
    ]


@pytest.mark.parametrize(
    "received",
    [b"12\n13\n14\n15\n", b"3\r\n-14\r\n-15\r\n7", b"e,ecg\n1.5,2\n1.6,3\n1", b"0.1\t3\n0.2\t4\n0.3\t5\n"],
)
def test_lines_of_numbers_are_text(received: bytes) -> None:
    assert is_text(received, is_whole=False)


@pytest.mark.parametrize(
    "received", [b"", b"12", b"12\n13\n", b"hello\nworld\nagain\n", b"\x8012\n13\n14\n15\n"]
)
def test_other_bytes_are_not(received: bytes) -> None:
    assert not is_text(received, is_whole=False)


@pytest.mark.parametrize("portion", [1, 2, 3, 7, 100])
def test_lines_may_be_cut_anywhere(portion: int) -> None:
    raw, lines = b"1\n-20\r\n300\n\n# said\n4.4\n", receiver()
    chunks = [
        one for start in range(0, len(raw), portion) for one in lines.feed(raw[start : start + portion], 0.0)
    ]
    counts = np.concatenate([chunk.counts_i32 for chunk in chunks if isinstance(chunk, Samples)])
    assert counts.tolist() == [1, -20, 300, 4]
    assert [chunk.first_index for chunk in chunks] == sorted(chunk.first_index for chunk in chunks)


def test_a_line_that_is_no_number_is_a_gap_of_one() -> None:
    lines = receiver()
    assert shape(lines.feed(b"1\n2x\n3\n99999999\n5\n", 0.0)) == [[1], (1, True), [3], (1, True), [5]]
    assert (lines.n_lines, lines.n_bad) == (5, 2)


def test_the_first_line_of_a_live_port_may_be_half_a_number_and_is_dropped() -> None:
    assert shape(receiver(is_live=True).feed(b"23\n123\n124\n", 0.0)) == [[123, 124]]
    assert shape(receiver(is_live=True).feed(b"# a sketch\n123\n124\n", 0.0)) == [[123, 124]]


def test_a_header_names_the_lead_and_its_units() -> None:
    read_as = ReadAs(rate_hz=250, units="adc", gain_per_mv=Fraction(200), lead="II")
    lines = receiver(read_as)
    assert shape(lines.feed(b"I,II\n1,2\n3,4\n", 0.0)) == [[2, 4]]
    assert lines.scale.uv_per_count == 5


def test_a_column_of_sample_numbers_shows_what_is_missing() -> None:
    lines = receiver()
    assert shape(lines.feed(b"sample,ecg\n7,1\n8,2\n12,3\n", 0.0)) == [[1, 2], (3, False), [3]]


def test_a_column_of_time_shows_about_how_much_is_missing() -> None:
    lines = receiver()
    assert shape(lines.feed(b"time_ms,ecg\n0,1\n4,2\n24,3\n", 0.0)) == [[1, 2], (4, True), [3]]


def test_an_unplug_is_as_long_as_the_clock_says() -> None:
    lines = receiver()
    lines.feed(b"1\n2\n3", 1.0)
    lines.reopened()
    assert shape(lines.feed(b"77\n78\n79\n", 3.0)) == [(500, True), [78, 79]]


def test_the_last_line_of_a_file_need_not_end() -> None:
    lines = receiver()
    assert shape(lines.feed(b"1\n2", 0.0) + lines.feed(b"\n", 0.0)) == [[1], [2]]


def test_a_sketch_that_prints_words_for_ever_is_refused() -> None:
    lines = receiver()
    lines.feed(b"1\n2\n", 0.0)
    with pytest.raises(StreamError, match=r"^port: expected a number a line, got 256 lines in a row without"):
        lines.feed(b"hello\n" * (PATIENCE_LINES + 1), 0.0)


def test_a_line_without_an_end_is_cut_off() -> None:
    lines = receiver()
    assert shape(lines.feed(b"1\n" + b"7" * 5000, 0.0)) == [[1], (1, True)]
    assert shape(lines.feed(b"7\n8\n", 0.0))[-1] == [8]


def test_text_without_a_rate_says_which_there_are() -> None:
    with pytest.raises(
        ContractError, match=r"^port: expected a sampling rate, lines of text have none; say --rate"
    ):
        receiver(ReadAs())
