"""What a run stood on, written beside its weights: data, splits, seeds, versions, commit."""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from training.data.cache import write_whole

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "wfdb", "safetensors")
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """`run.json`. The same content and the same machine give the same weights."""

    recipe: str
    recipe_sha256: str
    protocol: str
    init: str  # scratch, or where the weights came from
    data: Mapping[str, str]  # recording -> digest of what was read
    licences: Mapping[str, str]
    splits: Mapping[str, Any]
    seeds: Sequence[int]
    weights_sha256: Mapping[str, str]  # file -> digest
    versions: Mapping[str, str]
    machine: str
    commit: str


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def machine() -> str:
    """Sums round differently on other processors: equal weights are promised on one machine only."""
    return f"{platform.system()} {platform.machine()}"


def commit() -> str:
    """The checkout's commit, marked where files differ from it."""
    try:
        head = _git("rev-parse", "HEAD")
        return head + (
            "+changes" if _git("status", "--porcelain", "--", "training", "device_sim", "firmware") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown: not a git checkout"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def digest_of_file(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def write_json(path: Path, content: Any) -> None:
    """A dataclass as JSON: sorted, readable, ending in a newline, whole or not at all."""
    text = json.dumps(asdict(content), indent=1, sort_keys=True) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))
