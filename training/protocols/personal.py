"""P1, the paper's protocol: a net per recording, trained alone, or fine-tuned from a net that saw them all.

Its split leaks by design (neighbouring seconds of one person on both sides): it measures what a net tuned
to one wearer can do, and nothing about a stranger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from device_sim.contract.errors import ContractError
from training.checkpoint import read_checkpoint, write_checkpoint
from training.examples import Examples, join
from training.fit import Fitted, State, abnormal_logit, balanced_figures, fit, logits_of
from training.jobs import Document, Job, key_of, path_of, run_jobs
from training.metrics import Confusion, confusion
from training.nets import CardiacNet, make_net
from training.recipe import FitSpec, Grid, PersonalRecipe, StageBy
from training.wearers import Wearer
from training.workshop import Workshop

Stage = Literal["individual", "pretrained", "head_only", "full"]
TUNED: tuple[Stage, ...] = ("head_only", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One fitted net on one recording. What is chosen is chosen from the `validation_` fields only."""

    record: str
    stage: Stage
    seed: int
    lr: float
    batch_size: int
    is_balanced: bool
    best_epoch: int
    n_epochs: int
    validation_balanced_accuracy: float
    validation_loss: float
    tp: int
    fn: int
    fp: int
    tn: int
    last_epoch_test_balanced_accuracy: float  # what the paper's code reports, and ranks its grid by
    validation_logits: tuple[float, ...]
    validation_labels: tuple[int, ...]
    test_logits: tuple[float, ...]
    test_labels: tuple[int, ...]
    curve: tuple[
        tuple[float, float, float, float], ...
    ]  # train loss, validation loss, BA train, BA validation

    @property
    def test(self) -> Confusion:
        return Confusion(tp=self.tp, fn=self.fn, fp=self.fp, tn=self.tn)

    @property
    def score(self) -> tuple[float, float]:
        return self.validation_balanced_accuracy, -self.validation_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalResult:
    """Everything P1 reports, record by record and seed by seed."""

    grid: tuple[Outcome, ...]
    finals: tuple[Outcome, ...]
    chosen: Mapping[Stage, Mapping[str, FitSpec]]
    tuned_stage: Mapping[str, Stage]  # head_only or full, per record, by validation

    def of(self, stage: Stage, record: str) -> tuple[Outcome, ...]:
        return tuple(one for one in self.finals if one.stage == stage and one.record == record)

    def mean_test(self, stage: Stage) -> dict[str, float]:
        """Balanced accuracy per record, mean over seeds."""
        records = sorted({one.record for one in self.finals})
        return {
            record: _mean([one.test.balanced_accuracy for one in self.of(stage, record)])
            for record in records
        }

    def mean_tuned(self) -> dict[str, float]:
        """The fine-tuned net as it would be delivered: each record by the stage validation chose."""
        return {record: self.mean_test(stage)[record] for record, stage in sorted(self.tuned_stage.items())}


def run_personal(recipe: PersonalRecipe, wearers: Sequence[Wearer], workshop: Workshop) -> PersonalResult:
    """Grid on the first seed, choice by validation, every seed for what was chosen."""
    first = recipe.seeds[0]
    grid = _fit_all(recipe, wearers, workshop, "individual", [first], recipe.individual_grid)
    chosen: dict[Stage, Mapping[str, FitSpec]] = {"individual": choose(grid, recipe.individual)}
    finals = fit_chosen(recipe, wearers, workshop, "individual", chosen["individual"])
    pretrain_all(recipe, wearers, workshop)
    finals += fit_chosen(
        recipe, wearers, workshop, "pretrained", {wearer.name: recipe.pretrain for wearer in wearers}
    )
    for stage in TUNED:
        candidates = _fit_all(recipe, wearers, workshop, stage, [first], _grid_of(recipe, stage))
        chosen[stage] = choose(candidates, _base_of(recipe, stage))
        finals += fit_chosen(recipe, wearers, workshop, stage, chosen[stage])
    tuned = {wearer.name: _better_stage(finals, wearer.name, recipe.stage_by) for wearer in wearers}
    return PersonalResult(grid=tuple(grid), finals=tuple(finals), chosen=chosen, tuned_stage=tuned)


def choose(outcomes: Sequence[Outcome], base: FitSpec) -> dict[str, FitSpec]:
    """Per record the setting that validation ranks first; the test part has no say."""
    best: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.record not in best or outcome.score > best[outcome.record].score:
            best[outcome.record] = outcome
    return {record: _setting(base, outcome) for record, outcome in best.items()}


