"""P3: trained on the recordings of DS1, judged on the strangers of DS2.

Nothing is chosen on DS2. Folds of DS1 (no person in two) give every DS1 beat an answer from a net that never
saw its wearer; thresholds and temperature come from those answers. Then one net is fitted on all of DS1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.augment import Augment
from training.checkpoint import read_checkpoint, write_checkpoint
from training.examples import Examples, join
from training.fit import fit, logits_of
from training.jobs import Document, Job, key_of, path_of, run_jobs
from training.nets import make_net
from training.recipe import BeatRecipe, BlindRecipe, FitSpec
from training.splits import folds_of
from training.workshop import Workshop

Logits = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The windows of one recording as a job gets them: where they are, which of them, and their labels."""

    name: str
    windows: Path  # float32 [n, channels, 128], or [n, 128]
    indices: tuple[int, ...]
    labels: tuple[int, ...]
    weights: tuple[float, ...]
    digest: str

    def examples(self) -> Examples:
        rows = torch.from_numpy(np.array(np.load(self.windows, mmap_mode="r")[list(self.indices)]))
        return Examples(
            rows if rows.ndim == 3 else rows[:, None],  # blind windows have one channel
            torch.tensor(self.labels, dtype=torch.int64),
            torch.tensor(self.weights, dtype=torch.float32),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Answers of the folds on DS1, by seed and recording, and the nets fitted on all of it."""

    fold_logits: Mapping[int, Mapping[str, Logits]]
    fold_weights: Mapping[int, Mapping[str, Path]]  # by recording: the net that never saw its wearer
    weights: Mapping[int, Path]
    weights_sha256: Mapping[int, str]
    curves: Mapping[int, tuple[Mapping[str, Any], ...]]
    data: Mapping[str, str]  # recording -> digest of its windows and labels


def train_interpatient(
    recipe: BlindRecipe | BeatRecipe,
    sides: Sequence[Side],
    noise: Path | None,
    workshop: Workshop,
    *,
    with_final: bool = True,
) -> Trained:
    """Folds, then the whole of DS1, for every seed of the recipe."""
    folds = folds_of([side.name for side in sides], recipe.n_folds)
    jobs: list[Job] = []
    for seed in recipe.seeds:
        for fold in folds:
            train = tuple(side for side in sides if side.name not in fold)
            held = tuple(side for side in sides if side.name in fold)
            jobs.append(_job(recipe, train, held, noise, seed, workshop, name=f"fold-{'-'.join(fold)}"))
        if with_final:
            jobs.append(_job(recipe, tuple(sides), (), noise, seed, workshop, name="final"))
    documents = run_jobs(jobs, workshop.jobs, workshop.workers, on_done=workshop.count(recipe.name))
    return _trained(recipe, jobs, documents)


def fit_cohort(
    *,
    net_name: str,
    train: tuple[Side, ...],
    held: tuple[Side, ...],
    spec: FitSpec,
    noise: Path | None,
    seed: int,
    weights: Path,
) -> Document:
    """One job: one net on some recordings, its answers on others.

    The curve is drawn on what is held out; where nothing is, on the training windows themselves. Neither
    decides anything: the last epoch is kept.
    """
    known = join([side.examples() for side in train])
    curve_on = join([side.examples() for side in held]) if held else known
    noise_t = None if noise is None else torch.from_numpy(np.load(noise))
    net = make_net(net_name, seed=seed)
    fitted = fit(
        net,
        known,
        curve_on,
        spec,
        seed=seed,
        resume=weights.with_suffix(".resume"),
        augment=Augment(spec.augment, noise_t),
    )
    return {
        "sha256": write_checkpoint(weights, net_name, fitted.state),
        "curve": [asdict(epoch) for epoch in fitted.curve],
        "logits": {side.name: _listed(logits_of(net, side.examples().x_bct)) for side in held},
    }


def answers(net_name: str, weights: Path, sides: Sequence[Side]) -> dict[str, Logits]:
    """What a finished net says about each recording."""
    net = read_checkpoint(weights, net_name)
    return {side.name: _array(_listed(logits_of(net, side.examples().x_bct))) for side in sides}


def _job(
    recipe: BlindRecipe | BeatRecipe,
    train: tuple[Side, ...],
    held: tuple[Side, ...],
    noise: Path | None,
    seed: int,
    workshop: Workshop,
    *,
    name: str,
) -> Job:
    digests = [side.digest for side in train], [side.digest for side in held]
    key = key_of(f"p3-{name}-s{seed}", recipe.net, recipe.fit, seed, digests, noise and noise.name)
    arguments = {
        "net_name": recipe.net,
        "train": train,
        "held": held,
        "spec": recipe.fit,
        "noise": noise,
        "seed": seed,
        "weights": path_of(workshop.jobs, key).with_suffix(".safetensors"),
    }
    return Job(key, fit_cohort, arguments)


def _trained(
    recipe: BlindRecipe | BeatRecipe, jobs: Sequence[Job], documents: Mapping[str, Document]
) -> Trained:
    logits: dict[int, dict[str, Logits]] = {seed: {} for seed in recipe.seeds}
    held_out: dict[int, dict[str, Path]] = {seed: {} for seed in recipe.seeds}
    weights, digests, curves = {}, {}, {}
    for job in jobs:
        seed, document = job.arguments["seed"], documents[job.key]
        logits[seed].update({name: _array(rows) for name, rows in document["logits"].items()})
        held_out[seed].update(dict.fromkeys(document["logits"], job.arguments["weights"]))
        if not job.arguments["held"]:
            weights[seed] = job.arguments["weights"]
            digests[seed] = document["sha256"]
            curves[seed] = tuple(document["curve"])
    data = {side.name: side.digest for job in jobs for side in job.arguments["train"]}
    return Trained(
        fold_logits=logits,
        fold_weights=held_out,
        weights=weights,
        weights_sha256=digests,
        curves=curves,
        data=data,
    )


def _listed(logits: torch.Tensor) -> list[Any]:
    rows: list[Any] = torch.round(logits.double(), decimals=5).tolist()
    return rows


def _array(rows: Sequence[Any]) -> Logits:
    return np.array(rows, dtype=np.float64)
