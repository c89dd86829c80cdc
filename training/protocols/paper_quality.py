"""Paper 000's table: each net from each beginning, trained on the noise bench, judged on CinC 2017.

The threshold of every net comes from MIT-BIH's validation part. External-dev is looked at when a recipe is
trained; external-test is opened by `wristlead evaluate`, once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from device_sim.contract.errors import ContractError
from training.checkpoint import read_checkpoint, write_checkpoint
from training.cinc_intervals import read_signals
from training.cinc_windows import CincWindows, read_windows
from training.image_fit import Images, clean_scores, fit_images
from training.images import VERSION, pictures, pictures_of_codes
from training.interval_set import IntervalSet, make_intervals
from training.jobs import Document, Job, key_of, path_of, run_jobs
from training.lessons import Verdicts
from training.natural70 import read_photographs
from training.nets import count_parameters
from training.paper_nets import FULL_SIDE
from training.paper_recipe import SIDE_OF, Arm, Image, PaperRecipe
from training.pretraining import Start, net_of_classes, pretraining_job, start_of
from training.protocols.external import CLEAN_ENOUGH
from training.protocols.paper_report import (
    Cost,
    NetRow,
    PaperMetrics,
    Pretraining,
    Scored,
    judge,
)
from training.protocols.timing import least_ms
from training.provenance import machine
from training.quality_metrics import best_threshold
from training.quality_nets import COLUMNS, IMAGE_NETS, ROWS, image_macs
from training.quality_splits import ExternalSide
from training.workshop import Workshop

Floats = NDArray[np.float64]
SCORES_VERSION = "1"
YARDSTICK = "googlenet"  # its cost stands in every table, trained or not


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNet:
    """One net of the table."""

    arm: Arm
    seed: int
    init: str
    weights: Path
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.arm.net}-{self.arm.image}-{self.arm.init}-s{self.seed}.safetensors"

    @property
    def is_kept(self) -> bool:
        """Beside the results: a light net's first seed. The others are in the cache, named by digest."""
        return self.seed == 0 and self.arm.net != "googlenet"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedPaper:
    """Every net of a recipe, and how their beginnings were learnt."""

    nets: tuple[TrainedNet, ...]
    pretraining: tuple[Pretraining, ...]
    data: Mapping[str, str]


class ImageShelf:
    """The images of one set, of each kind, made once and kept."""

    def __init__(self, workshop: Workshop, x_uv: NDArray[np.float32], codes: NDArray[np.int8], digest: str):
        self._workshop, self._x_uv, self._codes, self._digest = workshop, x_uv, codes, digest

    def images(self, kind: Image, side: int) -> Images:
        if kind == "device":
            return self._codes
        known = (VERSION, f"{side}", self._digest)
        made: Images = self._workshop.cache.array(
            f"pictures-{kind}-{side}",
            *known,
            make=lambda: (
                pictures(self._x_uv, side) if kind == "cwt" else pictures_of_codes(self._codes, side)
            ),
        )
        return made

    def key(self, kind: Image, side: int) -> str:
        return f"{kind} {side} {VERSION} {self._digest}"


def sets_of(recipe: PaperRecipe, workshop: Workshop) -> tuple[IntervalSet, IntervalSet]:
    """What trains and what validates."""
    bench = recipe.bench
    return (
        make_intervals(workshop, "train", bench, n=recipe.n_intervals, records=recipe.train_records),
        make_intervals(
            workshop, "validation", bench, n=recipe.n_validation, records=recipe.validation_records
        ),
    )


