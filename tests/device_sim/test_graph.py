"""What the integer graph accepts, infers and refuses."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import (
    Graph,
    accumulator_limits,
    activation_range,
    count_macs,
    count_steps,
    real_range,
)
from device_sim.contract.operators import (
    Activation,
    Conv2d,
    FullyConnected,
    Pads,
    Reshape,
    output_shape,
    same_pads,
)
from device_sim.contract.tensor import Tensor, float32
from tests.golden.networks import Sketch, graphs


def dense() -> Graph:
    return graphs()["dense"][1]


def with_tensor(graph: Graph, name: str, **changed: Any) -> Graph:
    """The same graph with one tensor altered."""
    tensors = tuple(dataclasses.replace(t, **changed) if t.name == name else t for t in graph.tensors)
    return dataclasses.replace(graph, tensors=tensors)


def with_operator(graph: Graph, **changed: Any) -> Graph:
    """The same graph with its first operator altered."""
    first, *rest = graph.operators
    return dataclasses.replace(graph, operators=(dataclasses.replace(first, **changed), *rest))


@pytest.mark.parametrize("name", graphs())
def test_every_sketched_graph_is_accepted(name: str) -> None:
    graph = graphs()[name][1]
    assert graph.tensor(graph.outputs[0]).shape[0] == 1


@pytest.mark.parametrize(
    ("stride", "pads", "kernel", "expected"),
    [
        ((1, 1), (0, 0, 0, 0), (3, 3), (1, 6, 8, 4)),
        ((2, 2), (1, 1, 1, 1), (3, 3), (1, 4, 5, 4)),
        ((2, 3), (0, 2, 0, 2), (1, 5), (1, 4, 4, 4)),
    ],
)
def test_the_shape_of_a_convolution_is_inferred(
    stride: tuple[int, int], pads: tuple[int, ...], kernel: tuple[int, int], expected: tuple[int, ...]
) -> None:
    operator = Conv2d(name="c", x="x", weight="w", bias="b", output="y", stride=stride, pads=Pads(*pads))
    assert output_shape(operator, [(1, 8, 10, 3)], (4, *kernel, 3)) == expected


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "expected"),
    [(10, 3, 1, (1, 1)), (10, 3, 2, (0, 1)), (11, 5, 2, (2, 2)), (8, 1, 2, (0, 0))],
)
def test_same_padding_puts_the_odd_one_at_the_end(
    n: int, kernel: int, stride: int, expected: tuple[int, int]
) -> None:
    pads = same_pads((1, 1, n, 1), (1, kernel), (1, stride))
    assert (pads.left, pads.right) == expected
    assert (pads.top, pads.bottom) == (0, 0)


@pytest.mark.parametrize(
    ("tensor", "changed", "message"),
    [
        (
            "op0.out",
            {"shape": (1, 8)},
            r"'op0' \(fully_connected\): expected output shape \(1, 7\), got \(1, 8\)",
        ),
        ("x", {"shape": (1, 51)}, r"'op0' \(fully_connected\): expected input \(1, n\)"),
        ("x", {"shape": (2, 50)}, "input 'x': expected batch 1"),
        ("x", {"scales": (0.25,)}, "op0.bias: scale: expected input scale times weight scale"),
        ("op0.out", {"scales": (float32(1e-12),)}, "expected below 2\\^30; the scales do not fit"),
        ("op0.bias", {"values": np.full(7, 2**30, "<i4")}, "sums reach"),
        ("op0.weight", {"values": np.full((7, 50), -128, np.int8)}, "expected int8 weights -127..127"),
    ],
)
def test_a_tensor_that_does_not_fit_its_operator_is_refused(
    tensor: str, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        with_tensor(dense(), tensor, **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": "op0.out"}, "reads 'op0.out' before anything has written it"),
        ({"x": "nowhere"}, "reads 'nowhere' before"),
        ({"weight": "x"}, "expected a constant 'x'"),
        ({"bias": "nowhere"}, "expected a constant 'nowhere'"),
        ({"output": "x"}, "input 'x': expected a tensor that nothing writes"),
        ({"output": "op0.bias"}, "output 'op0.out': expected a tensor that an operator writes"),
    ],
)
def test_an_operator_with_wrong_ends_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        with_operator(dense(), **changed)


def test_names_and_leftovers_are_refused() -> None:
    graph = dense()
    with pytest.raises(ContractError, match="tensor 'x': expected once, got it 2 times"):
        dataclasses.replace(graph, tensors=(*graph.tensors, graph.tensor("x")))
    idle = Tensor(name="idle", shape=(1,), scales=(1.0,))
    with pytest.raises(ContractError, match="tensor 'idle': nothing uses it"):
        dataclasses.replace(graph, tensors=(*graph.tensors, idle))
    with pytest.raises(ContractError, match="at least one input"):
        dataclasses.replace(graph, outputs=())


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("conv", {"stride": (0, 1)}, r"'op0' \(conv2d\): stride: expected 1..4096, got \(0, 1\)"),
        ("conv", {"stride": (-1, 1)}, "stride: expected 1..4096"),
        ("conv", {"pads": Pads(-1, 0, 0, 0)}, "pads: expected 0..4096"),
        ("conv", {"pads": Pads(3, 0, 0, 0)}, "pads: expected less than the kernel"),
        ("max_pool", {"kernel": (9, 9)}, r"kernel \(9, 9\) is larger than its padded input \(6, 7\)"),
        ("concat_rows", {"axis": 3}, "expected shapes equal but for axis 3"),
        ("concat_rows", {"axis": 0}, r"axis: expected 1..3, got 0"),
        ("concat_rows", {"xs": ()}, "expected inputs, got none"),
    ],
)
def test_an_operator_that_cannot_be_applied_is_refused(
    name: str, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        with_operator(graphs()[name][1], **changed)


@pytest.mark.parametrize("name", ["max_pool", "join", "concat_rows"])
def test_what_only_moves_integers_cannot_change_their_scale(name: str) -> None:
    graph = graphs()[name][1]
    with pytest.raises(ContractError, match="expected the scale and zero point of"):
        with_tensor(graph, graph.operators[-1].output, scales=(0.25,))


@pytest.mark.parametrize("name", ["sigmoid", "softmax"])
def test_probabilities_have_steps_of_a_256th(name: str) -> None:
    with pytest.raises(ContractError, match="expected output scale 1/256 and zero point -128"):
        with_tensor(graphs()[name][1], "op0.out", scales=(0.25,))


def test_a_reshape_keeps_the_number_of_elements() -> None:
    sketch = Sketch("r", 0)
    with pytest.raises(ContractError, match="expected 12 elements, batch 1, got"):
        sketch.graph(sketch.reshape(sketch.input("x", 3, 4), 13))
    assert output_shape(Reshape(name="r", x="x", output="y"), [(1, 3)]) == (1, 3)


def test_activations_limit_the_integers() -> None:
    operator = FullyConnected(name="f", x="x", weight="w", bias="b", output="y")
    output = Tensor(name="y", shape=(1, 2), scales=(0.0625,), zero_point=-100)
    ranges = {
        one: activation_range(dataclasses.replace(operator, activation=one), output) for one in Activation
    }
    assert ranges == {
        Activation.NONE: (-128, 127),
        Activation.RELU: (-100, 127),
        Activation.RELU6: (-100, -4),  # -100 + 6 / 0.0625
    }
    assert real_range(dataclasses.replace(operator, activation=Activation.RELU6), output) == (0.0, 6.0)


def test_no_input_gives_a_larger_sum_than_the_limit() -> None:
    graph = dense()
    operator = graph.operators[0]
    assert isinstance(operator, FullyConnected)
    x, weight, bias = graph.tensor("x"), graph.tensor(operator.weight), graph.tensor(operator.bias)
    limits = accumulator_limits(operator, x, weight, bias)
    w, b = weight.constant.astype(np.int64), bias.constant.astype(np.int64)
    worst = np.where(np.sign(w) * np.sign(b)[:, None] >= 0, 127, -128)  # codes that push with the bias
    sums = np.abs(((worst - x.zero_point) * w).sum(axis=1) + b)
    assert np.all(sums <= limits)
    assert np.all(sums >= 0.95 * limits)  # the limit takes the longer side, 131 of 124 and 131


def test_multiplications_are_counted() -> None:
    assert count_macs(dense()) == 50 * 7
    assert count_macs(graphs()["conv"][1]) == 5 * 4 * 5 * (3 * 5 * 3)
    assert count_macs(graphs()["depthwise"][1]) == 7 * 8 * 6 * 9


def test_steps_count_the_turns_of_the_innermost_loop() -> None:
    _, graph = graphs()["max_pool"]
    assert count_steps(graph.operators[0], graph.by_name) == 3 * 4 * 4 * 9
    _, graph = graphs()["add"]
    assert count_steps(graph.operators[0], graph.by_name) == 60


def test_a_scale_out_of_all_proportion_is_refused() -> None:
    tiny = float32(1e-40)
    with pytest.raises(ContractError, match="below 524288 times the output's"):
        with_tensor(graphs()["add"][1], "op0.out", scales=(tiny,))
    with pytest.raises(ContractError, match="sums reach"):
        with_tensor(dense(), "op0.out", scales=(tiny,))
    with pytest.raises(ContractError, match="scale: expected a positive float32, got 1e"):
        Tensor(name="x", shape=(1,), scales=(1e300,))


def test_six_in_steps_that_no_code_reaches_is_no_limit() -> None:
    operator = FullyConnected(name="f", x="x", weight="w", bias="b", output="y", activation=Activation.RELU6)
    output = Tensor(name="y", shape=(1, 2), scales=(float32(1e-42),), zero_point=-100)
    assert activation_range(operator, output) == (-100, 127)
