"""P2: a wearer's first five minutes teach, the rest of the recording judges.

Time runs one way here: no window that is judged is older than one that taught. The net starts from nothing,
or from strangers: the recordings outside the wearer's fold.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from training.protocols.adaptive import adapt_all
from training.protocols.interpatient import Side, Trained, train_interpatient
from training.protocols.strangers import Cohort, cohort_of, judge, noise_file, others_of
from training.protocols.strangers_report import StrangerMetrics
from training.protocols.verdict_rule import VerdictRule
from training.recipe import AdaptSpec, FirstMinutesRecipe
from training.workshop import Workshop

AS_IT_IS = VerdictRule(abnormal=0.0, temperature=1.0)  # no one is left over to choose a threshold on


def run_temporal(
    recipe: FirstMinutesRecipe, workshop: Workshop
) -> tuple[Trained, StrangerMetrics, StrangerMetrics]:
    """Alone and tuned, on the same windows of the same recordings."""
    strangers = recipe.strangers()
    cohort = cohort_of(strangers, recipe.records, workshop)
    noise = noise_file(strangers, workshop)
    trained = train_interpatient(strangers, cohort.sides, noise, workshop, with_final=False)
    nothing: dict[int, dict[str, Path | None]] = {seed: dict.fromkeys(cohort.names) for seed in recipe.seeds}
    nobody = dict.fromkeys(cohort.names, ())
    alone = _judged(recipe, recipe.alone, cohort, nothing, nobody, workshop, what="alone")
    others = others_of(cohort, recipe.n_folds)
    tuned = _judged(recipe, recipe.adapt, cohort, trained.fold_weights, others, workshop, what="tuned")
    return trained, alone, tuned


def _judged(
    recipe: FirstMinutesRecipe,
    spec: AdaptSpec,
    cohort: Cohort,
    start: Mapping[int, Mapping[str, Path | None]],
    replay: Mapping[str, Sequence[Side]],
    workshop: Workshop,
    *,
    what: str,
) -> StrangerMetrics:
    logits = adapt_all(
        recipe.net,
        spec,
        sides=cohort.sides,
        times_s=cohort.times_s(),
        start=start,
        replay=replay,
        noise=None,
        workshop=workshop,
        what=f"{recipe.name}, {what}",
    )
    models = dict.fromkeys(cohort.names)
    rest = cohort.after(spec.first_s)
    judged_on = f"after the first {spec.first_s} s, {what}"
    return judge(recipe.strangers(), rest, logits, AS_IT_IS, models, protocol="P2", judged_on=judged_on)