def train_paper(recipe: PaperRecipe, workshop: Workshop) -> TrainedPaper:
    """Arm by arm, in the recipe's order: first its beginnings, then its nets."""
    for arm in recipe.arms:
        if arm.init == "file":
            start_of(arm, None)  # a wrong file is found before the first hour of training
    train, validation = sets_of(recipe, workshop)
    shelves = [ImageShelf(workshop, one.x_uv, one.codes_st_i8, one.digest) for one in (train, validation)]
    nets: list[TrainedNet] = []
    learnt: list[Pretraining] = []
    for arm in recipe.arms:
        images, validation_images = (shelf.images(arm.image, recipe.side) for shelf in shelves)
        keys = tuple(shelf.key(arm.image, recipe.side) for shelf in shelves)
        before = {
            seed: pretraining_job(
                recipe,
                arm,
                seed if recipe.pretrain_seed is None else recipe.pretrain_seed,
                workshop.data,
                images,
                keys[0],
                workshop.cache,
            )
            for seed in recipe.seeds_of(arm)
        }
        wanted = {job.key: job for job in before.values() if job is not None}
        on_done = workshop.count(f"{arm.name}, beginnings")
        documents = run_jobs(list(wanted.values()), workshop.jobs, workshop.workers, on_done=on_done)
        learnt += [_learnt(arm, job, documents[key]) for key, job in wanted.items()]
        starts = {seed: start_of(arm, job) for seed, job in before.items()}
        lesson = Verdicts(
            images=images,
            clean=train.clean,
            validation=validation_images,
            validation_clean=validation.clean,
            spec=recipe.fit,
        )
        jobs = {
            seed: _job(recipe, arm, seed, start, lesson, keys, workshop) for seed, start in starts.items()
        }
        on_done = workshop.count(arm.name)
        documents = run_jobs(list(jobs.values()), workshop.jobs, workshop.workers, on_done=on_done)
        nets += [
            TrainedNet(
                arm=arm,
                seed=seed,
                init=starts[seed].init,
                weights=job.arguments["weights"],
                sha256=documents[job.key]["sha256"],
            )
            for seed, job in jobs.items()
        ]
    data = {"intervals, train": train.digest, "intervals, validation": validation.digest}
    if any(arm.init == "natural70" for arm in recipe.arms):
        data["photographs"] = read_photographs(workshop.data, workshop.cache, recipe.side).digest
    return TrainedPaper(nets=tuple(nets), pretraining=tuple(learnt), data=data)


def verdict_job(
    *, recipe: PaperRecipe, arm: Arm, seed: int, start: Start, lesson: Verdicts, weights: Path
) -> Document:
    """One net of the table."""
    net = start.net(arm.net, seed)
    curve = fit_images(
        net,
        lesson,
        recipe.fit,
        seed=seed,
        has_bfloat16=recipe.has_bfloat16,
        resume=weights.with_suffix(".resume"),
    )
    digest = write_checkpoint(weights, arm.net, net.state_dict(), init=start.init)
    return {"sha256": digest, "curve": curve, "init": start.init}


def judge_paper(
    recipe: PaperRecipe,
    trained: TrainedPaper,
    side: ExternalSide,
    workshop: Workshop,
    *,
    known: Sequence[NetRow] = (),
) -> PaperMetrics:
    """Every net on one side of CinC 2017; `known` rows say which thresholds stand already."""
    _, validation = sets_of(recipe, workshop)
    windows = read_windows(workshop, side)
    signals = read_signals(workshop, side, windows)
    digest = sha256(signals.tobytes() + windows.codes_st_i8.tobytes()).hexdigest()
    far = ImageShelf(workshop, signals, windows.codes_st_i8, digest)
    near = ImageShelf(workshop, validation.x_uv, validation.codes_st_i8, validation.digest)
    scored = []
    for one in trained.nets:
        scores = _scores(one, far, recipe.side, workshop)
        if known:
            threshold = _known(known, one.arm, one.seed)
        else:
            of_validation = _scores(one, near, recipe.side, workshop)
            threshold = best_threshold(of_validation, validation.clean >= CLEAN_ENOUGH)
        scored.append(
            Scored(
                arm=one.arm,
                seed=one.seed,
                init=one.init,
                sha256=one.sha256,
                threshold=threshold,
                scores=scores,
            )
        )
        workshop.tell(f"{one.arm.name}, seed {one.seed}: judged on {side}")
    return _metrics(recipe, trained, side, windows, scored, workshop)


