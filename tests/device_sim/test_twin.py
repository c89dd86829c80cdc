"""The integer twin against definitions written out in scalars, and the rounding of each family."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim import lookup, requant, twin
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.operators import Conv2d, DepthwiseConv2d, FullyConnected, Pool
from device_sim.requant import Family, Multiplier
from tests.golden.networks import Sketch, graphs, random_inputs

SUMS = st.integers(-(2**30), 2**30)
SMALL = st.integers(2**30, 2**31 - 1).flatmap(
    lambda q31: st.integers(-20, 0).map(lambda shift: Multiplier(q31, shift))
)


def gemmlowp(acc: int, by: Multiplier) -> int:
    """SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT, as their C++ is written."""
    product = acc * by.q31
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)
    right = -by.shift
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))


@given(acc=SUMS, by=SMALL)
def test_f1_is_gemmlowp_in_every_bit(acc: int, by: Multiplier) -> None:
    assert int(requant.twice_rounded(np.array([acc]), [by])[0]) == gemmlowp(acc, by)


@given(acc=SUMS, by=SMALL)
def test_every_family_is_within_one_step_of_the_real_product(acc: int, by: Multiplier) -> None:
    exact = Fraction(acc * by.q31, 2**31) * Fraction(2) ** by.shift
    x = np.array([acc])
    for rounding in (requant.twice_rounded, requant.twice_rounded_up, requant.once_rounded):
        # Half a step from each rounding; the first of two is halved again by every shift.
        assert abs(int(rounding(x, [by])[0]) - exact) <= 1


def test_the_families_differ_where_they_should() -> None:
    half = Multiplier(2**30, -1)  # a quarter
    ties = np.array([-6, -2, 2, 6])
    assert requant.twice_rounded(ties, [half]).tolist() == [-2, -1, 1, 2]  # half away from zero
    assert requant.twice_rounded_up(ties, [half]).tolist() == [-1, 0, 1, 2]
    assert requant.once_rounded(ties, [half]).tolist() == [-1, 0, 1, 2]
    assert requant.once_rounded(np.array([1, 3]), [half]).tolist() == [0, 1]
    assert requant.twice_rounded(np.array([1, 3]), [half]).tolist() == [1, 1]  # rounded twice, a quarter is 1
    assert requant.float_rounded(ties, 0.25, [1.0], 1.0).tolist() == [-2, 0, 0, 2]  # half to even


@given(real=st.floats(2**-30, 2**10))
def test_a_multiplier_is_the_nearest_of_31_bits(real: float) -> None:
    by = requant.multiplier_of(real)
    assert 2**30 <= by.q31 < 2**31
    assert abs(Fraction(by.q31, 2**31) * Fraction(2) ** by.shift / Fraction(real) - 1) <= Fraction(1, 2**31)


def test_what_is_below_two_to_minus_32_multiplies_to_nothing() -> None:
    assert requant.multiplier_of(2.0**-40) == Multiplier(0, 0)
    assert requant.multiplier_of(1 - 2**-40) == Multiplier(2**30, 1)  # rounds up into the next power


def slow_linear(graph: Graph, x: "np.ndarray[tuple[int, ...], np.dtype[np.int8]]") -> list[int]:
    """The only linear operator of a graph on one window, with loops and Python's integers."""
    operator = graph.operators[0]
    assert isinstance(operator, Conv2d | DepthwiseConv2d | FullyConnected)
    zero = graph.tensor("x").zero_point
    weight, bias = graph.tensor(operator.weight).constant, graph.tensor(operator.bias).constant
    if isinstance(operator, FullyConnected):
        rows = [range(len(x))]
        return [
            sum((int(x[i]) - zero) * int(weight[o, i]) for i in rows[0]) + int(bias[o])
            for o in range(len(weight))
        ]
    _, height, width, n_out = graph.tensor(operator.output).shape
    sums = []
    for oy in range(height):
        for ox in range(width):
            for o in range(n_out):
                total = int(bias[o])
                for i in range(weight.shape[1]):
                    for j in range(weight.shape[2]):
                        iy = oy * operator.stride[0] + i - operator.pads.top
                        ix = ox * operator.stride[1] + j - operator.pads.left
                        if not (0 <= iy < x.shape[0] and 0 <= ix < x.shape[1]):
                            continue
                        if isinstance(operator, DepthwiseConv2d):
                            c = o // (n_out // x.shape[2])
                            total += (int(x[iy, ix, c]) - zero) * int(weight[0, i, j, o])
                        else:
                            for c in range(x.shape[2]):
                                total += (int(x[iy, ix, c]) - zero) * int(weight[o, i, j, c])
                sums.append(total)
    return sums


@pytest.mark.parametrize("name", ["conv", "conv_row", "depthwise", "dense"])
def test_a_linear_operator_is_its_definition(name: str) -> None:
    graph = graphs()[name][1]
    operator = graph.operators[0]
    assert isinstance(operator, Conv2d | DepthwiseConv2d | FullyConnected)
    x_i8 = random_inputs(graph, 3, seed=1)["x"]
    output, weight = graph.tensor(operator.output), graph.tensor(operator.weight)
    n_out = output.shape[-1]
    six = output.zero_point + math.floor(6 / output.scale + 0.5)
    high = min(127, six) if operator.activation == "relu6" else 127
    for window, computed in zip(x_i8, twin.run(graph, {"x": x_i8})[operator.output], strict=True):
        expected = []
        for index, acc in enumerate(slow_linear(graph, window)):
            real = graph.tensor("x").scale * weight.channel_scales(n_out)[index % n_out] / output.scale
            code = gemmlowp(acc, requant.multiplier_of(real)) + output.zero_point
            expected.append(min(max(code, -128), high))
        assert computed.ravel().tolist() == expected


