"""A bundle on a stream: what the network sees, when it is judged, and that portions change nothing."""

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import device_sim
from device_sim import twin
from device_sim.beats import beat_windows_of
from device_sim.contract.bundle import Bundle, write_bundle
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.inputs import InputKind
from device_sim.contract.verdict import FLAGS
from device_sim.feed import codes_of, feed_of
from device_sim.frontend import Columns, Flag, columns_of
from device_sim.pipeline import OpenBundle, open_bundle
from device_sim.rpeaks import RPeaks
from device_sim.runner import Backend
from device_sim.synthetic import Fault, Noise, Scene, SyntheticSource
from tests.device_sim.bundles import WINDOWS, bundle_of

KINDS = tuple(WINDOWS)


@cache
def recording(rate_hz: int = 250, seconds: float = 40) -> NDArray[np.int32]:
    """Ectopic beats, a burst of muscle, a rail and a pause."""
    scene = Scene(
        seconds=seconds,
        rate_hz=rate_hz,
        morphology="pvc",
        noises=(Noise(kind="white", level_uv=5), Noise(kind="emg", level_uv=200, start_s=8, seconds=4)),
        faults=(Fault(kind="rail", start_s=20, seconds=1.5), Fault(kind="flat", start_s=30, seconds=3)),
    )
    return np.concatenate([chunk.counts_i32 for chunk in SyntheticSource(scene, seed=3)])  # type: ignore[union-attr]


@cache
def opened(kind: InputKind) -> OpenBundle:
    return OpenBundle(bundle_of(kind))


@cache
def seen(rate_hz: int = 250) -> Columns:
    return columns_of(recording(rate_hz), rate_hz=rate_hz, rails_counts=(-400_000, 400_000))


def naive_windows(kind: InputKind) -> tuple[dict[str, NDArray[np.int8]], NDArray[np.int64]]:
    """Inputs and first samples (256 Hz) of every window, cut from the whole recording in the plainest way."""
    columns = seen()
    graph = bundle_of(kind).graph
    if kind is InputKind.IMAGE:
        starts = range(0, len(columns.codes_ts_i8) - 79, 16)
        return {"image": np.stack([columns.codes_ts_i8[k : k + 80] for k in starts])[:, None]}, 16 * np.array(
            starts
        )
    if kind is InputKind.BLIND:
        codes = codes_of(columns.beat_uv_i16)
        starts = range(0, len(codes) - 127, 64)
        return {"row": np.stack([codes[k : k + 128] for k in starts])[:, None, :, None]}, 2 * np.array(starts)
    peaks = RPeaks().push(columns.beat_uv_i16)
    beats = beat_windows_of(columns.beat_uv_i16, peaks)
    shapes = beats.shapes_tc_i8.reshape(-1, *graph.tensor("shape").shape[1:])
    # The recording ends before anybody knows what follows the last beat.
    return {"shape": shapes[:-1], "rr": beats.rr_i8[:-1]}, 2 * (peaks[:-1] - 64)


@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_follows_from_what_the_window_holds(kind: InputKind) -> None:
    inputs, starts = naive_windows(kind)
    bundle = bundle_of(kind)
    verdicts = opened(kind).run(recording(), rate_hz=250, rails=(-400_000, 400_000))
    assert len(verdicts) == len(starts) > 30
    delay_us = device_sim.FrontEnd(rate_hz=250).delay_us
    codes = twin.run(bundle.graph, inputs)
    assert bundle.verdict is not None
    for k, verdict in enumerate(verdicts):
        assert verdict.t0_us == int(starts[k]) * 15_625 // 4 - delay_us
        assert (verdict.window_index, verdict.bundle_digest) == (k, bundle.digest)
        if verdict.by_rule:
            assert verdict.label == bundle.verdict.unusable
            assert verdict.flags.get("rail", 0) > 4 or verdict.flags.get("flat", 0) > 7
        elif kind is not InputKind.IMAGE:  # whose codes are means
            yes = [int(codes[one.output][k, 0]) << 8 >= one.accept_q8 for one in bundle.verdict.questions]
            named = bundle.labels.names[1 + yes.index(True)] if any(yes) else verdict.label
            assert verdict.label == named
    said = {verdict.label for verdict in verdicts}
    assert {"uncertain", bundle.labels.names[0], bundle.labels.names[1], bundle.verdict.unusable} <= said


