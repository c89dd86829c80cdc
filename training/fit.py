"""Fits one net: deterministic for a seed, resumable after any epoch, best epoch kept."""

import copy
import io
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from device_sim.contract.errors import ContractError
from training.augment import Augment
from training.data.cache import write_whole
from training.examples import Examples
from training.recipe import FitSpec

State = dict[str, Tensor]
EVALUATION_BATCH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One line of the learning curve."""

    number: int
    lr: float
    train_loss: float
    train_balanced_accuracy: float  # of the answers given while training, so a little behind
    validation_loss: float  # each class weighs the same
    validation_balanced_accuracy: float
    seconds: float

    @property
    def is_constant(self) -> bool:
        return self.validation_balanced_accuracy <= 0.5 or not math.isfinite(self.validation_loss)


@dataclass(slots=True)
class Run:
    """Everything a resume point holds: continue from it and nobody can tell."""

    epoch: int
    net: State
    optimizer: Mapping[str, Any]
    lr: float
    anchor: State  # where it started, for l2sp
    average: State | None
    best: State
    best_epoch: int
    curve: list[Epoch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fitted:
    state: State  # of the best epoch
    last: State  # of the last one, which is what the paper's code tests
    best_epoch: int
    curve: tuple[Epoch, ...]

    @property
    def best(self) -> Epoch:
        return self.curve[self.best_epoch]


def fit(
    net: nn.Module,
    train: Examples,
    validation: Examples,
    spec: FitSpec,
    *,
    seed: int,
    resume: Path | None = None,
    augment: Augment | None = None,
    on_epoch: Callable[[Epoch], object] = lambda _epoch: None,
) -> Fitted:
    """Fit `net` in place of its weights; returns the best epoch's.

    The order of windows in an epoch comes from (seed, epoch) alone, so a run that continues from its
    resume point ends with the same weights as one that was never stopped.
    """
    if len(train) == 0 or len(validation) == 0:
        raise ContractError(
            f"fit: expected windows to train and validate on, got {len(train)} and {len(validation)}"
        )
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=spec.lr, weight_decay=spec.weight_decay, fused=True)
    run = _start(net, optimizer, spec, resume)
    while not is_over(run.curve, spec):
        started_s = time.perf_counter()
        run.lr = _scheduled(run, spec)
        for group in optimizer.param_groups:
            group["lr"] = run.lr
        trained_on = _train_epoch(net, optimizer, train, spec, run, generator_of(seed, run.epoch), augment)
        run.curve.append(_validated(net, validation, run, trained_on, time.perf_counter() - started_s))
        _keep_best(net, run, spec)
        run.epoch += 1
        run.net, run.optimizer = net.state_dict(), optimizer.state_dict()
        if resume is not None:
            save_run(resume, run)
        on_epoch(run.curve[-1])
    last = copy.deepcopy(net.state_dict())
    net.load_state_dict(run.best)
    return Fitted(run.best, last, run.best_epoch, tuple(run.curve))


def is_over(curve: list[Epoch], spec: FitSpec) -> bool:
    """Out of epochs, out of patience, or never better than a constant answer."""
    if len(curve) >= spec.epochs_max:
        return True
    if len(curve) >= spec.hopeless_epochs and all(epoch.is_constant for epoch in curve):
        return True
    if spec.select == "last":
        return False
    since_best = len(curve) - 1 - best_index(curve, spec) if curve else 0
    return len(curve) >= spec.epochs_min and since_best >= spec.patience_epochs


def score(epoch: Epoch, spec: FitSpec) -> tuple[float, float]:
    """What validation ranks by. Few abnormal windows make balanced accuracy coarse: loss breaks the tie."""
    loss = epoch.validation_loss if math.isfinite(epoch.validation_loss) else math.inf
    if spec.select == "last":
        return float(epoch.number), 0.0
    if spec.select == "loss":
        return -loss, epoch.validation_balanced_accuracy
    return epoch.validation_balanced_accuracy, -loss


def best_index(curve: list[Epoch], spec: FitSpec) -> int:
    return max(range(len(curve)), key=lambda index: score(curve[index], spec))


def generator_of(seed: int, epoch: int) -> torch.Generator:
    return torch.Generator().manual_seed(
        seed * 1_000_003 + epoch
    )  # a prime: no two runs share an epoch's order


def logits_of(net: nn.Module, x_bct: Tensor) -> Tensor:
    was_training = net.training
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(batch) for batch in torch.split(x_bct, EVALUATION_BATCH)])
    net.train(was_training)
    return logits


def abnormal_logit(logits: Tensor) -> Tensor:
    """One logit for 'abnormal', also where the net tells kinds of abnormal apart."""
    if logits.ndim == 1:
        return logits
    return torch.logsumexp(logits[:, 1:], dim=1) - logits[:, 0]


def window_losses(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    if logits.ndim == 1:
        target = (labels > 0).float() * (1 - 2 * smoothing) + smoothing
        return functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)


def balanced_figures(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Loss and accuracy with both classes weighing the same; a class nobody has does not count."""
    answers, losses = abnormal_logit(logits) > 0, window_losses(logits, labels)
    present = [side for side in (labels > 0, labels == 0) if bool(side.any())]
    hits = [float((answers[side] == (labels[side] > 0)).double().mean()) for side in present]
    means = [float(losses[side].double().mean()) for side in present]
    return sum(means) / len(means), sum(hits) / len(hits)


