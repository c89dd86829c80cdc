"""Where a net's weights begin: nowhere, 70 kinds of photograph, hidden parts of images, or a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from device_sim.contract.errors import ContractError
from training.backbone import load_backbone
from training.checkpoint import read_state, write_checkpoint
from training.data.cache import Cache
from training.image_fit import Images, fit_images
from training.jobs import Document, Job, key_of, path_of
from training.lessons import Guesser, Kinds, Masked
from training.natural70 import VERSION, as_device_images, read_photographs
from training.nets import make_net
from training.paper_nets import SMALL_SIDE, GoogLeNet, LightCnnPaper
from training.paper_recipe import SIDE_OF, Arm, PaperRecipe
from training.quality_fit import QualityFitSpec
from training.quality_nets import LightCnn

HEADS = ("head.", "fc.")  # the dense layer answers another question: it always starts anew
SSL = "ssl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Weights to begin with and the words that stand for them in every checkpoint."""

    init: str  # scratch | natural70:DIGEST | ssl:DIGEST | file:SHA-256
    body: Mapping[str, Tensor]

    def net(self, name: str, seed: int) -> nn.Module:
        """A fresh net with this body; its head is the seed's."""
        net = make_net(name, seed=seed)
        missing, unexpected = net.load_state_dict(dict(self.body), strict=False)
        strangers = [*unexpected, *(key for key in missing if self.body and not key.startswith(HEADS))]
        if strangers:
            raise ContractError(f"{self.init}: expected the body of {name}, {strangers[0]} does not fit")
        return net


def net_of_classes(name: str, n_classes: int, side: int) -> nn.Module:
    """A net of the table with another head."""
    if name == "googlenet":
        return GoogLeNet(n_classes)
    return LightCnn(n_classes) if name == "light_cnn" else LightCnnPaper(n_classes, SIDE_OF[name])


def pretraining_job(
    recipe: PaperRecipe, arm: Arm, seed: int, photographs: Path, images: Images, digest: str, cache: Cache
) -> Job | None:
    """The job that makes an arm's beginning; None where nothing has to be trained."""
    arguments: dict[str, Any] = {"recipe": recipe, "arm": arm, "seed": seed}
    call: Callable[..., Document]
    if arm.init == "natural70":
        call, spec = natural_job, recipe.natural70
        digest = f"{read_photographs(photographs, cache, picture_side(arm, recipe)).digest} {VERSION}"
        arguments |= {"data": photographs, "cache": cache.folder}
    elif arm.init == "in_domain":
        call, spec = masked_job, recipe.in_domain
        arguments |= {"images": images}
    else:
        return None
    key = key_of(
        f"{arm.init}-{arm.net}-{arm.image}-s{seed}",
        *(arm.net, arm.init, spec, seed, recipe.side, recipe.has_bfloat16, digest),
    )
    weights = path_of(cache.folder / "jobs", key).with_suffix(".safetensors")
    return Job(key, call, arguments | {"spec": spec, "weights": weights})


def start_of(arm: Arm, job: Job | None) -> Start:
    """What a finished job, or a named file, hands to the net."""
    if arm.init == "file":
        assert arm.weights is not None
        assert arm.weights_sha256 is not None
        body = load_backbone(arm.net, Path(arm.weights), arm.weights_sha256)
        return Start(init=f"file:{arm.weights_sha256}", body=body)
    if job is None:
        return Start(init="scratch", body={})
    state, digest = read_state(job.arguments["weights"])
    word = SSL if arm.init == "in_domain" else arm.init
    return Start(init=f"{word}:{digest}", body={k: v for k, v in state.items() if not k.startswith(HEADS)})


def picture_side(arm: Arm, recipe: PaperRecipe) -> int:
    """Photographs for the device's image are read at their own size, then sampled."""
    return SMALL_SIDE if arm.image == "device" else recipe.side


def natural_job(
    *,
    recipe: PaperRecipe,
    arm: Arm,
    spec: QualityFitSpec,
    seed: int,
    weights: Path,
    data: Path,
    cache: Path,
) -> Document:
    """One net on photographs, with as many classes as there are folders."""
    read = read_photographs(data, Cache(cache), picture_side(arm, recipe))
    images: Images = read.pictures_u8
    if arm.image == "device":
        images = as_device_images(read.pictures_u8)
    lesson = Kinds(
        images=images[~read.is_held_out],
        labels=read.labels[~read.is_held_out],
        validation=images[read.is_held_out],
        validation_labels=read.labels[read.is_held_out],
        label_smoothing=spec.label_smoothing,
    )
    net = _seeded(lambda: net_of_classes(arm.net, len(read.classes), recipe.side), seed)
    curve = fit_images(
        net,
        lesson,
        spec,
        seed=seed,
        has_bfloat16=recipe.has_bfloat16,
        resume=weights.with_suffix(".resume"),
    )
    digest = write_checkpoint(weights, arm.net, net.state_dict(), init="scratch")
    return {"sha256": digest, "curve": curve}


def masked_job(
    *, recipe: PaperRecipe, arm: Arm, spec: QualityFitSpec, seed: int, weights: Path, images: Images
) -> Document:
    """One encoder on hidden parts of the training intervals, whose labels it never sees."""
    every_tenth = np.arange(len(images)) % 10 == 0
    lesson = Masked(images=images[~every_tenth], validation=images[every_tenth])
    width = LightCnn.WIDTHS[-1] if arm.net == "light_cnn" else 64
    channels = 1 if images.dtype == np.int8 else 3

    def make() -> nn.Module:
        encoder = net_of_classes(arm.net, 2, recipe.side).encoder
        assert isinstance(encoder, nn.Module)
        return Guesser(encoder, width, channels)

    net = _seeded(make, seed)
    curve = fit_images(
        net,
        lesson,
        spec,
        seed=seed,
        has_bfloat16=recipe.has_bfloat16,
        resume=weights.with_suffix(".resume"),
    )
    body = {key: value for key, value in net.state_dict().items() if key.startswith("encoder.")}
    digest = write_checkpoint(weights, arm.net, body, init="scratch")
    return {"sha256": digest, "curve": curve}


def _seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()
