"""What the tests of the device share: the command as a person runs it, and the real recordings."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.device_sim.browser import CHROMIUM, Browser, chromium

ROOT = Path(__file__).resolve().parents[2]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def wristlead() -> Command:
    """The command in a process of its own, warnings as errors."""

    def run(*arguments: object, stdin: bytes = b"", cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "device_sim", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            timeout=120,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return run


@pytest.fixture
def recordings() -> Path:
    """The folder of real recordings, named by WRISTLEAD_DATA."""
    folder = os.environ.get("WRISTLEAD_DATA")
    if not folder:
        pytest.skip("WRISTLEAD_DATA does not name a folder with mitdb, nstdb and training2017.zip")
    return Path(folder)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all pages: to start it takes longer than to ask it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: `apt install chromium`")
    with chromium() as started:
        yield started
