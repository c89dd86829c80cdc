"""Write one page about a bundle and a recording through it: everything inside, opened by any browser."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from device_sim import options
from device_sim.contract.cascade import read_application
from device_sim.contract.errors import ContractError
from device_sim.link_source import LinkSource
from device_sim.pipeline import OpenBundle, open_bundle
from device_sim.play import Keep, Played, play
from device_sim.report_page import Heard, page_of
from device_sim.report_recording import recording_of
from device_sim.report_subject import Subject, subject_of
from device_sim.runner import Backend
from device_sim.trace import check_writable, write_whole

COMMAND = "wristlead report"
EPILOG = """\
Without a source the page is about the bundle alone: memory by lifetime, cost by layer, what integers change,
provenance. With one it begins with the recording: ECG, verdicts, beats, scores, scalogram and flags on one
time axis that can be zoomed, then latency beside the budget. Nothing is fetched from anywhere; without
scripts all of it is still there."""
ENDINGS = (".html", ".htm")
SOURCE_OPTIONS = ("seconds", "rate", *options.FILE_OPTIONS, *options.SCENE_OPTIONS, *options.PORT_OPTIONS)


def main(argv: Sequence[str]) -> int:
    """0 when the page was written."""
    args = options.with_bundle(_parser().parse_args(argv), command=COMMAND)
    if args.bundle is None:
        raise ContractError(f"{COMMAND}: expected a bundle's folder, got none; `wristlead run` needs none")
    has_source = options.has_source(args)
    if not has_source:
        options.refuse(args, SOURCE_OPTIONS, "a page without a source", command=COMMAND)
    with ExitStack() as stack:
        opened = (
            stack.enter_context(open_bundle(args.bundle, args.backend or Backend.CORE))
            if has_source
            else None
        )
        application = opened.application if opened else read_application(args.bundle)
        out = args.out or Path(f"{application.name}.html")
        check_writable(out, ENDINGS)
        subject = subject_of(application, args.bundle, cost=args.cost, changed=args.changed)
        played = _played(args, opened) if opened else None
    write_report(out, played, opened.backend if opened else "", subject)
    print(f"wrote {out}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = options.OneLineParser(
        prog=COMMAND,
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help="folder written by `wristlead export`")
    parser.add_argument(
        "--backend", choices=[backend.value for backend in Backend], help="who runs it (default: core)"
    )
    parser.add_argument("--out", type=Path, metavar="F.html", help="default: the bundle's name, here")
    options.add_evidence_options(parser)
    options.add_source_options(parser)
    options.add_port_options(parser)
    options.add_file_options(parser)
    options.add_scene_options(parser)
    return parser


def _played(args: argparse.Namespace, opened: OpenBundle) -> Played:
    source = options.source_of(args, command=COMMAND)
    keep = Keep(columns=True, samples=True, by_the_second=True)
    if not isinstance(source, LinkSource):
        return play(source, opened, seconds=args.seconds, keep=keep, write=lambda line: None)
    with source.stopping_at_interrupt():
        return play(source, opened, seconds=args.seconds, keep=keep, write=lambda line: None)


def write_report(path: Path, played: Played | None, backend: str, subject: Subject | None) -> None:
    """The page, whole or not at all."""
    page = page_of(_heard(played, backend) if played else None, subject).encode()

    def write(stream: BinaryIO) -> None:
        stream.write(page)

    write_whole(path, write)


def _heard(played: Played, backend: str) -> Heard:
    lines = played.lines
    return Heard(
        recording=recording_of(played.trace, lines.lanes() if lines else ()),
        report=played.report,
        took_us=lines.took_us() if lines else np.empty(0),
        clock=lines.clock if lines else "",
        backend=backend,
    )
