"""A device on a line as a source, on a scripted line and a scripted clock: who it meets, what it outlasts."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from device_sim.contract.errors import ContractError, StreamError
from device_sim.link import Link, LinkClosed
from device_sim.link_source import LinkSource
from device_sim.recording import ReadAs
from device_sim.sources import Gap, Samples
from device_sim.wire import Ask, DeviceError, End, Hello, Judged, Payload, Query, Status
from device_sim.wire_codec import Decoder, Encoder, content_of

RATE_HZ = 256
HELLO = Hello(rate_hz=RATE_HZ, uv_per_count=Fraction(5), lead="II", rails_counts=(-2048, 2047))
QUIET_HELLO = Hello(rate_hz=RATE_HZ, uv_per_count=Fraction(5), lead="II", is_paced=False)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Script:
    """A line on which things happen at their times: bytes that come, None where it is unplugged."""

    def __init__(self, clock: Clock, *happenings: tuple[float, bytes | None], is_live: bool = True) -> None:
        self.is_live = is_live
        self.written = b""
        self.is_closed = False
        self._clock = clock
        self._happenings = list(happenings)

    def read(self, timeout_s: float) -> bytes:
        sleeps = bool(self._happenings) and self._happenings[0][1] == b""  # nothing but time passes
        if not self._happenings or (self._happenings[0][0] > self._clock.now_s + timeout_s and not sleeps):
            self._clock.now_s += timeout_s
            return b""
        at_s, said = self._happenings.pop(0)
        self._clock.now_s = max(self._clock.now_s, at_s)
        if said is None:
            raise LinkClosed
        return said

    def write(self, raw: bytes) -> None:
        self.written += raw

    def close(self) -> None:
        self.is_closed = True


def opened(*lines: Link | None) -> Callable[..., Link]:
    """The lines one after the other; None stands for a port that is not there."""
    waiting = list(lines)

    def open_line(name: str, *, baud: int) -> Link:
        line = waiting.pop(0) if waiting else None
        if line is None:
            raise StreamError(f"{name}: expected a serial port, found none there")
        return line

    return open_line


class Board:
    def __init__(self, session: int = 1) -> None:
        self._encoder = Encoder(session=session)

    def seconds(
        self, start_s: float, first: int, n: int, *, hello: Hello | None = None
    ) -> list[tuple[float, bytes]]:
        """n sixteenths of a second, one at a time."""
        said = [] if hello is None else [(start_s, self._encoder.payload(hello))]
        for k in range(n):
            counts = np.arange(16, dtype=np.int32) + first + 16 * k
            frame = self._encoder.samples(first + 16 * k, counts % 1000, bytes_each=2)
            said.append((start_s + (k + 1) / 16, frame))
        return said

    def said(self, payload: Payload) -> bytes:
        return self._encoder.payload(payload)


def met(clock: Clock, *lines: Link | None, read_as: ReadAs | None = None, **options: object) -> LinkSource:
    return LinkSource("port", read_as, open_line=opened(*lines), clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]


def shape(source: LinkSource) -> list[object]:
    return [
        chunk.n_samples if isinstance(chunk, Samples) else (chunk.n_samples, chunk.estimated)
        for chunk in source
    ]


def total(source: LinkSource) -> tuple[int, list[Gap]]:
    chunks = list(source)
    return sum(c.n_samples for c in chunks if isinstance(c, Samples)), [
        c for c in chunks if isinstance(c, Gap)
    ]


def test_the_device_says_who_it_is_and_where_it_ends() -> None:
    clock, board = Clock(), Board()
    line = Script(clock, *board.seconds(100, 0, 32, hello=HELLO), (103, board.said(End(next_index=512))))
    source = met(clock, line)
    assert (source.lead, source.rate_hz, source.rails_counts) == ("II", 256, (-2048, 2047))
    assert source.uv_per_count == 5
    assert total(source) == (512, [])
    assert source.summary() == "link: 34 frames, 0 damaged; ended by END"
    assert line.is_closed


def test_it_is_asked_again_until_it_answers() -> None:
    clock, board = Clock(), Board()
    line = Script(clock, *board.seconds(104.5, 0, 2, hello=HELLO))
    met(clock, line)
    frames = Decoder().each(line.written)
    assert len(frames) == 5  # at once, then every second of a board that boots for 4.5 s
    assert {content_of(frame) for frame in frames} == {Query(ask=Ask.HELLO).pack()}


def test_samples_before_the_first_hello_are_not_lost() -> None:
    clock, board = Clock(), Board()
    early = board.seconds(100, 48, 3)
    source = met(
        clock, Script(clock, *early, (101, board.said(HELLO)), (102, board.said(End(next_index=96))))
    )
    assert shape(source) == [16, 16, 16]


def test_an_unplug_and_replug_is_a_gap_of_true_length_where_the_device_went_on() -> None:
    clock, board = Clock(), Board()
    before = Script(clock, *board.seconds(100, 0, 16, hello=HELLO), (101.1, None))
    after = Script(clock, *board.seconds(104, 1024, 16), (105.2, board.said(End(next_index=1280))))
    source = met(clock, before, None, None, after)
    n_samples, gaps = total(source)
    assert (n_samples, [(gap.first_index, gap.n_samples, gap.estimated) for gap in gaps]) == (
        512,
        [(256, 768, False)],
    )
    assert before.is_closed
    assert Decoder().each(after.written)  # it was asked again


def test_a_device_that_restarts_when_plugged_in_leaves_an_estimated_gap() -> None:
    clock, board, again = Clock(), Board(), Board(session=9)
    before = Script(clock, *board.seconds(100, 0, 16, hello=HELLO), (101.1, None))
    after = Script(clock, *again.seconds(104, 0, 16, hello=HELLO), (106, again.said(End(next_index=256))))
    source = met(clock, before, None, after)
    n_samples, gaps = total(source)
    assert n_samples == 512
    assert [gap.estimated for gap in gaps] == [True]
    assert gaps[0].n_samples == pytest.approx(3 * RATE_HZ, abs=RATE_HZ // 8)
    assert "1 restarts" in source.summary()


def test_a_device_that_does_not_come_back_ends_the_run_in_bounded_time() -> None:
    clock, board = Clock(), Board()
    source = met(clock, Script(clock, *board.seconds(100, 0, 16, hello=HELLO), (101.1, None)), wait_s=5.0)
    assert total(source) == (256, [])
    assert "ended by the device went away and did not come back within 5 s" in source.summary()
    assert clock.now_s < 108


def test_a_device_that_falls_silent_ends_the_run_in_bounded_time() -> None:
    clock, board = Clock(), Board()
    source = met(clock, Script(clock, *board.seconds(100, 0, 16, hello=HELLO)), wait_s=5.0)
    assert total(source) == (256, [])
    assert "ended by silence for 5 s" in source.summary()
    assert clock.now_s < 108


def test_a_machine_that_slept_for_an_hour_finds_a_gap_of_an_hour_and_no_lie() -> None:
    clock, board = Clock(), Board()
    before, after = board.seconds(100, 0, 16 * 12, hello=HELLO), board.seconds(3712, 3612 * RATE_HZ, 16 * 20)
    line = Script(clock, *before, (3712.0, b""), *after)
    n_samples, gaps = total(met(clock, line, wait_s=2.0))
    assert n_samples == 32 * RATE_HZ
    assert [(gap.n_samples, gap.estimated) for gap in gaps] == [(3600 * RATE_HZ, False)]


def test_a_file_of_frames_ends_where_it_ends_and_has_no_clock() -> None:
    clock, board = Clock(), Board()
    capture = b"".join(raw for _at, raw in board.seconds(0, 0, 400, hello=HELLO))
    source = met(clock, Script(clock, (100, capture), (100, None), is_live=False))
    assert total(source) == (6400, [])
    assert "ended by the end of the stream" in source.summary()


def test_a_lie_about_the_rate_is_an_error_with_both_numbers() -> None:
    clock, board = Clock(), Board()
    slow = [(100 + (at - 100) * 1.04, raw) for at, raw in board.seconds(100, 0, 16 * 40, hello=HELLO)]
    with pytest.raises(StreamError, match=r"^port: expected 256 Hz from HELLO, measured 246 Hz over \d+ s"):
        list(met(clock, Script(clock, *slow)))


def test_a_recording_that_says_so_is_not_held_against_the_clock() -> None:
    clock, board = Clock(), Board()
    fast = [(100 + (at - 100) / 50, raw) for at, raw in board.seconds(100, 0, 16 * 600, hello=QUIET_HELLO)]
    assert total(met(clock, Script(clock, *fast), wait_s=1.0)) == (16 * 16 * 600, [])


def test_the_drift_is_in_the_summary() -> None:
    clock, board = Clock(), Board()
    slow = [(100 + (at - 100) * 1.001, raw) for at, raw in board.seconds(100, 0, 16 * 60, hello=HELLO)]
    source = met(clock, Script(clock, *slow), wait_s=1.0)
    list(source)
    assert "drift -999 ppm over " in source.summary()


def test_what_the_device_complains_about_is_told() -> None:
    clock, board = Clock(), Board()
    complaint = board.said(DeviceError(code=4, text="the ADC does not answer"))
    line = Script(clock, *board.seconds(100, 0, 1, hello=HELLO), (101, complaint), (101, None), is_live=False)
    source = met(clock, line)
    list(source)
    assert "the device says: the ADC does not answer" in source.summary()


def test_what_the_device_carries_and_judges_is_told() -> None:
    clock, board = Clock(), Board()
    hello = replace(HELLO, bundle_sha256=bytes(range(1, 33)))
    judged = Judged(window_index=0, t0_us=0, label=1, score_q15=9, margin_q8=9, bundle=bytes(8))
    happenings = [*board.seconds(100, 0, 1, hello=hello), (101.0, board.said(judged) * 3), (101.1, None)]
    source = met(clock, Script(clock, *happenings, is_live=False))
    list(source)
    assert "bundle 010203040506 on board, 3 verdicts of the device's own" in source.summary()


def test_what_the_device_had_no_room_for_is_told() -> None:
    clock, board = Clock(), Board()
    status = board.said(Status(next_index=16, n_overflow=40))
    happenings = [*board.seconds(100, 0, 1, hello=HELLO), (101.0, status), (101.1, None)]
    source = met(clock, Script(clock, *happenings, is_live=False))
    list(source)
    assert "40 samples the device had no room for" in source.summary()


def test_who_reads_no_further_closes_the_line() -> None:
    clock, board = Clock(), Board()
    line = Script(clock, *board.seconds(100, 0, 160, hello=HELLO))
    source = met(clock, line)
    stream = iter(source)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert line.is_closed
    assert source.summary().endswith("ended by --seconds")


def test_an_interrupt_ends_the_stream_as_if_the_device_had() -> None:
    clock, board = Clock(), Board()
    source = met(clock, Script(clock, *board.seconds(100, 0, 160, hello=HELLO)))
    seen = 0
    for chunk in source:
        seen += chunk.n_samples
        source.interrupted = seen >= 64
    assert seen == 64
    assert source.summary().endswith("ended by ctrl-C")


def test_lines_of_numbers_are_found_out() -> None:
    clock = Clock()
    text = [(100 + k / 16, b"".join(b"%d\n" % (k * 16 + i) for i in range(16))) for k in range(16)]
    source = met(clock, Script(clock, *text), read_as=ReadAs(rate_hz=256), wait_s=1.0)
    assert source.rate_hz == 256
    assert source.uv_per_count == 1
    assert total(source) == (255, [])  # the first line may be half of one
    assert source.summary().startswith("link: 255 lines of text, 0 without a number")


REFUSALS: dict[str, tuple[list[tuple[float, bytes]], ReadAs, str]] = {
    "silence": (
        [],
        ReadAs(),
        "port: expected a device that sends, got nothing within 10 s; is the board powered",
    ),
    "garbage": (
        [(100.1, np.random.default_rng(1).bytes(3000))],
        ReadAs(),
        "port: expected frames or lines of numbers, got 3000 bytes of neither within 10 s; the baud rate is",
    ),
    "no hello": (
        Board().seconds(100, 0, 200),
        ReadAs(),
        "port: expected a HELLO with rate and gain, got 160 frames within 10 s and none; a device repeats",
    ),
    "a host": (
        [(100.1, Board().said(Query(ask=Ask.HELLO)))],
        ReadAs(),
        "port: expected a device, got the questions of a host within 10 s; is this the other end of the line",
    ),
    "text without a rate": (
        [(100.1, b"1\n2\n3\n4\n")],
        ReadAs(),
        "port: expected a sampling rate, lines of text have none; say --rate HZ",
    ),
    "another rate": (
        Board().seconds(100, 0, 2, hello=HELLO),
        ReadAs(rate_hz=250),
        "port: expected 250 Hz from --rate, got 256 Hz from HELLO; leave out --rate",
    ),
    "units beside frames": (
        Board().seconds(100, 0, 2, hello=HELLO),
        ReadAs(units="mV"),
        "port: --units: expected none, HELLO says it; leave it out, got mV",
    ),
}


@pytest.mark.parametrize(("happenings", "read_as", "message"), REFUSALS.values(), ids=REFUSALS)
def test_a_stranger_is_one_line_in_bounded_time(
    happenings: list[tuple[float, bytes]], read_as: ReadAs, message: str
) -> None:
    clock = Clock()
    line = Script(clock, *happenings)
    with pytest.raises((StreamError, ContractError)) as refused:
        met(clock, line, read_as=read_as)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    assert line.is_closed
    assert clock.now_s < 111
