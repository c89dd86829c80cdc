"""Bytes to samples: what is lost is a Gap of its true length, or marked as estimated; nothing is silent."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.contract.errors import StreamError, WristleadError
from device_sim.framing import Deframer, Event
from device_sim.sources import Gap, Samples
from device_sim.wire import End, Hello, Payload
from device_sim.wire_codec import Encoder
from tests.golden import twin_wire as wire

HELLO = Hello(rate_hz=256, uv_per_count=Fraction(1), lead="II", bytes_each=3)
BLOCK = 16


class Board:
    """A device whose samples are their own index."""

    def __init__(self, session: int = 1, offset: int = 0) -> None:
        self.encoder = Encoder(session=session)
        self.offset = offset  # what sample 0 of this session counts

    def block(self, first: int, n: int = BLOCK, line: int = 0) -> bytes:
        counts = np.arange(first, first + n, dtype=np.int32) + self.offset
        return self.encoder.samples(first, counts, bytes_each=3, line=line)

    def said(self, payload: Payload) -> bytes:
        return self.encoder.payload(payload)


def greeted(hello: Hello = HELLO, **board: int) -> tuple[Board, Deframer]:
    sender, deframer = Board(**board), Deframer("port")
    assert deframer.feed(sender.said(hello), 0.0) == [hello]
    return sender, deframer


def shape(events: list[Event]) -> list[object]:
    """Events in short: (index, first value, n) of samples, (index, n, estimated) of gaps."""
    made: list[object] = []
    for event in events:
        if isinstance(event, Samples):
            made.append(("samples", event.first_index, int(event.counts_i32[0]), event.n_samples))
        elif isinstance(event, Gap):
            made.append(("gap", event.first_index, event.n_samples, event.estimated))
        else:
            made.append(type(event).__name__)
    return made


def test_neighbouring_frames_are_one_stretch() -> None:
    board, deframer = greeted()
    assert shape(deframer.feed(board.block(0) + board.block(16) + board.block(32), 0.2)) == [
        ("samples", 0, 0, 48)
    ]


def test_a_line_joined_in_the_middle_begins_at_its_first_whole_frame() -> None:
    board = Board()
    deframer = Deframer("port")
    torn = board.block(1000)[9:]
    assert shape(deframer.feed(torn + board.block(1016), 0.1)) == [("samples", 0, 1016, 16)]
    assert deframer.n_damaged == 1


def test_a_lost_frame_becomes_a_gap() -> None:
    board, deframer = greeted()
    board_sent = board.block(0), board.block(16), board.block(32)
    assert shape(deframer.feed(board_sent[0] + board_sent[2], 0.2)) == [
        ("samples", 0, 0, 16),
        ("gap", 16, 16, False),
        ("samples", 32, 32, 16),
    ]


def test_a_damaged_frame_is_a_gap_of_true_length_and_counted() -> None:
    board, deframer = greeted()
    damaged = bytearray(board.block(16))
    damaged[7] ^= 0x10
    events = deframer.feed(board.block(0) + bytes(damaged) + board.block(32), 0.2)
    assert shape(events)[1] == ("gap", 16, 16, False)
    assert deframer.n_damaged == 1


def test_a_lost_delimiter_costs_two_frames_and_no_more() -> None:
    board, deframer = greeted()
    events = deframer.feed(board.block(0)[:-1] + board.block(16) + board.block(32), 0.2)
    assert shape(events) == [("samples", 0, 32, 16)]  # nothing came before: it begins there


@pytest.mark.parametrize("index", [0, 2**32 - 24, 2**31 - 8])
def test_the_index_may_wrap(index: int) -> None:
    board, deframer = greeted(offset=0)
    frames = [
        board.encoder.samples(index + k * BLOCK, np.full(BLOCK, k, np.int32), bytes_each=3) for k in (0, 1, 3)
    ]
    assert shape(deframer.feed(b"".join(frames), 0.2)) == [
        ("samples", 0, 0, 32),
        ("gap", 32, 16, False),
        ("samples", 48, 3, 16),
    ]


def test_a_frame_that_comes_twice_counts_once() -> None:
    board, deframer = greeted()
    once = board.block(0)
    assert shape(deframer.feed(once + once + board.block(16), 0.2)) == [("samples", 0, 0, 32)]
    assert deframer.tally.n_late == 1


def test_frames_in_the_wrong_order_leave_a_gap_and_nothing_twice() -> None:
    board, deframer = greeted()
    late = board.block(16)
    events = deframer.feed(board.block(0) + board.block(32) + late + board.block(48), 0.3)
    assert shape(events) == [("samples", 0, 0, 16), ("gap", 16, 16, False), ("samples", 32, 32, 32)]


def test_frames_that_overlap_give_each_sample_once() -> None:
    board, deframer = greeted()
    assert shape(deframer.feed(board.block(0) + board.block(10) + board.block(26), 0.2)) == [
        ("samples", 0, 0, 42)
    ]


def test_a_restart_is_a_gap_of_estimated_length() -> None:
    board, deframer = greeted()
    deframer.feed(board.block(0), 1.0)
    again = Board(session=2, offset=5000)
    events = deframer.feed(again.said(HELLO) + again.block(0), 3.0)
    assert shape(events) == ["Hello", ("gap", 16, 512, True), ("samples", 528, 5000, 16)]
    assert deframer.tally.n_restarts == 1


def test_a_restart_whose_first_frames_are_lost_counts_them_as_missing() -> None:
    board, deframer = greeted(hello=Hello(rate_hz=256, uv_per_count=Fraction(1), lead="", is_paced=False))
    deframer.feed(board.block(0), 0.0)
    assert shape(deframer.feed(Board(session=2).block(48), 0.0))[0] == ("gap", 16, 48, True)


def test_a_device_that_forgets_to_change_its_session_is_seen_by_its_index() -> None:
    board, deframer = greeted()
    deframer.feed(b"".join(board.block(k * BLOCK) for k in range(400)), 25.0)
    events = deframer.feed(Board(session=1).block(0), 26.0)
    assert shape(events) == [("gap", 6400, 256, True), ("samples", 6656, 0, 16)]


def test_after_an_unplug_even_a_small_step_back_is_a_restart() -> None:
    board, deframer = greeted()
    deframer.feed(board.block(0) + board.block(16), 1.0)
    deframer.reopened()
    assert shape(deframer.feed(Board(session=1).block(0), 2.0))[0] == ("gap", 32, 256, True)


def test_after_an_unplug_a_device_that_went_on_leaves_a_gap_of_true_length() -> None:
    board, deframer = greeted()
    deframer.feed(board.block(0), 1.0)
    deframer.reopened()
    assert shape(deframer.feed(board.block(2560), 11.0))[0] == ("gap", 16, 2544, False)


def test_a_leap_the_clock_contradicts_is_no_gap_of_hours() -> None:
    board, deframer = greeted()
    deframer.feed(board.block(0), 1.0)
    events = deframer.feed(board.block(256 * 3600), 2.0)
    assert shape(events)[0] == ("gap", 16, 256, True)


def test_an_end_tells_what_was_lost_before_it() -> None:
    board, deframer = greeted()
    events = deframer.feed(board.block(0) + board.said(End(next_index=40)), 1.0)
    assert shape(events) == [("samples", 0, 0, 16), ("gap", 16, 24, False), "End"]


def test_lead_off_is_true_of_its_own_samples_alone() -> None:
    board, deframer = greeted()
    events = deframer.feed(board.block(0) + board.block(16, line=4) + board.block(32), 0.2)
    assert [event.lead_off for event in events if isinstance(event, Samples)] == [False, True, False]
    assert [event.n_samples for event in events if isinstance(event, Samples)] == [16, 16, 16]


def test_a_frame_of_a_type_from_the_future_is_counted_and_passed_over() -> None:
    board, deframer = greeted()
    future = wire.encode(wire.Frame(type=77, payload=b"?"))
    assert shape(deframer.feed(future + board.block(0), 0.1)) == [("samples", 0, 0, 16)]
    assert deframer.tally.n_foreign == 1


def test_another_protocol_is_refused_in_one_line() -> None:
    with pytest.raises(StreamError, match=r"^port: expected protocol 1, got 2; update wristlead"):
        Deframer("port").feed(wire.encode(wire.Frame(type=1, version=2)), 0.0)


def test_samples_that_contradict_their_count_are_refused_in_one_line() -> None:
    payload = wire.samples(0, [1, 2, 3])[:-1]
    with pytest.raises(StreamError, match=r"^port: SAMPLES: expected as many bytes as it counts"):
        Deframer("port").feed(wire.encode(wire.Frame(type=wire.SAMPLES, payload=payload)), 0.0)


def test_a_device_of_another_rate_is_not_taken_for_the_same() -> None:
    board, deframer = greeted()
    other = Hello(rate_hz=250, uv_per_count=Fraction(1), lead="II")
    with pytest.raises(StreamError, match="HELLO: expected rate_hz 256 as before, got 250; another device"):
        deframer.feed(board.said(other), 1.0)


def test_a_leap_of_weeks_before_the_first_hello_is_no_gap_of_weeks() -> None:
    board, deframer = Board(), Deframer("port")
    events = deframer.feed(board.block(0) + board.block(2**30), 1.0)
    assert shape(events)[1] == ("gap", 16, 1, True)


@settings(max_examples=300, deadline=None)
@given(
    frames=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 3), st.binary(max_size=240)), min_size=1, max_size=8
    )
)
def test_whatever_a_sound_frame_holds_is_understood_or_refused_in_one_line(
    frames: list[tuple[int, int, bytes]],
) -> None:
    stream = b"".join(wire.encode(wire.Frame(type=t, session=s, payload=p)) for t, s, p in frames)
    deframer = Deframer("port")
    refusal = ""
    events: list[Event] = []
    try:
        events = deframer.feed(stream, 1.0)
    except WristleadError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert refusal.startswith("port: ") or not refusal
    n_samples = sum(event.n_samples for event in events if isinstance(event, Samples | Gap))
    assert n_samples == deframer.n_out or refusal


def test_an_empty_block_says_no_more_than_its_index() -> None:
    board, deframer = greeted()
    events = deframer.feed(board.block(0) + board.block(32, n=0) + board.block(32), 0.2)
    assert shape(events) == [("samples", 0, 0, 16), ("gap", 16, 16, False), ("samples", 32, 32, 16)]
