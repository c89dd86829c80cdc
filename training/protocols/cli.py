"""Judge finished weights on the side nobody trained on, or print a results folder's tables again."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from device_sim.contract.errors import ContractError, StreamError
from training.checkpoint import read_checkpoint
from training.options import OneLineParser, add_options, workshop_of
from training.paper_recipe import PaperRecipe
from training.progress import teller
from training.protocols.external import judge_external
from training.protocols.external_figures import calibration_picture, roc_picture
from training.protocols.external_report import ExternalMetrics
from training.protocols.in_domain import Extent, judge_in_domain, tune_recipe
from training.protocols.nst import judge_nst
from training.protocols.paper_opening import open_papers_table
from training.protocols.strangers import judge_adapted, judge_strangers
from training.protocols.strangers_report import StrangerMetrics
from training.protocols.trade_off import read_trade_off, trade_off_picture
from training.protocols.trade_off import render as render_trade_off
from training.protocols.verdict_rule import VerdictRule
from training.provenance import digest_of_file, write_json
from training.quality_recipe import ExternalRecipe
from training.recipe import BeatRecipe, BlindRecipe, Recipe, read_recipe
from training.results_folder import (
    ADAPTED_VERDICT,
    EXTERNAL_TEST,
    IN_DOMAIN,
    IN_DOMAIN_DEV,
    METRICS,
    NST,
    OPENINGS,
    RECIPE,
    RESULTS,
    VERDICT,
    Metrics,
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

QUALITY_PROTOCOLS = {  # and the file each writes
    "external": EXTERNAL_TEST,
    "in_domain": IN_DOMAIN,
    "in_domain-dev": IN_DOMAIN_DEV,
    "nst": NST,
}
TUNED_PROTOCOLS = ("in_domain", "in_domain-dev")
PROTOCOLS = ("P3", "P4", *QUALITY_PROTOCOLS)
EPILOG = """\
CHECKPOINT is a results folder of `wristlead train`, or one .safetensors in it. Without --protocol its
tables are printed again. With it the test side is opened: once per final net, each opening logged.
Of quality nets: external (CinC 2017's test part), nst (118 and 119 under noise), in_domain (five folds by
recording, each net tuned on the other four as --tune says; in_domain-dev judges external-dev alone, which is
no opening)."""


def main(argv: Sequence[str]) -> int:
    parser = OneLineParser(prog="wristlead evaluate", description=__doc__, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument(
        "checkpoint",
        type=Path,
        nargs="+",
        help="results folder, or a .safetensors in one; many with --picture",
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="AUC against MAC of the folders' quality nets (.png)"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, help="which test side to open")
    parser.add_argument(
        "--tune",
        type=Path,
        metavar="RECIPE",
        help="how in_domain tunes, .toml (default: [tune] of the folder's recipe)",
    )
    parser.add_argument(
        "--openings",
        type=Path,
        default=RESULTS / OPENINGS,
        help="log of openings (default: training/results/openings.jsonl)",
    )
    add_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.picture is not None:
        return _picture(arguments.picture, arguments.checkpoint, arguments.protocol)
    if len(arguments.checkpoint) > 1:
        raise ContractError(f"{parser.prog}: expected one CHECKPOINT without --picture, got more")
    if arguments.tune is not None and arguments.protocol not in TUNED_PROTOCOLS:
        raise ContractError(
            f"{parser.prog}: --tune: expected it with --protocol {' or '.join(TUNED_PROTOCOLS)}"
        )
    (checkpoint,) = arguments.checkpoint
    if not checkpoint.exists():
        raise StreamError(f"{checkpoint}: expected a results folder or weights in one, there is nothing")
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    if folder != checkpoint and not (folder / RECIPE).is_file():
        raise StreamError(
            f"{checkpoint}: expected a results folder of `wristlead train`, or weights in one; got neither"
        )
    if arguments.protocol is None:
        print(tables_of(folder))
        return 0
    torch.set_num_threads(1)
    recipe = read_recipe(folder / RECIPE)
    if isinstance(recipe, PaperRecipe):
        workshop = workshop_of(arguments, teller(sys.stderr))
        print(render(open_papers_table(folder, recipe, arguments.protocol, arguments.openings, workshop)))
        return 0
    weights = _weights(checkpoint, recipe)
    workshop = workshop_of(arguments, teller(sys.stderr))
    metrics: Metrics
    rule: Path | None = None
    if arguments.protocol in QUALITY_PROTOCOLS:
        rule = arguments.tune
        metrics = _judge_quality(folder, recipe, weights, workshop, arguments.protocol, rule)
        written = QUALITY_PROTOCOLS[arguments.protocol]
    else:
        rule = folder / (VERDICT if arguments.protocol == "P3" else ADAPTED_VERDICT)
        metrics = _judge(recipe, weights, rule, workshop, arguments.protocol)
        written = f"{arguments.protocol.lower()}-ds2.json"
    if arguments.protocol != "in_domain-dev":  # everybody looks at dev
        log_opening(
            arguments.openings,
            recipe=recipe.name,
            protocol=arguments.protocol,
            weights_sha256=[digest_of_file(path) for path in weights.values()],
            rule=rule,
        )
        print(f"opening logged in {arguments.openings}", file=sys.stderr)
    write_json(folder / written, metrics)
    if arguments.protocol == "external":
        assert isinstance(metrics, ExternalMetrics)
        roc_picture(folder / "roc-test.png", metrics)
        calibration_picture(folder / "calibration-test.png", metrics)
    print(render(metrics))
    return 0


def _picture(path: Path, folders: Sequence[Path], protocol: str | None) -> int:
    """From what is written down: nothing is opened."""
    if protocol is not None:
        raise ContractError("wristlead evaluate: --picture: expected it without --protocol")
    if path.suffix != ".png":
        raise ContractError(f"{path}: --picture: expected a .png")
    found = read_trade_off(folders)
    trade_off_picture(path, found)
    print(render_trade_off(found))
    print(f"wrote {path}", file=sys.stderr)
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
    recipe: Recipe, weights: dict[int, Path], rule: Path, workshop: Workshop, protocol: str
) -> StrangerMetrics:
    """Every weight compared with what the run wrote down before a recording of the test side is read."""
    if not isinstance(recipe, BlindRecipe | BeatRecipe):
        raise ContractError(
            f"{rule.parent}: {protocol}: expected a recipe that trains on DS1, got {recipe.protocol}"
        )
    for path in weights.values():
        read_checkpoint(path, recipe.net)
    check_weights(rule.parent, [path.name for path in weights.values()])
    chosen = build(VerdictRule, without_nulls(read_json(rule)), where=str(rule))
    judge = judge_strangers if protocol == "P3" else judge_adapted
    return judge(recipe, weights, chosen, workshop)


def _judge_quality(
    folder: Path,
    recipe: Recipe,
    weights: dict[int, Path],
    workshop: Workshop,
    protocol: str,
    tune: Path | None,
) -> Metrics:
    """With the thresholds that stand in `metrics.json`: nothing is chosen on a test side."""
    if not isinstance(recipe, ExternalRecipe):
        raise ContractError(
            f"{folder}: {protocol}: expected a recipe of protocol external, got {recipe.protocol}"
        )
    check_weights(folder, [path.name for path in weights.values()])
    dev = read_metrics(folder / METRICS)
    assert isinstance(dev, ExternalMetrics)
    if protocol == "nst":
        return judge_nst(recipe, weights, dev.thresholds, workshop)
    if protocol == "external":
        return judge_external(recipe, weights, "external-test", workshop, known=dev)
    extent: Extent = "all recordings" if protocol == "in_domain" else "external-dev"
    return judge_in_domain(recipe, tune_recipe(recipe, tune), weights, extent, workshop)