@pytest.mark.parametrize("kind", KINDS)
def test_flags_are_counted_over_the_columns_of_the_window(kind: InputKind) -> None:
    _inputs, starts = naive_windows(kind)
    flags = seen().flags_u8
    verdicts = opened(kind).run(recording(), rate_hz=250, rails=(-400_000, 400_000))
    length = 80 * 16 if kind is InputKind.IMAGE else 256
    for start, verdict in zip(starts.tolist(), verdicts, strict=True):
        part = flags[max(0, start // 16) : -(-(start + length) // 16)]
        counts = {flag: int(np.count_nonzero(part & (1 << k))) for k, flag in enumerate(FLAGS)}
        assert verdict.flags == {flag: n for flag, n in counts.items() if n}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(st.data())
def test_portions_change_no_verdict(kind: InputKind, data: st.DataObject) -> None:
    counts = recording()
    cuts = data.draw(st.lists(st.integers(0, counts.size), max_size=12))
    stream = opened(kind).stream(rate_hz=250, rails=(-400_000, 400_000))
    found = [
        verdict
        for start, stop in pairwise([0, *sorted(cuts), counts.size])
        for verdict in stream.push(counts[start:stop])
    ]
    found += stream.finish()
    assert found == opened(kind).run(counts, rate_hz=250, rails=(-400_000, 400_000))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_one_by_one_give_the_same_verdicts(kind: InputKind) -> None:
    counts = recording()[:5000]
    stream = opened(kind).stream(rate_hz=250)
    found = [verdict for count in counts for verdict in stream.push([int(count)])] + stream.finish()
    assert found == opened(kind).run(counts, rate_hz=250)


def test_what_the_line_says_is_in_the_flags() -> None:
    counts = recording(256)
    stream = opened(InputKind.IMAGE).stream(rate_hz=256)
    verdicts = stream.push(counts[:2560]) + stream.push(counts[2560:5120], line=Flag.LEAD_OFF)
    verdicts += stream.push(counts[5120:]) + stream.finish()
    off = [verdict for verdict in verdicts if "lead_off" in verdict.flags]
    assert {verdict.label for verdict in off} == {"noisy"}
    # a column sees half a hop to either side: 160 to 320, and a window is 80 of them every 16
    assert [verdict.window_index for verdict in off] == list(range(6, 21))


def test_too_little_for_a_window_gives_no_verdict() -> None:
    for kind in KINDS:
        assert opened(kind).run(np.zeros(0, np.int32), rate_hz=256) == []
        assert opened(kind).run(np.zeros(100, np.int32), rate_hz=256) == []


@pytest.mark.parametrize(("pause_s", "n_more"), [(0.5, 0), (1.9, 0), (2.1, 1)])
def test_a_last_beat_is_judged_when_two_seconds_have_passed(pause_s: float, n_more: int) -> None:
    """Its next beat could have come until then; an end of the recording is no pause of the heart."""
    counts = recording(256, 10)
    columns = columns_of(counts, rate_hz=256)
    last = int(RPeaks().push(columns.beat_uv_i16)[-1]) * 2
    held = np.full(int(pause_s * 256) - 100, counts[last + 100], np.int32)
    verdicts = opened(InputKind.BEAT).run(np.concatenate([counts[: last + 100], held]), rate_hz=256)
    assert len(verdicts) == len(RPeaks().push(columns.beat_uv_i16)) - 1 + n_more


@pytest.mark.parametrize("backend", [Backend.CORE, Backend.TWIN])
def test_a_bundle_on_disk_says_the_same_on_every_exact_backend(backend: Backend, tmp_path: Path) -> None:
    write_bundle(bundle_of(InputKind.BEAT), tmp_path / "b")
    with device_sim.open_bundle(tmp_path / "b", backend) as bundle:
        assert bundle.n_vectors == 8
        found = bundle.run(recording(), rate_hz=250)
    assert found == opened(InputKind.BEAT).run(recording(), rate_hz=250)


def test_gain_and_rate_are_the_callers() -> None:
    counts = recording(500, 20)
    fine = opened(InputKind.BLIND).run(counts * 4, rate_hz=500, uv_per_lsb=0.25)
    assert fine == opened(InputKind.BLIND).run(counts, rate_hz=500)
    with pytest.raises(ContractError, match="rate_hz: expected one of 125"):
        opened(InputKind.BLIND).run(counts, rate_hz=499)
    with pytest.raises(ContractError, match="counts: expected integers, got float64"):
        opened(InputKind.BLIND).run(counts * 1.0, rate_hz=500)


def refused(bundle: Bundle, message: str) -> None:
    with pytest.raises((ContractError, DigestError), match=message):
        OpenBundle(bundle)


def test_what_cannot_be_trusted_does_not_start(tmp_path: Path) -> None:
    bundle = bundle_of(InputKind.IMAGE)
    other = bundle_of(InputKind.BEAT)
    refused(replace(bundle, verdict=None), "verdict: expected thresholds and scores, found none")
    refused(replace(bundle, frontend_sha256=64 * "0"), r"frontend_sha256: expected .* \(this core\)")
    refused(replace(bundle, files={}), "vectors.npz: expected the bundle's vectors, found none")
    refused(replace(bundle, files=other.files), "vectors.npz: in/image: expected an array")
    with pytest.raises(ContractError, match=r"manifest.json: expected a file of the bundle"):
        open_bundle(tmp_path / "nowhere")
    with pytest.raises(
        ContractError, match=r"model.tflite: expected the file for backend litert, found none"
    ):
        OpenBundle(bundle, Backend.LITERT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_feed_forgets_what_it_will_not_ask_for_again(kind: InputKind) -> None:
    feed = feed_of(bundle_of(kind))
    columns = columns_of(np.tile(recording(256, 20), 12), rate_hz=256)
    n_columns = len(columns.flags_u8)
    for start in range(0, n_columns, 16):
        feed.push(
            Columns(
                first_index=start,
                codes_ts_i8=columns.codes_ts_i8[start : start + 16],
                flags_u8=columns.flags_u8[start : start + 16],
                first_beat_index=8 * start,
                beat_uv_i16=columns.beat_uv_i16[8 * start : 8 * (start + 16)],
            )
        )
    kept = sum(x.size for x in vars(feed).values() if isinstance(x, np.ndarray))
    assert kept < 80 * 32 + 1024
