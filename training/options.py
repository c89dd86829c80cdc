"""Where the recordings are and who works: options every command of this room shares."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from device_sim.contract.errors import ContractError, StreamError
from training.data.cache import Cache
from training.jobs import Workers
from training.workshop import Workshop

VARIABLE = "WRISTLEAD_DATA"
CACHE = Path(".cache")
MAX_JOBS = 256  # each a process with torch in it


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help=f"folder that holds the sets (default: {VARIABLE})")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="finished jobs and arrays (default: .cache)"
    )
    workers = parser.add_mutually_exclusive_group()
    workers.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes on this machine (default: 1)"
    )
    workers.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")


def workshop_of(arguments: argparse.Namespace, tell: Callable[[str], None]) -> Workshop:
    if not 1 <= arguments.jobs <= MAX_JOBS:
        raise ContractError(f"--jobs: expected 1..{MAX_JOBS}, got {arguments.jobs}")
    return Workshop(
        data=data_folder(arguments.data),
        cache=Cache(arguments.cache.resolve()),  # workers map the same files, wherever they stand
        workers=Workers(n_processes=arguments.jobs, cluster=arguments.cluster),
        tell=tell,
    )


def data_folder(given: Path | None) -> Path:
    named = os.environ.get(VARIABLE)
    if given is None and not named:
        raise StreamError(
            f"--data: expected the folder that holds the sets, or {VARIABLE} in the environment"
        )
    return (given if given is not None else Path(str(named))).resolve()


class OneLineParser(argparse.ArgumentParser):
    """Says what was wrong in one line; the usage is a `--help` away."""

    def error(self, message: str) -> NoReturn:
        raise ContractError(f"{self.prog}: {message}; see --help")
