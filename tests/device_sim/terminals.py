"""Two terminals: a command that goes on while another is run, joined by a pty."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.device_sim.conftest import ROOT

Process = subprocess.Popen[str]


def heed_interrupts() -> None:
    """A test run in the background of a script is born deaf to ctrl-C, and so would its children be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def terminal(*arguments: object, cwd: Path = ROOT) -> Iterator[Process]:
    """`wristlead ARGUMENTS` in a process of its own, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "device_sim", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=heed_interrupts,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def address_of(device: Process) -> str:
    """Where a device says it can be reached: the last word of its first line."""
    assert device.stderr is not None
    line = device.stderr.readline()
    assert "--port " in line, line + device.stderr.read()
    return line.split("--port ")[1].strip()
