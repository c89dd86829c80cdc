"""Judge finished weights on the side nobody trained on, or print a results folder's tables again."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from device_sim.contract.errors import ContractError
from training.checkpoint import read_checkpoint
from training.options import OneLineParser, add_options, workshop_of
from training.progress import teller
from training.protocols.external import judge_external
from training.protocols.external_figures import roc_picture
from training.protocols.external_report import ExternalMetrics
from training.protocols.strangers import judge_adapted, judge_strangers
from training.protocols.strangers_report import StrangerMetrics
from training.protocols.verdict_rule import VerdictRule
from training.provenance import digest_of_file, write_json
from training.quality_recipe import ExternalRecipe
from training.recipe import BeatRecipe, BlindRecipe, Recipe, read_recipe
from training.results_folder import (
    ADAPTED_VERDICT,
    EXTERNAL_TEST,
    METRICS,
    OPENINGS,
    RECIPE,
    RESULTS,
    VERDICT,
    check_weights,
    log_opening,
    read_json,
    read_metrics,
    render,
    tables_of,
    without_nulls,
)
from training.tables import build
from training.workshop import Workshop

EPILOG = """\
CHECKPOINT is a results folder of `wristlead train`, or one .safetensors in it. Without --protocol its
tables are printed again. With it the test side is opened: once per final net, each opening logged."""


def main(argv: Sequence[str]) -> int:
    parser = OneLineParser(prog="wristlead evaluate", description=__doc__, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("checkpoint", type=Path, help="results folder, or a .safetensors in one")
    parser.add_argument("--protocol", choices=("P3", "P4", "external"), help="which test side to open")
    parser.add_argument("--openings", type=Path, default=RESULTS / OPENINGS, help="log of openings")
    add_options(parser)
    arguments = parser.parse_args(argv)
    folder = arguments.checkpoint if arguments.checkpoint.is_dir() else arguments.checkpoint.parent
    if arguments.protocol is None:
        print(tables_of(folder))
        return 0
    torch.set_num_threads(1)
    recipe = read_recipe(folder / RECIPE)
    weights = _weights(arguments.checkpoint, recipe)
    workshop = workshop_of(arguments, teller(sys.stderr))
    metrics: ExternalMetrics | StrangerMetrics
    if arguments.protocol == "external":
        metrics, written = _judge_external(folder, recipe, weights, workshop), EXTERNAL_TEST
    else:
        metrics = _judge(folder, recipe, weights, workshop, arguments.protocol)
        written = f"{arguments.protocol.lower()}-ds2.json"
    log_opening(
        arguments.openings,
        recipe=recipe.name,
        protocol=arguments.protocol,
        weights_sha256=[digest_of_file(path) for path in weights.values()],
    )
    write_json(folder / written, metrics)
    if isinstance(metrics, ExternalMetrics):
        roc_picture(folder / "roc-test.png", metrics)
    print(render(metrics))
    print(f"\nopening logged in {arguments.openings}", file=sys.stderr)
    return 0


def _weights(checkpoint: Path, recipe: Recipe) -> dict[int, Path]:
    """Seed -> file: all of a folder's, or the one that was named."""
    if checkpoint.is_dir():
        return {seed: checkpoint / f"weights-s{seed}.safetensors" for seed in recipe.seeds}
    for seed in recipe.seeds:
        if checkpoint.name == f"weights-s{seed}.safetensors":
            return {seed: checkpoint}
    raise ContractError(f"{checkpoint}: expected weights-sSEED.safetensors of {recipe.name}")


def _judge(
    folder: Path, recipe: Recipe, weights: dict[int, Path], workshop: Workshop, protocol: str
) -> StrangerMetrics:
    """Every weight compared with what the run wrote down before a recording of the test side is read."""
    if not isinstance(recipe, BlindRecipe | BeatRecipe):
        raise ContractError(
            f"{folder}: {protocol}: expected a recipe that trains on DS1, got {recipe.protocol}"
        )
    for path in weights.values():
        read_checkpoint(path, recipe.net)
    check_weights(folder, [path.name for path in weights.values()])
    path = folder / (VERDICT if protocol == "P3" else ADAPTED_VERDICT)
    rule = build(VerdictRule, without_nulls(read_json(path)), where=str(path))
    judge = judge_strangers if protocol == "P3" else judge_adapted
    return judge(recipe, weights, rule, workshop)


def _judge_external(
    folder: Path, recipe: Recipe, weights: dict[int, Path], workshop: Workshop
) -> ExternalMetrics:
    """With the thresholds that stand in `metrics.json`: nothing is chosen on external-test."""
    if not isinstance(recipe, ExternalRecipe):
        raise ContractError(
            f"{folder}: external: expected a recipe of protocol external, got {recipe.protocol}"
        )
    check_weights(folder, [path.name for path in weights.values()])
    dev = read_metrics(folder / METRICS)
    assert isinstance(dev, ExternalMetrics)
    return judge_external(recipe, weights, "external-test", workshop, known=dev.thresholds)