def choose_on_test(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The paper's leak, under its own name: per record the grid point with the best *test* figure."""
    best: dict[str, float] = {}
    for outcome in outcomes:
        figure = outcome.last_epoch_test_balanced_accuracy
        best[outcome.record] = max(figure, best.get(outcome.record, 0.0))
    return best


def fit_wearer(
    *,
    net_name: str,
    wearer: Wearer,
    stage: Stage,
    spec: FitSpec,
    split_seed: int,
    seed: int,
    pretrained: Path | None,
) -> Document:
    """One job: one net on one recording."""
    parts = wearer.parts(split_seed, seed)
    train, validation, test = (wearer.examples(part) for part in (parts.train, parts.validation, parts.test))
    net = make_net(net_name, seed=seed) if pretrained is None else read_checkpoint(pretrained, net_name)
    if stage == "head_only":
        net, (train, validation, test) = _head_of(net, [train, validation, test])
    if stage == "pretrained":
        logits = [abnormal_logit(logits_of(net, part.x_bct)) for part in (validation, test)]
        fitted = None
    else:
        fitted = fit(net, train, validation, spec, seed=seed)
        logits = [abnormal_logit(logits_of(net, part.x_bct)) for part in (validation, test)]
    return asdict(_outcome(net, wearer.name, stage, seed, spec, fitted, logits, validation, test))


def pretrain_all(recipe: PersonalRecipe, wearers: Sequence[Wearer], workshop: Workshop) -> None:
    jobs = [
        Job(
            pretrain_key(recipe, wearers, seed),
            pretrain,
            {
                "net_name": recipe.net,
                "wearers": tuple(wearers),
                "spec": recipe.pretrain,
                "split_seed": recipe.split_seed,
                "seed": seed,
                "weights": weights_path(recipe, wearers, workshop, seed),
            },
        )
        for seed in recipe.seeds
    ]
    run_jobs(jobs, workshop.jobs, workshop.workers, on_done=workshop.count("pre-training"))


def pretrain(
    *, net_name: str, wearers: tuple[Wearer, ...], spec: FitSpec, split_seed: int, seed: int, weights: Path
) -> Document:
    """One job: a net on the train parts of all recordings; their test parts stay unseen."""
    parts = [wearer.parts(split_seed, seed) for wearer in wearers]
    train = join([wearer.examples(part.train) for wearer, part in zip(wearers, parts, strict=True)])
    validation = join([wearer.examples(part.validation) for wearer, part in zip(wearers, parts, strict=True)])
    net = make_net(net_name, seed=seed)
    fitted = fit(net, train, validation, spec, seed=seed, resume=weights.with_suffix(".resume"))
    return {
        "sha256": write_checkpoint(weights, net_name, fitted.state),
        "best_epoch": fitted.best_epoch,
        "curve": [asdict(epoch) for epoch in fitted.curve],
    }


def pretrain_key(recipe: PersonalRecipe, wearers: Sequence[Wearer], seed: int) -> str:
    whole = [wearer.digest for wearer in wearers]
    return key_of(f"pretrain-s{seed}", recipe.net, recipe.pretrain, recipe.split_seed, seed, whole)


def weights_path(recipe: PersonalRecipe, wearers: Sequence[Wearer], workshop: Workshop, seed: int) -> Path:
    return path_of(workshop.jobs, pretrain_key(recipe, wearers, seed)).with_suffix(".safetensors")


class HeadNet(nn.Module):
    """Only the head, on features computed once: the encoder is frozen, so they never change."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, features_bct: Tensor) -> Tensor:
        logits: Tensor = self.head(features_bct[:, 0])[:, 0]
        return logits


def _head_of(net: nn.Module, parts: Sequence[Examples]) -> tuple[nn.Module, list[Examples]]:
    if not isinstance(net, CardiacNet):
        raise ContractError(
            f"head_only: expected cardiacnet, got {type(net).__name__}; it has no separate encoder"
        )
    net.eval()
    with torch.no_grad():
        features = [net.features(part.x_bct)[:, None] for part in parts]
    head = HeadNet(net.head)
    return head, [Examples(x, part.labels, part.weights) for x, part in zip(features, parts, strict=True)]


def _outcome(
    net: nn.Module,
    record: str,
    stage: Stage,
    seed: int,
    spec: FitSpec,
    fitted: Fitted | None,
    logits: Sequence[Tensor],
    validation: Examples,
    test: Examples,
) -> Outcome:
    loss, accuracy = balanced_figures(logits[0], validation.labels)
    counts = confusion((test.labels > 0).numpy(), (logits[1] > 0).numpy())
    last = counts.balanced_accuracy if fitted is None else _tested(net, fitted.last, fitted.state, test)
    curve = () if fitted is None else fitted.curve
    return Outcome(
        record=record,
        stage=stage,
        seed=seed,
        lr=spec.lr,
        batch_size=spec.batch_size,
        is_balanced=spec.is_balanced,
        best_epoch=0 if fitted is None else fitted.best_epoch,
        n_epochs=len(curve),
        validation_balanced_accuracy=accuracy,
        validation_loss=loss,
        **asdict(counts),
        last_epoch_test_balanced_accuracy=last,
        validation_logits=_rounded(logits[0]),
        validation_labels=tuple(validation.labels.tolist()),
        test_logits=_rounded(logits[1]),
        test_labels=tuple(test.labels.tolist()),
        curve=tuple(
            (
                one.train_loss,
                one.validation_loss,
                one.train_balanced_accuracy,
                one.validation_balanced_accuracy,
            )
            for one in curve
        ),
    )


def _tested(net: nn.Module, state: State, kept: State, test: Examples) -> float:
    net.load_state_dict(state)
    answers = abnormal_logit(logits_of(net, test.x_bct)) > 0
    net.load_state_dict(kept)
    return confusion((test.labels > 0).numpy(), answers.numpy()).balanced_accuracy


def _rounded(logits: Tensor) -> tuple[float, ...]:
    """Six figures: enough to redo every rate and every temperature."""
    return tuple(float(f"{value:.6g}") for value in logits.tolist())


def _grid_of(recipe: PersonalRecipe, stage: Stage) -> Grid:
    return {
        "individual": recipe.individual_grid,
        "head_only": recipe.head_only_grid,
        "full": recipe.full_grid,
    }[stage]


def _base_of(recipe: PersonalRecipe, stage: Stage) -> FitSpec:
    return {
        "individual": recipe.individual,
        "pretrained": recipe.pretrain,
        "head_only": recipe.head_only,
        "full": recipe.full,
    }[stage]


def _fit_all(
    recipe: PersonalRecipe,
    wearers: Sequence[Wearer],
    workshop: Workshop,
    stage: Stage,
    seeds: Sequence[int],
    grid: Grid,
) -> list[Outcome]:
    points = grid.points(_base_of(recipe, stage))
    jobs = _jobs(recipe, wearers, workshop, stage, {wearer.name: points for wearer in wearers}, seeds)
    return _outcomes(jobs, workshop, f"{stage} grid")


def fit_chosen(
    recipe: PersonalRecipe,
    wearers: Sequence[Wearer],
    workshop: Workshop,
    stage: Stage,
    chosen: Mapping[str, FitSpec],
) -> list[Outcome]:
    """Every seed; the grid's own seed is already a file and is not run again."""
    points = {wearer.name: [chosen[wearer.name]] for wearer in wearers}
    jobs = _jobs(recipe, wearers, workshop, stage, points, recipe.seeds)
    return _outcomes(jobs, workshop, f"{stage}, {len(recipe.seeds)} seeds")


def _jobs(
    recipe: PersonalRecipe,
    wearers: Sequence[Wearer],
    workshop: Workshop,
    stage: Stage,
    points: Mapping[str, Sequence[FitSpec]],
    seeds: Sequence[int],
) -> list[Job]:
    """One job per recording, setting and seed."""
    jobs = []
    for seed in seeds:
        weights = None if stage == "individual" else weights_path(recipe, wearers, workshop, seed)
        for wearer in wearers:
            for spec in points[wearer.name]:
                decides = (recipe.net, wearer.digest, spec, recipe.split_seed, seed, weights and weights.name)
                arguments = {
                    "net_name": recipe.net,
                    "wearer": wearer,
                    "stage": stage,
                    "spec": spec,
                    "split_seed": recipe.split_seed,
                    "seed": seed,
                    "pretrained": weights,
                }
                jobs.append(Job(key_of(f"{stage}-{wearer.name}-s{seed}", *decides), fit_wearer, arguments))
    return jobs


def _outcomes(jobs: Sequence[Job], workshop: Workshop, what: str) -> list[Outcome]:
    documents = run_jobs(jobs, workshop.jobs, workshop.workers, on_done=workshop.count(what))
    return [Outcome(**documents[job.key]) for job in jobs]


def _setting(base: FitSpec, outcome: Outcome) -> FitSpec:
    return replace(base, lr=outcome.lr, batch_size=outcome.batch_size, is_balanced=outcome.is_balanced)


def _better_stage(finals: Sequence[Outcome], record: str, by: StageBy) -> Stage:
    """Head only or everything, by the mean of validation over the seeds.

    A record may have five windows of the rarer class to validate on: balanced accuracy then moves in steps
    of a tenth, the loss hears every window.
    """

    def mean_score(stage: Stage) -> tuple[float, float]:
        scores = [one.score for one in finals if one.record == record and one.stage == stage]
        accuracy, less_loss = (_mean([score[index] for score in scores]) for index in (0, 1))
        return (accuracy, less_loss) if by == "balanced_accuracy" else (less_loss, accuracy)

    return max(TUNED, key=mean_score)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
