"""RAM of the whole application: every tensor, ring and frame has a place, and nothing is counted twice."""

import ctypes
import json
from itertools import combinations
from pathlib import Path

import pytest

from device_sim import binding
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of
from device_sim.contract.inputs import InputKind
from device_sim.memory import FRAMES, FRONT_END_POINTERS, STREAM_POINTERS, Memory, memory_of
from device_sim.memory_picture import draw_memory
from device_sim.plan import Place
from tests.device_sim.bundles import WINDOWS, bundle_of, cascade_of


def overlap(a: Place, b: Place) -> bool:
    together = a.first_step <= b.last_step and b.first_step <= a.last_step
    return (
        together
        and a.offset_bytes < b.offset_bytes + b.n_bytes
        and b.offset_bytes < a.offset_bytes + a.n_bytes
    )


APPLICATIONS = {**{str(kind): kind for kind in WINDOWS}, "cascade": None}


def application(name: str) -> Bundle | Cascade:
    kind = APPLICATIONS[name]
    return cascade_of() if kind is None else bundle_of(kind)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_nothing_lies_on_anything_that_is_there_at_the_same_time(name: str) -> None:
    memory = memory_of(application(name))
    for a, b in combinations(memory.arena.places, 2):
        assert not overlap(a, b) or a.name == b.written_over or b.name == a.written_over


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_plan_is_within_five_percent_of_what_is_needed_or_says_why(name: str) -> None:
    memory = memory_of(application(name))
    assert memory.largest_live_bytes == max(memory.live_bytes())
    assert memory.total_bytes <= 1.05 * memory.largest_live_bytes
    assert (memory.why() == "") == (memory.total_bytes == memory.largest_live_bytes)


def test_two_networks_share_one_arena_and_one_stream() -> None:
    """What the second one costs beside the first are four seconds of samples for beats that wait."""
    both, (quality, beat) = memory_of(cascade_of()), map(memory_of, bundles_of(cascade_of()))
    assert both.arena.arena_bytes == max(quality.arena.arena_bytes, beat.arena.arena_bytes)
    assert both.fixed_bytes - quality.fixed_bytes == 1024 == both.total_bytes - quality.total_bytes
    assert both.steps[:2] == ("receive", "quality window")
    assert both.steps[-1] == "beat send"


def test_what_is_planned_beside_the_arena_is_what_the_core_declares() -> None:
    """struct wl_stream of this machine: only its pointers are longer."""
    regions = {region.name: region.n_bytes for region in memory_of(cascade_of()).regions}
    stream = sum(n for name, n in regions.items() if name not in ("judges", "receiver"))
    longer = (FRONT_END_POINTERS + STREAM_POINTERS) * (ctypes.sizeof(ctypes.c_void_p) - 4)
    assert 0 <= stream - (binding.core().wl_sizeof_stream() - longer) < 8 * len(regions)


def test_what_the_device_always_holds_is_what_the_core_says() -> None:
    sizes = {region.name: region.n_bytes for region in memory_of(bundle_of(InputKind.BEAT)).regions}
    assert sizes["image ring"] == ctypes.sizeof(binding.Image) == 4224
    assert sizes["beat ring"] == 1024
    assert sizes["receiver"] >= ctypes.sizeof(binding.Wire)
    assert 1352 <= sizes["front end"] <= 1376
    assert {"R-peak detector", "usual beat", "beats that wait", "judges"} < set(sizes)


def test_a_judge_keeps_the_codes_it_averages() -> None:
    sizes = {region.name: region.n_bytes for region in memory_of(bundle_of(InputKind.IMAGE)).regions}
    assert sizes["judges"] == 24  # two windows five hops apart: ten codes and ten marks, and the last answer


def test_frames_take_the_place_of_tensors_that_are_gone() -> None:
    memory = memory_of(bundle_of(InputKind.IMAGE))
    frames = [place for place in memory.arena.places if place.name in FRAMES]
    assert [place.name for place in frames] == ["frame in", "counts", "frame out", "wire out"]
    tensors = [place for place in memory.arena.places if place.name not in FRAMES]
    assert memory.arena.arena_bytes == max(place.offset_bytes + place.n_bytes for place in tensors)
    assert memory.steps[:2] == ("receive", "window")
    assert memory.steps[-2:] == ("judge", "send")


def test_the_json_holds_every_byte(tmp_path: Path) -> None:
    memory = memory_of(bundle_of(InputKind.BEAT))
    read = json.loads(memory.to_json())
    assert (
        read["total_bytes"] == sum(one["n_bytes"] for one in read["regions"]) + read["arena"]["arena_bytes"]
    )
    assert max(one["live_bytes"] for one in read["steps"]) == read["largest_live_bytes"]
    assert read["steps"][0] == {"step": -2, "name": "receive", "live_bytes": memory.live_bytes()[0]}


def test_a_plan_is_drawn_with_names_and_sizes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the `report` extra is not installed")
    draw_memory(memory_of(bundle_of(InputKind.IMAGE)), "test", tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert all(f"<!-- {name} -->" in drawn for name in ("image ring  4224", "receive", "judge"))


def holes() -> Memory:
    """A plan that wastes, made by hand."""
    places = (
        Place(name="a", offset_bytes=0, n_bytes=40, first_step=-1, last_step=0),
        Place(name="b", offset_bytes=60, n_bytes=40, first_step=0, last_step=1),
    )
    made = memory_of(bundle_of(InputKind.BLIND))
    arena = type(made.arena)(places=places, arena_bytes=100, largest_live_bytes=80)
    return Memory(regions=(), arena=arena, steps=("receive", "window", "conv", "judge", "send"))


def test_a_plan_with_holes_says_so() -> None:
    memory = holes()
    assert memory.waste == pytest.approx(0.25)
    assert memory.why().startswith("20 bytes of holes: tensors alive around conv")
