"""Tracing and folding change the form of a network, not what it says."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from device_sim.contract.errors import ContractError
from device_sim.contract.operators import Activation, DepthwiseConv2d, FullyConnected, Pad, Shape, kind_of
from export.float_graph import BatchNorm, FloatGraph, Limit, evaluate
from export.fold import fold
from export.trace import trace
from tests.export.nets import MAKERS, example, ours, unsettle, windows


def said_by(net: nn.Module, shapes: dict[str, Shape], n: int = 40) -> tuple[dict[str, Tensor], list[Tensor]]:
    inputs = {name: torch.from_numpy(x) for name, x in windows(shapes, n, seed=1).items()}
    with torch.no_grad():
        said = net.double()(*inputs.values())
    return inputs, list(said) if isinstance(said, tuple) else [said]


def largest_difference(
    graph: FloatGraph, net: nn.Module, shapes: dict[str, Shape], time_major: bool
) -> float:
    inputs, said = said_by(net, shapes)
    found = evaluate(graph, {name: ours(x.numpy(), time_major=time_major) for name, x in inputs.items()})
    return max(
        float(np.abs(found[name] - ours(one.numpy(), time_major=time_major).reshape(found[name].shape)).max())
        for name, one in zip(graph.outputs, said, strict=True)
    )


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("name", ["small_cnn", "separable"])
def test_a_folded_map_net_says_the_same_to_1e6_in_either_order(name: str, time_major: bool) -> None:
    one = example(name, time_major=time_major)
    assert largest_difference(one.floats, one.net, one.shapes, time_major) < 1e-6


@pytest.mark.parametrize("name", ["two_inputs", "cardiacnet", "beat_tiny"])
def test_a_folded_row_net_says_the_same_to_1e6(name: str) -> None:
    one = example(name)
    assert largest_difference(one.floats, one.net, one.shapes, False) < 1e-6


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_but_contract_operators_is_left(name: str) -> None:
    graph = example(name).floats
    assert all(
        kind_of(operator) for operator in graph.operators if not isinstance(operator, BatchNorm | Limit)
    )
    assert not any(isinstance(operator, BatchNorm | Limit) for operator in graph.operators)


def test_cardiacnets_two_dense_layers_become_one() -> None:
    dense = [one for one in example("cardiacnet").floats.operators if isinstance(one, FullyConnected)]
    assert len(dense) == 1
    assert example("cardiacnet").floats.constants[dense[0].weight].shape == (1, 160)


def test_an_untouched_trace_says_the_same_too() -> None:
    net, shapes = unsettle(MAKERS["small_cnn"][0]()), MAKERS["small_cnn"][1]
    assert largest_difference(trace(net, shapes, name="n"), net, shapes, False) < 1e-6


def test_a_norm_in_front_of_everything_becomes_a_depthwise_layer() -> None:
    net = unsettle(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1)))
    graph = fold(trace(net, {"input": (3, 5, 6)}, name="n"))
    assert isinstance(graph.operators[0], DepthwiseConv2d)
    assert largest_difference(graph, net, {"input": (3, 5, 6)}, False) < 1e-6


class ReadTwice(nn.Module):
    """The sum of a layer before and after its ReLU: nothing may be folded across the first reader."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return functional.relu(self.norm(y) + y)


def test_what_two_layers_read_is_not_folded_into_one() -> None:
    net = unsettle(ReadTwice())
    graph = fold(trace(net, {"x": (1, 4, 4)}, name="n"))
    assert [kind_of(one) for one in graph.operators if not isinstance(one, BatchNorm | Limit)] == [
        "conv2d",
        "depthwise_conv2d",
        "add",
    ]
    assert largest_difference(graph, net, {"x": (1, 4, 4)}, False) < 1e-6


class Padded(nn.Module):
    def __init__(self, amount: int) -> None:
        super().__init__()
        self.amount = amount
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu6(self.conv(functional.pad(x, (self.amount, 0, 1, 2))))


@pytest.mark.parametrize(("amount", "n_pads"), [(2, 0), (3, 1)])
def test_padding_is_folded_while_it_is_narrower_than_the_kernel(amount: int, n_pads: int) -> None:
    net = Padded(amount).eval()
    graph = fold(trace(net, {"x": (1, 6, 6)}, name="n"))
    assert sum(isinstance(operator, Pad) for operator in graph.operators) == n_pads
    assert graph.operators[-1].activation is Activation.RELU6  # type: ignore[union-attr]
    assert largest_difference(graph, net, {"x": (1, 6, 6)}, False) < 1e-6


class RowsAsChannels(nn.Module):
    """How a net for microcontrollers reads the image: rows are channels, time is the only axis."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 4, (1, 5), padding=(0, 2))

    def forward(self, x_bcst: Tensor) -> Tensor:
        return functional.relu(self.conv(x_bcst.transpose(1, 2)))


def test_rows_become_channels_without_moving_a_byte() -> None:
    net = RowsAsChannels().eval()
    graph = fold(trace(net, {"x_bcst": (1, 6, 20)}, name="n", time_major=True))
    x = windows({"x_bcst": (1, 6, 20)}, 3, seed=2)["x_bcst"]
    with torch.no_grad():
        said = net.double()(torch.from_numpy(x)).numpy()  # [n, 4, 1, 20]
    found = evaluate(graph, {"x_bcst": ours(x, time_major=True)})[graph.outputs[0]]  # [n, 20, 1, 4]
    np.testing.assert_allclose(found.transpose(0, 3, 2, 1), said, atol=1e-12)


@pytest.mark.parametrize(
    ("net", "what"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.GELU()), "layer '_1' \\(GELU\\) has no int8 kernel"),
        (nn.Conv2d(1, 2, 3, dilation=2), "has no int8 kernel"),
        (nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1, groups=2)), "groups 2"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.MaxPool2d(3, 2, ceil_mode=True)), "ceil_mode"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(2)), "adaptive pool to 2"),
        (nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="replicate")), "padding"),
        (nn.Sequential(nn.ReLU(), nn.Conv2d(1, 2, 1)), "stands behind nothing"),
    ],
    ids=["gelu", "dilation", "groups", "ceil_mode", "adaptive", "replicate", "relu_first"],
)
def test_what_has_no_integers_is_refused_by_its_name(net: nn.Module, what: str) -> None:
    holder = net if isinstance(net, nn.Sequential) else nn.Sequential(net)
    with pytest.raises(ContractError, match=f"{what}.*nothing was written|has no int8 kernel.*{what}"):
        fold(trace(holder, {"input": (1, 9, 9)}, name="n"))


def test_an_input_without_a_shape_is_named() -> None:
    with pytest.raises(ContractError, match="input 'input': expected its shape"):
        trace(nn.Sequential(nn.Conv2d(1, 2, 1)), {"image": (1, 4, 4)}, name="n")
