"""Parameters, lengths and multiplications of the nets, as the papers and the notes count them."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from device_sim.contract.errors import ContractError
from training.nets import CardiacNet, RowConv, count_macs, count_parameters, make_net


def test_cardiacnet_has_the_papers_67169_parameters() -> None:
    assert count_parameters(make_net("cardiacnet", seed=0)) == 67_169


def test_cardiacnet_has_the_papers_lengths() -> None:
    assert CardiacNet.lengths() == (128, 62, 29, 13, 5)


def test_each_block_really_gives_its_length() -> None:
    net = CardiacNet()
    x = functional.relu(net.stem(torch.zeros(1, 1, 1, 128)))
    found = [x.shape[-1]]
    for block in net.blocks:
        x = block(x)
        found.append(x.shape[-1])
    assert tuple(found) == CardiacNet.lengths()


def test_cardiacnet_multiplies_2159776_times() -> None:
    assert count_macs(make_net("cardiacnet", seed=0)) == 2_159_776


def test_cardiacnet_centred_on_a_beat_has_a_second_channel_and_nothing_else() -> None:
    assert count_parameters(make_net("cardiacnet_beat", seed=0)) == 67_169 + 32
    assert make_net("cardiacnet_beat", seed=0)(torch.zeros(3, 2, 128)).shape == (3,)


def test_the_folded_net_has_41409_parameters_and_says_the_same() -> None:
    net = make_net("cardiacnet", seed=3)
    assert isinstance(net, CardiacNet)
    folded = net.folded()
    x_bct = torch.from_numpy(np.random.default_rng(0).standard_normal((64, 1, 128)).astype(np.float32))
    assert count_parameters(folded) == 41_409
    with torch.no_grad():
        assert float((net(x_bct) - folded(x_bct)).abs().max()) < 1e-6
    assert count_parameters(net) == 67_169  # the net itself is left as it was


def test_zeros_and_replicas_differ_only_at_the_ends() -> None:
    zeros, replicas = CardiacNet("zeros"), CardiacNet("replicate")
    replicas.load_state_dict(zeros.state_dict())
    x = functional.relu(zeros.stem.requires_grad_(False)(torch.linspace(-1, 1, 128).reshape(1, 1, 1, 128)))
    with torch.no_grad():
        difference = (zeros.blocks[0](x) - replicas.blocks[0](x)).abs().amax(dim=(0, 1, 2))
    # a pooled sample reaches five samples; only those that touch the four at each end may differ
    assert float(difference[2:-2].max()) == 0.0
    assert float(difference.max()) > 0.0


def test_a_row_convolution_is_the_one_dimensional_one() -> None:
    layer = RowConv(32, 32, 5)
    x_bct = torch.randn(2, 32, 40, generator=torch.Generator().manual_seed(0))
    expected = functional.conv1d(x_bct, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x_bct[:, :, None])[:, :, 0], expected)


def test_beat_tiny_keeps_its_budget() -> None:
    net = make_net("beat_tiny", seed=0)
    assert count_parameters(net) <= 20_000
    assert count_macs(net, channels=2) <= 1_000_000


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    first = make_net("cardiacnet", seed=1).state_dict()
    drawn = torch.rand(1)
    torch.manual_seed(5)
    second = make_net("cardiacnet", seed=1).state_dict()
    assert torch.equal(drawn, torch.rand(1))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_unknown_net_is_named() -> None:
    with pytest.raises(ContractError, match="expected one of cardiacnet"):
        make_net("cardianet", seed=0)
