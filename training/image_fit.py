"""Fits a net to a lesson about images: a verdict, a class, or what was hidden; resumable after any epoch."""

import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from device_sim.contract.errors import ContractError
from training.data.cache import write_whole
from training.quality_fit import QualityFitSpec
from training.quality_nets import clean_logit, in_net_units

Images = NDArray[Any]  # uint8 pictures [n, 3, side, side], or int8 images of the device [n, 32, 80]
Curve = tuple[Mapping[str, float], ...]
EVALUATION_BATCH = 256


class Lesson(Protocol):
    """What is to be learnt, from whichever images."""

    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.int64]: ...

    def loss(self, net: nn.Module, chosen: NDArray[np.int64], generator: np.random.Generator) -> Tensor: ...

    def judged(self, net: nn.Module) -> Mapping[str, float]: ...


def place_to_fit() -> torch.device:
    """A GPU where there is one: nothing else about a recipe changes, though sums round differently there."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def in_units(images: Images, net: nn.Module) -> Tensor:
    """Pictures as +-1 (torchvision's scale after `transform_input`), the device's codes as about +-4."""
    whole = torch.from_numpy(np.array(images)).to(next(net.parameters()).device)
    if images.dtype == np.int8:
        return in_net_units(whole)
    return (whole.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def clean_scores(net: nn.Module, images: Images) -> NDArray[np.float64]:
    """How clean the net calls each image, in float32."""
    logits: NDArray[np.float64] = clean_logit(answers(net, images)).double().numpy()
    return logits


def answers(net: nn.Module, images: Images) -> Tensor:
    """Every image through a net that is not being trained."""
    was_training = net.training
    net.eval()
    with torch.no_grad():
        found = [
            net(in_units(images[start : start + EVALUATION_BATCH], net)).cpu()
            for start in range(0, len(images), EVALUATION_BATCH)
        ]
    net.train(was_training)
    return torch.cat(found)


def fit_images(
    net: nn.Module,
    lesson: Lesson,
    spec: QualityFitSpec,
    *,
    seed: int,
    has_bfloat16: bool = False,
    resume: Path | None = None,
    on_epoch: Callable[[Mapping[str, float]], object] = lambda _epoch: None,
) -> Curve:
    """Fit `net` in place. Every draw comes from (seed, epoch): stopping and continuing changes nothing."""
    place = place_to_fit()
    net.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(net.parameters(), lr=spec.lr, weight_decay=spec.weight_decay, fused=True)
    curve: list[Mapping[str, float]] = []
    if resume is not None and resume.exists():
        curve = _continue(resume, net, optimizer)
    while len(curve) < spec.epochs:
        number = len(curve)
        loss = _epoch(
            net, optimizer, lesson, spec, number, np.random.default_rng([seed, number]), has_bfloat16
        )
        curve.append({"number": number, "train_loss": loss, **lesson.judged(net)})
        if resume is not None:
            _save(resume, net, optimizer, curve)
        on_epoch(curve[-1])
    net.to("cpu")
    return tuple(curve)


def _epoch(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    lesson: Lesson,
    spec: QualityFitSpec,
    number: int,
    generator: np.random.Generator,
    has_bfloat16: bool,
) -> float:
    """Mean loss over the epoch; the rate falls with every step."""
    net.train()
    order = lesson.draw(spec.windows_per_epoch, generator)
    total = 0.0
    with torch.random.fork_rng():
        torch.manual_seed(int(generator.integers(2**62)))
        for start in range(0, len(order), spec.batch_size):
            chosen = order[start : start + spec.batch_size]
            progress = (number + start / len(order)) / spec.epochs
            for group in optimizer.param_groups:
                group["lr"] = spec.lr * 0.5 * (1 + math.cos(math.pi * progress))
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(place_to_fit().type, dtype=torch.bfloat16, enabled=has_bfloat16):
                loss = lesson.loss(net, chosen, generator)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(chosen)
    return total / len(order)


def _save(
    path: Path, net: nn.Module, optimizer: torch.optim.Optimizer, curve: list[Mapping[str, float]]
) -> None:
    content = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "curve": curve}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, lambda stream: stream.write(buffer.getvalue()))


def _continue(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer) -> list[Mapping[str, float]]:
    try:
        content = torch.load(path, weights_only=True)
        net.load_state_dict(content["net"])
        optimizer.load_state_dict(content["optimizer"])
        return list(content["curve"])
    except (RuntimeError, KeyError, TypeError, ValueError, EOFError, UnpicklingError) as fault:
        reason = next(iter(str(fault).splitlines()), "an end too early")
        raise ContractError(
            f"{path}: expected a resume point, got {reason}; remove it to start again"
        ) from fault
