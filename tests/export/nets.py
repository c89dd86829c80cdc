"""The networks that the tests of export quantise: ours with random weights, and small ones for each layer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from device_sim.contract.graph import Graph
from device_sim.contract.operators import Shape
from device_sim.requant import Code
from export.calibrate import Method, calibrate
from export.float_graph import FloatGraph
from export.fold import fold
from export.quantize import quantize, to_codes
from export.trace import trace
from training.nets import make_net

SEED = 20261122
CODE = Code(1 / 32, 0)  # 128 codes are four standard deviations
N_CALIBRATION = 256


class SmallCnn(nn.Module):
    """Two dimensions: padding, batch norm, pools, a dense layer that keeps position."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 5, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 16, 3, padding=1)
        self.third = nn.Conv2d(16, 24, 3)
        self.head = nn.Linear(24 * 2 * 3, 5)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.norm(self.first(image))), 2)
        x = functional.max_pool2d(functional.relu(self.second(x)), 2)
        logits: Tensor = self.head(functional.relu(self.third(x)).flatten(1))
        return logits


class Separable(nn.Module):
    """Depthwise layers, a residual, ReLU6 and a global mean."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 8, 3, stride=2, padding=1)
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.norm = nn.BatchNorm2d(8)
        self.point = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.relu6(self.stem(image))
        y = functional.relu(self.norm(self.depth(x)))
        x = functional.relu(x + self.point(y))
        logits: Tensor = self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


class TwoInputs(nn.Module):
    """A row of samples and side inputs that join it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 6, 5, stride=2, padding=2)
        with torch.no_grad():
            self.conv.weight.mul_(0.5)  # what joins an input must stay in the range of its codes
        self.hidden = nn.Linear(6 * 16 + 4, 12)
        self.shape = nn.Linear(12, 1)
        self.rhythm = nn.Linear(12, 2)

    def forward(self, beat: Tensor, rr: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.relu(self.conv(beat)).flatten(1)
        hidden = functional.relu(self.hidden(torch.cat([x, rr], dim=1)))
        return self.shape(hidden), self.rhythm(hidden)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A torch net, its float graph, and the integers."""

    net: nn.Module
    shapes: dict[str, Shape]
    time_major: bool
    floats: FloatGraph
    graph: Graph


MAKERS: dict[str, tuple[Callable[[], nn.Module], dict[str, Shape]]] = {
    "small_cnn": (SmallCnn, {"image": (1, 16, 20)}),
    "separable": (Separable, {"image": (2, 9, 11)}),
    "two_inputs": (TwoInputs, {"beat": (2, 32), "rr": (4,)}),
    "cardiacnet": (lambda: make_net("cardiacnet", seed=SEED), {"x_bct": (1, 128)}),
    "beat_tiny": (lambda: make_net("beat_tiny", seed=SEED), {"x_bct": (2, 128)}),
}


def unsettle(net: nn.Module) -> nn.Module:
    """Batch norms that do something, as after training."""
    generator = torch.Generator().manual_seed(SEED)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            with torch.no_grad():
                for parameter, low, high in (
                    (module.running_mean, -0.5, 0.5),
                    (module.running_var, 0.5, 2.0),
                    (module.weight, 0.5, 1.5),
                    (module.bias, -0.3, 0.3),
                ):
                    assert parameter is not None
                    parameter.uniform_(low, high, generator=generator)
    return net.eval()


def windows(shapes: dict[str, Shape], n: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Noise of every strength up to all codes alike, in torch's layout."""
    rng = np.random.default_rng(seed)
    strength = rng.uniform(0.1, 1.0, n)
    made = {}
    for name, shape in shapes.items():
        uniform = rng.uniform(-4, 4, (n, *shape)) * strength.reshape(-1, *(1,) * len(shape))
        made[name] = to_codes(uniform, CODE) * CODE.scale
    return made


def codes(name: str, n: int, seed: int) -> dict[str, NDArray[np.int8]]:
    """The same as the device's codes, in the graph's layout."""
    return {key: to_codes(ours(x), CODE) for key, x in windows(MAKERS[name][1], n, seed).items()}


def ours(x: NDArray[np.float64], *, time_major: bool = False) -> NDArray[np.float64]:
    """Torch's layout to the graph's."""
    if x.ndim == 3:
        return x.transpose(0, 2, 1)[:, None]
    if x.ndim == 4:
        return x.transpose(0, 3, 2, 1) if time_major else x.transpose(0, 2, 3, 1)
    return x


@cache
def example(name: str, *, time_major: bool = False, method: Method = Method.MIN_MAX) -> Example:
    """One of MAKERS, quantised on random windows."""
    maker, shapes = MAKERS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        net = unsettle(maker())
    floats = fold(trace(net, shapes, name=name, time_major=time_major))
    calibration = {
        key: ours(x, time_major=time_major) for key, x in windows(shapes, N_CALIBRATION, SEED).items()
    }
    ranges = calibrate(floats, calibration, method)
    graph = quantize(floats, ranges, dict.fromkeys(floats.inputs, CODE))
    return Example(net=net, shapes=shapes, time_major=time_major, floats=floats, graph=graph)
