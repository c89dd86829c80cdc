"""Write nets once as integers: bundles with TensorFlow Lite and ONNX, and C on request."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from device_sim.contract.bundle import Bundle, write_bundle
from device_sim.contract.cascade import Cascade, read_application, write_application
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.signed import MANIFEST
from device_sim.executor import Executor
from device_sim.options import OneLineParser
from device_sim.requant import Family
from device_sim.vectors import check_vectors
from export.cascade_of import cascade_of
from export.facts import facts
from export.shipping_list import LIST, chosen, read_cascades, read_list
from export.to_c import to_c

FOREIGN = (".tflite", ".onnx")
EPILOG = f"""\
Without CHECKPOINT every bundle of the list ({LIST}) is written beside it, over the one that is there. Export
reads committed files alone: the same checkpoint and calibration give the same digest on any machine."""


def main(argv: Sequence[str]) -> int:
    """0 when every bundle is written and the core reproduces its vectors."""
    parser = OneLineParser(prog="wristlead export", description=__doc__, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument(
        "checkpoint",
        nargs="?",
        type=Path,
        help="weights (.safetensors) of `wristlead train`; an int8 network (.tflite, QDQ .onnx); or a bundle",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="its ranges and thresholds, found by `wristlead calibrate`",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="the bundle; with --list, where they go")
    parser.add_argument("--c", type=Path, metavar="DIR", help="also C99; must not exist yet")
    parser.add_argument("--list", type=Path, metavar="FILE", help=f"what ships (default: {LIST})")
    parser.add_argument("--name", action="append", default=[], help="only this bundle of the list")
    args = parser.parse_args(argv)
    if args.checkpoint is None:
        if args.calibration or args.c:
            raise ContractError("wristlead export: --calibration and --c: expected a CHECKPOINT with them")
        return _export_list(args.list or LIST, args.name, args.out)
    if args.list or args.name:
        raise ContractError("wristlead export: expected a CHECKPOINT or a --list, got both")
    if not args.checkpoint.exists():
        raise ContractError(f"{args.checkpoint}: expected weights, an int8 network or a bundle, found none")
    if args.checkpoint.is_dir():
        return _export_c(args)
    is_foreign = args.checkpoint.suffix.lower() in FOREIGN
    for name in ("out",) if is_foreign else ("calibration", "out"):
        if getattr(args, name) is None:
            raise ContractError(f"wristlead export: --{name}: expected it beside a CHECKPOINT")
    if is_foreign and args.calibration:
        raise ContractError("wristlead export: --calibration: these integers are what they are; leave it out")
    for folder in filter(None, (args.out, args.c)):
        if folder.exists():
            raise ContractError(f"{folder}: expected no such folder yet; nothing was written")
    if args.c and _overlap(args.out.resolve(), args.c.resolve()):
        raise ContractError(f"{args.c}: expected a folder apart from {args.out}; nothing was written")
    bundle = _foreign(args.checkpoint) if is_foreign else _trained(args.checkpoint, args.calibration)
    _checked(bundle)
    print(write_bundle(bundle, args.out))
    print(f"wrote {args.out}: {facts(bundle.graph)}", file=sys.stderr)
    if args.c:
        to_c(bundle, args.c)
        print(f"wrote {args.c}", file=sys.stderr)
    return 0


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _trained(checkpoint: Path, calibration: Path) -> Bundle:
    from export.bundle_of import Sources, bundle_of  # opens torch, which nothing else here needs

    return bundle_of(Sources(weights=checkpoint, calibration=calibration))


def _foreign(path: Path) -> Bundle:
    from export.foreign_bundle import foreign_bundle  # opens onnx and flatbuffers

    return foreign_bundle(path)


def _export_c(args: argparse.Namespace) -> int:
    """C of a finished bundle, which needs no package beside the base."""
    if not (args.checkpoint / MANIFEST).is_file():
        raise ContractError(f"{args.checkpoint}: expected a file of weights or a bundle, got another folder")
    if args.calibration or args.out or not args.c:
        raise ContractError(f"wristlead export {args.checkpoint}: a bundle: expected --c DIR with it, alone")
    to_c(read_application(args.checkpoint), args.c)
    print(f"wrote {args.c}", file=sys.stderr)
    return 0


def _export_list(path: Path, names: list[str], out: Path | None) -> int:
    """A line for each bundle: its name, its digest, and whether it is another than the one that was there."""
    from export.bundle_of import Sources, bundle_of

    cascades = [one for one in read_cascades(path) if not names or one.name in names]
    alone = [name for name in names if name not in {one.name for one in cascades}]
    shipments = chosen(path, alone) if alone or not names else ()
    parts = {part for one in cascades for part in (one.quality, one.beat)}
    bundles: dict[str, Bundle] = {}
    for shipment in read_list(path):
        if shipment in shipments or shipment.name in parts:
            bundles[shipment.name] = bundle_of(Sources.of(shipment))
            _checked(bundles[shipment.name])
    applications: list[Bundle | Cascade] = [bundles[one.name] for one in shipments]
    applications += [cascade_of(one, bundles) for one in cascades]
    for made in applications:
        print(f"{made.name} {made.digest} {_put(made, (out or path.parent) / made.name)}", flush=True)
    return 0


def _checked(bundle: Bundle) -> None:
    check_vectors(bundle, Executor(bundle.graph), Family.F1)


def _put(made: Bundle | Cascade, folder: Path) -> str:
    """Over what is there, if that is a bundle; an equal one is left alone."""
    if not folder.exists():
        write_application(made, folder)
        return "new"
    if not (folder / MANIFEST).is_file():
        raise ContractError(f"{folder}: expected a bundle or nothing, found something else; left as it is")
    if _digest_there(folder) == made.digest:
        return "unchanged"
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    write_application(made, fresh)
    shutil.rmtree(folder)
    fresh.rename(folder)
    return "replaced"


def _digest_there(folder: Path) -> str | None:
    """None for one that is damaged or of an older format: it is replaced like any other."""
    try:
        return read_application(folder).digest
    except (ContractError, DigestError):
        return None
