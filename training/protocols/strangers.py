"""One inter-patient run from end to end: windows, folds, the choice of thresholds, the judgement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.beats import Beats
from training.cohort import Member, members_of, training_noise
from training.metrics import expected_calibration_error, fit_temperature, sigmoid
from training.protocols.adaptive import adapt_all, the_rest
from training.protocols.beat_verdict import (
    BeatScore,
    classes_said,
    score_beats,
    score_windows,
    total,
)
from training.protocols.interpatient import Logits, Side, Trained, answers, train_interpatient
from training.protocols.strangers_report import RecordScore, StrangerMetrics, figures_of
from training.protocols.verdict_rule import VerdictRule
from training.recipe import AdaptSpec, BeatRecipe, BlindRecipe
from training.rhythm_model import RhythmModel, fit_rhythm
from training.splits import folds_of
from training.wearers import wearers_of
from training.workshop import Workshop

StrangerRecipe = BlindRecipe | BeatRecipe
ABNORMAL_STEPS = np.linspace(-4.0, 4.0, 33)
RHYTHM_STEPS = np.linspace(-1.0, 5.0, 25)
VENTRICULAR_STEPS = np.linspace(-4.0, 8.0, 49)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The recordings of one side; `members` holds their beats where the windows are centred on beats."""

    sides: tuple[Side, ...]
    members: Mapping[str, Member]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(side.name for side in self.sides)

    def times_s(self) -> dict[str, NDArray[np.float64]]:
        """When each window of a side is: the beat's time, or the second a blind window starts at."""
        return {
            side.name: self.members[side.name].beats.times_s[list(side.indices)]
            if side.name in self.members
            else np.array(side.indices, dtype=np.float64)
            for side in self.sides
        }

    def after(self, first_s: int) -> "Cohort":
        """The part that is judged where the first minutes were used; other beats count nowhere."""
        times_s = self.times_s()
        return Cohort(
            sides=tuple(the_rest(side, times_s[side.name], first_s) for side in self.sides),
            members={name: _after(member, first_s) for name, member in self.members.items()},
        )

    def calibration(self, logits: Mapping[int, Mapping[str, Logits]]) -> tuple[Logits, NDArray[np.int64]]:
        """What was said and what was true, of the windows that taught the net (S beats are rhythm's)."""
        said, truth = [], []
        for one in logits.values():
            for side in self.sides:
                taught = np.array(side.weights) > 0
                said.append(one[side.name][taught])
                truth.append(np.array(side.labels)[taught])
        return np.concatenate(said), np.concatenate(truth)

    def rhythm_model(
        self, names: Sequence[str], own: Beats | None = None, own_weight: float = 0.0
    ) -> RhythmModel | None:
        """Learned from the recordings named, and from the wearer's `own` beats at a weight of their own."""
        if not self.members:
            return None
        beats = [self.members[name].beats for name in names]
        weights = [np.ones(len(one.classes)) for one in beats]
        if own is not None and own_weight > 0:
            beats.append(own)
            weights.append(np.full(len(own.classes), own_weight))
        return fit_rhythm(
            np.concatenate([one.rr for one in beats]),
            np.concatenate([one.classes for one in beats]),
            np.concatenate(weights),
        )

    def first_beats(self, name: str, first_s: int) -> Beats | None:
        """What is known of a wearer; later beats have no class."""
        if name not in self.members:
            return None
        beats = self.members[name].beats
        return replace(beats, classes=np.where(beats.times_s < first_s, beats.classes, "Q"))


def train_strangers(
    recipe: StrangerRecipe, workshop: Workshop
) -> tuple[Trained, VerdictRule, StrangerMetrics]:
    """Everything that DS2 has no part in."""
    cohort = cohort_of(recipe, recipe.train_records, workshop)
    trained = train_interpatient(recipe, cohort.sides, noise_file(recipe, workshop), workshop)
    folds = folds_of(cohort.names, recipe.n_folds)
    models = {
        name: cohort.rhythm_model([other for other in cohort.names if other not in fold])
        for fold in folds
        for name in fold
    }
    slack = recipe.border_slack if isinstance(recipe, BeatRecipe) else 0.0
    rule = choose_rule(cohort, trained.fold_logits, models, slack)
    rule = replace(rule, rhythm_model=cohort.rhythm_model(cohort.names))
    metrics = judge(
        recipe,
        cohort,
        trained.fold_logits,
        rule,
        models,
        protocol="P3",
        judged_on="folds of DS1, where thresholds were chosen",
    )
    return trained, rule, metrics


