"""The memory plan: nothing overlaps that is there at the same time, and nothing is wasted."""

import json
from itertools import combinations

import numpy as np
import pytest

from device_sim import twin
from device_sim.contract.graph import Graph
from device_sim.contract.operators import PoolKind, activations_of
from device_sim.executor import Executor
from device_sim.plan import ALIGN_BYTES, Place, Plan, plan
from tests.golden.networks import Sketch, graphs, random_inputs


def branching(seed: int) -> Graph:
    """A random net with residuals and pools, whose tensors live for very different times."""
    sketch = Sketch("branching", seed)
    rng = np.random.default_rng(seed)
    there = [sketch.input("x", 8, 8, 4)]
    for _ in range(12):
        x = there[int(rng.integers(len(there)))]
        same = [y for y in there if sketch.tensors[y].shape == sketch.tensors[x].shape]
        match int(rng.integers(3)):
            case 0:
                made = sketch.conv(x, int(rng.integers(2, 9)), (3, 3), pads=(1, 1, 1, 1))
            case 1:
                made = sketch.add(x, same[int(rng.integers(len(same)))])
            case _:
                made = sketch.pool(x, PoolKind.MAX, (1, 1), (1, 1))
        there.append(made)
    read = {name for operator in sketch.operators for name in activations_of(operator)}
    return sketch.graph(*(name for name in there[1:] if name not in read))


def overlaps(a: Place, b: Place) -> bool:
    together = a.first_step <= b.last_step and b.first_step <= a.last_step
    shared = a.offset_bytes < b.offset_bytes + b.n_bytes and b.offset_bytes < a.offset_bytes + a.n_bytes
    return together and shared


def assert_sound(memory: Plan) -> None:
    for a, b in combinations(memory.places, 2):
        if overlaps(a, b):
            later, earlier = sorted((a, b), key=lambda place: -place.first_step)
            assert later.written_over == earlier.name
            assert later.offset_bytes == earlier.offset_bytes
            assert later.first_step == earlier.last_step
    for place in memory.places:
        assert place.offset_bytes % ALIGN_BYTES == 0
        assert place.offset_bytes + place.n_bytes <= memory.arena_bytes


@pytest.mark.parametrize("name", graphs())
def test_a_plan_is_sound_and_no_larger_than_the_largest_live_set(name: str) -> None:
    memory = plan(graphs()[name][1])
    assert_sound(memory)
    assert memory.arena_bytes == memory.largest_live_bytes


@pytest.mark.parametrize("seed", range(12))
def test_a_branching_net_stays_within_five_percent(seed: int) -> None:
    graph = branching(seed)
    memory = plan(graph)
    assert_sound(memory)
    assert memory.arena_bytes <= 1.05 * memory.largest_live_bytes
    inputs = random_inputs(graph, 5, seed)
    expected, computed = twin.run(graph, inputs), Executor(graph, memory).run(inputs)
    for name in graph.outputs:
        np.testing.assert_array_equal(computed[name], expected[name])


def test_what_is_read_again_later_is_not_written_over() -> None:
    sketch = Sketch("again", 0)
    x = sketch.input("x", 10)
    first = sketch.add(x, x)
    second = sketch.add(first, x)
    memory = plan(sketch.graph(first, second))
    assert {place.name: place.written_over for place in memory.places} == {
        "x": None,
        first: None,  # x is read once more
        second: "x",  # the last reader; first is an output and stays
    }
    assert memory.arena_bytes == 2 * 12  # ten bytes are twelve: each starts on four


def test_a_pool_with_padding_does_not_write_over_its_input() -> None:
    def written_over(pads: tuple[int, int, int, int]) -> str | None:
        sketch = Sketch("pool", 0)
        y = sketch.pool(sketch.input("x", 6, 6, 2), PoolKind.MAX, (3, 3), (1, 1), pads)
        return next(place.written_over for place in plan(sketch.graph(y)).places if place.name == y)

    assert written_over((0, 0, 0, 0)) == "x"
    assert written_over((1, 1, 1, 1)) is None


def test_the_same_graph_gives_the_same_plan() -> None:
    graph = branching(3)
    assert plan(graph) == plan(graph)


def test_a_plan_is_written_as_json() -> None:
    memory = plan(graphs()["add"][1])
    read = json.loads(memory.to_json())
    assert read["arena_bytes"] == 120
    assert [place["name"] for place in read["places"]] == ["x", "y", "op0.out"]
    assert read["places"][2] == {
        "name": "op0.out",
        "offset_bytes": 0,
        "n_bytes": 60,
        "first_step": 0,
        "last_step": 1,
        "written_over": "x",
    }
