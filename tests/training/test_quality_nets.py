"""Parameters, multiplications and operators of the quality nets, as the paper and the budgets have them."""

import pytest
import torch
from torch import nn

from device_sim.contract.errors import ContractError
from training.quality_nets import (
    IMAGE_NETS,
    LightCnn,
    QualityTiny,
    clean_logit,
    image_macs,
    in_net_units,
)

IMAGE = (1, 32, 80)
EXPORTED = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, nn.Linear, nn.Dropout, nn.Sequential)


def parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_light_cnn_keeps_its_budget() -> None:
    net = LightCnn()
    assert parameters(net) == 152_618
    assert image_macs(net, IMAGE) == 38_407_680


def test_quality_tiny_keeps_its_budget_and_a_tenth_of_light_cnns_multiplications() -> None:
    net = QualityTiny()
    assert parameters(net) <= 40_000
    assert image_macs(net, IMAGE) <= 4_000_000
    assert image_macs(net, IMAGE) <= image_macs(LightCnn(), IMAGE) / 10


@pytest.mark.parametrize("name", IMAGE_NETS)
def test_what_ships_is_made_of_operators_the_export_knows(name: str) -> None:
    net = IMAGE_NETS[name]()
    leaves = [layer for layer in net.modules() if not list(layer.children())]
    assert all(isinstance(layer, EXPORTED) for layer in leaves)
    for layer in leaves:
        if isinstance(layer, nn.Conv2d):
            assert layer.groups in (1, layer.in_channels), "neither whole nor depthwise"
            assert layer.padding_mode == "zeros"


@pytest.mark.parametrize("name", IMAGE_NETS)
def test_every_net_answers_once_per_image_and_learns_everywhere(name: str) -> None:
    torch.manual_seed(0)
    net = IMAGE_NETS[name]()
    logits = clean_logit(net(torch.randn(3, *IMAGE)))
    assert logits.shape == (3,)
    logits.square().sum().backward()  # type: ignore[no-untyped-call]
    gradients = {key: parameter.grad for key, parameter in net.named_parameters()}
    assert all(gradient is not None and bool(gradient.any()) for gradient in gradients.values())


def test_quality_tiny_reads_rows_as_channels() -> None:
    """A later column cannot reach a convolution's output further than its kernel; a row reaches all."""
    torch.manual_seed(0)
    first = QualityTiny().eval().encoder[0]
    assert isinstance(first, nn.Sequential)
    with torch.no_grad():
        before = first(torch.zeros(1, 32, 1, 80))
        touched = torch.zeros(1, 32, 1, 80)
        touched[0, 7, 0, 40] = 5.0
        changed = (first(touched) != before).any(dim=1)[0, 0]
    assert set(torch.nonzero(changed)[:, 0].tolist()) <= {38, 39, 40, 41, 42}
    assert bool(changed[40])


def test_two_columns_of_logits_are_noisy_and_clean() -> None:
    assert clean_logit(torch.tensor([[1.0, 3.0]])).tolist() == [2.0]
    assert clean_logit(torch.tensor([[1.5]])).tolist() == [1.5]
    with pytest.raises(ContractError, match="expected one or two columns, got 3"):
        clean_logit(torch.zeros(1, 3))


def test_codes_become_exact_floats() -> None:
    codes = torch.arange(-128, 128, dtype=torch.int8).repeat(10).reshape(1, 32, 80)
    images = in_net_units(codes)
    assert images.shape == (1, 1, 32, 80)
    assert torch.equal((images[:, 0] * 32).to(torch.int8), codes)
