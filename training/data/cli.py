"""What recordings are there and whole (check), and how to get them (fetch)."""

import sys
from collections.abc import Sequence
from pathlib import Path

from training.data.check import check
from training.data.fetch import ORIGINS, fetch
from training.options import OneLineParser, data_folder
from training.progress import teller

CHECK = "read every recording against its header and checksums"
FETCH = "download a set from PhysioNet; what is whole already is left alone"


def main(argv: Sequence[str]) -> int:
    """0: all that is there is whole; 1: something is broken; 2: the request made no sense."""
    parser = OneLineParser(prog="wristlead data", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=OneLineParser)
    checking = commands.add_parser("check", help=CHECK, description=CHECK)
    checking.add_argument(
        "folder", type=Path, nargs="?", help="folder that holds the sets (default: WRISTLEAD_DATA)"
    )
    fetching = commands.add_parser("fetch", help=FETCH, description=FETCH)
    fetching.add_argument("set", choices=tuple(ORIGINS), help="which")
    fetching.add_argument("--data", type=Path, help="folder that holds the sets (default: WRISTLEAD_DATA)")
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