def adapt_on_folds(
    recipe: StrangerRecipe, trained: Trained, workshop: Workshop
) -> tuple[VerdictRule, StrangerMetrics]:
    """P4 rehearsed on DS1: each wearer's net comes from the folds without that wearer."""
    assert recipe.adapt is not None
    cohort = cohort_of(recipe, recipe.train_records, workshop)
    others = others_of(cohort, recipe.n_folds)
    models = {
        name: _own_model(recipe.adapt, cohort, [side.name for side in sides], cohort, name)
        for name, sides in others.items()
    }
    logits = adapt_all(
        recipe.net,
        recipe.adapt,
        sides=cohort.sides,
        times_s=cohort.times_s(),
        start=trained.fold_weights,
        replay=others,
        noise=noise_file(recipe, workshop),
        workshop=workshop,
        what=f"{recipe.name}, adapting on folds",
    )
    rest = cohort.after(recipe.adapt.first_s)
    rule = replace(choose_rule(rest, logits, models), rhythm_model=cohort.rhythm_model(cohort.names))
    return rule, judge(
        recipe,
        rest,
        logits,
        rule,
        models,
        protocol="P4",
        judged_on="folds of DS1, where thresholds were chosen",
    )


def others_of(cohort: Cohort, n_folds: int) -> dict[str, tuple[Side, ...]]:
    """For each recording the recordings outside its fold: nobody in them is the same person."""
    return {
        name: tuple(side for side in cohort.sides if side.name not in fold)
        for fold in folds_of(cohort.names, n_folds)
        for name in fold
    }


def judge_adapted(
    recipe: StrangerRecipe, weights: Mapping[int, Path], rule: VerdictRule, workshop: Workshop
) -> StrangerMetrics:
    """P4: the final nets, each tuned to the first minutes of a DS2 recording, judged on what follows."""
    if recipe.adapt is None:
        raise ContractError(f"{recipe.name}: P4: expected a recipe with an [adapt] table, there is none")
    cohort = cohort_of(recipe, recipe.test_records, workshop)
    known = cohort_of(recipe, recipe.train_records, workshop)
    logits = adapt_all(
        recipe.net,
        recipe.adapt,
        sides=cohort.sides,
        times_s=cohort.times_s(),
        start={seed: dict.fromkeys(cohort.names, path) for seed, path in weights.items()},
        replay=dict.fromkeys(cohort.names, known.sides),
        noise=noise_file(recipe, workshop),
        workshop=workshop,
        what=f"{recipe.name}, adapting",
    )
    models = {name: _own_model(recipe.adapt, known, known.names, cohort, name) for name in cohort.names}
    return judge(
        recipe, cohort.after(recipe.adapt.first_s), logits, rule, models, protocol="P4", judged_on="DS2"
    )


def _own_model(
    spec: AdaptSpec, known: Cohort, names: Sequence[str], wearers: Cohort, wearer: str
) -> RhythmModel | None:
    """The rhythm model of one wearer: the strangers' beats and the wearer's first minutes."""
    return known.rhythm_model(names, wearers.first_beats(wearer, spec.first_s), spec.own_rhythm_weight)


def judge_strangers(
    recipe: StrangerRecipe, weights: Mapping[int, Path], rule: VerdictRule, workshop: Workshop
) -> StrangerMetrics:
    """The final nets on DS2; the caller writes the opening down."""
    cohort = cohort_of(recipe, recipe.test_records, workshop)
    logits = {seed: answers(recipe.net, path, cohort.sides) for seed, path in weights.items()}
    models = dict.fromkeys(cohort.names, rule.rhythm_model)
    return judge(recipe, cohort, logits, rule, models, protocol="P3", judged_on="DS2")


def cohort_of(recipe: StrangerRecipe, records: Sequence[str], workshop: Workshop) -> Cohort:
    if isinstance(recipe, BeatRecipe):
        members = members_of(recipe, records, workshop)
        return Cohort(
            sides=tuple(_side_of_member(member) for member in members),
            members={member.name: member for member in members},
        )
    wearers = wearers_of(workshop, stream=recipe.stream, rule=recipe.rule, records=records)
    sides = []
    for wearer in wearers:
        labels = np.array(wearer.labels)
        known = np.flatnonzero(labels >= 0)
        sides.append(_side(wearer.name, wearer.windows, known, labels, np.ones(len(labels)), wearer.digest))
    return Cohort(sides=tuple(sides), members={})


def noise_file(recipe: StrangerRecipe, workshop: Workshop) -> Path | None:
    """Recorded noise for augmentation, where the recipe asks for any."""
    if not recipe.fit.augment.noise_chance:
        return None
    noise = training_noise(workshop)
    kept = workshop.cache.array("noise-em-ma", sha256(noise.tobytes()).hexdigest(), make=lambda: noise)
    return Path(str(kept.filename))  # type: ignore[attr-defined]