@pytest.mark.parametrize("name", ["max_pool", "average_pool", "global_pool"])
def test_a_pool_is_its_definition(name: str) -> None:
    graph = graphs()[name][1]
    operator = graph.operators[0]
    assert isinstance(operator, Pool)
    x = random_inputs(graph, 2, seed=2)["x"]
    for window, computed in zip(x, twin.run(graph, {"x": x})[operator.output], strict=True):
        for (oy, ox, c), code in np.ndenumerate(computed):
            top = oy * operator.stride[0] - operator.pads.top
            left = ox * operator.stride[1] - operator.pads.left
            rows = slice(max(top, 0), top + operator.kernel[0])
            columns = slice(max(left, 0), left + operator.kernel[1])
            seen = window[rows, columns, c].astype(int)
            if operator.kind == "max":
                assert code == seen.max()
            else:
                mean = Fraction(int(seen.sum()), seen.size)
                away = math.floor(abs(mean) + Fraction(1, 2)) * (1 if mean >= 0 else -1)
                assert code == away


@pytest.mark.parametrize("family", Family)
def test_an_addition_is_within_a_step_of_real_numbers(family: Family) -> None:
    graph = graphs()["add"][1]
    inputs = random_inputs(graph, 200, seed=3)
    x, y, out = graph.tensor("x"), graph.tensor("y"), graph.tensor("op0.out")
    real = x.scale * (inputs["x"].astype(float) - x.zero_point) + y.scale * (
        inputs["y"].astype(float) - y.zero_point
    )
    codes = np.clip(real, 0, 6) / out.scale + out.zero_point
    computed = twin.run(graph, inputs, family)["op0.out"]
    assert np.abs(computed - codes).max() <= 0.51  # 20 bits are kept until the last rounding


def test_tables_are_within_half_a_step_of_real_numbers() -> None:
    graph = graphs()["sigmoid"][1]
    x = random_inputs(graph, 20, seed=4)["x"]
    real = 1 / (1 + np.exp(-0.05 * (x.astype(float) - 10)))
    codes = np.clip(256 * real - 128, -128, 127)
    assert np.abs(twin.run(graph, {"x": x})["op0.out"] - codes).max() <= 0.5 + 1e-4

    graph = graphs()["softmax"][1]
    x = random_inputs(graph, 50, seed=5)["x"]
    powers = np.exp(np.float64(np.float32(0.02)) * x)
    codes = np.clip(256 * powers / powers.sum(axis=-1, keepdims=True) - 128, -128, 127)
    # 23 bits of each exponential: far below what would move a step by a hundredth.
    assert np.abs(twin.run(graph, {"x": x})["op0.out"] - codes).max() <= 0.51
    assert lookup.softmax_table_q23(0.02)[0] == 2**23


def test_pad_reshape_and_concat_only_move_integers() -> None:
    graph = graphs()["join"][1]
    inputs = random_inputs(graph, 4, seed=6)
    joined = twin.run(graph, inputs)["op2.out"]
    padded = np.full((4, 3, 8, 2), -5, np.int8)
    padded[:, 1:, 2:5] = inputs["x"]
    expected = np.concatenate([padded.reshape(4, 48), inputs["rr"], inputs["age"]], axis=1)
    np.testing.assert_array_equal(joined, expected)


def test_windows_do_not_see_each_other() -> None:
    graph = graphs()["joined"][1]
    inputs = random_inputs(graph, twin.BATCH + 3, seed=7)
    together = twin.run(graph, inputs)
    for k in (0, 1, twin.BATCH, twin.BATCH + 2):
        alone = twin.run(graph, {name: x[k : k + 1] for name, x in inputs.items()})
        assert {name: y.tolist() for name, y in alone.items()} == {
            name: together[name][k : k + 1].tolist() for name in together
        }


def test_every_tensor_on_the_way_can_be_seen() -> None:
    graph = graphs()["joined"][1]
    seen = twin.every_tensor(graph, random_inputs(graph, 2, seed=8))
    assert set(seen) == {tensor.name for tensor in graph.tensors if not tensor.is_constant}


def test_inputs_that_do_not_fit_are_refused() -> None:
    graph = graphs()["dense"][1]
    good = np.zeros((2, 50), np.int8)
    with pytest.raises(ContractError, match=r"inputs: expected \['x'\], got \['y'\]"):
        twin.run(graph, {"y": good})
    with pytest.raises(ContractError, match=r"input 'x': expected int8 of shape \(n, 50\)"):
        twin.run(graph, {"x": np.zeros((2, 50), np.int16)})
    with pytest.raises(ContractError, match=r"expected int8 of shape \(n, 50\), got int8 of shape \(2, 49\)"):
        twin.run(graph, {"x": good[:, 1:]})
    with pytest.raises(ContractError, match="the same number of windows"):
        twin.run(graph, {"x": good[:0]})
    sketch = Sketch("two", 0)
    two = sketch.graph(sketch.add(sketch.input("x", 3), sketch.input("y", 3)))
    with pytest.raises(ContractError, match=r"the same number of windows, 1 or more, got \[1, 2\]"):
        twin.run(two, {"x": np.zeros((1, 3), np.int8), "y": np.zeros((2, 3), np.int8)})
