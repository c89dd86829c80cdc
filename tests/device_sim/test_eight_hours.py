"""A night through a pty, flat out: every sample arrives, memory stays flat, events are those of the file."""

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.bundle import write_bundle
from device_sim.contract.inputs import InputKind
from device_sim.sources import Samples
from device_sim.synthetic import Noise, Scene, SyntheticSource
from tests.device_sim.bundles import bundle_of
from tests.device_sim.conftest import ROOT
from tests.device_sim.terminals import address_of, terminal

HOURS = 8
RATE_HZ = 256
SETTLED = 0.25  # of the run: by then every buffer has its size
GROWTH_KIB = 2048  # what a Python may gather by chance; a byte a sample would be 7,200 KiB


def night(path: Path) -> int:
    """An ECG with noise, repeated from a tenth of an hour; how many samples."""
    part = SyntheticSource(Scene(seconds=360, noises=(Noise(kind="white", level_uv=8),)))
    counts = np.concatenate([chunk.counts_i32 for chunk in part if isinstance(chunk, Samples)])
    whole = np.tile(counts.astype(np.int16), HOURS * 10)
    np.savez(path, x=whole, rate_hz=RATE_HZ)
    return int(whole.size)


def resident_kib(process_id: int) -> int:
    """What a process holds in memory now; 0 when it is gone."""
    status = Path(f"/proc/{process_id}/status")
    if not status.exists():
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    return int(found[1]) if found else 0


@pytest.mark.heavy
def test_eight_hours_through_a_pty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, bundle = tmp_path / "night.npz", tmp_path / "bundle"
    n_samples = night(record)
    write_bundle(bundle_of(InputKind.BEAT), bundle)
    command = [sys.executable, "-m", "device_sim", "run", str(bundle)]
    resident: list[int] = []
    with (
        terminal("send", record, "--flat-out", "--port", "pty") as sender,
        (tmp_path / "live").open("wb") as live,
        (tmp_path / "said").open("wb") as said,
    ):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began_s = time.monotonic()
        host = subprocess.Popen([*command, "--port", address_of(sender)], cwd=ROOT, stdout=live, stderr=said)
        while host.poll() is None:
            resident.append(resident_kib(host.pid))
            time.sleep(0.25)
        elapsed_s = time.monotonic() - began_s
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert (host.returncode, sender.wait(30)) == (0, 0)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with (tmp_path / "once").open("wb") as once:
        subprocess.run(
            [*command, "--file", record], cwd=ROOT, stdout=once, stderr=subprocess.DEVNULL, check=True
        )

    summary = (tmp_path / "said").read_text()
    assert f"{n_samples / RATE_HZ:.1f} s, {n_samples // 16} columns" in summary
    assert "gaps" not in summary
    assert "0 damaged; ended by END" in summary
    assert (tmp_path / "live").read_bytes() == (tmp_path / "once").read_bytes()
    settled = [kib for kib in resident[int(len(resident) * SETTLED) :] if kib]
    with capsys.disabled():
        print(
            f"\n{HOURS} h through a pty: {HOURS * 3600 / elapsed_s:,.0f} x real time by the clock, "
            f"{HOURS * 3600 / cpu_s:,.0f} x by the host's own {cpu_s:.1f} s; "
            f"resident {settled[0] // 1024} MiB, grown by {max(settled) - settled[0]} KiB; "
            f"{os.path.getsize(tmp_path / 'live') / 1e6:.1f} MB of events, the same as from the file"
        )
    assert max(settled) - settled[0] < GROWTH_KIB
