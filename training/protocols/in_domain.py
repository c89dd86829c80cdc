"""CinC 2017 teaches as well: five folds by recording, each judged by a net tuned on the other four.

Not to be set beside `external`: these nets have heard the recorder. A net starts from its weights of the
external protocol and is tuned on windows that are noisy as often as clean, so 0 is taken for where 'clean'
begins (a share of teachers' labels moves it): no threshold is chosen, and the last epoch is kept. Whichever
recordings are judged, all others' folds teach. On external-dev it may be judged at will, which chooses how to
tune; on all recordings it is an opening of external-test, logged as one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.checkpoint import read_checkpoint, write_checkpoint
from training.cinc_windows import CincColumns, CincWindows, join, read_columns
from training.data.cache import Cache
from training.jobs import Document, Job, Workers, key_of, path_of, run_jobs
from training.protocols.external import BASELINE, N_RESAMPLES, SINGLE, qrs_prominence
from training.protocols.external_report import (
    NOBODY,
    ExternalMetrics,
    Roc,
    Row,
    Threshold,
    roc_of,
    row_of,
    views_of,
)
from training.provenance import digest_of_file
from training.quality_fit import clean_logits, fit_quality
from training.quality_recipe import ExternalRecipe, TuneRecipe
from training.quality_set import QualitySet
from training.quality_splits import fold_of
from training.tables import build, read_toml
from training.teachers import taught
from training.workshop import Workshop

Floats = NDArray[np.float64]
Extent = Literal["external-dev", "all recordings"]
N_FOLDS = 5
TUNED = "tuned"  # of a scorer: by the net of each window's fold


def judge_in_domain(
    recipe: ExternalRecipe, tune: TuneRecipe, weights: Mapping[int, Path], extent: Extent, workshop: Workshop
) -> ExternalMetrics:
    """Each recording judged by the net of its fold, beside the net it was tuned from."""
    columns = all_columns(workshop)
    lessons = taught(columns.lessons(), tune.teachers, tune.teacher_share, workshop.cache)
    jobs = {
        (seed, fold): _job(recipe, tune, weights[seed], seed, fold, lessons, workshop)
        for seed in weights
        for fold in range(N_FOLDS)
    }
    run_jobs(list(jobs.values()), workshop.jobs, workshop.workers, on_done=workshop.count("in_domain"))
    windows = (columns if extent == "all recordings" else read_columns(workshop, extent)).windows()
    scores: dict[str, Floats] = {BASELINE: qrs_prominence(windows.codes_st_i8)}
    for seed, path in weights.items():
        scores[f"{recipe.net} s{seed}, external"] = clean_logits(
            read_checkpoint(path, recipe.net), windows.codes_st_i8
        )
        tuned = [jobs[seed, fold].arguments["tuned"] for fold in range(N_FOLDS)]
        scores[f"{recipe.net} s{seed}, {TUNED}"] = held_out_scores(recipe.net, tuned, windows)
    rows: list[Row] = []
    rocs: list[Roc] = []
    for name, found in scores.items():
        thresholds = {NOBODY: 0.0} if name.endswith(TUNED) else {}
        for view in views_of(windows, found):
            rows.append(row_of(name, view, len(windows.names), thresholds, N_RESAMPLES))
            rocs.append(roc_of(name, view))
        workshop.tell(f"{recipe.name}: {name} judged")
    return ExternalMetrics(
        protocol="in_domain",
        recipe=f"{recipe.name}, {tune.name}",
        net=recipe.net,
        judged_on=extent,
        seeds=tuple(weights),
        n_recordings=len(windows.names),
        n_too_short=len(windows.names) - len(np.unique(windows.recording)),
        thresholds=tuple(
            Threshold(scorer=name, view=SINGLE, chosen_on=NOBODY, logit=0.0)
            for name in scores
            if name.endswith(TUNED)
        ),
        rows=tuple(rows),
        rocs=tuple(rocs),
    )


def tune_recipe(recipe: ExternalRecipe, path: Path | None) -> TuneRecipe:
    """From a file of its own, or as the net's recipe has it."""
    if path is not None:
        table = read_toml(path)
        if table.get("protocol") != "in_domain":
            raise ContractError(f"{path}: protocol: expected in_domain, got {table.get('protocol')!r}")
        return build(TuneRecipe, table, where=str(path))
    if recipe.tune is None:
        raise ContractError(
            f"{recipe.name}: in_domain: expected --tune or a recipe with [tune], there is none"
        )
    return TuneRecipe(protocol="in_domain", name="its own [tune]", fit=recipe.tune)


def all_columns(workshop: Workshop) -> CincColumns:
    return join([read_columns(workshop, side) for side in ("external-dev", "external-test")])


def folds_of(columns: CincColumns) -> NDArray[np.int64]:
    """The fold of each recording."""
    return np.array([fold_of(name, N_FOLDS) for name in columns.names])


def held_out_scores(net_name: str, tuned: list[Path], windows: CincWindows) -> Floats:
    """What each window's own fold says: the net that its recording did not teach."""
    fold = np.array([fold_of(name, N_FOLDS) for name in windows.names])[windows.recording]
    scores = np.full(len(windows), np.nan)
    for number, path in enumerate(tuned):
        scores[fold == number] = clean_logits(
            read_checkpoint(path, net_name), windows.codes_st_i8[fold == number]
        )
    return scores


def tune_job(
    *,
    recipe: ExternalRecipe,
    tune: TuneRecipe,
    start: Path,
    seed: int,
    fold: int,
    data: Path,
    cache: Path,
    tuned: Path,
) -> Document:
    """One net, tuned on every fold but one; the held-out fold draws the learning curve and nothing else."""
    workshop = Workshop(data=data, cache=Cache(cache), workers=Workers(), tell=lambda _line: None)
    columns = all_columns(workshop)
    lessons = taught(columns.lessons(), tune.teachers, tune.teacher_share, workshop.cache)
    is_held_out = folds_of(columns)[columns.recordings_at(lessons.starts)] == fold
    net = read_checkpoint(start, recipe.net)
    curve = fit_quality(
        net,
        lessons.only(~is_held_out),
        lessons.only(is_held_out),
        tune.fit,
        seed=seed,
        resume=tuned.with_suffix(".resume"),
    )
    digest = write_checkpoint(tuned, recipe.net, net.state_dict())
    return {"sha256": digest, "validation_auc": curve[-1].validation_auc}


def _job(
    recipe: ExternalRecipe,
    tune: TuneRecipe,
    start: Path,
    seed: int,
    fold: int,
    lessons: QualitySet,
    workshop: Workshop,
) -> Job:
    start = start.resolve()
    key = key_of(
        f"in-domain-{recipe.net}-s{seed}-f{fold}",
        *(tune.fit, seed, fold, digest_of_file(start), lessons.digest),
    )
    arguments = {
        "recipe": recipe,
        "tune": tune,
        "start": start,
        "seed": seed,
        "fold": fold,
        "data": workshop.data,
        "cache": workshop.cache.folder,
        "tuned": path_of(workshop.jobs, key).with_suffix(".safetensors"),
    }
    return Job(key, tune_job, arguments)
