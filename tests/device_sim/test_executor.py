"""The networks in the C core: equal to the twin and to the golden vectors, in every byte."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from device_sim import twin
from device_sim.contract.errors import ContractError
from device_sim.executor import Executor
from device_sim.plan import plan
from device_sim.program import OpKind, program
from tests.golden import network_vectors
from tests.golden.networks import graphs, random_inputs
from tests.golden.vectors import golden_cases

CASES = golden_cases("network")


def test_every_network_has_its_vector() -> None:
    assert {path.stem for path in CASES} == set(graphs())


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_twin_still_gives_the_committed_vector(path: Path) -> None:
    assert network_vectors.to_bytes(graphs()[path.stem][1]) == path.read_bytes()


@pytest.mark.parametrize("name", graphs())
def test_core_and_twin_are_equal_on_a_thousand_windows(name: str) -> None:
    graph = graphs()[name][1]
    inputs = random_inputs(graph, 1000, seed=11)
    expected, computed = twin.run(graph, inputs), Executor(graph).run(inputs)
    for output in graph.outputs:
        np.testing.assert_array_equal(computed[output], expected[output])


def test_every_kind_of_operator_is_tested() -> None:
    kinds = {op.kind for _, graph in graphs().values() for op in program(graph, plan(graph))}
    assert kinds == set(OpKind)


def test_a_window_does_not_see_the_one_before() -> None:
    graph = graphs()["joined"][1]
    inputs = random_inputs(graph, 6, seed=12)
    executor = Executor(graph)
    forwards = executor.run(inputs)
    backwards = executor.run({name: x[::-1] for name, x in inputs.items()})
    for name, y in forwards.items():
        np.testing.assert_array_equal(backwards[name][::-1], y)


def test_an_arena_that_is_too_small_is_refused_by_the_core() -> None:
    graph = graphs()["joined"][1]
    memory = plan(graph)
    small = dataclasses.replace(memory, arena_bytes=memory.arena_bytes - 64)
    with pytest.raises(ContractError, match="the core refused its arena"):
        Executor(graph, small)


def test_inputs_are_named_and_shaped_as_the_graph_says() -> None:
    executor = Executor(graphs()["join"][1])
    with pytest.raises(ContractError, match=r"inputs: expected \['age', 'rr', 'x'\], got \['x'\]"):
        executor.run({"x": np.zeros((1, 2, 3, 2), np.int8)})
