"""The front end through the library: equal to its twin bit for bit, however it is fed."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.contract.errors import ContractError
from device_sim.frontend import RATES_HZ, Columns, Flag, FrontEnd, columns_of, rational_gain, row_hz
from tests.golden import signals, twin
from tests.golden.vectors import Case, from_bytes, golden_cases

CASES = golden_cases("frontend")
NO_RAILS = (-(2**31), 2**31 - 1)


def front_end_for(case: Case) -> FrontEnd:
    mul, shift = case.gain
    return FrontEnd(rate_hz=case.rate_hz, uv_per_count=mul / 2**shift, rails_counts=case.rails)


def joined(parts: list[Columns]) -> tuple[bytes, bytes, bytes]:
    return (
        b"".join(p.codes_ts_i8.tobytes() for p in parts),
        b"".join(p.flags_u8.tobytes() for p in parts),
        b"".join(p.beat_uv_i16.tobytes() for p in parts),
    )


def test_the_vectors_are_here() -> None:
    rates = {f"ecg_{rate}" for rate in RATES_HZ}
    limits = {"both_rails", "square_full_scale", "random_full_scale", "steps", "offset_300mv", "offset_ecg"}
    shapes = {
        "ecg_20uv",
        "ecg_clipped",
        "ecg_24_bit",
        "noise_white",
        "chirp",
        "zeros",
        "half_lsb_ties",
        "flat_then_ecg",
    }
    assert {path.stem for path in CASES} == rates | limits | shapes


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_twin_and_c_equal_the_vector(path: Path) -> None:
    case = from_bytes(path.read_bytes())
    ours = front_end_for(case).push(case.counts)
    theirs = twin.front_end(
        case.counts.astype(np.int64), rate_hz=case.rate_hz, gain=case.gain, rails=case.rails
    )
    for got in (ours, theirs):
        np.testing.assert_array_equal(got.codes_ts_i8, case.codes_ts_i8)
        np.testing.assert_array_equal(got.flags_u8, case.flags_u8)
        np.testing.assert_array_equal(got.beat_uv_i16, case.beat_uv_i16)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate_hz=st.sampled_from(RATES_HZ),
    amplitude=st.sampled_from([1, 30, 1000, 40_000, 2**31 - 1]),
    offset_uv=st.integers(-300_000, 300_000),
    gain=st.sampled_from([(1, 0), (5, 0), (3, 1), (25, 10), (1, 30)]),
)
def test_twin_and_c_agree_on_any_signal(
    seed: int, rate_hz: int, amplitude: int, offset_uv: int, gain: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(-amplitude, amplitude + 1, 4 * rate_hz) * rng.integers(0, 2, 4 * rate_hz)
    counts = np.clip(counts + offset_uv * 2 ** gain[1] // gain[0], -(2**31), 2**31 - 1)
    rails = (-2_000, 2_000)
    ours = FrontEnd(rate_hz=rate_hz, uv_per_count=gain[0] / 2 ** gain[1], rails_counts=rails).push(counts)
    theirs = twin.front_end(counts, rate_hz=rate_hz, gain=gain, rails=rails)
    assert joined([ours]) == (
        theirs.codes_ts_i8.tobytes(),
        theirs.flags_u8.tobytes(),
        theirs.beat_uv_i16.tobytes(),
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate_hz=st.sampled_from(RATES_HZ),
    cuts=st.lists(st.integers(0, 3000), max_size=30),
)
def test_any_chunking_gives_the_same_bytes(seed: int, rate_hz: int, cuts: list[int]) -> None:
    counts = np.random.default_rng(seed).integers(-3000, 3000, 3000)
    whole = FrontEnd(rate_hz=rate_hz).push(counts)
    streamed = FrontEnd(rate_hz=rate_hz)
    edges = [0, *sorted(cuts), counts.size]
    parts = [streamed.push(counts[a:b]) for a, b in pairwise(edges)]
    assert joined(parts) == joined([whole])
    assert [p.first_index for p in parts] == [
        sum(len(q.flags_u8) for q in parts[:i]) for i in range(len(parts))
    ]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_recording_gives_a_column_for_every_hop_it_holds(rate_hz: int) -> None:
    columns = columns_of(np.zeros(10 * rate_hz, np.int32), rate_hz=rate_hz)
    assert columns.codes_ts_i8.shape == (160, 32)
    assert columns.flags_u8.shape == (160,)
    assert columns.beat_uv_i16.shape == (1280,)


def test_a_column_is_complete_627_samples_after_its_centre() -> None:
    front_end = FrontEnd(rate_hz=256)
    counts = np.arange(4000) % 100
    assert front_end.push(counts[:627]).flags_u8.size == 0
    assert front_end.push(counts[627:628]).flags_u8.size == 1  # column 0: sample 0 and 627 more
    assert front_end.push(counts[628 : 628 + 16 * 9]).flags_u8.size == 9


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_spike_appears_in_the_column_that_its_time_and_the_delay_name(rate_hz: int) -> None:
    counts = np.zeros(8 * rate_hz, np.int64)
    counts[4 * rate_hz] = 3000
    front_end = FrontEnd(rate_hz=rate_hz)
    codes = np.vstack([front_end.push(counts).codes_ts_i8, front_end.flush().codes_ts_i8])
    top_octave = codes[:, 5].astype(np.int64)  # 34.5 Hz: every rate lets it through
    spike_s = 4 + front_end.delay_us / 1e6
    assert abs(int(top_octave.argmax()) - spike_s * 16) <= 1


def test_a_railed_converter_is_flagged_as_long_as_the_resampler_sees_it() -> None:
    counts = signals.ecg(12, 250).astype(np.int64)
    counts[1500:1600] = 32767
    columns = columns_of(counts, rate_hz=250, rails_counts=(-32768, 32767))
    railed = np.flatnonzero(columns.flags_u8 & Flag.RAIL)
    assert railed[0] in (95, 96, 97)  # 1500/250 s = column 96
    assert railed[-1] in (102, 103, 104)  # 1600/250 s, 20 taps of memory: column 103.7
    assert np.array_equal(railed, np.arange(railed[0], railed[-1] + 1))


def test_a_flat_stretch_is_flagged_from_its_start_and_a_short_pause_is_not() -> None:
    counts = signals.ecg(12, 256).astype(np.int64) + np.arange(12 * 256) % 7 * 2
    counts[1024:1536] = 40  # 2 s
    counts[2048:2112] = 40  # 250 ms
    flat = np.flatnonzero(columns_of(counts, rate_hz=256).flags_u8 & Flag.FLAT)
    assert flat[0] in (65, 66)
    assert flat[-1] in (95, 96)


def test_line_flags_reach_the_columns_they_were_pushed_with() -> None:
    front_end = FrontEnd(rate_hz=256)
    quiet, off = np.arange(1024) % 50, np.zeros(256, np.int64)
    parts = [
        front_end.push(quiet),
        front_end.push(off, line=Flag.LEAD_OFF),
        front_end.push(quiet),
        front_end.flush(),
    ]
    flags = np.concatenate([p.flags_u8 for p in parts])
    marked = np.flatnonzero(flags & Flag.LEAD_OFF)
    assert (marked[0], marked[-1]) == (64, 80)
    assert not np.any(flags & Flag.GAP)


def test_the_first_forty_columns_warm_up() -> None:
    flags = columns_of(np.arange(2560) % 100, rate_hz=256).flags_u8
    assert np.all(flags[:40] & Flag.WARM_UP)
    assert not np.any(flags[40:] & Flag.WARM_UP)


def test_an_offset_of_300_millivolts_is_silence() -> None:
    codes = columns_of(np.full(2560, 300_000), rate_hz=256).codes_ts_i8
    assert np.all(codes == -128)


def test_lead_on_is_forgotten_within_two_seconds() -> None:
    """A 20 mV electrode step: after 1.4 s no row is off by more than three codes of its true level."""
    rng = np.random.default_rng(3)
    ecg = signals.ecg(16, 256) + rng.normal(0, 5, 16 * 256)
    step = np.where(np.arange(ecg.size) < 1024, 0, 20_000)
    with_step = columns_of(np.rint(ecg + step).astype(np.int64), rate_hz=256).codes_ts_i8.astype(np.int64)
    without = columns_of(np.rint(ecg).astype(np.int64), rate_hz=256).codes_ts_i8.astype(np.int64)
    error = np.abs(with_step - without)[:, :30].reshape(-1, 5, 6).mean(axis=2)  # column, octave
    last_bad = [int(np.flatnonzero(error[:, octave] > 3).max(initial=64)) for octave in range(5)]
    assert max(last_bad) - 64 <= 32, (
        f"columns after the step until each octave recovered: {[c - 64 for c in last_bad]}"
    )


def test_a_qrs_hardly_changes_when_it_moves_inside_a_column() -> None:
    peaks = []
    for shift in range(16):
        ecg = signals.ecg(16, 256, bpm=60, delay_s=shift / 256)
        codes = columns_of(np.rint(ecg).astype(np.int64), rate_hz=256).codes_ts_i8[96:112, :30]
        peaks.append(codes.max(axis=0).astype(np.int64))
    jitter = np.ptp(np.array(peaks), axis=0)
    assert jitter[:6].max() <= 8, f"octave 0: {jitter[:6]}"
    assert jitter[6:].max() <= 3, f"octaves 1-4: {jitter[6:]}"


def test_the_lf_and_hf_rows_see_what_the_wavelets_do_not() -> None:
    t = np.arange(256 * 20) / 256
    levels = {}
    for name, x_uv in {
        "wander": 500 * np.sin(2 * np.pi * 0.5 * t),
        "muscle": 50 * np.sin(2 * np.pi * 100 * t),
    }.items():
        codes = columns_of(np.rint(x_uv).astype(np.int64), rate_hz=256).codes_ts_i8[160:300]
        levels[name] = np.median(codes, axis=0)
    assert levels["wander"][30] > 30 > -100 > levels["wander"][31]
    assert levels["muscle"][31] > -20 > -100 > levels["muscle"][30]


def beat_gain(frequency_hz: float) -> float:
    t = np.arange(256 * 60) / 256
    counts = np.rint(2000 * np.sin(2 * np.pi * frequency_hz * t)).astype(np.int64)
    settled = columns_of(counts, rate_hz=256).beat_uv_i16[128 * 20 : 128 * 50].astype(np.float64)
    return float(np.sqrt(2 * np.mean(settled**2)) / 2000)


def test_the_beat_stream_passes_04_to_30_hz() -> None:
    assert beat_gain(0.385) == pytest.approx(2**-0.5, rel=0.03)
    assert beat_gain(30) == pytest.approx(2**-0.5, rel=0.03)
    for frequency_hz in (2, 5, 10, 20):
        assert beat_gain(frequency_hz) == pytest.approx(1, abs=0.025)
    for mains_hz in (50, 60):
        assert beat_gain(mains_hz) < 0.002  # nothing left but rounding


def test_a_beat_sample_keeps_its_time() -> None:
    counts = np.zeros(2048, np.int64)
    counts[1000] = 4000
    beat = columns_of(counts, rate_hz=256).beat_uv_i16
    assert int(beat.argmax()) == 500


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        (5, (5, 0)),
        (0.5, (1, 1)),
        (1, (1, 0)),
        (1000 / 1024, (125, 7)),
        (2**-20, (1, 20)),
        (200_000, (200_000, 0)),
    ],
)
def test_a_gain_that_can_be_exact_is_exact(gain: float, expected: tuple[int, int]) -> None:
    assert rational_gain(gain) == expected


def test_any_gain_is_met_within_half_a_step_of_31_bits() -> None:
    for gain in (0.0238, 1 / 3, 4.88, 1e3 / 7):
        mul, shift = rational_gain(gain)
        assert mul / 2**shift == pytest.approx(gain, rel=2**-29, abs=2**-30)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: FrontEnd(rate_hz=257), "rate_hz: expected one of 125, 128"),
        (lambda: FrontEnd(rate_hz=256, uv_per_count=0), "uv_per_count: expected a positive gain, got 0"),
        (lambda: FrontEnd(rate_hz=256, uv_per_count=1e12), "uv_per_count: expected"),
        (lambda: FrontEnd(rate_hz=256, rails_counts=(5, 5)), "rails_counts: expected low < high, got 5, 5"),
        (lambda: FrontEnd(rate_hz=256).push([0.5]), "counts: expected integers, got float64"),
        (lambda: FrontEnd(rate_hz=256).push([[1, 2]]), "counts: expected one dimension"),
        (lambda: FrontEnd(rate_hz=256).push([2**31]), "counts: expected 32-bit values"),
        (lambda: row_hz(30), "row: expected 0..29, got 30"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_one_line(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ContractError, match=says.replace("(", r"\(")) as caught:
        call()
    assert "\n" not in str(caught.value)
