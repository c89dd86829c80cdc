"""Weights that survive rounding: training's fake quantisation on the codes of an integer graph."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from export.shipped import KINDS, Rhythm, shipped
from training.fakequant import ActivationCode, TuneSpec, tune

SEED = 20261121


def tuned(
    net: nn.Module,
    kind: InputKind,
    rhythm: Rhythm | None,
    graph: Graph,
    windows: Mapping[str, NDArray[np.int8]],
    spec: TuneSpec,
    on_epoch: Callable[[int, float], object],
) -> nn.Module:
    """The net of training.nets with other weights; the rhythm model stays as it is.

    windows         Of the training side, in the device's order
    """
    module = shipped(net, kind, rhythm)
    inner = module.get_submodule("net")
    if inner is not net:
        raise ContractError(
            "tune_epochs: expected a net with one logit: two of them ship as their difference"
        )
    for parameter in set(module.parameters()) - set(net.parameters()):
        parameter.requires_grad_(False)
    inputs = {name: _torch_layout(KINDS[kind].inputs[name].worth(x), kind) for name, x in windows.items()}
    return tune(module, codes_of(graph), inputs, spec, seed=SEED, on_epoch=on_epoch).get_submodule("net")


def codes_of(graph: Graph) -> dict[str, ActivationCode]:
    """What the codes of every layer are worth; a layer that only moves its input's codes rounds nothing."""
    return {
        one.name: ActivationCode(one.scale, one.zero_point)
        for one in graph.tensors
        if not one.is_constant and one.name not in graph.inputs
    }


def _torch_layout(x: NDArray[np.float64], kind: InputKind) -> Tensor:
    """NHWC to what the net was trained on: (c, l) for a row, (c, scale, time) for an image."""
    if x.ndim == 4:
        x = x.transpose(0, 3, 2, 1) if kind is InputKind.IMAGE else x[:, 0].transpose(0, 2, 1)
    return torch.from_numpy(np.ascontiguousarray(x, np.float32))
