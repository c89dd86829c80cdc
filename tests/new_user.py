"""A page as somebody new follows it, in a fresh clone, from its first line: `python -m tests.new_user PAGE`.

Blocks that need a board or an account are left out, and those that take long, unless --minutes is given. Pip
fetches packages; nothing of this checkout's environment is seen.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.doc_commands import ROOT, Block, blocks_of
from tests.test_docs import compare, is_here, run_blocks

TIMEOUT_S = 7200  # pip may fetch torch


def blocks_to_follow(page: Path, *, with_minutes: bool) -> list[Block]:
    """What can be followed on this machine."""
    left_out = {"elsewhere"} if with_minutes else {"elsewhere", "minutes"}
    blocks = [block for block in blocks_of(page) if "console" in block.words and not block.words & left_out]
    return [block for block in blocks if all(map(is_here, block.needs))]


def clean_environment() -> dict[str, str]:
    """Without this checkout's Python."""
    own = str(Path(sys.executable).parent)
    places = [place for place in os.environ["PATH"].split(":") if place != own]
    dropped = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "PATH": ":".join(places)}


def follow(page: Path, *, with_minutes: bool) -> list[str]:
    """What did not go as the page says."""
    blocks = blocks_to_follow(page, with_minutes=with_minutes)
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "wristlead"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        outcomes = run_blocks(blocks, clone, clean_environment(), timeout_s=TIMEOUT_S)
    return [
        fault for block, outcome in zip(blocks, outcomes, strict=True) for fault in compare(block, outcome)
    ]


def main() -> int:
    """0 when every page went as it says."""
    parser = argparse.ArgumentParser(prog="python -m tests.new_user", description=__doc__)
    parser.add_argument("page", nargs="+", type=Path)
    parser.add_argument("--minutes", action="store_true", help="also blocks that take long")
    args = parser.parse_args()
    n_faults = 0
    for page in args.page:
        started_s = time.monotonic()
        faults = follow(page.resolve(), with_minutes=args.minutes)
        n_faults += len(faults)
        print(*faults, f"{page}: {time.monotonic() - started_s:.0f} s, {len(faults)} faults", sep="\n")
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
