"""Bias correction: means come back, constants other than biases stay, the logits come nearer."""

import numpy as np
import pytest

from device_sim.contract.operators import Linear
from device_sim.contract.tensor import DType
from export.bias_correction import correct_biases
from export.sqnr import sqnr_db
from tests.export.nets import MAKERS, codes, example


@pytest.mark.parametrize("name", MAKERS)
def test_only_biases_change(name: str) -> None:
    one = example(name)
    corrected = correct_biases(one.floats, one.graph, codes(name, 64, seed=41))
    moved = 0
    for before, after in zip(one.graph.tensors, corrected.tensors, strict=True):
        assert (after.name, after.scales, after.zero_point) == (before.name, before.scales, before.zero_point)
        if before.dtype is DType.I32:
            moved += int(np.count_nonzero(after.constant != before.constant))
        elif before.is_constant:
            np.testing.assert_array_equal(after.constant, before.constant)
    assert corrected.operators == one.graph.operators
    assert moved > 0


@pytest.mark.parametrize("name", MAKERS)
def test_correcting_twice_changes_nothing_more(name: str) -> None:
    one, windows = example(name), codes(name, 64, seed=42)
    once = correct_biases(one.floats, one.graph, windows)
    twice = correct_biases(one.floats, once, windows)
    for operator in once.operators:
        if isinstance(operator, Linear):
            np.testing.assert_array_equal(
                twice.tensor(operator.bias).constant, once.tensor(operator.bias).constant
            )


@pytest.mark.parametrize("name", ["beat_tiny", "cardiacnet", "small_cnn"])
def test_logits_come_nearer_on_windows_that_were_not_used(name: str) -> None:
    one = example(name)
    corrected = correct_biases(one.floats, one.graph, codes(name, 256, seed=43))
    fresh = codes(name, 256, seed=44)
    output = one.graph.outputs[0]
    before, after = (sqnr_db(one.floats, graph, fresh)[output] for graph in (one.graph, corrected))
    assert after > before
