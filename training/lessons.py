"""What paper 000's nets are taught: clean or noisy, one of 70 kinds of photograph, or what a mask hides."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.image_fit import Images, answers, clean_scores, in_units
from training.quality_fit import QualityFitSpec, balanced_draw, soft_loss, varied
from training.quality_metrics import ranked, roc_auc
from training.quality_nets import clean_logit

CELLS_PER_MAP_CELL = 2  # along each axis: how fine a masked net must guess
MASK_CELLS = 16  # along each axis of an image
MASKED_SHARE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Clean or noisy, by soft labels; noisy and clean drawn equally often."""

    images: Images
    clean: NDArray[np.float32]
    validation: Images
    validation_clean: NDArray[np.float32]
    spec: QualityFitSpec

    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
        return balanced_draw(self.clean, n, generator)

    def loss(self, net: nn.Module, chosen: NDArray[np.int64], generator: np.random.Generator) -> Tensor:
        images = self.images[chosen]
        if images.dtype == np.int8:
            images = varied(images, self.spec, generator)
        logits = clean_logit(net(in_units(images, net))).float()
        return soft_loss(
            logits, torch.from_numpy(self.clean[chosen]).to(logits.device), self.spec.label_smoothing
        )

    def judged(self, net: nn.Module) -> Mapping[str, float]:
        scores = clean_scores(net, self.validation)
        return {"validation_auc": roc_auc(ranked(scores, self.validation_clean >= 0.5))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """Which class a photograph belongs to; every other one is shown mirrored."""

    images: Images
    labels: NDArray[np.int64]
    validation: Images
    validation_labels: NDArray[np.int64]
    label_smoothing: float

    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
        order = generator.permutation(len(self.labels))
        drawn: NDArray[np.int64] = np.resize(order, n)
        return drawn

    def loss(self, net: nn.Module, chosen: NDArray[np.int64], generator: np.random.Generator) -> Tensor:
        images = np.array(self.images[chosen])
        mirrored = generator.random(len(chosen)) < 0.5
        images[mirrored] = images[mirrored][..., ::-1]
        logits = net(in_units(images, net)).float()
        labels = torch.from_numpy(self.labels[chosen]).to(logits.device)
        return functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)

    def judged(self, net: nn.Module) -> Mapping[str, float]:
        found = answers(net, self.validation).argmax(dim=1).numpy()
        return {"validation_accuracy": float(np.mean(found == self.validation_labels))}


class Guesser(nn.Module):
    """A net's encoder and one 1x1 convolution: what each part of the image looks like behind the mask."""

    def __init__(self, encoder: nn.Module, width: int, channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.guess = nn.Conv2d(width, channels * CELLS_PER_MAP_CELL**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, height, width] of the coarse image."""
        return functional.pixel_shuffle(self.guess(self.encoder(x)), CELLS_PER_MAP_CELL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """Two fifths of an image covered in blocks; the net guesses their mean colours from the rest."""

    images: Images
    validation: Images

    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
        drawn: NDArray[np.int64] = np.resize(generator.permutation(len(self.images)), n)
        return drawn

    def loss(self, net: nn.Module, chosen: NDArray[np.int64], generator: np.random.Generator) -> Tensor:
        return self._error(net, self.images[chosen], generator)[0]

    def judged(self, net: nn.Module) -> Mapping[str, float]:
        """Share of the covered parts' variance that the guess explains; 0 is the mean colour."""
        was_training, generator = net.training, np.random.default_rng(0)
        net.eval()
        with torch.no_grad():
            error, spread = self._error(net, self.validation, generator)
        net.train(was_training)
        return {"validation_explained": 1 - float(error / spread)}

    def _error(self, net: nn.Module, images: Images, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        x = in_units(images, net)
        covered = torch.from_numpy(generator.random((len(x), 1, MASK_CELLS, MASK_CELLS)) < MASKED_SHARE)
        mask = functional.interpolate(covered.float().to(x.device), x.shape[-2:])
        middle = x.mean(dim=(0, 2, 3), keepdim=True)
        guess = net(x * (1 - mask) + middle * mask).float()
        weight = functional.adaptive_avg_pool2d(mask, guess.shape[-2:])
        truth = functional.adaptive_avg_pool2d(x, guess.shape[-2:])
        total = weight.sum() * x.shape[1]
        error = ((guess - truth).square() * weight).sum() / total
        return error, ((truth - truth.mean(dim=(0, 2, 3), keepdim=True)).square() * weight).sum() / total
