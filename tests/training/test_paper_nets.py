"""The nets of paper 000 have its parameters, its depth and torchvision's names."""

import pytest
import torch

from device_sim.contract.errors import ContractError
from training.nets import count_parameters
from training.paper_nets import (
    FULL_SIDE,
    GEOMETRIES,
    MAP_SIDE,
    PICTURE_NETS,
    SMALL_SIDE,
    GoogLeNet,
    LightCnnPaper,
)
from training.quality_nets import clean_logit, image_macs

SIDES = {"light_cnn_paper": FULL_SIDE, "light_cnn_paper_64": SMALL_SIDE, "googlenet": SMALL_SIDE}


@pytest.mark.parametrize("side", GEOMETRIES)
@pytest.mark.parametrize(("n_classes", "expected"), [(70, 1_221_574), (2, 242_306), (1, 227_905)])
def test_the_reconstructed_light_cnn_has_the_papers_parameters(
    side: int, n_classes: int, expected: int
) -> None:
    assert count_parameters(LightCnnPaper(n_classes, side)) == expected


@pytest.mark.parametrize(("side", "macs"), [(FULL_SIDE, 194_113_200), (SMALL_SIDE, 52_266_288)])
def test_every_geometry_ends_at_fifteen_by_fifteen(side: int, macs: int) -> None:
    net = LightCnnPaper(2, side)
    with torch.no_grad():
        assert net.encoder(torch.zeros(1, 3, side, side)).shape == (1, 64, MAP_SIDE, MAP_SIDE)
    assert image_macs(net, (3, side, side)) == macs


def test_a_size_without_a_geometry_is_refused() -> None:
    with pytest.raises(ContractError, match="side: expected one of 227, 64, got 100"):
        LightCnnPaper(2, 100)


def test_googlenet_has_6624904_parameters_for_a_thousand_classes() -> None:
    net = GoogLeNet()
    assert count_parameters(net) == 6_624_904
    assert image_macs(net, (3, 224, 224)) == pytest.approx(1.5e9, rel=0.02)


def test_googlenet_is_22_layers_deep() -> None:
    """The longest way through: convolutions of the trunk, two per Inception, and the dense layer."""
    stem = [name for name in GoogLeNet.TRUNK if name not in GoogLeNet.BLOCKS]
    assert len(stem) + 2 * len(GoogLeNet.BLOCKS) + 1 == 22


def test_googlenets_weights_have_torchvisions_names() -> None:
    names = set(GoogLeNet().state_dict())
    assert {"conv1.conv.weight", "conv3.bn.running_var", "fc.bias"} <= names
    assert {"inception4d.branch1.conv.weight", "inception4d.branch3.1.bn.bias"} <= names
    assert "inception5b.branch4.1.conv.weight" in names


@pytest.mark.parametrize("name", PICTURE_NETS)
def test_every_net_answers_once_per_picture_and_learns_everywhere(name: str) -> None:
    torch.manual_seed(0)
    net = PICTURE_NETS[name]()
    logits = clean_logit(net(torch.randn(3, 3, SIDES[name], SIDES[name])))
    assert logits.shape == (3,)
    logits.square().sum().backward()  # type: ignore[no-untyped-call]
    gradients = {key: parameter.grad for key, parameter in net.named_parameters()}
    assert all(gradient is not None and bool(gradient.any()) for gradient in gradients.values())
