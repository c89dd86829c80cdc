"""A source as it happens: in real time, without end, in moments that together are what a run gives."""

import itertools
import json
from collections.abc import Iterator

import numpy as np
import pytest

from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from device_sim.contract.inputs import InputKind
from device_sim.frontend import Flag
from device_sim.live import LONGEST_GAP_S, STALL_S, HeartRate, Line, Live, Paced
from device_sim.live_wire import hello, state, told
from device_sim.pipeline import OpenBundle
from device_sim.sources import Gap, Samples, Source
from device_sim.synthetic import RAIL_UV, Fault, Scene, SyntheticSource
from tests.device_sim.bundles import WINDOWS, bundle_of, cascade_of
from tests.device_sim.test_link_source import Clock


def played(source: Source, *, once: bool = True) -> tuple[Paced, Clock]:
    clock = Clock()
    return Paced(source, once=once, clock=clock, sleep=clock.sleep), clock


def scene(seconds: float, *faults: Fault) -> SyntheticSource:
    return SyntheticSource(Scene(seconds=seconds, faults=faults))


def test_a_recording_is_played_no_faster_than_it_was_made() -> None:
    source, clock = played(scene(10))
    for chunk in source:
        assert clock.now_s - 100 == pytest.approx((chunk.first_index + chunk.n_samples) / 256, abs=1e-6)
    assert clock.now_s == pytest.approx(110)


def test_a_recording_begins_again_and_its_index_goes_on() -> None:
    gap = Fault(kind="gap", start_s=1, seconds=0.5)
    source, _clock = played(scene(2, gap), once=False)
    chunks = list(itertools.takewhile(lambda chunk: chunk.first_index < 5 * 256, source))
    ends = [chunk.first_index + chunk.n_samples for chunk in chunks]
    assert [chunk.first_index for chunk in chunks] == [0, *ends[:-1]]
    gapped = {chunk.first_index // 256 for chunk in chunks if isinstance(chunk, Gap)}
    assert gapped == {1, 3}
    assert source.n_samples is None


def test_it_stops_when_it_is_told_to() -> None:
    source, _clock = played(scene(2), once=False)
    for n, _chunk in enumerate(source):
        if n == 50:
            source.interrupted = True
    assert n == 50


@pytest.mark.parametrize("application", [*map(bundle_of, WINDOWS), cascade_of()], ids=lambda one: one.name)
def test_moments_together_are_what_a_run_gives(application: Bundle | Cascade) -> None:
    source = scene(15, Fault(kind="rail", start_s=9, seconds=1), Fault(kind="gap", start_s=4, seconds=0.3))
    with OpenBundle(application) as opened:
        live = Live(played(source)[0], opened)
        moments = list(live)
        stream = opened.stream(rate_hz=256, rails=(-RAIL_UV, RAIL_UV))
        wanted = []
        last = 0
        for chunk in source:
            if isinstance(chunk, Samples):
                wanted += stream.push(chunk.counts_i32)
                last = int(chunk.counts_i32[-1])
            else:
                wanted += stream.push(np.full(chunk.n_samples, last, np.int32), line=Flag.GAP)
        wanted += stream.finish()
    for k, bundle in enumerate(opened.bundles):
        said = [one for moment in moments for one in moment.lanes[k].said]
        of_it = [one for one in wanted if one.bundle_digest == bundle.digest]
        assert [(one.word, one.by) for one in said] == [(one.label, one.by) for one in of_it]
        assert len(said) >= 8
    x_uv = np.concatenate([moment.x_uv for moment in moments])
    assert x_uv.size == 15 * 256
    assert np.isnan(x_uv).sum() == 77
    assert [moment.first_sample for moment in moments] == np.cumsum(
        [0, *(moment.x_uv.size for moment in moments[:-1])]
    ).tolist()
    peaks = [peak for moment in moments for peak in moment.peaks_s]
    assert len(peaks) == pytest.approx(15 * 70 / 60, abs=3)
    assert live.line is Line.ENDED


def test_an_hour_without_a_cable_is_not_handed_on_sample_by_sample() -> None:
    second = np.zeros(256, np.int32)
    hour = 3600 * 256
    live = Live(played(scene(1))[0], None)
    live._heard(Samples(first_index=0, counts_i32=second))
    live._heard(Gap(first_index=256, n_samples=hour, estimated=True))
    moment = live._moment([])
    assert moment.x_uv.size == LONGEST_GAP_S * 256
    assert moment.first_sample + moment.x_uv.size == 256 + hour


class Scripted(Paced):
    """Given chunks, at once."""

    def __init__(self, *chunks: Samples | Gap) -> None:
        super().__init__(scene(1), once=True)
        self._chunks = chunks

    def __iter__(self) -> Iterator[Samples | Gap]:
        return iter(self._chunks)


def test_an_hour_without_a_cable_is_told_a_second_at_a_time() -> None:
    second, hour = np.zeros(256, np.int32), 3600 * 256
    source = Scripted(
        Samples(first_index=0, counts_i32=second),
        Gap(first_index=256, n_samples=hour, estimated=True),
        Samples(first_index=256 + hour, counts_i32=second),
    )
    moments = list(Live(source, None))
    assert max(moment.columns.flags_u8.size for moment in moments) <= 64
    assert sum(moment.columns.flags_u8.size for moment in moments) == 3602 * 16
    assert max(moment.x_uv.size for moment in moments) == LONGEST_GAP_S * 256
    assert moments[-1].first_sample + moments[-1].x_uv.size == 2 * 256 + hour


def test_a_line_without_samples_is_silent_until_one_comes() -> None:
    clock = Clock()
    live = Live(played(scene(1))[0], None, clock=clock)
    lines = []
    for seconds in (0.0, STALL_S + 0.1):
        clock.now_s += seconds
        lines.append(live.line)
    live._heard(Samples(first_index=0, counts_i32=np.zeros(4, np.int32)))
    assert [*lines, live.line] == [Line.LIVE, Line.SILENT, Line.LIVE]


def test_a_heart_rate_is_of_the_newest_beats_and_grows_old() -> None:
    rate = HeartRate()
    assert rate.bpm(0.0) is None
    rate.push((0.0, 1.0, 2.0, 3.0))
    assert rate.bpm(3.5) == 60
    rate.push(tuple(3.0 + 0.5 * k for k in range(1, 20)))
    assert rate.bpm(13.0) == 120
    assert rate.bpm(20.0) is None


def test_what_a_page_is_told_has_no_number_that_json_lacks() -> None:
    bundle = bundle_of(InputKind.IMAGE)
    source = scene(8, Fault(kind="gap", start_s=3, seconds=0.3))
    with OpenBundle(bundle) as opened:
        live = Live(played(source)[0], opened)
        rate = HeartRate()
        moments = [json.loads(told(moment, rate, 256)) for moment in live]
        lanes = [lane for lane in json.loads(hello(live))["lanes"]]
    assert sum(one["x"].count(None) for one in moments) == 77
    assert [len(one["flags"]) * 32 * 4 / 3 <= len(one["codes"]) for one in moments] == [True] * len(moments)
    said = [said for one in moments for said in one["said"]]
    assert said
    assert {lane for lane, *_ in said} == {0}
    assert all(0 <= word < len(lanes[0]["words"]) for _lane, _start, word, _score, _rule in said)
    assert moments[-1]["bpm"] == pytest.approx(70, abs=8)
    assert json.loads(state(live, n_dropped=3, failed="")) == {
        "kind": "state",
        "line": "ended",
        "dropped": 3,
        "failed": "",
    }
