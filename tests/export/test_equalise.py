"""Channels of like size: the same function in real numbers, a clearer one in integers."""

import dataclasses

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from export.calibrate import calibrate
from export.equalise import equalised, exponents_of, pairs_of
from export.float_graph import F64, FloatGraph, evaluate
from export.quantize import quantize
from export.sqnr import sqnr_db
from tests.export.nets import CODE, codes, example


def unequal(graph: FloatGraph) -> FloatGraph:
    """Every second channel of one layer sixteen times smaller, and made up for behind it."""
    layer = next(pairs_of(graph)).before
    n_channels = len(graph.constants[layer.bias])
    return equalised(graph, {layer.name: tuple(4 * (k % 2) for k in range(n_channels))})


def inputs(name: str, seed: int) -> dict[str, F64]:
    return {key: x * CODE.scale for key, x in codes(name, 64, seed).items()}


@pytest.mark.parametrize("name", ["small_cnn", "separable", "beat_tiny", "cardiacnet"])
def test_equalising_changes_nothing_in_real_numbers(name: str) -> None:
    graph = unequal(example(name).floats)
    exponents = exponents_of(graph, inputs(name, 81))
    assert exponents
    before, after = evaluate(graph, inputs(name, 82)), evaluate(equalised(graph, exponents), inputs(name, 82))
    for output in graph.outputs:
        np.testing.assert_allclose(after[output], before[output], rtol=1e-12, atol=1e-12)


def test_a_small_channel_gets_its_codes_back() -> None:
    graph = unequal(example("beat_tiny").floats)
    real, windows = inputs("beat_tiny", 81), codes("beat_tiny", 64, seed=82)

    def clearness(floats: FloatGraph) -> float:
        integers = quantize(floats, calibrate(floats, real), {"x_bct": CODE})
        return sqnr_db(floats, integers, windows)[floats.operators[1].output]  # behind the unequal channels

    assert clearness(equalised(graph, exponents_of(graph, real))) > clearness(graph) + 1.0


def test_what_cannot_be_equalised_is_refused() -> None:
    graph = example("cardiacnet").floats
    with pytest.raises(ContractError, match="'add' is no layer that can be equalised"):
        equalised(graph, {"add": (1,)})
    with pytest.raises(ContractError, match="expected 32 numbers, got 1"):
        equalised(graph, {"blocks_0_first": (1,)})
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.name = "other"  # type: ignore[misc]
