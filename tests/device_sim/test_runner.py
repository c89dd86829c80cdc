"""One protocol over every backend: what is missing, what is damaged, and what a process of its own is for."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from device_sim import twin
from device_sim.apart import run_apart
from device_sim.contract.errors import ContractError
from device_sim.executor import Executor
from device_sim.requant import Family
from device_sim.runner import NEEDS, Backend, FileKind, Model, TwinRunner, open_runner
from tests.golden.networks import graphs, random_inputs

RUNTIMES = [backend for backend in Backend if NEEDS[backend].package]


def test_core_and_twin_need_no_file() -> None:
    graph = graphs()["joined"][1]
    inputs = random_inputs(graph, 20, seed=1)
    said = {
        backend: open_runner(backend, Model(graph=graph)).run(inputs)
        for backend in (Backend.CORE, Backend.TWIN)
    }
    for name in graph.outputs:
        np.testing.assert_array_equal(said[Backend.CORE][name], said[Backend.TWIN][name])
    assert isinstance(open_runner(Backend.CORE, Model(graph=graph)), Executor)


def test_the_twin_runs_in_any_family() -> None:
    graph = graphs()["joined"][1]
    inputs = random_inputs(graph, 50, seed=2)
    said = TwinRunner(graph, Family.F4).run(inputs)
    expected = twin.run(graph, inputs, Family.F4)
    np.testing.assert_array_equal(said["op8.out"], expected["op8.out"])


def test_a_graph_needs_no_process_of_its_own() -> None:
    graph = graphs()["dense"][1]
    inputs = random_inputs(graph, 4, seed=3)
    np.testing.assert_array_equal(
        run_apart(Backend.CORE, Model(graph=graph), inputs)["op0.out"], twin.run(graph, inputs)["op0.out"]
    )


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_backend_that_is_not_installed_names_its_package(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    if NEEDS[backend].package == "tflite_runtime" and np.__version__ >= "2":
        pytest.skip("numpy 2 is here, so tflite-runtime is refused for that before it is looked for")
    monkeypatch.setitem(sys.modules, NEEDS[backend].package, None)
    graph = graphs()["dense"][1]
    with pytest.raises(
        ContractError, match=f"backend {backend}: expected the package `{NEEDS[backend].package}`"
    ):
        open_runner(backend, Model(graph=graph, tflite=b"x", onnx=b"x"))


@pytest.mark.parametrize("backend", [Backend.LITERT, Backend.ONNX])
def test_a_damaged_file_is_an_error_of_one_line(backend: Backend) -> None:
    if find_spec(NEEDS[backend].package) is None:
        pytest.skip(f"the runtime of {backend} is not installed")
    graph = graphs()["dense"][1]
    damaged = Model(graph=graph, tflite=b"\x10\x00\x00\x00TFL3" + bytes(64), onnx=b"\x08\x09garbage")
    with pytest.raises(ContractError, match=f"^backend {backend}: the runtime ended with") as caught:
        run_apart(backend, damaged, random_inputs(graph, 1, seed=4))
    assert "\n" not in str(caught.value)


def test_what_the_other_process_refuses_is_said_here() -> None:
    graph = graphs()["dense"][1]
    with pytest.raises(ContractError, match=r"backend core|inputs: expected \['x'\], got \['y'\]"):
        run_apart(Backend.CORE, Model(graph=graph), {"y": np.zeros((1, 50), np.int8)})


def test_every_backend_says_what_it_reads_and_how_it_rounds() -> None:
    assert set(NEEDS) == set(Backend)
    assert {NEEDS[backend].file for backend in RUNTIMES} == {FileKind.TFLITE, FileKind.ONNX}
