"""Fits a quality net to soft labels: half of the windows noisy, resumable after any epoch, the last kept."""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from device_sim.contract.errors import ContractError
from device_sim.frontend import ROW_HF
from training.data.cache import write_whole
from training.quality_metrics import ranked, roc_auc
from training.quality_nets import clean_logit, in_net_units
from training.quality_set import QualitySet

EVALUATION_BATCH = 64  # a larger one leaves the cache: light_cnn 640 windows a second at 512, 840 at 64
TOP_OCTAVE = 6  # rows
TILT_KNOTS = 6  # over the rows: one an octave
MASKED_ROWS, MASKED_COLUMNS = (2, 8), (2, 12)  # fewest and most of a masked image


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFitSpec:
    """How a quality net is fitted; `[fit]` of a recipe. Adam, the rate falls along a half cosine."""

    lr: float
    batch_size: int
    epochs: int
    windows_per_epoch: int  # drawn anew for each, as many noisy as clean
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    level_jitter_codes: int = 0  # the whole image louder or quieter: gain must not tell
    tilt_jitter_codes: float = 0.0  # neighbouring rows louder or quieter together: bands must not tell
    blank_chance: float = 0.0  # how often the rows a recorder may not have are blanked
    row_mask_chance: float = 0.0  # how often some neighbouring rows are: no band alone may tell
    column_mask_chance: float = 0.0  # how often up to three quarters of a second is: no moment alone may
    bfloat16: bool = (
        False  # half the time for a large net on processors that know it; a small one takes longer
    )

    def __post_init__(self) -> None:
        for name in ("lr", "batch_size", "epochs", "windows_per_epoch"):
            if getattr(self, name) <= 0:
                raise ContractError(f"{name}: expected more than 0, got {getattr(self, name)}")
        for name in ("blank_chance", "row_mask_chance", "column_mask_chance", "label_smoothing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ContractError(f"{name}: expected 0 up to below 1, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityEpoch:
    """One line of the learning curve."""

    number: int
    train_loss: float
    validation_loss: float
    validation_auc: float


def fit_quality(
    net: nn.Module,
    train: QualitySet,
    validation: QualitySet,
    spec: QualityFitSpec,
    *,
    seed: int,
    resume: Path | None = None,
    on_epoch: Callable[[QualityEpoch], object] = lambda _epoch: None,
) -> tuple[QualityEpoch, ...]:
    """Fit `net` in place. Every draw comes from (seed, epoch): stopping and continuing changes nothing."""
    optimizer = torch.optim.Adam(net.parameters(), lr=spec.lr, weight_decay=spec.weight_decay, fused=True)
    curve: list[QualityEpoch] = []
    if resume is not None and resume.exists():
        curve = _continue(resume, net, optimizer)
    while len(curve) < spec.epochs:
        number = len(curve)
        generator = np.random.default_rng([seed, number])
        loss = _train_epoch(net, optimizer, train, spec, number, generator)
        curve.append(_validated(net, validation, number, loss))
        if resume is not None:
            _save(resume, net, optimizer, curve)
        on_epoch(curve[-1])
    return tuple(curve)


def clean_logits(net: nn.Module, codes_st_i8: NDArray[np.int8]) -> NDArray[np.float64]:
    """What the net says about each window [n, 32, 80]."""
    was_training = net.training
    net.eval()
    found = []
    with torch.no_grad():
        for start in range(0, len(codes_st_i8), EVALUATION_BATCH):
            batch = torch.from_numpy(np.array(codes_st_i8[start : start + EVALUATION_BATCH]))
            found.append(clean_logit(net(in_net_units(batch))))
    net.train(was_training)
    logits: NDArray[np.float64] = torch.cat(found).double().numpy()
    return logits


def blanked(codes_st_i8: NDArray[np.int8]) -> NDArray[np.int8]:
    """Without the top octave and the HF row: rows that carry a recorder's fingerprint."""
    copy = np.array(codes_st_i8)
    copy[..., :TOP_OCTAVE, :] = copy[..., ROW_HF, :] = 0
    return copy


def soft_loss(logits: Tensor, clean: Tensor, smoothing: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, clean * (1 - 2 * smoothing) + smoothing)


def balanced_draw(
    clean: NDArray[np.float32], n_windows: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """As many windows that are rather noisy as rather clean, in random order."""
    sides = [np.flatnonzero(clean < 0.5), np.flatnonzero(clean >= 0.5)]
    if any(len(side) == 0 for side in sides):
        raise ContractError(
            f"fit: expected noisy and clean windows, got {len(sides[0])} noisy and {len(sides[1])} clean"
        )
    drawn = [side[generator.integers(len(side), size=n_windows // 2)] for side in sides]
    return generator.permutation(np.concatenate(drawn))


def varied(
    codes_st_i8: NDArray[np.int8], spec: QualityFitSpec, generator: np.random.Generator
) -> NDArray[np.int8]:
    """The images of one batch as another gain, or another recorder, would have given them."""
    images = codes_st_i8.astype(np.int16)
    if spec.level_jitter_codes:
        widest = spec.level_jitter_codes
        images += generator.integers(-widest, widest + 1, size=(len(images), 1, 1)).astype(np.int16)
    if spec.tilt_jitter_codes:
        knots = generator.normal(0, spec.tilt_jitter_codes, (len(images), TILT_KNOTS))
        images += np.rint(knots @ _hats(images.shape[1]))[:, :, None].astype(np.int16)
    moved = np.clip(images, -128, 127).astype(np.int8)
    if spec.blank_chance:
        chosen = generator.random(len(moved)) < spec.blank_chance
        moved[chosen] = blanked(moved[chosen])
    _mask_rows(moved, spec.row_mask_chance, MASKED_ROWS, generator)
    _mask_rows(moved.transpose(0, 2, 1), spec.column_mask_chance, MASKED_COLUMNS, generator)
    return moved


def _mask_rows(
    images: NDArray[np.int8], chance: float, sizes: tuple[int, int], generator: np.random.Generator
) -> None:
    """In so many of the images some neighbouring rows become 0, in place."""
    if not chance:
        return
    n_rows = images.shape[1]
    for index in np.flatnonzero(generator.random(len(images)) < chance):
        size = int(generator.integers(sizes[0], sizes[1] + 1))
        first = int(generator.integers(n_rows - size + 1))
        images[index, first : first + size] = 0


def _hats(n_rows: int) -> NDArray[np.float64]:
    """Between its two knots a row is on the line: [knots, rows]."""
    places = np.linspace(0, TILT_KNOTS - 1, n_rows)
    hats: NDArray[np.float64] = np.maximum(0, 1 - np.abs(places - np.arange(TILT_KNOTS)[:, None]))
    return hats


def _train_epoch(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: QualitySet,
    spec: QualityFitSpec,
    number: int,
    generator: np.random.Generator,
) -> float:
    """Mean loss over the epoch; the rate falls with every step."""
    net.train()
    order = balanced_draw(train.clean, spec.windows_per_epoch, generator)
    batches = list(_split(order, spec.batch_size))
    total = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator.integers(2**62)))
        for step, chosen in enumerate(batches):
            progress = (number + step / len(batches)) / spec.epochs
            for group in optimizer.param_groups:
                group["lr"] = spec.lr * 0.5 * (1 + math.cos(math.pi * progress))
            images = torch.from_numpy(varied(train.windows(chosen), spec, generator))
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=spec.bfloat16):
                logits = clean_logit(net(in_net_units(images))).float()
            loss = soft_loss(logits, torch.from_numpy(train.clean[chosen]), spec.label_smoothing)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(chosen)
    return total / len(order)


def _split(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _validated(net: nn.Module, validation: QualitySet, number: int, train_loss: float) -> QualityEpoch:
    """Windows that overlap say the same twice: every fifth is enough."""
    chosen = np.arange(0, len(validation), 5)
    logits, clean = clean_logits(net, validation.windows(chosen)), validation.clean[chosen]
    loss = soft_loss(torch.from_numpy(logits), torch.from_numpy(clean.astype(np.float64)), 0.0)
    return QualityEpoch(
        number=number,
        train_loss=train_loss,
        validation_loss=float(loss),
        validation_auc=roc_auc(ranked(logits, clean >= 0.5)),
    )


def _save(
    path: Path,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    curve: list[QualityEpoch],
) -> None:
    content = {
        "net": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "curve": [asdict(epoch) for epoch in curve],
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, lambda stream: stream.write(buffer.getvalue()))


def _continue(
    path: Path,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> list[QualityEpoch]:
    try:
        content = torch.load(path, weights_only=True)
        net.load_state_dict(content["net"])
        optimizer.load_state_dict(content["optimizer"])
        return [QualityEpoch(**epoch) for epoch in content["curve"]]
    except (RuntimeError, KeyError, TypeError, ValueError, EOFError, UnpicklingError) as fault:
        reason = str(fault).splitlines()[0]
        raise ContractError(
            f"{path}: expected a resume point, got {reason}; remove it to start again"
        ) from fault
