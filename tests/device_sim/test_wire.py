"""The wire: the C codec equals its definition byte for byte, and every payload survives the way."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim import binding
from device_sim.contract.errors import ContractError, StreamError
from device_sim.framing import MESSAGES
from device_sim.wire import (
    Answer,
    Ask,
    Column,
    DeviceError,
    End,
    FrameType,
    Hello,
    InputPart,
    Judged,
    Payload,
    Query,
    Status,
)
from device_sim.wire_codec import SAMPLES_A_FRAME, Decoder, Encoder, content_of
from tests.golden import twin_wire as wire
from tests.golden.vectors import golden_cases

CASES = golden_cases("wire")
PAYLOADS: tuple[Payload, ...] = (
    Hello(
        rate_hz=250,
        uv_per_count=Fraction(25, 1024),
        lead="II",
        rails_counts=(-(2**23), 2**23 - 1),
        bytes_each=3,
        is_paced=False,
        firmware="band-7",
        bundle_sha256=bytes(range(32)),
    ),
    Hello(rate_hz=256, uv_per_count=Fraction(1), lead="", rails_counts=None),
    Status(next_index=2**32 - 1, n_overflow=7, battery_mv=3700, battery_percent=81, line=5),
    Column(index=9, flags=33, codes=bytes(range(100, 132))),
    Judged(
        window_index=3,
        t0_us=-12,
        label=2,
        score_q15=-1,
        margin_q8=-65280,
        bundle=b"12345678",
        logits=b"\x80\x7f\0",
        cycles=123_456,
    ),
    Query(ask=Ask.TENSOR, item=513),
    Answer(ask=Ask.LAYER, item=2, offset=228, n_bytes=300, part=b"\0\1\2"),
    DeviceError(code=3, about=6, detail=9, text="nothing known of 3:9"),
    End(next_index=77),
    InputPart(number=1, offset=232, part=b"\0\xff\7"),
)


def as_twin(frame: binding.Frame) -> wire.Frame:
    return wire.Frame(
        version=frame.version,
        type=frame.type,
        session=frame.session,
        sequence=frame.sequence,
        payload=content_of(frame),
    )


def decoded(stream: bytes, portion: int) -> tuple[list[wire.Frame], int]:
    decoder = Decoder()
    found = []
    for start in range(0, len(stream), portion):
        found += decoder.each(stream[start : start + portion])
    assert decoder.n_frames == len(found)
    return list(map(as_twin, found)), decoder.n_damaged


def test_the_vectors_are_here() -> None:
    clean = {"sizes", "zeros", "no_zeros", "extremes"}
    damaged = {"flipped", "shortened", "attached", "idle", "too_long", "noise"}
    assert {path.stem for path in CASES} == clean | damaged


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("portion", [1, 61, 10**6])
def test_twin_and_c_equal_the_vector(path: Path, portion: int) -> None:
    frames, n_damaged, stream = wire.from_bytes(path.read_bytes())
    assert wire.decode(stream) == (frames, n_damaged)
    assert decoded(stream, portion) == (frames, n_damaged)


@settings(max_examples=200, deadline=None)
@given(
    session=st.integers(0, 255),
    ends=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.booleans()), max_size=5),
)
def test_twin_and_c_write_the_same_bytes(session: int, ends: list[tuple[int, bool]]) -> None:
    encoder = Encoder(session=session)
    for sequence, (index, is_end) in enumerate(ends):
        payload: Payload = End(next_index=index) if is_end else Query(ask=index % 256, item=index % 65_536)
        expected = wire.Frame(
            type=payload.TYPE, payload=payload.pack(), session=session, sequence=sequence % 256
        )
        assert encoder.payload(payload) == wire.encode(expected)


@settings(max_examples=200, deadline=None)
@given(stream=st.binary(max_size=2000), portion=st.integers(1, 300))
def test_twin_and_c_make_the_same_of_any_bytes(stream: bytes, portion: int) -> None:
    assert decoded(stream, portion) == wire.decode(stream)


@pytest.mark.parametrize("bytes_each", [2, 3])
def test_samples_are_what_the_definition_says(bytes_each: int) -> None:
    limit = 2 ** (8 * bytes_each - 1)
    counts = np.random.default_rng(1).integers(-limit, limit, SAMPLES_A_FRAME[bytes_each]).astype(np.int32)
    counts[:2] = -limit, limit - 1
    raw = Encoder().samples(2**32 - 5, counts, bytes_each=bytes_each, line=4)
    payload = wire.samples(2**32 - 5, counts.tolist(), bytes_each=bytes_each, line=4)
    assert raw == wire.encode(wire.Frame(type=wire.SAMPLES, payload=payload))
    (frames,) = Decoder().frames(raw)
    run = frames.run(0)
    assert run is not None
    assert (run.first_index, run.line, run.n_frames) == (2**32 - 5, 4, 1)
    np.testing.assert_array_equal(run.counts_i32, counts)


def test_more_samples_than_a_frame_takes_are_refused() -> None:
    with pytest.raises(ContractError, match="expected at most 116 samples, got 117"):
        Encoder().samples(0, np.zeros(117, np.int32), bytes_each=2)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.TYPE.name.lower())
def test_a_payload_survives_the_way(payload: Payload) -> None:
    (frame,) = Decoder().each(Encoder().payload(payload))
    assert MESSAGES[frame.type].unpack(content_of(frame), name="port") == payload


def test_every_type_but_samples_is_a_message() -> None:
    assert set(MESSAGES) == set(FrameType) - {FrameType.SAMPLES}


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.TYPE.name.lower())
def test_a_payload_of_another_length_is_refused_in_one_line(payload: Payload) -> None:
    packed = payload.pack()
    with pytest.raises(StreamError, match=r"^port: [A-Z]+.*: expected \d+ bytes, got \d+; the device speaks"):
        type(payload).unpack(packed[:3], name="port")  # type: ignore[attr-defined]


def test_a_hello_that_is_wrong_about_itself_is_refused() -> None:
    hello = PAYLOADS[1].pack()
    with pytest.raises(StreamError, match="port: HELLO: expected a gain above 0"):
        Hello.unpack(hello[:4] + bytes(4) + hello[8:], name="port")
    with pytest.raises(ContractError, match="port: HELLO: expected a rate of 125, 128"):
        Hello.unpack(b"\x01\x01" + hello[2:], name="port")


def test_a_frame_costs_six_bytes_more_than_its_head_and_payload() -> None:
    for payload in PAYLOADS:
        assert len(Encoder().payload(payload)) == 4 + len(payload.pack()) + 6
