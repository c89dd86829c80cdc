"""What wristlead costs: exact counts on an emulated microcontroller, ratios to other libraries here."""

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import (
    backends,
    beats,
    boards_table,
    codes,
    compare,
    frontend,
    frontend_report,
    host,
    kernels,
    recorded,
)
from benchmarks.mcu.image import COMPILERS, ZIG
from benchmarks.mcu.targets import COUNTED, M55, target
from device_sim.contract.cascade import read_application
from device_sim.contract.errors import ContractError
from device_sim.options import OneLineParser
from device_sim.runner import Backend
from device_sim.trace import write_whole

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
        case "codes":
            return _codes(args)
        case "boards":
            return _boards(args)
        case "frontend":
            return _frontend(args)
        case _:
            raise ContractError("wristlead bench: expected a bench or --compare A B; see --help")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="wristlead bench", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A", "B"), help="what differs between two recorded results"
    )
    bench = partial(
        parser.add_subparsers(dest="bench", metavar="BENCH").add_parser,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    one = bench(
        "frontend",
        help="the front end: instructions by stage, bytes, resamplers; times beside other libraries",
        description="What the front end costs, against its limits.",
    )
    one.add_argument("--mcu", action="store_true", help="only the emulated Cortex-M4")
    one.add_argument("--host", action="store_true", help="only this machine")
    one.add_argument("--json", type=Path, metavar="FILE", help="the same as one JSON object")
    bench(
        "beats",
        help="R peaks and beat windows: instructions, bytes",
        description="What the beat stage costs, against its limit.",
    )
    runtimes = bench(
        "backends",
        help="a bundle in every runtime of this machine: times beside the core, memory",
        description="What a window costs in every runtime, beside the core in the same run.",
    )
    runtimes.add_argument("bundle", type=Path, help="folder written by `wristlead export`")
    runtimes.add_argument("--rounds", type=int, default=backends.ROUNDS, metavar="N", help="default: 40")
    runtimes.add_argument("--json", type=Path, metavar="FILE", help="the same as one JSON object")
    layers = bench(
        "kernels",
        help="eight layers: instructions a MAC beside the reference",
        description="What a multiply-accumulate costs in eight layers, against the reference's figures.",
    )
    cores = [one.name for one in (*COUNTED, M55)]
    layers.add_argument("--target", choices=cores, default="cortex-m4", help="default: cortex-m4")
    layers.add_argument("--compiler", choices=COMPILERS, default=ZIG, help=f"default: {ZIG}")
    plain = bench(
        "codes",
        help="pools and additions: instructions a code",
        description="What a code of a layer that multiplies nothing costs.",
    )
    plain.add_argument(
        "--target", choices=[one.name for one in COUNTED], default="cortex-m4", help="default: cortex-m4"
    )
    plain.add_argument("--compiler", choices=COMPILERS, default=ZIG, help=f"default: {ZIG}")
    everywhere = bench(
        "boards",
        help="a bundle or a cascade on every board: bytes, load, battery days",
        description="What an application costs on every board that has a file.",
    )
    everywhere.add_argument("bundle", type=Path, help="folder written by `wristlead export`")
    everywhere.add_argument("--heart-rate", type=_bpm, default=200.0, metavar="BPM", help="default: 200")
    everywhere.add_argument("--battery", type=_mah, default=225.0, metavar="MAH", help="default: 225")
    for name, made in (("frontend", one), ("kernels", layers), ("codes", plain), ("boards", everywhere)):
        made.add_argument(
            "--record", action="store_true", help=f"append it to benchmarks/results/{name}.jsonl"
        )
    return parser


def _bpm(text: str) -> float:
    return _within(text, 20, 250, "beats a minute")


def _mah(text: str) -> float:
    return _within(text, 1, 1e6, "mAh")


def _within(text: str, low: float, high: float, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"expected {low:g}..{high:g} {unit}, got {text!r}")
    return value


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

    made = recorded.stamped("frontend", frontend_report.numbers(mcu, on_host))
    if args.json is not None:
        _write(args.json, made)
    if args.record:
        recorded.append(made)
    return 0 if mcu is None or all(limit.kept for limit in mcu.limits()) else 1


def _beats() -> int:
    cost = beats.measure()
    print(beats.text(cost))
    return 0 if all(limit.kept for limit in cost.limits()) else 1


def _kernels(args: argparse.Namespace) -> int:
    costs = kernels.measure(target(args.target), args.compiler)
    print(kernels.text(costs))
    if args.record:
        recorded.append(recorded.stamped("kernels", kernels.numbers(costs)))
    return 0 if all(cost.is_kept for cost in costs) else 1


def _codes(args: argparse.Namespace) -> int:
    costs = codes.measure(target(args.target), args.compiler)
    print(codes.text(costs))
    if args.record:
        recorded.append(recorded.stamped("codes", codes.numbers(costs)))
    return 0


def _boards(args: argparse.Namespace) -> int:
    application = read_application(args.bundle)
    found = boards_table.measure(application, args.heart_rate)
    print(boards_table.text(application, args.heart_rate, args.battery, found))
    if args.record:
        recorded.append(recorded.stamped("boards", boards_table.numbers(application, args.heart_rate, found)))
    return 0


def _backends(args: argparse.Namespace) -> int:
    if args.json is not None:
        _check_folder(args.json)
    if not 3 <= args.rounds <= 10_000:
        raise ContractError(f"--rounds: expected 3..10000, got {args.rounds}")
    table = backends.measure(args.bundle, tuple(Backend), rounds=args.rounds)
    print(backends.text(table))
    if args.json is not None:
        _write(args.json, backends.record(table))
    return 0


def _write(path: Path, made: Mapping[str, Any]) -> None:
    line = json.dumps(made) + "\n"
    write_whole(path, lambda stream: stream.write(line.encode()))


def _check_folder(path: Path) -> None:
    """Before the minutes of measuring, not after them."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ContractError(f"{path}: expected a file in a folder that exists")
