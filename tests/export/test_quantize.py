"""Real numbers to integers: how near they stay, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim import twin
from device_sim.contract.errors import ContractError
from device_sim.contract.operators import Concat, Linear
from device_sim.executor import Executor
from device_sim.requant import Code
from export.calibrate import Method, Range, calibrate
from export.quantize import LARGEST_BIAS, code_of, dequantize, quantize, reach_of, to_codes, weight_scales
from export.sqnr import sqnr_db
from tests.export.nets import CODE, MAKERS, SEED, codes, example, ours, windows


@given(low=st.floats(-1000, 0), high=st.floats(0.001, 1000))
def test_a_range_is_covered_and_zero_is_exact(low: float, high: float) -> None:
    code = code_of(Range(low, high))
    assert -128 <= code.zero_point <= 127
    assert reach_of(code).low <= low + code.scale
    assert reach_of(code).high >= high - code.scale
    assert to_codes(np.zeros(1), code)[0] == code.zero_point


@pytest.mark.parametrize("name", MAKERS)
def test_weights_are_within_half_a_step_and_each_channel_uses_127(name: str) -> None:
    one = example(name)
    for operator in one.graph.operators:
        if not isinstance(operator, Linear):
            continue
        tensor, exact = one.graph.tensor(operator.weight), one.floats.constants[operator.weight]
        assert tensor.axis is not None
        along = [1] * exact.ndim
        along[tensor.axis] = -1
        scales = np.array(tensor.scales).reshape(along)
        assert np.all(np.abs(tensor.constant * scales - exact) <= 0.5001 * scales)
        others = tuple(axis for axis in range(exact.ndim) if axis != tensor.axis)
        assert np.all(np.abs(tensor.constant.astype(int)).max(axis=others) == 127)


@pytest.mark.parametrize("name", MAKERS)
def test_the_integers_say_nearly_what_the_real_numbers_say(name: str) -> None:
    one = example(name)
    quality = sqnr_db(one.floats, one.graph, codes(name, 200, seed=5))
    assert set(quality) == {operator.output for operator in one.graph.operators}
    hidden = [decibels for output, decibels in quality.items() if output not in one.graph.outputs]
    # Eight bits are 50 dB at best and each layer adds its own noise; a logit of random weights is a small
    # difference of large sums, which training would make larger.
    assert min(hidden) > 30
    assert min(quality.values()) > 15


@pytest.mark.parametrize("name", MAKERS)
def test_core_and_twin_are_equal_on_quantised_nets(name: str) -> None:
    graph = example(name).graph
    inputs = codes(name, 300, seed=6)
    expected, computed = twin.run(graph, inputs), Executor(graph).run(inputs)
    for output in graph.outputs:
        np.testing.assert_array_equal(computed[output], expected[output])
        assert len(np.unique(expected[output])) > 20  # not a net that says one thing


def test_least_squares_is_no_worse_than_min_max_on_its_own_windows() -> None:
    whole, cut = (example("cardiacnet", method=method) for method in (Method.MIN_MAX, Method.MSE))
    inputs = codes("cardiacnet", 200, seed=7)
    first = whole.graph.operators[0].output
    better, worse = (sqnr_db(one.floats, one.graph, inputs)[first] for one in (cut, whole))
    assert better >= worse - 0.1


def test_a_bias_that_outgrows_its_weights_widens_their_scale() -> None:
    weight, bias = np.full((2, 4), 1e-12), np.array([5.0, 0.0])
    scales = weight_scales(weight, bias, axis=0, x_scale=0.01)
    assert 5.0 / (0.01 * scales[0]) <= LARGEST_BIAS * 1.001
    assert scales[1] < scales[0]


def test_dequantised_codes_are_real_numbers_again() -> None:
    tensor = example("small_cnn").graph.tensor("image")
    assert dequantize(np.array([-128, 0, 127], np.int8), tensor).tolist() == [-4.0, 0.0, 127 / 32]


def test_what_is_missing_is_named() -> None:
    one = example("small_cnn")
    inputs = {name: ours(x) for name, x in windows(one.shapes, 8, SEED).items()}
    ranges = calibrate(one.floats, inputs)
    with pytest.raises(ContractError, match=r"inputs: expected \['image'\], got \[\]"):
        quantize(one.floats, ranges, {})
    short = {name: value for name, value in ranges.items() if name != one.floats.outputs[0]}
    with pytest.raises(ContractError, match="expected a calibrated range, got none"):
        quantize(one.floats, short, {"image": CODE})
    with pytest.raises(ContractError, match=r"values reach .* the fixed scale only"):
        quantize(one.floats, ranges, {"image": Code(1 / 256, 0)})


def test_what_joins_an_input_takes_its_scale() -> None:
    one = example("two_inputs")
    wide = {name: Range(-1.0, 1.0) for name in one.floats.shapes}
    graph = quantize(one.floats, wide, {"beat": CODE, "rr": Code(0.5, 3)})
    joined = next(operator for operator in graph.operators if isinstance(operator, Concat))
    assert graph.tensor(joined.output).scale == 0.5  # the input's: the device decides
