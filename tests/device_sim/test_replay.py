"""The loop keeps time, order and count, whatever the chunks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.contract.errors import ContractError
from device_sim.frontend import RATES_HZ, Columns, Flag, columns_of
from device_sim.recording import RecordingSource
from device_sim.replay import (
    COLUMN_US,
    Replay,
    Stride,
    dbuv_of_code,
    flag_counts,
    flag_names,
    limited,
    strides,
    time_of_column_us,
)
from device_sim.sources import Chunk, Gap, Samples
from device_sim.synthetic import Scene, SyntheticSource, example_scene
from tests.device_sim.test_recording import recording

CLEAN = SyntheticSource(Scene(seconds=8))


def joined(parts: list[Columns] | list[Stride]) -> tuple[bytes, bytes, bytes]:
    return (
        b"".join(part.codes_ts_i8.tobytes() for part in parts),
        b"".join(part.flags_u8.tobytes() for part in parts),
        b"".join(part.beat_uv_i16.tobytes() for part in parts),
    )


def source_of(chunks: tuple[Chunk, ...]) -> RecordingSource:
    return recording(chunks=chunks).source()


def test_a_replay_is_the_whole_array_at_once() -> None:
    counts = np.concatenate([chunk.counts_i32 for chunk in CLEAN if isinstance(chunk, Samples)])
    at_once = columns_of(counts, rate_hz=256, rails_counts=CLEAN.rails_counts)
    assert joined(list(Replay(CLEAN))) == joined([at_once])


@settings(max_examples=15, deadline=None)
@given(block_samples=st.integers(1, 2000))
def test_any_block_length_gives_the_same_bytes(block_samples: int) -> None:
    scene = example_scene(seconds=26)
    pieces = SyntheticSource(scene, block_samples=block_samples)
    assert joined(list(Replay(pieces))) == joined(list(Replay(SyntheticSource(scene))))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_every_rate_gives_sixteen_columns_and_128_beats_a_second(rate_hz: int) -> None:
    parts = list(Replay(SyntheticSource(Scene(rate_hz=rate_hz, seconds=5))))
    assert sum(part.flags_u8.size for part in parts) == 80
    assert sum(part.beat_uv_i16.size for part in parts) == 640
    expected = 0
    for part in parts:
        assert part.first_index == expected
        expected += part.flags_u8.size


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_beat_is_loudest_in_the_column_of_its_time(rate_hz: int) -> None:
    source = SyntheticSource(Scene(rate_hz=rate_hz, seconds=30))
    replay = Replay(source)
    codes = np.concatenate([part.codes_ts_i8 for part in replay])[:, 8]  # 24 Hz: the QRS and little else
    assert source.annotations is not None
    late_s = []
    for index in source.annotations.indices_i64[4:-3]:
        near = np.arange(int(index / rate_hz * 16) - 3, int(index / rate_hz * 16) + 6)
        power = 2.0 ** (codes[near] / 10)
        centre = float((near * power).sum() / power.sum())
        late_s.append((centre * COLUMN_US - replay.delay_us) / 1e6 - index / rate_hz)
    assert abs(float(np.mean(late_s))) < 0.004  # Q and S pull the centre of the energy 2 ms behind R


def test_strides_hold_a_second_each_and_lose_nothing() -> None:
    source = SyntheticSource(example_scene(seconds=9.7))
    found = list(strides(Replay(source), 0))
    assert [stride.n_columns for stride in found] == [16] * 9 + [12]
    assert [stride.t_us for stride in found] == [second * 1_000_000 for second in range(10)]
    assert joined(found) == joined(list(Replay(source)))
    assert [stride.beat_uv_i16.size for stride in found] == [128] * 9 + [90]


def test_a_gap_holds_the_last_sample_and_is_flagged() -> None:
    one = np.arange(1000, dtype=np.int32)
    chunks = (
        Samples(first_index=0, counts_i32=one),
        Gap(first_index=1000, n_samples=500, estimated=True),
        Samples(first_index=1500, counts_i32=one),
    )
    replay = Replay(source_of(chunks))
    flags = np.concatenate([part.flags_u8 for part in replay])
    assert flags.size == 160  # 2500 samples at 250 Hz: the gap has kept its time
    gap = np.flatnonzero(flags & Flag.GAP)
    assert abs(gap[0] - 64) <= 1
    assert abs(gap[-1] - 96) <= 1
    report = replay.report()
    assert (report.n_gaps, report.n_gap_samples, report.n_estimated_gaps) == (1, 500, 1)
    assert report.seconds == 10


def test_a_gap_before_the_first_sample_is_held_at_it() -> None:
    chunks = (
        Gap(first_index=0, n_samples=250, estimated=False),
        Samples(first_index=250, counts_i32=np.full(500, 100_000, np.int32)),
    )
    parts = list(Replay(source_of(chunks)))
    assert sum(part.flags_u8.size for part in parts) == 48
    assert max(int(part.codes_ts_i8.max(initial=-128)) for part in parts) == -128  # no step anywhere


def test_a_source_of_gaps_alone_is_refused() -> None:
    with pytest.raises(ContractError, match="f: expected samples, got none"):
        list(Replay(source_of((Gap(first_index=0, n_samples=250, estimated=False),))))


def test_lead_off_and_rails_reach_their_columns() -> None:
    replay = Replay(SyntheticSource(example_scene()))
    flags = np.concatenate([part.flags_u8 for part in replay])
    assert (flags[16 * 15 + 2 : 280 - 2] & Flag.LEAD_OFF).all()
    assert (flags[16 * 20 + 2 : 16 * 21 - 2] & Flag.RAIL).all()
    assert not (flags[16 * 4 : 16 * 8 - 2]).any()


@given(limit=st.integers(1, 900))
def test_a_limit_cuts_samples_and_gaps_to_fit(limit: int) -> None:
    chunks: list[Chunk] = [
        Samples(first_index=0, counts_i32=np.zeros(300, np.int32), lead_off=True),
        Gap(first_index=300, n_samples=200, estimated=False),
        Samples(first_index=500, counts_i32=np.zeros(250, np.int32)),
    ]
    assert sum(chunk.n_samples for chunk in limited(chunks, limit)) == min(limit, 750)


def test_a_limit_reads_nothing_behind_it() -> None:
    def endless() -> object:
        yield Samples(first_index=0, counts_i32=np.zeros(10, np.int32))
        raise AssertionError("read too far")

    assert len(list(limited(endless(), 10))) == 1  # type: ignore[arg-type]


def test_the_clock_is_handed_in() -> None:
    ticks = iter(range(1000))
    replay = Replay(CLEAN, clock=lambda: float(next(ticks)))
    list(replay)
    report = replay.report()
    assert report.elapsed_s == 9  # eight seconds and the flush, a tick each
    assert report.times_real_time == pytest.approx(8 / 9)
    assert replace(report, elapsed_s=0.0).times_real_time == 0


def test_percentiles_are_those_of_the_codes() -> None:
    replay = Replay(CLEAN)
    codes = np.concatenate([part.codes_ts_i8 for part in replay])
    expected = np.percentile(codes[:, 31], (5, 50, 95), method="inverted_cdf")
    assert replay.report().band_dbuv["hf"] == tuple(dbuv_of_code(float(code)) for code in expected)


def test_levels_and_flags_have_readable_names() -> None:
    assert dbuv_of_code(-128) == 0
    assert dbuv_of_code(20 * 10 - 128) == 60.2  # 2 ** 10 uV
    assert flag_names(int(Flag.RAIL | Flag.LEAD_OFF)) == ["rail", "lead_off"]
    assert flag_counts(np.array([1, 3, 0], np.uint8))["rail"] == 2
    assert time_of_column_us(16, 40_000) == 960_000


def test_no_seconds_at_all_make_no_sense() -> None:
    with pytest.raises(ContractError, match="seconds: expected more than 0, got 0"):
        Replay(CLEAN, seconds=0)
