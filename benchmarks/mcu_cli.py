"""Images for boards, what they cost there, and whether every core gives this machine's bytes."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import board_cost
from benchmarks.mcu import check, device, link, qemu
from benchmarks.mcu.image import COMPILERS, ZIG
from benchmarks.mcu.serve import serve
from benchmarks.mcu.targets import target
from benchmarks.sheet import sheet
from device_sim.contract.cascade import bundles_of, read_application
from device_sim.contract.errors import ContractError
from device_sim.link_serve import KINDS, open_stand
from device_sim.options import OneLineParser
from device_sim.trace import write_whole

EPILOG = """\
Bytes and instructions are exact. Cycles, load, energy and battery days are modelled from them and from what a
board's file says; no board was measured.
Exit code: 0 done, 1 a check failed, 2 the request made no sense or a tool is missing."""


def main(argv: Sequence[str]) -> int:
    args = _parser().parse_args(argv)
    match args.what:
        case "boards":
            return _boards()
        case "build":
            return _build(args)
        case "cost":
            return _cost(args)
        case "link":
            return _link(args)
        case _:
            return _check(args)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="wristlead mcu", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="what", metavar="WHAT", required=True)

    def command(name: str, about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=about,
            description=about,
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name != "boards":
            made.add_argument(
                "bundle",
                type=Path,
                nargs="+" if name == "cost" else None,
                help="folder written by `wristlead export`" + ("; several share a device" * (name == "cost")),
            )
            made.add_argument("--compiler", choices=COMPILERS, default=ZIG, help=f"default: {ZIG}")
        if name in ("build", "cost"):
            made.add_argument(
                "--board", required=True, metavar="B", help="see `wristlead mcu boards`, or TOML"
            )
        return made

    command("boards", "boards that have a file")
    build = command("build", "the image of a whole device, and its sizes by section and by object")
    build.add_argument("--out", type=Path, metavar="FILE", help="keep the image here")
    cost = command("cost", "memory, modelled load, delays and battery days on a board")
    cost.add_argument("--heart-rate", type=float, default=70.0, metavar="BPM", help="default: 70")
    cost.add_argument("--battery", type=float, default=225.0, metavar="MAH", help="default: 225, a CR2032")
    linked = command("link", "an emulated Cortex-M4 with this bundle on a port, to run and to verify")
    where = linked.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", help=KINDS)
    where.add_argument("--out", type=Path, metavar="FILE", help="its image, for QEMU's mps2-an386")
    command("check", "every vector on every emulated core, against this machine's bytes")
    return parser


def _boards() -> int:
    rows = []
    for name in board_cost.board_names():
        board = board_cost.board_named(name)
        sizes = (f"{board.clock_hz / 1e6:g}", f"{board.flash_bytes >> 10:,}", f"{board.ram_bytes >> 10:,}")
        currents = "-" if board.power is None else board.power.standing
        rows.append((name, board.core or "memory only", *sizes, currents))
    print(sheet("Boards", ("name", "core", "MHz", "flash KiB", "RAM KiB", "currents"), rows))
    return 0


def _build(args: argparse.Namespace) -> int:
    _check_out(args.out)
    board, application = board_cost.board_named(args.board), read_application(args.bundle)
    if not board.core:
        raise ContractError(f"{board.name}: no compiler here builds for its cores")
    core = target(board.core)
    with tempfile.TemporaryDirectory() as folder:
        if not core.is_mcu:
            library = device.build_library(application, Path(folder), core, compiler=args.compiler)
            print(
                f"{application.name} for {board.name}: a shared library of {library.stat().st_size:,} bytes"
            )
            _keep(library, args.out)
            return 0
        built = device.build(
            application,
            Path(folder),
            core,
            compiler=args.compiler,
            memory=board_cost.memory_of(board),
        )
        stack = device.stack_bytes(application, Path(folder), core, compiler=args.compiler)
        print(device.sizes_text(built, device.sizes_of(built, stack), board.name))
        _keep(built.path, args.out)
    return 0


def _check_out(out: Path | None) -> None:
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise ContractError(f"{out}: expected a file in a folder that exists")


def _keep(path: Path, out: Path | None) -> None:
    if out is not None:
        write_whole(out, lambda stream: stream.write(path.read_bytes()))
        print(f"{out}: written")


def _cost(args: argparse.Namespace) -> int:
    board, parts = board_cost.board_named(args.board), [read_application(path) for path in args.bundle]
    if not 20 <= args.heart_rate <= 250 or not 0 < args.battery < float("inf"):
        raise ContractError("wristlead mcu cost: expected 20..250 beats a minute and a battery above 0 mAh")
    cost = board_cost.measure(parts, board, heart_rate_bpm=args.heart_rate, compiler=args.compiler)
    print(board_cost.text(cost, args.battery))
    return 0


def _link(args: argparse.Namespace) -> int:
    _check_out(args.out)
    application = read_application(args.bundle)
    with tempfile.TemporaryDirectory() as folder:
        if args.out is not None:
            built = link.build(application, Path(folder), compiler=args.compiler, ticks_hz=link.MPS2_HZ)
            _keep(built.path, args.out)
            print(qemu.link_command(args.out))
            return 0
        stand = open_stand(args.port, baud=link.BAUD)
        try:
            board = link.Board(link.build(application, Path(folder), compiler=args.compiler))
            if stand.address is not None:
                print(f"a board at {stand.address}: --port {stand.address}", file=sys.stderr, flush=True)
            serve(board, stand)
        finally:
            stand.close()
    return 0


def _check(args: argparse.Namespace) -> int:
    parts = bundles_of(read_application(args.bundle))
    results = [one for part in parts for one in check.check(part, compiler=args.compiler)]
    print(check.text(results))
    return 0 if all(result.passed is not False for result in results) else 1
