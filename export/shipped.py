"""A trained net in the form that ships: inputs as the device hands them, one logit for each question."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind
from device_sim.contract.operators import Shape
from device_sim.contract.painting import CHANNELS, SIDE
from device_sim.contract.tensor import float32
from device_sim.contract.window import WindowSpec
from device_sim.requant import Code

EXACT = Code(1 / 32, 0)  # of images and of beats: what training divides by
COLOURS = Code(float32(1 / 127), 0)  # of pictures: training's are +-1
Q6 = Code(1 / 64, 0)  # of log2 ratios
IMAGE_HOP = 256  # a verdict every second
BEAT_HOP = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One argument of the net: its shape in torch without the batch, and the worth of the device's codes."""

    shape: Shape
    code: Code

    def worth(self, codes: NDArray[np.int8]) -> NDArray[np.float64]:
        """What the device's codes mean."""
        real: NDArray[np.float64] = self.code.scale * (codes.astype(np.float64) - self.code.zero_point)
        return real


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """A linear model of intervals that ships in the same graph."""

    weights: tuple[float, ...]
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What all nets with one kind of input have in common."""

    window: WindowSpec
    inputs: Mapping[str, InputSpec]
    time_major: bool
    otherwise: str  # the label where every question is answered with no
    labels: Mapping[str, str]  # output -> label of its yes
    unnamed: Mapping[str, str]  # output -> label of a yes below the threshold that names it
    undecided: str
    unusable: str
    flag_limits: Mapping[str, int]  # columns of a window that may carry a flag


_FIVE_SECONDS = WindowSpec(rate_hz=256, length_samples=1280, hop_samples=IMAGE_HOP, uv_per_lsb=1)
_SECOND = WindowSpec(rate_hz=128, length_samples=128, hop_samples=BEAT_HOP, uv_per_lsb=32)
# A tenth of a window may be without ECG; a beat may not lose a column of its second.
_TENTH = {"rail": 8, "lead_off": 8, "gap": 8, "flat": 40}
KINDS: Mapping[InputKind, Kind] = {
    InputKind.IMAGE: Kind(
        window=_FIVE_SECONDS,
        inputs={"image": InputSpec(shape=(1, 32, 80), code=EXACT)},
        time_major=True,
        otherwise="noisy",
        labels={"clean": "clean"},
        unnamed={},
        undecided="unsure",
        unusable="noisy",
        flag_limits=_TENTH,
    ),
    InputKind.PICTURE: Kind(
        window=_FIVE_SECONDS,
        inputs={"picture": InputSpec(shape=(CHANNELS, SIDE, SIDE), code=COLOURS)},
        time_major=False,
        otherwise="noisy",
        labels={"clean": "clean"},
        unnamed={},
        undecided="unsure",
        unusable="noisy",
        flag_limits=_TENTH,
    ),
    InputKind.BEAT: Kind(
        window=_SECOND,
        inputs={"shape": InputSpec(shape=(2, 128), code=EXACT), "rr": InputSpec(shape=(10,), code=Q6)},
        time_major=False,
        otherwise="normal",
        labels={"morphology": "ventricular", "rhythm": "early"},
        unnamed={"morphology": "other shape"},
        undecided="unsure",
        unusable="unusable",
        flag_limits={"rail": 0, "lead_off": 0, "gap": 0},
    ),
    InputKind.BLIND: Kind(
        window=_SECOND,
        inputs={"row": InputSpec(shape=(1, 128), code=EXACT)},
        time_major=False,
        otherwise="normal",
        labels={"morphology": "abnormal"},
        unnamed={},
        undecided="unsure",
        unusable="unusable",
        flag_limits={"rail": 0, "lead_off": 0, "gap": 0},
    ),
}


class ImageNet(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        clean: Tensor = self.net(image)
        return clean


class PictureNet(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> Tensor:
        clean: Tensor = self.net(picture)
        return clean


class BlindNet(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, row: Tensor) -> Tensor:
        morphology: Tensor = self.net(row)
        return morphology


class BeatNet(nn.Module):
    """What a beat looks like and when it comes are asked apart, in one graph."""

    def __init__(self, net: nn.Module, rhythm: Rhythm) -> None:
        super().__init__()
        self.net = net
        self.rhythm = nn.Linear(len(rhythm.weights), 1)
        with torch.no_grad():
            self.rhythm.weight.copy_(torch.tensor([rhythm.weights]))
            self.rhythm.bias.fill_(rhythm.bias)

    def forward(self, shape: Tensor, rr: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(shape), self.rhythm(rr)


def shipped(net: nn.Module, kind: InputKind, rhythm: Rhythm | None) -> nn.Module:
    """The module that is traced; its outputs are named by KINDS, in this order."""
    if kind is InputKind.IMAGE:
        return ImageNet(one_logit(net))
    if kind is InputKind.PICTURE:
        return PictureNet(one_logit(net))
    if kind is InputKind.BLIND:
        return BlindNet(net)
    if kind is InputKind.BEAT and rhythm is not None:
        return BeatNet(net, rhythm)
    raise ContractError(f"export: input {kind}: expected image, blind, or beat with a rhythm model")


def one_logit(net: nn.Module) -> nn.Module:
    """Of two logits only the difference counts: the last layer gives it at once."""
    head = getattr(net, "head", None)
    if not isinstance(head, nn.Linear) or head.out_features == 1:
        return net
    if head.out_features != 2:
        raise ContractError(f"export: head: expected one or two logits, got {head.out_features}")
    difference = nn.Linear(head.in_features, 1)
    with torch.no_grad():
        difference.weight.copy_(head.weight[1:] - head.weight[:1])
        difference.bias.copy_(head.bias[1:] - head.bias[:1])
    changed = copy.deepcopy(net)
    changed.head = difference
    return changed
