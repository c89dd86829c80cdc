"""The last epochs with rounding in them: a net learns to say in int8 what it says in real numbers.

The forward pass computes what the integer graph computes: weights on 127 steps of each output channel, each
activation on the 256 codes it will ship with, batch norm folded first. The gradient passes a rounding as if
it were not there, and stops where a code is cut off. Sums are kept in real numbers: int32 holds them exactly,
and a bias is rounded to a step some hundred times below that of its output.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call

LEAVES = (nn.Conv1d, nn.Conv2d)  # subclasses too: RowConv is one of ours
LOW, HIGH, LARGEST_WEIGHT = -128, 127, 127


@dataclass(frozen=True, slots=True)
class ActivationCode:
    """What an int8 is worth: real = scale * (code - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSpec:
    """How long and how fast; Adam, the rate falls along a half cosine."""

    lr: float = 1e-4
    batch_size: int = 64
    epochs: int = 3


class Tracer(fx.Tracer):
    """Names every layer; a convolution of ours is one layer."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, LEAVES) or super().is_leaf_module(m, module_qualified_name)


class Rounded(torch.autograd.Function):
    """To the nearest whole number, halves to even as export rounds; the gradient passes."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


def rounded(x: Tensor) -> Tensor:
    found: Tensor = Rounded.apply(x)  # type: ignore[no-untyped-call]
    return found


def fake_activation(x: Tensor, code: ActivationCode) -> Tensor:
    """Onto the codes and back; nothing is learnt from what lies beyond them."""
    codes = torch.clamp(rounded(x / code.scale) + code.zero_point, LOW, HIGH)
    return code.scale * (codes - code.zero_point)


def fake_weight(weight: Tensor, axis: int = 0) -> Tensor:
    """The largest of every output channel is 127."""
    others = [k for k in range(weight.ndim) if k != axis]
    scale = weight.detach().abs().amax(dim=others, keepdim=True).clamp_min(2.0**-40) / LARGEST_WEIGHT
    return rounded(weight / scale) * scale


class IntegerLike(fx.Interpreter):
    """A net's forward pass with the rounding of its integer graph.

    codes           Layer -> code of its output, by the names that export gives them
    """

    def __init__(self, net: nn.Module, codes: Mapping[str, ActivationCode]) -> None:
        super().__init__(fx.GraphModule(net, Tracer().trace(net)))
        self.codes = codes

    def run_node(self, n: fx.Node) -> Any:
        found = super().run_node(n)
        code = self.codes.get(n.name)
        return found if code is None else fake_activation(found, code)

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        layer = self.fetch_attr(str(target))
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
            return functional_call(layer, {"weight": fake_weight(layer.weight)}, args, kwargs)
        return super().call_module(target, args, kwargs)


def fold_norms(net: nn.Module) -> nn.Module:
    """The same function, every batch norm reduced to its shift; names and shapes stay, so it is a checkpoint.

    What is trained then is what export folds: no statistics move behind the ranges.
    """
    folded = copy.deepcopy(net).eval()
    layers = list(folded.modules())
    for layer, norm in pairwise(layers):
        if isinstance(layer, LEAVES) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            _fold(layer, norm)
    return folded


def _fold(layer: nn.Module, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert isinstance(layer.weight, Tensor)
    with torch.no_grad():
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        layer.weight.mul_(gain.reshape(-1, *(1,) * (layer.weight.ndim - 1)))
        before = layer.bias if isinstance(layer.bias, Tensor) else torch.zeros_like(norm.running_mean)
        norm.bias.add_((before - norm.running_mean) * gain)
        if isinstance(layer.bias, Tensor):
            layer.bias.zero_()
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0 - norm.eps)
        norm.weight.fill_(1.0)


def tune(
    net: nn.Module,
    codes: Mapping[str, ActivationCode],
    inputs: Mapping[str, Tensor],
    spec: TuneSpec,
    *,
    seed: int,
    on_epoch: Callable[[int, float], object] = lambda _number, _loss: None,
) -> nn.Module:
    """The folded net with weights that survive rounding: its int8 logits approach its real ones.

    inputs          Training windows by argument, in the net's units and layout
    """
    names = list(inputs)
    tuned = fold_norms(net)
    with torch.no_grad():
        parts = [
            tuned(*(inputs[name][k : k + 512] for name in names)) for k in range(0, _length(inputs), 512)
        ]
    wanted = [torch.cat([_listed(part)[k] for part in parts]) for k in range(len(_listed(parts[0])))]
    running = IntegerLike(tuned, codes)
    trained = [parameter for parameter in tuned.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=spec.lr)
    n_steps = spec.epochs * -(-_length(inputs) // spec.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    generator = torch.Generator().manual_seed(seed)
    for number in range(spec.epochs):
        total = 0.0
        order = torch.randperm(_length(inputs), generator=generator)
        for chosen in torch.split(order, spec.batch_size):
            said = _listed(running.run(*(inputs[name][chosen] for name in names)))
            loss = sum(
                ((one - target[chosen]) ** 2).mean() / target.var().clamp_min(1e-6)
                for one, target in zip(said, wanted, strict=True)
            )
            assert isinstance(loss, Tensor)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(chosen)
        on_epoch(number, total / _length(inputs))
    return tuned


def _length(inputs: Mapping[str, Tensor]) -> int:
    return len(next(iter(inputs.values())))


def _listed(said: Any) -> list[Tensor]:
    return list(said) if isinstance(said, tuple | list) else [said]
