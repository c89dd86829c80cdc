"""The C stream beside the Python path: the same events for any portions, gaps, rates and room."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device_sim.app import app_of
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind
from device_sim.frontend import NOTHING, Flag
from device_sim.pipeline import OpenBundle, open_bundle
from device_sim.stream import CoreStream, Table, verdicts_of
from device_sim.verdict import Verdict
from tests.device_sim.bundles import WINDOWS, bundle_of
from tests.device_sim.conftest import ROOT
from tests.device_sim.test_pipeline import recording

RAILS = (-400_000, 400_000)
LINES = (NOTHING, NOTHING, NOTHING, Flag.LEAD_OFF, Flag.GAP)
Portion = tuple[NDArray[np.int32], Flag]
NAMES = ("quality-tiny", "beat-tiny", *map(str, WINDOWS))


@cache
def opened(name: str) -> OpenBundle:
    kinds = {str(kind): kind for kind in WINDOWS}
    return OpenBundle(bundle_of(kinds[name])) if name in kinds else open_bundle(ROOT / "models" / name)


@cache
def table(name: str) -> Table:
    return Table(app_of([opened(name).bundle]))


def in_python(name: str, portions: list[Portion], rate_hz: int) -> list[Verdict]:
    stream = opened(name).stream(rate_hz=rate_hz, rails=RAILS)
    said = [verdict for counts, line in portions for verdict in stream.push(counts, line=line)]
    return said + stream.finish()


def in_c(name: str, portions: list[Portion], rate_hz: int, *, room: int = 64) -> list[Verdict]:
    stream = CoreStream(table(name), rate_hz=rate_hz, rails_counts=RAILS, room=room)
    app = table(name).app
    said = [
        verdict for counts, line in portions for verdict in verdicts_of(stream.push(counts, line=line), app)
    ]
    return said + verdicts_of(stream.finish(), app)


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
    for name in map(str, WINDOWS):
        one_by_one = [(counts[k : k + 1], NOTHING) for k in range(counts.size)]
        assert in_c(name, one_by_one, 125) == in_c(name, [(counts, NOTHING)], 125)


def test_an_event_carries_the_codes_of_its_network() -> None:
    for kind in WINDOWS:
        stream = CoreStream(table(str(kind)), rate_hz=250, rails_counts=RAILS)
        for event in stream.push(recording()):
            was_asked = event.label < 255
            assert event.n_logits == (len(bundle_of(kind).graph.outputs) if was_asked else 0)


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
    with pytest.raises(ContractError, match="stream: the core refused"):
        CoreStream(table(str(InputKind.BEAT)), rate_hz=499)
