"""Results that stay: one JSON line with where, when and with what, beside the numbers."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import host, peers

FORMAT = 1
TOOLS = ("ziglang", "unicorn", "pyelftools")
RESULTS = Path(__file__).resolve().parent / "results"


def stamped(bench: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "bench": bench,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": host.machine(),
        "versions": {name: peers.version_of(name) for name in TOOLS},
        **numbers,
    }


def append(made: Mapping[str, Any]) -> None:
    """To the file of its bench."""
    with (RESULTS / f"{made['bench']}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(made) + "\n")
