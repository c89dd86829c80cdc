"""The C stream beside the Python path: the same events for any portions, gaps, rates and room."""

import ctypes
import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device_sim import binding
from device_sim.app import app_of
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind
from device_sim.frontend import NOTHING, Flag, FrontEnd
from device_sim.pipeline import OpenBundle, Stream, open_bundle
from device_sim.stream import CoreStream, Table
from device_sim.verdict import By, Verdict
from tests.device_sim.bundles import WINDOWS, bundle_of, cascade_of, painted
from tests.device_sim.conftest import ROOT
from tests.device_sim.test_pipeline import recording

RAILS = (-400_000, 400_000)
LINES = (NOTHING, NOTHING, NOTHING, Flag.LEAD_OFF, Flag.GAP)
Portion = tuple[NDArray[np.int32], Flag]
APPLICATIONS: dict[str, Callable[[], Bundle | Cascade]] = {
    **{str(kind): lambda kind=kind: bundle_of(kind) for kind in WINDOWS},  # type: ignore[misc]
    "gated": cascade_of,
    "gated by all": lambda: cascade_of(windows=16),
    "picture": painted,
    "gated by a picture": lambda: cascade_of(paints=True),
    "protecting": lambda: cascade_of(windows=1, protects=True),
}
NAMES = ("quality-tiny", "beat-tiny", "beat-cardiacnet", "cascade", *APPLICATIONS)


@cache
def opened(name: str) -> OpenBundle:
    return OpenBundle(APPLICATIONS[name]()) if name in APPLICATIONS else open_bundle(ROOT / "models" / name)


def in_python(name: str, portions: list[Portion], rate_hz: int) -> list[Verdict]:
    front_end = FrontEnd(rate_hz=rate_hz, rails_counts=RAILS)
    stream = Stream(front_end, opened(name).pipeline(delay_us=front_end.delay_us), rate_hz)
    said = [verdict for counts, line in portions for verdict in stream.push(counts, line=line)]
    return said + stream.finish()


def in_c(name: str, portions: list[Portion], rate_hz: int, *, room: int = 64) -> list[Verdict]:
    stream = CoreStream(opened(name).table, rate_hz=rate_hz, rails_counts=RAILS, room=room)
    said = [verdict for counts, line in portions for verdict in stream.push(counts, line=line)]
    return said + stream.finish()


@st.composite
def portions(draw: st.DrawFn, counts: NDArray[np.int32]) -> list[Portion]:
    """A recording cut anywhere; electrodes fall off and samples get lost."""
    cuts = sorted(draw(st.lists(st.integers(0, counts.size), max_size=8)))
    return [
        (counts[start:stop], draw(st.sampled_from(LINES)))
        for start, stop in pairwise([0, *cuts, counts.size])
    ]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_core_says_what_python_says(name: str, data: st.DataObject) -> None:
    rate_hz = data.draw(st.sampled_from([125, 250, 256, 360, 1000]))
    said = data.draw(portions(recording(rate_hz, 40)[: data.draw(st.integers(0, 40 * rate_hz))]))
    assert in_c(name, said, rate_hz) == in_python(name, said, rate_hz)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_neither_portions_nor_room_change_an_event(name: str, data: st.DataObject) -> None:
    counts = recording(250, 40)
    whole = in_c(name, [(counts, NOTHING)], 250)
    cut = [(part, NOTHING) for part, _line in data.draw(portions(counts))]
    assert len(whole) > 30
    assert in_c(name, cut, 250, room=data.draw(st.sampled_from([1, 2, 7]))) == whole


def test_samples_one_by_one_give_the_same_events() -> None:
    counts = recording(125, 20)
    for name in APPLICATIONS:
        one_by_one = [(counts[k : k + 1], NOTHING) for k in range(counts.size)]
        assert in_c(name, one_by_one, 125) == in_c(name, [(counts, NOTHING)], 125)


def test_after_an_electrode_was_off_no_beat_is_early() -> None:
    """The pause is no interval: nobody knows which beats were there."""
    counts = recording(256, 40)[:2048]
    regular = np.concatenate([counts, counts[1024:], counts[1024:]])
    off = np.full(8 * 256, int(counts[-1]), np.int32)
    portions: list[Portion] = [(regular, NOTHING), (off, Flag.LEAD_OFF), (regular, NOTHING)]
    said = in_c("beat-tiny", portions, 256)
    ends_us = (regular.size + off.size) * 1_000_000 // 256
    after = [one for one in said if ends_us < one.t0_us < ends_us + 6_000_000]
    assert len(after) > 4
    assert "early" not in {one.label for one in after}


def test_the_core_refuses_an_input_it_has_no_table_for() -> None:
    with pytest.raises(ContractError, match="rate_hz: expected one of 125"):
        CoreStream(opened("beat").table, rate_hz=499)


