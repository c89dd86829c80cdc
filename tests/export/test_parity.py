"""Every runtime gives the bytes that the twin predicts for it, on a thousand windows."""

import importlib.util
import sys

import numpy as np
import pytest

from device_sim import twin
from device_sim.apart import run_apart
from device_sim.contract.graph import Graph
from device_sim.contract.operators import PoolKind
from device_sim.plan import plan
from device_sim.requant import Family
from device_sim.runner import NEEDS, Backend, Model
from export.arena import smallest_tflm_arena
from export.parity import RUNTIMES, between_families, difference, model_of, parity
from export.to_onnx import to_onnx
from export.to_tflite import to_tflite
from tests.export.nets import MAKERS, codes, example
from tests.golden.networks import Sketch, graphs, random_inputs

N_WINDOWS = 1000
REFERENCE = (3, 11)
# What the formats hold: TensorFlow Lite has no pool with other paddings than SAME and VALID.
IN_BOTH_FORMATS = [name for name in graphs() if name not in ("max_pool", "average_pool")]
# Softmax in floating point, or in TensorFlow Lite's own fixed point: kept out of what is shipped.
INEXACT = {"softmax": 1e-3, "joined": 1e-2}  # operator's graph -> share of bytes that may differ, by one step


@pytest.fixture(params=RUNTIMES)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each runtime; on the reference Python none may be absent."""
    one: Backend = request.param
    package = NEEDS[one].package
    if package and sys.version_info[:2] != REFERENCE and importlib.util.find_spec(package) is None:
        pytest.skip(f"no wheel of {package} for this Python")
    return one


@pytest.mark.parametrize("name", MAKERS)
def test_a_runtime_gives_the_predicted_bytes(name: str, backend: Backend) -> None:
    graph = example(name).graph
    (found,) = parity(model_of(graph), codes(name, N_WINDOWS, seed=31), [backend])
    assert found.n_bytes >= N_WINDOWS
    assert found.n_different == 0, str(found)


@pytest.mark.parametrize("name", [name for name in IN_BOTH_FORMATS if name not in INEXACT])
def test_an_operator_alone_gives_the_predicted_bytes(name: str, backend: Backend) -> None:
    graph = graphs()[name][1]
    (found,) = parity(model_of(graph), random_inputs(graph, 300, seed=32), [backend])
    assert found.n_different == 0, str(found)


@pytest.mark.parametrize("name", INEXACT)
def test_a_softmax_is_a_step_off_now_and_then(name: str, backend: Backend) -> None:
    graph = graphs()[name][1]
    (found,) = parity(model_of(graph), random_inputs(graph, 300, seed=33), [backend])
    assert found.largest_step <= 1
    assert found.share <= INEXACT[name], str(found)
    if backend is Backend.CORE:
        assert found.n_different == 0


def test_the_means_of_onnx_runtime_are_predicted_over_whole_maps_only() -> None:
    def pooled(kernel: tuple[int, int], stride: tuple[int, int]) -> tuple[Graph, int, int]:
        sketch = Sketch("means", 5)
        x = sketch.input("x", 5, 6, 8, scale=0.0237, zero_point=-128)
        graph = sketch.graph(sketch.pool(x, PoolKind.AVERAGE, kernel, stride))
        inputs = random_inputs(graph, 300, seed=34)
        computed = run_apart(Backend.ONNX, Model(graph=graph, onnx=to_onnx(graph)), inputs)
        one = difference("onnx", computed, "twin", twin.run(graph, inputs, Family.F4_ORT))
        return graph, one.n_different, one.largest_step

    assert pooled((5, 6), (1, 1))[1] == 0
    _, n_different, largest = pooled((2, 2), (1, 2))
    assert n_different > 0  # float sums of scaled codes: no shipped net has such a pool
    assert largest == 1


def test_the_families_are_different_predictions() -> None:
    graph = example("cardiacnet").graph
    inputs = codes("cardiacnet", N_WINDOWS, seed=31)
    found = {one.what: one for one in between_families(graph, inputs)}
    assert {what for what, one in found.items() if one.n_different > 0} == {
        *("twin f2", "twin f3", "twin f4", "twin f4-ort")
    }


def test_a_difference_counts_bytes_and_the_largest_step() -> None:
    one = {"y": np.array([[0, 5], [-128, 1]], np.int8)}
    other = {"y": np.array([[0, 3], [127, 1]], np.int8)}
    found = difference("a", one, "b", other)
    assert (found.n_bytes, found.n_different, found.largest_step) == (4, 2, 255)
    assert str(found) == "a beside b: 2 of 4 bytes differ, by 255 at most"


@pytest.mark.parametrize("name", MAKERS)
def test_our_arena_is_smaller_than_that_of_tflite_micro(name: str) -> None:
    if importlib.util.find_spec("tflite_micro") is None and sys.version_info[:2] != REFERENCE:
        pytest.skip("no wheel of tflite_micro for this Python")
    graph = example(name).graph
    # Its arena also holds its own records of tensors and operators; ours are constants in flash.
    assert plan(graph).arena_bytes < smallest_tflm_arena(to_tflite(graph))
