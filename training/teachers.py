"""What finished nets say of a training set, beside what the bench measured: labels for a smaller net.

Teachers are results folders of the same protocol, so they know MIT-BIH and NSTDB and nothing else.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.checkpoint import read_checkpoint
from training.data.cache import Cache
from training.metrics import sigmoid
from training.provenance import digest_of_file
from training.quality_fit import clean_logits
from training.quality_recipe import ExternalRecipe
from training.quality_set import QualitySet
from training.recipe import read_recipe
from training.results_folder import RECIPE, RESULTS, check_weights

CHUNK = 8192  # windows


def taught(train: QualitySet, names: Sequence[str], share: float, cache: Cache) -> QualitySet:
    """Labels with this share of the teachers' mean logit in them; the images are what they were."""
    if not names:
        return train
    nets = teachers_of(names)
    said = [_said(net_name, path, train, cache) for net_name, path in nets]
    digests = [train.digest, *(digest_of_file(path) for _name, path in nets)]
    chance = sigmoid(np.mean(said, axis=0, dtype=np.float64))
    return replace(
        train,
        clean=((1 - share) * train.clean + share * chance).astype(np.float32),
        digest=sha256(f"{' '.join(digests)} {share}".encode()).hexdigest(),
    )


def teachers_of(names: Sequence[str]) -> list[tuple[str, Path]]:
    """Every seed of every teacher; weights that are not the run's are refused."""
    found = []
    for name in names:
        folder = RESULTS / name
        recipe = read_recipe(folder / RECIPE)
        if not isinstance(recipe, ExternalRecipe):
            raise ContractError(
                f"teachers: {name}: expected results of protocol external, got {recipe.protocol}"
            )
        paths = [folder / f"weights-s{seed}.safetensors" for seed in recipe.seeds]
        check_weights(folder, [path.name for path in paths])
        found += [(recipe.net, path) for path in paths]
    return found


def _said(net_name: str, path: Path, train: QualitySet, cache: Cache) -> NDArray[np.float32]:
    """Of each window as it was made, before training varies it."""

    def make() -> NDArray[np.float32]:
        net = read_checkpoint(path, net_name)
        parts = [
            clean_logits(net, train.windows(np.arange(start, min(start + CHUNK, len(train)))))
            for start in range(0, len(train), CHUNK)
        ]
        return np.concatenate(parts).astype(np.float32)

    kept: NDArray[np.float32] = cache.array("teacher-logits", digest_of_file(path), train.digest, make=make)
    return kept