def save_run(path: Path, run: Run) -> None:
    """One file, whole or not there; what stood before stays until the new one is complete."""
    content = {name: getattr(run, name) for name in Run.__slots__ if name != "curve"}
    content["curve"] = [asdict(epoch) for epoch in run.curve]
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, lambda stream: stream.write(buffer.getvalue()))


def read_run(path: Path) -> Run:
    try:
        content = torch.load(path, weights_only=True)
        return Run(**{**content, "curve": [Epoch(**epoch) for epoch in content["curve"]]})
    except (RuntimeError, KeyError, TypeError, ValueError, EOFError, UnpicklingError) as fault:
        reason = str(fault).splitlines()[0]
        raise ContractError(
            f"{path}: expected a resume point, got {reason}; remove it to start again"
        ) from fault


def _start(net: nn.Module, optimizer: torch.optim.Optimizer, spec: FitSpec, resume: Path | None) -> Run:
    if resume is not None and resume.exists():
        run = read_run(resume)
        net.load_state_dict(run.net)
        optimizer.load_state_dict(dict(run.optimizer))
        return run
    started = copy.deepcopy(net.state_dict())
    average = copy.deepcopy(started) if spec.ema_decay else None
    return Run(0, started, optimizer.state_dict(), spec.lr, copy.deepcopy(started), average, started, 0)


def _train_epoch(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Examples,
    spec: FitSpec,
    run: Run,
    generator: torch.Generator,
    augment: Augment | None,
) -> tuple[float, float]:
    """Mean loss and balanced accuracy of the answers given on the way."""
    net.train()
    total, answers, truths = 0.0, [], []
    # Dropout draws from torch's own generator: seeded per epoch, so resuming finds the same draws.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        for chosen in _batches(train, spec, generator):
            x_bct, labels, weights = train.x_bct[chosen], train.labels[chosen], train.weights[chosen]
            if augment is not None:
                x_bct = augment(x_bct, generator)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=spec.has_bfloat16):
                logits = net(x_bct)
            logits = logits.float()
            loss = (window_losses(logits, labels, spec.label_smoothing) * weights).mean()
            total += float(loss.detach()) * len(chosen)
            answers.append(logits.detach())
            truths.append(labels)
            if spec.l2sp:
                loss = loss + spec.l2sp * _distance(net, run.anchor)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if run.average is not None:
                _move_average(run.average, net, spec.ema_decay)
    _, accuracy = balanced_figures(torch.cat(answers), torch.cat(truths))
    return total / len(train), accuracy


def _batches(train: Examples, spec: FitSpec, generator: torch.Generator) -> Iterator[Tensor]:
    if spec.is_balanced:
        chances = _class_chances(train)
        order = torch.multinomial(chances, len(train), replacement=True, generator=generator)
    else:
        order = torch.randperm(len(train), generator=generator)
    # A batch of one has no batch statistics; it joins nothing and is left out unless it is all there is.
    return (batch for batch in torch.split(order, spec.batch_size) if len(batch) > 1 or len(train) == 1)


def _class_chances(train: Examples) -> Tensor:
    """Normal and abnormal equally often, kinds of abnormal as they come; weightless ones never."""
    counts = train.weights > 0
    is_abnormal = (train.labels > 0) & counts
    is_normal = (train.labels == 0) & counts
    n_abnormal, n_normal = (max(1, int(side.sum())) for side in (is_abnormal, is_normal))
    return is_abnormal / n_abnormal + is_normal / n_normal


def _distance(net: nn.Module, anchor: State) -> Tensor:
    parts = [
        (parameter - anchor[name]).square().sum()
        for name, parameter in net.named_parameters()
        if parameter.requires_grad
    ]
    return torch.stack(parts).sum()


def _move_average(average: State, net: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1.0 - decay)
            else:
                average[name].copy_(value)


def _scheduled(run: Run, spec: FitSpec) -> float:
    if spec.has_cosine:
        return spec.lr * 0.5 * (1.0 + math.cos(math.pi * run.epoch / spec.epochs_max))
    if not spec.plateau_patience or not run.curve:
        return run.lr
    losses = [epoch.validation_loss for epoch in run.curve]
    at_this_rate = (
        [epoch.lr for epoch in run.curve].index(run.lr) if run.lr in [e.lr for e in run.curve] else 0
    )
    best = min(range(len(losses)), key=lambda index: losses[index])
    since = len(losses) - 1 - max(best, at_this_rate)
    return run.lr * spec.plateau_factor if since > spec.plateau_patience else run.lr


def _validated(
    net: nn.Module, validation: Examples, run: Run, trained: tuple[float, float], seconds: float
) -> Epoch:
    kept = net.state_dict()
    if run.average is not None:
        kept = copy.deepcopy(kept)
        net.load_state_dict(run.average)
    loss, accuracy = balanced_figures(logits_of(net, validation.x_bct), validation.labels)
    if run.average is not None:
        net.load_state_dict(kept)
    return Epoch(
        number=run.epoch,
        lr=run.lr,
        train_loss=trained[0],
        train_balanced_accuracy=trained[1],
        validation_loss=loss,
        validation_balanced_accuracy=accuracy,
        seconds=seconds,
    )


def _keep_best(net: nn.Module, run: Run, spec: FitSpec) -> None:
    if best_index(run.curve, spec) == run.epoch:
        run.best = copy.deepcopy(run.average if run.average is not None else net.state_dict())
        run.best_epoch = run.epoch
