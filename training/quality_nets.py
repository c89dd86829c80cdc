"""The quality networks: an image of 32 rows by 80 columns (or the paper's colour picture) to clean or noisy.

One column of logits means 'clean above zero'; two mean noisy and clean, in that order. The device keeps its
image column by column, [80, 32]: a 2-D net reads that as height 80, width 32, one channel, `quality_tiny` as
height 1, width 80, 32 channels. Neither moves a byte.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from device_sim.contract.errors import ContractError

ROWS, COLUMNS = 32, 80
CODES_PER_UNIT = 32  # a power of two, so that the int8 input is exact
PAPER_SIDE = 227


class ConvBlock(nn.Sequential):
    """Convolution, batch norm (folded at export), ReLU."""

    def __init__(
        self,
        before: int,
        width: int,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        groups: int = 1,
        has_bias: bool = False,
        eps: float = 1e-5,
    ) -> None:
        conv = nn.Conv2d(before, width, kernel, stride, padding, groups=groups, bias=has_bias)
        super().__init__(conv, nn.BatchNorm2d(width, eps=eps), nn.ReLU())


class LightCnnPaper(nn.Module):
    """The light CNN of paper 000, reconstructed: 3 convolutions, 1 dense layer, 1,221,574 parameters.

    The paper states layers and parameters only. Kernels 11, 9, 9 with 16, 32, 64 channels, biases and batch
    norm, and a dense layer from 15 x 15 x 64 to 70 classes give exactly that number, and 70 is the number of
    classes of the images it was pre-trained on; of the solutions it is the only one with the plain ladder
    16-32-64. Stride 2 and a 227 x 227 picture (AlexNet's, with its first kernel of 11) are one geometry that
    ends at 15 x 15: the count does not fix them. With two classes 242,306 parameters are left.
    """

    def __init__(self, n_classes: int = 70) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            ConvBlock(3, 16, 11, stride=2, has_bias=True),  # 227 -> 109
            nn.MaxPool2d(2),  # 54
            ConvBlock(16, 32, 9, has_bias=True),  # 46
            nn.MaxPool2d(2),  # 23
            ConvBlock(32, 64, 9, has_bias=True),  # 15
        )
        self.head = nn.Linear(64 * 15 * 15, n_classes)

    def forward(self, x_bchw: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(x_bchw).flatten(1))
        return logits


class LightCnn(nn.Module):
    """The same shape, 3 convolutions and 1 dense layer, on the device's image instead of a colour picture."""

    WIDTHS = (24, 48, 96)

    def __init__(self, n_classes: int = 2, dropout: float = 0.3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in self.WIDTHS:
            layers += [ConvBlock(before, width, 5, padding=2), nn.MaxPool2d(2)]
            before = width
        self.encoder = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(before * (ROWS // 8) * (COLUMNS // 8), n_classes)

    def forward(self, x_bcst: Tensor) -> Tensor:
        x = self.encoder(x_bcst.contiguous(memory_format=torch.channels_last))
        logits: Tensor = self.head(self.dropout(x.flatten(1)))
        return logits


class QualityTiny(nn.Module):
    """For the microcontroller: rows are channels, time is the only axis, depthwise-separable convolutions.

    A QRS is short in every row at once, so a kernel that sees all rows of 5 columns is the natural first one;
    a 2-D net of the same cost called atrial fibrillation noisy twice as often.
    """

    WIDTHS = (64, 64, 96, 96)
    STRIDES = (1, 2, 1, 2)
    KERNEL = 7

    def __init__(self, n_classes: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        before = 48
        layers: list[nn.Module] = [ConvBlock(ROWS, before, (1, 5), padding=(0, 2))]
        for width, stride in zip(self.WIDTHS, self.STRIDES, strict=True):
            kernel, padding = (1, self.KERNEL), (0, self.KERNEL // 2)
            layers += [
                ConvBlock(before, before, kernel, stride=(1, stride), padding=padding, groups=before),
                ConvBlock(before, width, 1),
            ]
            before = width
        self.encoder = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(before, n_classes)

    def forward(self, x_bcst: Tensor) -> Tensor:
        x = x_bcst.transpose(1, 2).contiguous(memory_format=torch.channels_last)  # [n, 32, 1, 80]
        pooled = functional.adaptive_avg_pool2d(self.encoder(x), 1).flatten(1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


class Inception(nn.Module):
    """Four views of one map, side by side: 1x1, 3x3, a second 3x3, and what a pool sees."""

    def __init__(
        self, before: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int
    ) -> None:
        super().__init__()
        # The paper's 5x5 is a 3x3 in the weights everybody uses; 6,624,904 parameters count that one.
        self.branch1 = _block(before, one, 1)
        self.branch2 = nn.Sequential(_block(before, three[0], 1), _block(three[0], three[1], 3, padding=1))
        self.branch3 = nn.Sequential(_block(before, five[0], 1), _block(five[0], five[1], 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), _block(before, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class GoogLeNet(nn.Module):
    """22 layers with batch norm and without auxiliary heads: 6,624,904 parameters for 1,000 classes."""

    # input, 1x1, 3x3 (reduced, out), 'five' (reduced, out), pool
    STAGES: Sequence[Sequence[tuple[int, int, tuple[int, int], tuple[int, int], int]]] = (
        ((192, 64, (96, 128), (16, 32), 32), (256, 128, (128, 192), (32, 96), 64)),
        (
            (480, 192, (96, 208), (16, 48), 64),
            (512, 160, (112, 224), (24, 64), 64),
            (512, 128, (128, 256), (24, 64), 64),
            (512, 112, (144, 288), (32, 64), 64),
            (528, 256, (160, 320), (32, 128), 128),
        ),
        ((832, 256, (160, 320), (32, 128), 128), (832, 384, (192, 384), (48, 128), 128)),
    )

    def __init__(self, n_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            _block(3, 64, 7, stride=2, padding=3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            _block(64, 64, 1),
            _block(64, 192, 3, padding=1),
        ]
        for stage, pool in zip(self.STAGES, (3, 3, 2), strict=True):
            layers.append(nn.MaxPool2d(pool, 2, ceil_mode=True))
            layers += [Inception(*sizes) for sizes in stage]
        self.encoder = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(1024, n_classes)

    def forward(self, x_bchw: Tensor) -> Tensor:
        pooled = functional.adaptive_avg_pool2d(self.encoder(x_bchw), 1).flatten(1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def _block(before: int, width: int, kernel: int, *, stride: int = 1, padding: int = 0) -> ConvBlock:
    return ConvBlock(before, width, kernel, stride=stride, padding=padding, eps=1e-3)


IMAGE_NETS: Mapping[str, Callable[[], nn.Module]] = {"light_cnn": LightCnn, "quality_tiny": QualityTiny}
PICTURE_NETS: Mapping[str, Callable[[], nn.Module]] = {
    "light_cnn_paper": lambda: LightCnnPaper(2),
    "googlenet": lambda: GoogLeNet(2),
}
QUALITY_NETS: Mapping[str, Callable[[], nn.Module]] = {**IMAGE_NETS, **PICTURE_NETS}


def in_net_units(codes: Tensor) -> Tensor:
    """int8 codes [n, 32, 80] as float images [n, 1, 32, 80], about +-4."""
    return (codes.float() / CODES_PER_UNIT)[:, None]


def clean_logit(logits: Tensor) -> Tensor:
    """One logit for 'clean', also where the net has a column for each answer."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    if logits.shape[1] != 2:
        raise ContractError(f"logits: expected one or two columns, got {logits.shape[1]}")
    return logits[:, 1] - logits[:, 0]


def image_macs(net: nn.Module, shape: tuple[int, int, int]) -> int:
    """Multiply-accumulates of one image [channels, height, width]: outputs times the inputs each sums."""
    macs = 0

    def meter(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal macs
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        macs += output[0].numel() * math.prod(layer.weight.shape[1:])

    counted = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(meter) for layer in counted]
    was_training = net.training
    net.eval()
    with torch.no_grad():
        net(torch.zeros(1, *shape))
    net.train(was_training)
    for hook in hooks:
        hook.remove()
    return macs