def _scores(one: TrainedNet, shelf: ImageShelf, side: int, workshop: Workshop) -> Floats:
    """What a net says of every image of a set, kept by the digests of both."""
    scores: Floats = workshop.cache.array(
        f"scores-{one.arm.net}",
        *(SCORES_VERSION, one.sha256, shelf.key(one.arm.image, side)),
        make=lambda: clean_scores(
            read_checkpoint(one.weights, one.arm.net), shelf.images(one.arm.image, side)
        ),
    )
    return scores


def _metrics(
    recipe: PaperRecipe,
    trained: TrainedPaper,
    side: ExternalSide,
    windows: CincWindows,
    scored: Sequence[Scored],
    workshop: Workshop,
) -> PaperMetrics:
    rows, means, gains = judge(scored, windows.is_clean, windows.recording, len(windows.names))
    workshop.tell(f"{recipe.name}: timing")
    return PaperMetrics(
        protocol=recipe.protocol,
        recipe=recipe.name,
        judged_on=side,
        side=recipe.side,
        n_intervals=recipe.n_intervals,
        n_recordings=len(windows.names),
        n_clean=int(windows.is_clean.sum()),
        n_noisy=int((~windows.is_clean).sum()),
        rows=rows,
        means=means,
        gains=gains,
        pretraining=trained.pretraining,
        costs=costs_of(recipe),
        machine=machine(),
    )


def costs_of(recipe: PaperRecipe) -> tuple[Cost, ...]:
    """Parameters, multiplications and milliseconds of each net and of GoogLeNet, also at the full size.

    All in turns in one run, one thread, one interval at a time; the least processor time is kept.
    """
    shapes: dict[tuple[str, tuple[int, int, int]], nn.Module] = {}
    for name in dict.fromkeys([*(arm.net for arm in recipe.arms), YARDSTICK]):
        if name in IMAGE_NETS:
            shapes[name, (1, ROWS, COLUMNS)] = net_of_classes(name, 2, recipe.side)
            continue
        full = "light_cnn_paper" if name in SIDE_OF else name
        for known, side in ((name, recipe.side), (full, FULL_SIDE)):
            shapes[known, (3, side, side)] = net_of_classes(known, 2, side)
    taken_ms = least_ms([(net, shape) for (_, shape), net in shapes.items()], recipe.timing_turns)
    return tuple(
        Cost(
            net=name,
            shape=shape,
            parameters=count_parameters(net),
            macs=image_macs(net, shape),
            ms=taken,
        )
        for ((name, shape), net), taken in zip(shapes.items(), taken_ms, strict=True)
    )


def _job(
    recipe: PaperRecipe,
    arm: Arm,
    seed: int,
    start: Start,
    lesson: Verdicts,
    keys: tuple[str, ...],
    workshop: Workshop,
) -> Job:
    key = key_of(
        f"paper-000-{arm.net}-{arm.image}-{arm.init}-s{seed}",
        *(arm.net, start.init, recipe.fit, seed, recipe.side, recipe.has_bfloat16, keys),
    )
    weights = path_of(workshop.jobs, key).with_suffix(".safetensors")
    arguments = {"recipe": recipe, "arm": arm, "seed": seed, "start": start, "lesson": lesson}
    return Job(key, verdict_job, {**arguments, "weights": weights})


def _known(rows: Sequence[NetRow], arm: Arm, seed: int) -> float:
    for row in rows:
        if (row.net, row.image, row.began, row.seed) == (arm.net, arm.image, arm.init, seed):
            return row.threshold
    raise ContractError(f"{arm.name}, seed {seed}: expected a threshold in metrics.json, there is none")


def _learnt(arm: Arm, job: Job, document: Document) -> Pretraining:
    """What was measured after the last epoch of a pre-training."""
    last = document["curve"][-1]
    measure = next(name for name in last if name.startswith("validation_"))
    return Pretraining(
        net=arm.net,
        image=arm.image,
        init=arm.init,
        seed=job.arguments["seed"],
        measure=measure,
        value=last[measure],
        sha256=document["sha256"],
    )
