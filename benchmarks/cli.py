"""What wristlead costs: exact counts on an emulated microcontroller, ratios to other libraries here."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import backends, beats, compare, frontend, frontend_report, host, kernels
from benchmarks.mcu.image import COMPILERS, ZIG
from benchmarks.mcu.targets import COUNTED, M55, target
from device_sim.contract.errors import ContractError
from device_sim.options import OneLineParser
from device_sim.runner import Backend

RESULTS = Path(__file__).resolve().parent / "results"
EPILOG = """\
Counts and bytes are exact: the same on every machine, under every load. Times on this machine are ratios to
a peer in the same run, and no gate.
Exit code: 0 done, 1 a limit was broken, 2 the request made no sense or a package is missing."""


def main(argv: Sequence[str]) -> int:
    """0 when every limit is kept."""
    args = _parser().parse_args(argv)
    if args.compare is not None:
        if args.bench is not None:
            raise ContractError("wristlead bench: --compare takes two files and no bench")
        print(compare.text(*args.compare))
        return 0
    match args.bench:
        case "backends":
            return _backends(args)
        case "beats":
            return _beats()
        case "kernels":
            return _kernels(args)
        case "frontend":
            return _frontend(args)
        case _:
            raise ContractError("wristlead bench: expected a bench or --compare A B; see --help")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="wristlead bench", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A", "B"), help="what differs between two recorded results"
    )
    benches = parser.add_subparsers(dest="bench", metavar="BENCH")
    one = benches.add_parser(
        "frontend",
        help="the front end: instructions by stage, bytes, resamplers; times beside other libraries",
        description="What the front end costs, against its limits.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    one.add_argument("--mcu", action="store_true", help="only the emulated Cortex-M4")
    one.add_argument("--host", action="store_true", help="only this machine")
    one.add_argument("--json", type=Path, metavar="FILE", help="the same as one JSON object")
    one.add_argument(
        "--record", action="store_true", help=f"append it to benchmarks/results/{one_file().name}"
    )
    benches.add_parser(
        "beats",
        help="R peaks and beat windows: instructions, bytes",
        description="What the beat stage costs, against its limit.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    runtimes = benches.add_parser(
        "backends",
        help="a bundle in every runtime of this machine: times beside the core, memory",
        description="What a window costs in every runtime, beside the core in the same run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    runtimes.add_argument("bundle", type=Path, help="folder written by `wristlead export`")
    runtimes.add_argument("--rounds", type=int, default=backends.ROUNDS, metavar="N", help="default: 40")
    runtimes.add_argument("--json", type=Path, metavar="FILE", help="the same as one JSON object")
    layers = benches.add_parser(
        "kernels",
        help="eight layers: instructions a MAC beside the reference",
        description="What a multiply-accumulate costs in eight layers, against the reference's figures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    cores = [one.name for one in (*COUNTED, M55)]
    layers.add_argument("--target", choices=cores, default="cortex-m4", help="default: cortex-m4")
    layers.add_argument("--compiler", choices=COMPILERS, default=ZIG, help=f"default: {ZIG}")
    layers.add_argument("--record", action="store_true", help="append it to benchmarks/results/kernels.jsonl")
    return parser


def one_file() -> Path:
    return RESULTS / "frontend.jsonl"


def _frontend(args: argparse.Namespace) -> int:
    if args.json is not None:
        _check_folder(args.json)
    everything = not args.mcu and not args.host
    mcu = frontend.measure() if args.mcu or everything else None
    on_host = host.measure() if args.host or everything else None
    if mcu is not None:
        print(frontend_report.mcu_text(mcu))
    if on_host is not None:
        print(("\n" if mcu is not None else "") + frontend_report.host_text(on_host))

    line = frontend_report.json_line(frontend_report.record(mcu, on_host)) + "\n"
    if args.json is not None:
        args.json.write_text(line, encoding="utf-8")
    if args.record:
        RESULTS.mkdir(exist_ok=True)
        with one_file().open("a", encoding="utf-8") as file:
            file.write(line)
    return 0 if mcu is None or all(limit.kept for limit in mcu.limits()) else 1


def _beats() -> int:
    cost = beats.measure()
    print(beats.text(cost))
    return 0 if all(limit.kept for limit in cost.limits()) else 1


def _kernels(args: argparse.Namespace) -> int:
    costs = kernels.measure(target(args.target), args.compiler)
    print(kernels.text(costs))
    if args.record:
        with (RESULTS / "kernels.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(kernels.record(costs)) + "\n")
    return 0 if all(cost.is_kept for cost in costs) else 1


def _backends(args: argparse.Namespace) -> int:
    if args.json is not None:
        _check_folder(args.json)
    if not 3 <= args.rounds <= 10_000:
        raise ContractError(f"--rounds: expected 3..10000, got {args.rounds}")
    table = backends.measure(args.bundle, tuple(Backend), rounds=args.rounds)
    print(backends.text(table))
    if args.json is not None:
        args.json.write_text(json.dumps(backends.record(table)) + "\n", encoding="utf-8")
    return 0


def _check_folder(path: Path) -> None:
    """Before the minutes of measuring, not after them."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ContractError(f"{path}: expected a file in a folder that exists")
