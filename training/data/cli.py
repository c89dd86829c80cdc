"""What recordings are there and whole (check), and how to get them (fetch)."""

import sys
from collections.abc import Sequence
from pathlib import Path

from training.data.check import check
from training.data.fetch import ORIGINS, fetch
from training.options import OneLineParser, data_folder
from training.progress import teller


def main(argv: Sequence[str]) -> int:
    """0: all that is there is whole; 1: something is broken; 2: the request made no sense."""
    parser = OneLineParser(prog="wristlead data", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=OneLineParser)
    checking = commands.add_parser("check", help="read every recording against its header and checksums")
    checking.add_argument("folder", type=Path, nargs="?", help="the folder that holds the sets")
    fetching = commands.add_parser("fetch", help="download a set from PhysioNet")
    fetching.add_argument("set", choices=tuple(ORIGINS))
    fetching.add_argument("--data", type=Path, help="the folder that holds the sets")
    fetching.add_argument("--url", help="another place that serves the same files")
    arguments = parser.parse_args(argv)
    if arguments.command == "check":
        return _check(data_folder(arguments.folder))
    folder = fetch(arguments.set, data_folder(arguments.data), url=arguments.url, tell=teller(sys.stderr))
    print(f"{arguments.set}: whole in {folder}")
    return 0


def _check(folder: Path) -> int:
    reports = check(folder, teller(sys.stderr))
    print(file=sys.stderr)
    for report in reports:
        print(report)
    return 1 if any(report.faults for report in reports) else 0
