"""Paper 000's networks: a colour picture of an ECG's wavelet transform to clean or noisy.

Its light CNN, reconstructed, and GoogLeNet, the yardstick, whose weights carry torchvision's names so that a
file of them fits as it is. Two columns of logits mean noisy and clean.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from device_sim.contract.errors import ContractError
from training.quality_nets import ConvBlock

FULL_SIDE, SMALL_SIDE = 227, 64
MAP_SIDE = 15  # of the last map: the parameter count fixes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """What the parameter count leaves open: how a picture of one size becomes the map of 15 x 15."""

    first_padding: int
    first_pool: tuple[int, int]  # size, step
    padding: int  # of the second and third convolution
    second_pool: tuple[int, int] | None


GEOMETRIES: Mapping[int, Geometry] = {
    # AlexNet's picture and its first kernel of 11: 227 -> 109 -> 54 -> 46 -> 23 -> 15, 194 M MAC
    FULL_SIDE: Geometry(first_padding=0, first_pool=(2, 2), padding=0, second_pool=(2, 2)),
    # Tiny ImageNet's own size: 64 -> 31 -> 15 -> 15 -> 15, 52 M MAC; 37 M of them are the last convolution's,
    # which no geometry saves
    SMALL_SIDE: Geometry(first_padding=4, first_pool=(3, 2), padding=4, second_pool=None),
}


class LightCnnPaper(nn.Module):
    """The light CNN of paper 000, reconstructed: 3 convolutions, 1 dense layer, 1,221,574 parameters.

    The paper states layers and parameters only. Kernels 11, 9, 9 with 16, 32, 64 channels, biases and batch
    norm, and a dense layer from 15 x 15 x 64 to 70 classes give exactly that number, and 70 is the number of
    classes of the images it was pre-trained on; of the solutions it is the only one with the plain ladder
    16-32-64. The first stride of 2 is AlexNet's. With two classes 242,306 parameters are left.
    """

    def __init__(self, n_classes: int = 70, side: int = FULL_SIDE) -> None:
        super().__init__()
        if side not in GEOMETRIES:
            raise ContractError(f"side: expected one of {', '.join(map(str, GEOMETRIES))}, got {side}")
        shape = GEOMETRIES[side]
        second_pool = [] if shape.second_pool is None else [nn.MaxPool2d(*shape.second_pool)]
        self.encoder = nn.Sequential(
            ConvBlock(3, 16, 11, stride=2, padding=shape.first_padding, has_bias=True),
            nn.MaxPool2d(*shape.first_pool),
            ConvBlock(16, 32, 9, padding=shape.padding, has_bias=True),
            *second_pool,
            ConvBlock(32, 64, 9, padding=shape.padding, has_bias=True),
        )
        self.head = nn.Linear(64 * MAP_SIDE**2, n_classes)

    def forward(self, x_bchw: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(x_bchw).flatten(1))
        return logits


class BasicConv(nn.Module):
    """Convolution, batch norm, ReLU, under the names torchvision gives them."""

    def __init__(self, before: int, width: int, kernel: int, *, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Four views of one map, side by side: 1x1, 3x3, a second 3x3, and what a pool sees."""

    def __init__(
        self, before: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int
    ) -> None:
        super().__init__()
        # GoogLeNet's 5x5 is a 3x3 in the weights everybody uses; 6,624,904 parameters count that one.
        self.branch1 = BasicConv(before, one, 1)
        self.branch2 = nn.Sequential(BasicConv(before, three[0], 1), BasicConv(*three, 3, padding=1))
        self.branch3 = nn.Sequential(BasicConv(before, five[0], 1), BasicConv(*five, 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), BasicConv(before, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class GoogLeNet(nn.Module):
    """22 layers with batch norm and without auxiliary heads: 6,624,904 parameters for 1,000 classes.

    Pictures are +-1, which is what `transform_input` makes of torchvision's own scale.
    """

    # input, 1x1, 3x3 (reduced, out), 'five' (reduced, out), pool
    BLOCKS: Mapping[str, tuple[int, int, tuple[int, int], tuple[int, int], int]] = {
        "inception3a": (192, 64, (96, 128), (16, 32), 32),
        "inception3b": (256, 128, (128, 192), (32, 96), 64),
        "inception4a": (480, 192, (96, 208), (16, 48), 64),
        "inception4b": (512, 160, (112, 224), (24, 64), 64),
        "inception4c": (512, 128, (128, 256), (24, 64), 64),
        "inception4d": (512, 112, (144, 288), (32, 64), 64),
        "inception4e": (528, 256, (160, 320), (32, 128), 128),
        "inception5a": (832, 256, (160, 320), (32, 128), 128),
        "inception5b": (832, 384, (192, 384), (48, 128), 128),
    }
    POOL_AFTER: Mapping[str, int] = {"conv1": 3, "conv3": 3, "inception3b": 3, "inception4e": 2}
    TRUNK: Sequence[str] = ("conv1", "conv2", "conv3", *BLOCKS)

    def __init__(self, n_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv1 = BasicConv(3, 64, 7, stride=2, padding=3)
        self.conv2 = BasicConv(64, 64, 1)
        self.conv3 = BasicConv(64, 192, 3, padding=1)
        for name, sizes in self.BLOCKS.items():
            self.add_module(name, Inception(*sizes))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, n_classes)

    def features(self, x: Tensor) -> Tensor:
        """1,024 numbers a picture: what a frozen backbone hands to another classifier."""
        for name in self.TRUNK:
            x = self.get_submodule(name)(x)
            if name in self.POOL_AFTER:
                x = functional.max_pool2d(x, self.POOL_AFTER[name], 2, ceil_mode=True)
        return functional.adaptive_avg_pool2d(x, 1).flatten(1)

    def forward(self, x_bchw: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.dropout(self.features(x_bchw)))
        return logits


PICTURE_NETS: Mapping[str, Callable[[], nn.Module]] = {
    "light_cnn_paper": lambda: LightCnnPaper(2),
    "light_cnn_paper_64": lambda: LightCnnPaper(2, SMALL_SIDE),
    "googlenet": lambda: GoogLeNet(2),
}