def test_the_core_refuses_tables_that_lead_outside_its_memory() -> None:
    table = Table(app_of(bundle_of(InputKind.BEAT)))
    table.struct.memory_bytes -= 1
    with pytest.raises(ContractError, match="stream: the core refused test-beat at 256 Hz"):
        CoreStream(table, rate_hz=256)
    table.struct.memory_bytes += 1
    for field, wrong in (
        *(("at", 1 << 20), ("at", -1), ("n_questions", 0), ("mean_windows", 17), ("input", 4)),
        *(
            ("unusable_score_q15", -2),
            ("unusable_score_q15", 32769),
            ("input", 3),
        ),  # a picture without colours
    ):
        network = table.struct.networks[0]
        right = getattr(network, field)
        setattr(network, field, wrong)
        with pytest.raises(ContractError, match="status 8"):
            CoreStream(table, rate_hz=256)
        setattr(network, field, right)
    CoreStream(table, rate_hz=256)


def test_the_core_refuses_a_graph_without_a_table() -> None:
    table = Table(app_of(bundle_of(InputKind.BEAT)))
    table.struct.networks[0].graph.contents.ops = ctypes.POINTER(binding.Op)()
    with pytest.raises(ContractError, match="status 4"):
        CoreStream(table, rate_hz=256)


def test_the_core_refuses_a_picture_that_does_not_fit_the_arena() -> None:
    table = Table(app_of(painted()))
    table.struct.networks[0].graph.contents.arena_bytes = 3 * 64 * 64 - 1
    with pytest.raises(ContractError, match="status 8"):
        CoreStream(table, rate_hz=256)


def said_of_beats(name: str, counts: NDArray[np.int32]) -> list[Verdict]:
    return [verdict for verdict in in_c(name, [(counts, NOTHING)], 250) if verdict.net == "beat"]


def test_every_beat_is_an_event_whether_the_gate_lets_it_pass_or_not() -> None:
    counts = recording(250, 40)
    alone = in_c("beat", [(counts, NOTHING)], 250)
    for name in ("gated", "gated by all", "protecting"):
        behind = said_of_beats(name, counts)
        assert [one.t0_us for one in behind] == [one.t0_us for one in alone]
        assert [one.by_rule for one in behind] == [one.by_rule for one in alone]
        assert {one.by for one in behind} == {By.NETWORK, By.RULE, By.GATE}
    held_back = [one for one in said_of_beats("gated", counts) if one.by is By.GATE]
    assert {one.label for one in held_back} == {"unusable", "uncertain"}
    assert {(one.score_q15, one.margin_q8, one.logits) for one in held_back} == {(-1, 0, b"")}


def test_the_gate_asks_the_windows_that_contain_the_beat() -> None:
    """From the definition: the first three whole windows around the beat's second, their mean, a hold."""
    said = in_c("gated", [(recording(250, 40), NOTHING)], 250)
    windows = [one for one in said if one.net == "quality"]
    delay_us = FrontEnd(rate_hz=250).delay_us
    gate = cascade_of().gate
    before = None
    for beat in (one for one in said if one.net == "beat" and not one.by_rule):
        first = max(0, (beat.t0_us + delay_us) // 62_500)
        stop = -((-beat.t0_us - delay_us - 1_000_000) // 62_500)
        around = [
            one for one in windows if 16 * one.window_index <= first and stop <= 16 * one.window_index + 80
        ]
        codes = [int(np.frombuffer(one.logits, np.int8)[0]) for one in around[:3] if not one.by_rule]
        mean_q8 = math.floor(Fraction(256 * sum(codes), len(codes)) + Fraction(1, 2)) if codes else None
        accept_q8 = gate.accept_q8 - (gate.hold_q8 if before == "yes" else 0)
        reject_q8 = gate.reject_q8 + (gate.hold_q8 if before == "no" else 0)
        before = (
            None
            if mean_q8 is None
            else "yes"
            if mean_q8 >= accept_q8
            else "no"
            if mean_q8 <= reject_q8
            else None
        )
        assert (beat.by is By.NETWORK) == (before == "yes")
        if beat.by is By.GATE:
            assert (beat.label == "unusable") == (before == "no" or mean_q8 is None)


def test_a_beat_waits_only_for_the_windows_its_gate_asks() -> None:
    """A window is judged 2.5 s after its end; the first that holds a beat ends within 1.5 s of its peak."""
    counts = recording(256, 40)
    for name, latest_s in (("protecting", 4.1), ("gated", 6.1), ("gated by all", 7.0)):
        stream = CoreStream(opened(name).table, rate_hz=256, rails_counts=RAILS)
        waits_s = []
        for start in range(0, counts.size, 16):
            for verdict in stream.push(counts[start : start + 16]):
                if verdict.net == "beat" and verdict.t0_us > 5_000_000:
                    waits_s.append((start + 16) / 256 - verdict.t0_us / 1e6 - 0.5)
        assert len(waits_s) > 20
        assert max(waits_s) < latest_s


def test_a_beat_that_is_not_judged_is_not_remembered_where_the_gate_protects() -> None:
    counts = recording(250, 40)
    kept = {one.window_index: one for one in said_of_beats("protecting", counts)}
    shown = {one.window_index: one for one in in_c("beat", [(counts, NOTHING)], 250)}
    judged = [k for k, one in kept.items() if one.by is By.NETWORK]
    changed = [k for k in judged if kept[k].logits != shown[k].logits]
    first_refused = min(k for k, one in kept.items() if one.by is not By.NETWORK)
    assert changed
    assert min(changed) > first_refused
