"""Train a recipe: every stage of its protocol, then its tables, its weights and what they stood on."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from training import natural70
from training.data import cinc2017, mitdb, nstdb
from training.figures import learning_curve, personal_pictures
from training.options import OneLineParser, add_options, workshop_of
from training.paper_recipe import PaperRecipe
from training.progress import teller
from training.protocols.external import judge_external, train_external
from training.protocols.external_figures import calibration_picture, roc_picture
from training.protocols.paper_quality import judge_paper, train_paper
from training.protocols.personal import run_personal, weights_path
from training.protocols.personal_report import measure
from training.protocols.strangers import StrangerRecipe, adapt_on_folds, train_strangers
from training.protocols.temporal import run_temporal
from training.provenance import write_json
from training.quality_recipe import ExternalRecipe
from training.quality_splits import NOISE_S
from training.recipe import FirstMinutesRecipe, PersonalRecipe, Recipe, read_recipe
from training.results_folder import ADAPTED_VERDICT, RESULTS, VERDICT, Results, tables_of
from training.splits import folds_of
from training.wearers import Wearer, wearers_of
from training.workshop import Workshop

SHOWN_RECORD = "203"  # whose curves the paper shows

EPILOG = """\
A finished job is a file under --cache: stop at any time and run the same command again. Progress goes to
stderr, tables to stdout. Exit code: 0 done, 2 the request or its input made no sense."""


def main(argv: Sequence[str]) -> int:
    """0 when the recipe's results stand in their folder."""
    parser = OneLineParser(prog="wristlead train", description=__doc__, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("recipe", type=Path, help="TOML, such as training/recipes/p1-paper.toml")
    parser.add_argument("--out", type=Path, help="results folder (default: training/results/NAME)")
    add_options(parser)
    arguments = parser.parse_args(argv)

    torch.set_num_threads(1)
    recipe = read_recipe(arguments.recipe)
    results = Results(
        folder=arguments.out or RESULTS / recipe.name, recipe_toml=arguments.recipe.read_bytes()
    )
    results.claim()
    workshop = workshop_of(arguments, teller(sys.stderr))
    train_recipe(recipe, results, workshop)
    print(tables_of(results.folder))
    print(f"\nwritten to {results.folder}", file=sys.stderr)
    return 0


def train_recipe(recipe: Recipe, results: Results, workshop: Workshop) -> None:
    if isinstance(recipe, PersonalRecipe):
        train_personal(recipe, results, workshop)
    elif isinstance(recipe, FirstMinutesRecipe):
        train_on_first_minutes(recipe, results, workshop)
    elif isinstance(recipe, ExternalRecipe):
        train_on_the_noise_bench(recipe, results, workshop)
    elif isinstance(recipe, PaperRecipe):
        train_papers_table(recipe, results, workshop)
    else:
        train_on_strangers(recipe, results, workshop)


def train_personal(recipe: PersonalRecipe, results: Results, workshop: Workshop) -> None:
    wearers = wearers_of(workshop, stream=recipe.stream, rule=recipe.rule, records=recipe.records)
    found = run_personal(recipe, wearers, workshop)
    first = recipe.seeds[0]
    metrics = measure(found, wearers, stream=recipe.stream, rule=recipe.rule, seeds=recipe.seeds)
    results.write(
        recipe,
        metrics,
        data={wearer.name: wearer.digest for wearer in wearers},
        licences={mitdb.SOURCE: mitdb.LICENCE},
        splits=_personal_splits(recipe, wearers),
        weights={f"pretrained-s{first}.safetensors": weights_path(recipe, wearers, workshop, first)},
    )
    shown = SHOWN_RECORD if SHOWN_RECORD in found.tuned_stage else wearers[0].name
    personal_pictures(results.folder, metrics, found.finals, shown)


def train_on_strangers(recipe: StrangerRecipe, results: Results, workshop: Workshop) -> None:
    trained, rule, metrics = train_strangers(recipe, workshop)
    write_json(results.folder / VERDICT, rule)
    results.write(
        recipe,
        metrics,
        data=trained.data,
        licences={mitdb.SOURCE: mitdb.LICENCE, nstdb.SOURCE: nstdb.LICENCE},
        splits={
            "train": recipe.train_records,
            "test": recipe.test_records,
            "folds": folds_of(recipe.train_records, recipe.n_folds),
        },
        weights={f"weights-s{seed}.safetensors": path for seed, path in trained.weights.items()},
    )
    if recipe.adapt is not None:
        adapted_rule, adapted = adapt_on_folds(recipe, trained, workshop)
        write_json(results.folder / ADAPTED_VERDICT, adapted_rule)
        write_json(results.folder / "p4-folds.json", adapted)
    for seed, curve in trained.curves.items():
        title = f"{recipe.name}, seed {seed}, all of the training side"
        learning_curve(results.folder / f"curve-s{seed}.png", [_row(epoch) for epoch in curve], title=title)


def train_on_first_minutes(recipe: FirstMinutesRecipe, results: Results, workshop: Workshop) -> None:
    trained, alone, tuned = run_temporal(recipe, workshop)
    write_json(results.folder / "p2-alone.json", alone)
    results.write(
        recipe,
        tuned,
        data=trained.data,
        licences={mitdb.SOURCE: mitdb.LICENCE, nstdb.SOURCE: nstdb.LICENCE},
        splits={
            "folds": folds_of(recipe.records, recipe.n_folds),
            "first_s": recipe.adapt.first_s,
        },
        weights={},
    )


def train_on_the_noise_bench(recipe: ExternalRecipe, results: Results, workshop: Workshop) -> None:
    """Trained without CinC 2017; `metrics.json` is external-dev, which chooses between recipes."""
    trained = train_external(recipe, workshop)
    metrics = judge_external(recipe, trained.weights, "external-dev", workshop)
    results.write(
        recipe,
        metrics,
        data=trained.data,
        licences={room.SOURCE: room.LICENCE for room in (mitdb, nstdb, cinc2017)},
        splits={
            "train": recipe.train_records,
            "validation": recipe.validation_records,
            "noise seconds": NOISE_S,
            "external": "quality_splits.external_side(name)",
        },
        weights={f"weights-s{seed}.safetensors": path for seed, path in trained.weights.items()},
    )
    roc_picture(results.folder / "roc-dev.png", metrics)
    calibration_picture(results.folder / "calibration-dev.png", metrics)


def train_papers_table(recipe: PaperRecipe, results: Results, workshop: Workshop) -> None:
    """Every net of paper 000's table on external-dev; the light nets' first seeds are kept beside it."""
    trained = train_paper(recipe, workshop)
    metrics = judge_paper(recipe, trained, "external-dev", workshop)
    results.write(
        recipe,
        metrics,
        data=trained.data,
        licences={room.SOURCE: room.LICENCE for room in (mitdb, nstdb, cinc2017, natural70)},
        splits={
            "train": recipe.train_records,
            "validation": recipe.validation_records,
            "noise seconds": NOISE_S,
            "external": "quality_splits.external_side(name)",
        },
        weights={one.file_name: one.weights for one in trained.nets if one.is_kept},
        init="; ".join(dict.fromkeys(one.init for one in trained.nets)),
    )


def _row(epoch: Mapping[str, Any]) -> tuple[float, float, float, float]:
    return (
        epoch["train_loss"],
        epoch["validation_loss"],
        epoch["train_balanced_accuracy"],
        epoch["validation_balanced_accuracy"],
    )


def _personal_splits(recipe: PersonalRecipe, wearers: Sequence[Wearer]) -> dict[str, object]:
    """Lists are long: which windows test is written out, the rest follows from the seeds."""
    first = recipe.seeds[0]
    return {
        "split_seed": recipe.split_seed,
        "test": {wearer.name: wearer.parts(recipe.split_seed, first).test.tolist() for wearer in wearers},
        "validation": "splits.split_record(labels, split_seed, seed), one draw per seed",
    }
