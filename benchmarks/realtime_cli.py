"""A recording in real time on a board, modelled from counted instructions: what comes late, what is lost."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import board_cost, realtime_here, realtime_text
from benchmarks.board_cost import COLUMN_S, BoardCost
from benchmarks.budget_file import read_budget
from benchmarks.mcu.image import COMPILERS, ZIG
from benchmarks.realtime import Work, play
from benchmarks.realtime_dues import asked_of
from device_sim import options
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import bundles_of, read_application
from device_sim.contract.errors import ContractError
from device_sim.fingerprint import check_frontend
from device_sim.pipeline import verdict_of

RING_SAMPLES = 256
DEADLINE_MS = 1000.0  # a stride: the next verdict is due
# Into the handler, a sample from a register to the ring, out again: the driver is the product's, so assumed.
INTERRUPT_CYCLES = {"low": 40.0, "high": 80.0}
USUAL = {"ring": RING_SAMPLES, "cycles": "high", "battery": 225.0, "compiler": ZIG}  # of a board
EPILOG = """\
Cycles are modelled from instructions counted on the emulated core, as by `wristlead mcu cost`, at one end of
their interval. Networks run to their end; samples wait in the ring meanwhile. Late is what is not said within
the deadline after the sample that completes it; what the algorithm waits for is apart.
Exit code: 0 kept, 1 late, lost or over the budget (a line each), 2 the request made no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What the device is, beside its board."""

    ring_samples: int
    deadline_s: float
    end: str  # of the interval of cycles
    battery_mah: float


def main(argv: Sequence[str]) -> int:
    args = _parser().parse_args(argv)
    if args.here:
        return _here(args)
    for name, usual in USUAL.items():
        if getattr(args, name) is None:
            setattr(args, name, usual)
    board = board_cost.board_named(args.board)
    if args.clock is not None:
        board = replace(board, clock_hz=_hertz(args.clock))
    budget = read_budget(args.budget).realtime if args.budget else {}
    asking = _asking(args)
    source = options.source_of(args)
    applications = [read_application(path) for path in args.bundle]
    bundles = [bundle for one in applications for bundle in bundles_of(one)]
    cost = board_cost.measure(applications, board, compiler=args.compiler, rate_hz=source.rate_hz)
    for bundle in bundles:
        check_frontend(bundle)
    asked = asked_of(source, applications, args.seconds)
    played = play(
        asked.dues,
        work_of(cost, bundles, source.rate_hz, asking.end),
        n_samples=asked.n_samples,
        rate_hz=source.rate_hz,
        clock_hz=board.clock_hz,
        ring_samples=asking.ring_samples,
    )
    told = realtime_text.Told(
        source=source.name, rate_hz=source.rate_hz, cost=cost, played=played,
        ring_samples=asking.ring_samples, deadline_s=asking.deadline_s, end=asking.end,
    )  # fmt: skip
    print(realtime_text.text(told, asking.battery_mah))
    breaches = realtime_text.breaches(told, budget)
    for line in breaches:
        print(line)
    return int(bool(breaches))


def _here(args: argparse.Namespace) -> int:
    """By this machine's clock: late verdicts are said, and no gate is held by a clock."""
    options.refuse(args, (*USUAL, "clock", "budget"), "--here", command="wristlead replay")
    deadline_s, source = _deadline_s(args), options.source_of(args)
    applications = [read_application(path) for path in args.bundle]
    names = [bundle.name for one in applications for bundle in bundles_of(one)]
    measured = realtime_here.measure(source, applications, args.seconds)
    print(realtime_here.text(measured, names, source.name, deadline_s))
    return int(measured.n_late(deadline_s) > 0)


def work_of(cost: BoardCost, bundles: Sequence[Bundle], rate_hz: int, end: str) -> Work:
    """One end of every interval."""
    return Work(
        a_sample={stage: getattr(spent, end) / rate_hz for stage, spent in cost.stages.items()},
        interrupt=INTERRUPT_CYCLES[end],
        networks={one.name: getattr(one.window, end) for one in cost.networks},
        most_lost_s={one.name: verdict_of(one).flag_limits.get("gap", 0) * COLUMN_S for one in bundles},
    )


def _parser() -> argparse.ArgumentParser:
    parser = options.OneLineParser(
        prog="wristlead replay",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "bundle", type=Path, nargs="+", help="folder written by `wristlead export`; several share a device"
    )
    group = parser.add_argument_group("the device")
    place = group.add_mutually_exclusive_group(required=True)
    place.add_argument("--board", metavar="B", help="see `wristlead mcu boards`, or TOML")
    place.add_argument("--here", action="store_true", help="this machine, by its clock; memory too")
    group.add_argument("--clock", metavar="MHZ", help="core clock (default: the board's)")
    group.add_argument(
        "--ring", type=int, metavar="N", help="samples that wait for the core at most (default: 256)"
    )
    group.add_argument(
        "--cycles", choices=INTERRUPT_CYCLES, help="end of the modelled interval (default: high)"
    )
    group.add_argument("--battery", type=float, metavar="MAH", help="default: 225, a CR2032")
    group.add_argument("--compiler", choices=COMPILERS, help=f"default: {ZIG}")
    group = parser.add_argument_group("what it must keep")
    group.add_argument(
        "--deadline", type=float, default=DEADLINE_MS, metavar="MS", help="for every verdict (default: 1000)"
    )
    group.add_argument("--budget", type=Path, metavar="FILE", help="TOML with a table [realtime]")
    source = parser.add_argument_group("source, one of")
    source.add_argument("--synthetic", action="store_true", help="the built-in generator")
    source.add_argument("--file", type=Path, help="a recording, as `wristlead run` reads it")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after N seconds (synthetic: 30)")
    options.add_file_options(parser)
    options.add_scene_options(parser)
    parser.set_defaults(port=None, stdin=None, baud=None, wait=None, unpaced=None)
    return parser


def _hertz(text: str) -> int:
    try:
        hertz = round(float(text) * 1e6)
    except (ValueError, OverflowError):
        hertz = 0
    if not 1 <= hertz <= 10**11:
        raise ContractError(f"--clock: expected MHz above 0, got {text[:40]!r}")
    return hertz


def _deadline_s(args: argparse.Namespace) -> float:
    for name in ("deadline", "battery", "seconds"):
        value = getattr(args, name)
        if value is not None and not 0 < value < float("inf"):
            raise ContractError(f"--{name}: expected a number above 0, got {value:g}")
    return float(args.deadline) / 1000


def _asking(args: argparse.Namespace) -> Asking:
    return Asking(
        ring_samples=args.ring,
        deadline_s=_deadline_s(args),
        end=args.cycles,
        battery_mah=args.battery,
    )
