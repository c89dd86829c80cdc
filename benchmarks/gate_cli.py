"""Holds a bundle's exact cost and its accuracy against a budget and a committed baseline."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks import bundle_cost, gate, gate_report
from benchmarks.baseline import Baseline, read_baseline
from benchmarks.budget_file import read_budget
from benchmarks.bundle_cost import BundleCost
from benchmarks.gate import Judgement
from benchmarks.mcu.device import Application
from benchmarks.mcu.image import COMPILERS, ZIG
from benchmarks.mcu.targets import target
from device_sim.contract.cascade import bundles_of, read_application
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.fields import parse
from device_sim.contract.manifest import graph_sha256
from device_sim.contract.metrics import Metrics, metrics_from_json
from device_sim.options import OneLineParser
from device_sim.trace import write_whole

EPILOG = """\
Instructions, bytes of flash, RAM, arena and stack are counted on emulated cores: the same on every machine
and under every load, so nothing may drift unless the budget says so. Accuracy is read from the bundle's
figures, which are bound to its graph's hash, or from --measured.
Exit code: 0 kept, 1 a metric is over its budget or behind its baseline, 2 the request made no sense."""


def main(argv: Sequence[str]) -> int:
    args = _parser().parse_args(argv)
    _check(args)
    application, budget = read_application(args.bundle), read_budget(args.budget)
    before = _baseline(args)
    remeasured = [_remeasured(path, application) for path in args.measured]
    costs = [
        bundle_cost.measure(application, target(core), compiler=args.compiler) for core in budget.targets
    ]
    if before is not None:
        gate.check_comparable(args.baseline, application.name, costs, before)
    judgement = gate.judge(application, costs, budget, before, remeasured)
    _say(judgement, args)
    return _update(judgement, costs, before, args) if args.update else int(bool(judgement.broken))


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="wristlead gate",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("bundle", type=Path, help="folder written by `wristlead export`")
    parser.add_argument("--budget", type=Path, required=True, metavar="FILE", help="TOML: limits by core")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="JSON: what it cost when last agreed")
    parser.add_argument(
        "--measured",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="JSON: figures measured now (wristlead measure), bound to a graph's hash; once for each network",
    )
    parser.add_argument("--compiler", choices=COMPILERS, default=ZIG, help=f"default: {ZIG}")
    group = parser.add_argument_group("the baseline")
    group.add_argument(
        "--update", action="store_true", help="write down what is better; refuses what is worse"
    )
    group.add_argument("--allow-worse", metavar="REASON", help="write it down all the same, with the reason")
    group = parser.add_argument_group("reports")
    group.add_argument("--json", type=Path, metavar="FILE", help="everything")
    group.add_argument(
        "--smaller",
        type=Path,
        metavar="FILE",
        help="the list that github-action-benchmark reads (customSmallerIsBetter)",
    )
    group.add_argument("--junit", type=Path, metavar="FILE", help="a test case for every metric")
    return parser


def _check(args: argparse.Namespace) -> None:
    """Before the seconds of building."""
    if args.update and args.baseline is None:
        raise ContractError("wristlead gate: --update writes the file of --baseline; name one")
    if args.allow_worse is not None and not (args.update and args.allow_worse.strip()):
        raise ContractError("wristlead gate: --allow-worse belongs to --update and needs a reason")
    for path in (args.json, args.smaller, args.junit, args.baseline if args.update else None):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise ContractError(f"{path}: expected a file in a folder that exists")


def _baseline(args: argparse.Namespace) -> Baseline | None:
    if args.baseline is None or (args.update and not args.baseline.exists()):
        return None
    return read_baseline(args.baseline)


def _remeasured(path: Path, application: Application) -> Metrics:
    """Figures of exactly one of its graphs."""
    try:
        metrics = metrics_from_json(parse(path.read_bytes(), str(path)))
    except OSError as error:
        raise ContractError(f"{path}: expected measured figures, found none ({error.strerror})") from None
    graphs = {graph_sha256(bundle.graph): bundle.name for bundle in bundles_of(application)}
    if metrics.graph_sha256 not in graphs:
        known = ", ".join(f"{digest[:12]}.. ({name})" for digest, name in graphs.items())
        raise DigestError(f"{path}: graph_sha256: expected {known}, got {metrics.graph_sha256[:12]}..")
    return metrics


def _say(judgement: Judgement, args: argparse.Namespace) -> None:
    print(gate_report.text(judgement))
    for path, made in (
        (args.json, gate_report.json_text),
        (args.smaller, gate_report.smaller_is_better),
        (args.junit, gate_report.junit),
    ):
        if path is not None:
            text = made(judgement).encode()
            write_whole(path, lambda stream, text=text: stream.write(text))  # type: ignore[misc]
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in gate_report.annotations(judgement, str(args.budget)):
            print(line)
        page = os.environ.get("GITHUB_STEP_SUMMARY")
        if page:
            with open(page, "a", encoding="utf-8") as file:
                file.write(gate_report.summary(judgement))


def _update(
    judgement: Judgement, costs: Sequence[BundleCost], before: Baseline | None, args: argparse.Namespace
) -> int:
    """Down by itself, up only with a reason, over a budget never."""
    over = [row for row in judgement.broken if row.state is gate.State.OVER]
    if over or (judgement.broken and not args.allow_worse):
        why = "over its budget" if over else "worse than the baseline; --allow-worse REASON writes it down"
        print(f"{args.baseline}: not written: {len(judgement.broken)} metrics are {why}")
        return 1
    if before is None:
        gate.first_baseline(judgement, costs).write(args.baseline)
    else:
        gate.lowered_baseline(judgement, before, args.allow_worse or "").write(args.baseline)
    print(f"{args.baseline}: written")
    return 0
