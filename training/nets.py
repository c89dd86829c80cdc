"""The beat networks: the paper's CardiacNet, its small sister, and a linear model of rhythm."""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from device_sim.contract.errors import ContractError
from training.paper_nets import PICTURE_NETS
from training.quality_nets import IMAGE_NETS

WINDOW_SAMPLES = 128  # one second of the beat stream
WIDTH = 32
KERNEL = 5
N_BLOCKS = 4
POOL, POOL_STRIDE = 5, 2
Padding = Literal["zeros", "replicate"]


class RowConv(nn.Conv1d):
    """A 1-D convolution computed as one row of a 2-D one, channels last.

    Same weights, same result; measured 1.3 to 1.7 times as fast to train on a CPU as the 1-D kernel.
    """

    def forward(self, x_bc1t: Tensor) -> Tensor:
        return functional.conv2d(
            x_bc1t, self.weight[:, :, None], self.bias, (1, self.stride[0]), (0, int(self.padding[0]))
        )


class ResidualBlock(nn.Module):
    """Two valid convolutions, stretched back to the input's length, added to it, and pooled."""

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        self.first = RowConv(WIDTH, WIDTH, KERNEL)
        self.second = RowConv(WIDTH, WIDTH, KERNEL)
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(functional.relu(self.first(x)))
        lost = KERNEL - 1  # samples at each end that two valid convolutions cost
        # Integer runtimes pad with constants only: real zeros are the form that ships.
        mode = "constant" if self.padding == "zeros" else "replicate"
        y = functional.pad(y, (lost, lost, 0, 0), mode=mode)
        return functional.max_pool2d(functional.relu(x + y), (1, POOL), (1, POOL_STRIDE))


class CardiacNet(nn.Module):
    """One second of ECG to one logit: normal below zero, abnormal above (paper 001)."""

    def __init__(self, padding: Padding = "zeros", n_channels: int = 1) -> None:
        super().__init__()
        self.stem = RowConv(n_channels, WIDTH, 1, bias=False)
        self.blocks = nn.ModuleList(ResidualBlock(padding) for _ in range(N_BLOCKS))
        width = WIDTH * self.lengths()[-1]
        self.head = nn.Sequential(nn.Linear(width, width), nn.Linear(width, 1))

    @staticmethod
    def lengths() -> tuple[int, ...]:
        """Samples before the first block and after each: 128, 62, 29, 13, 5."""
        found = [WINDOW_SAMPLES]
        for _ in range(N_BLOCKS):
            found.append((found[-1] - POOL) // POOL_STRIDE + 1)
        return tuple(found)

    def features(self, x_bct: Tensor) -> Tensor:
        """The 160 numbers the head sees."""
        x = functional.relu(self.stem(x_bct[:, :, None]))
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x)
        return x.flatten(1)

    def forward(self, x_bct: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x_bct))[:, 0]
        return logits

    def folded(self) -> "CardiacNet":
        """The same function with one dense layer: nothing stands between the paper's two."""
        first, second = self.head[0], self.head[-1]
        if first is second:
            return self
        assert isinstance(first, nn.Linear)
        assert isinstance(second, nn.Linear)
        with torch.no_grad():
            one = nn.Linear(first.in_features, 1)
            weight = second.weight.double() @ first.weight.double()
            bias = second.weight.double() @ first.bias.double() + second.bias.double()
            one.weight.copy_(weight)
            one.bias.copy_(bias)
        net = copy.deepcopy(self)
        net.head = nn.Sequential(one)
        return net

    def renew_head(self) -> None:
        """'MLP thrown away': the head starts again, the encoder stays."""
        for layer in self.head:
            assert isinstance(layer, nn.Linear)
            layer.reset_parameters()


class BeatTiny(nn.Module):
    """A beat, and its difference from the wearer's usual one, to one logit: of another shape, above zero.

    128 samples centred on the R peak. Four strided convolutions with batch norm (folded at export), one
    dense layer that keeps position: where a beat differs matters as much as by how much.
    """

    N_CHANNELS = 2  # difference from the usual beat, and the beat
    WIDTHS = (16, 24, 32, 48)
    KERNELS = (5, 5, 5, 3)

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = self.N_CHANNELS
        for width, kernel in zip(self.WIDTHS, self.KERNELS, strict=True):
            layers += [RowConv(before, width, kernel, stride=2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.encoder = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(before * self.lengths()[-1], 1)

    @classmethod
    def lengths(cls) -> tuple[int, ...]:
        found = [WINDOW_SAMPLES]
        for kernel in cls.KERNELS:
            found.append((found[-1] - kernel) // 2 + 1)
        return tuple(found)

    def forward(self, x_bct: Tensor) -> Tensor:
        x = x_bct[:, :, None].contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.head(self.dropout(self.encoder(x).flatten(1)))[:, 0]
        return logits


NETS: Mapping[str, Callable[[], nn.Module]] = {
    "cardiacnet": CardiacNet,
    "cardiacnet_replicate": lambda: CardiacNet("replicate"),
    "cardiacnet_beat": lambda: CardiacNet(n_channels=BeatTiny.N_CHANNELS),
    "beat_tiny": BeatTiny,
    **IMAGE_NETS,
    **PICTURE_NETS,
}


def make_net(name: str, *, seed: int) -> nn.Module:
    """A fresh net; the same seed gives the same weights."""
    if name not in NETS:
        raise ContractError(f"net: expected one of {', '.join(NETS)}, got {name}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETS[name]()


def count_parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def count_macs(net: nn.Module, *, channels: int = 1, length_samples: int = WINDOW_SAMPLES) -> int:
    """Multiply-accumulates of one window: outputs of each layer times the inputs each of them sums."""
    macs = 0

    def meter(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal macs
        assert isinstance(layer, nn.Conv1d | nn.Linear)
        macs += output[0].numel() * math.prod(layer.weight.shape[1:])

    hooks = [
        layer.register_forward_hook(meter)
        for layer in net.modules()
        if isinstance(layer, nn.Conv1d | nn.Linear)
    ]
    was_training = net.training
    net.eval()
    with torch.no_grad():
        net(torch.zeros(1, channels, length_samples))
    net.train(was_training)
    for hook in hooks:
        hook.remove()
    return macs