def choose_rule(
    cohort: Cohort,
    logits: Mapping[int, Mapping[str, Logits]],
    models: Mapping[str, RhythmModel | None],
    slack: float = 0.0,
) -> VerdictRule:
    """Thresholds with the best gross figures on the folds, mean over seeds; temperature beside.

    What is abnormal is chosen by balanced accuracy, and within `slack` of the best by how few logits lie
    beside: there a rounding changes what is said. Of the abnormal shapes, those named V are chosen by F1: a
    threshold that misses no abnormal beat would name many aberrant S beats V.
    """
    said, truth = cohort.calibration(logits)
    base = VerdictRule(abnormal=0.0, temperature=fit_temperature(said, truth))
    rules = [replace(base, abnormal=float(step)) for step in ABNORMAL_STEPS]
    if cohort.members:
        rules = [replace(rule, rhythm=float(step)) for rule in rules for step in RHYTHM_STEPS]

    def mean(figure: Callable[[BeatScore], float], rule: VerdictRule) -> float:
        scores = [total(list(scores_of(cohort, one, rule, models).values())) for one in logits.values()]
        return float(np.mean([figure(score) for score in scores]))

    accuracy = {rule: mean(lambda score: score.abnormal.balanced_accuracy, rule) for rule in rules}
    rule = max(rules, key=lambda rule: accuracy[rule])
    if slack:
        near = [one for one in rules if one.rhythm == rule.rhythm and accuracy[one] >= accuracy[rule] - slack]
        rule = min(near, key=lambda one: share_beside(one, said))
    if not cohort.members:
        return rule
    named = [replace(rule, ventricular=float(step)) for step in VENTRICULAR_STEPS if step >= rule.abnormal]
    return max(named, key=lambda rule: mean(lambda score: score.v.f1, rule))


def share_beside(rule: VerdictRule, said: Logits) -> float:
    """Of the logits, those within a quarter of the temperature of what is abnormal."""
    return float(np.mean(np.abs(said - rule.abnormal) < rule.temperature / 4))


def scores_of(
    cohort: Cohort,
    logits: Mapping[str, Logits],
    rule: VerdictRule,
    models: Mapping[str, RhythmModel | None],
) -> dict[str, BeatScore]:
    """One score per recording."""
    found = {}
    for side in cohort.sides:
        if side.name not in cohort.members:
            found[side.name] = score_windows(np.array(side.labels), logits[side.name], rule)
            continue
        beats = cohort.members[side.name].beats
        model = models[side.name]
        said = np.full(len(beats.classes), "N")
        known = np.array(side.indices)
        rhythm = None if model is None else model.logits(beats.rr)[known]
        said[known] = classes_said(logits[side.name], rhythm, rule)
        found[side.name] = score_beats(beats, said)
    return found


def judge(
    recipe: StrangerRecipe,
    cohort: Cohort,
    logits: Mapping[int, Mapping[str, Logits]],
    rule: VerdictRule,
    models: Mapping[str, RhythmModel | None],
    *,
    protocol: str,
    judged_on: str,
) -> StrangerMetrics:
    rows = tuple(
        RecordScore(record=name, seed=seed, abnormal=score.abnormal, s=score.s, v=score.v)
        for seed, one in logits.items()
        for name, score in scores_of(cohort, one, rule, models).items()
    )
    said, truth = cohort.calibration(logits)
    is_beat = isinstance(recipe, BeatRecipe)
    return StrangerMetrics(
        protocol=protocol,
        recipe=recipe.name,
        net=recipe.net,
        stream=recipe.stream,
        task=f"EC57 beats, {recipe.peaks} peaks" if isinstance(recipe, BeatRecipe) else _task(recipe.rule),
        judged_on=judged_on,
        seeds=tuple(logits),
        temperature=rule.temperature,
        ece=expected_calibration_error(sigmoid(said / rule.temperature), truth),
        n_missed_v=sum(member.beats.missed.count("V") for member in cohort.members.values()),
        figures=figures_of(rows, has_classes=is_beat),
        records=rows,
    )


def _after(member: Member, first_s: int) -> Member:
    beats = member.beats
    late = [at >= first_s for at in beats.missed_s]
    return replace(
        member,
        beats=replace(
            beats,
            classes=np.where(beats.times_s >= first_s, beats.classes, "Q"),
            missed=tuple(kind for kind, is_late in zip(beats.missed, late, strict=True) if is_late),
            missed_s=tuple(at for at, is_late in zip(beats.missed_s, late, strict=True) if is_late),
        ),
    )


def _task(rule: str) -> str:
    """The two binary tasks are never mixed: the name stands in every table."""
    return "EC57 binary, blind seconds" if rule == "EC57" else f"the paper's labels ({rule}), blind seconds"


def _side_of_member(member: Member) -> Side:
    return _side(member.name, member.windows, member.known(), member.labels, member.weights, member.digest)


def _side(
    name: str,
    windows: Path,
    known: NDArray[np.int64],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    digest: str,
) -> Side:
    return Side(
        name=name,
        windows=windows,
        indices=tuple(known.tolist()),
        labels=tuple(labels[known].tolist()),
        weights=tuple(weights[known].tolist()),
        digest=digest,
    )
