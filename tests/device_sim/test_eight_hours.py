"""A night through a pty, flat out: every sample arrives, memory stays flat, events are those of the file."""

import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
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

RATE_HZ = 256
SETTLED = 0.25  # of the run: by then every buffer has its size
GROWTH_KIB = 2048  # what a Python may gather by chance; a byte a sample would be 7,200 KiB in eight hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What a run through the link said and cost, beside one from the file."""

    hours: float
    elapsed_s: float
    link_cpu_s: float
    file_cpu_s: float
    resident_kib: tuple[int, ...]
    summary: str
    events: bytes
    events_of_file: bytes

    @property
    def grown_kib(self) -> int:
        return max(self.resident_kib) - self.resident_kib[0]

    def words(self) -> str:
        seconds = self.hours * 3600
        return (
            f"{self.hours:g} h: through a pty {seconds / self.elapsed_s:,.0f} x real time by the clock, "
            f"{seconds / self.link_cpu_s:,.0f} x by the host's own {self.link_cpu_s:.1f} s; from a file "
            f"{seconds / self.file_cpu_s:,.0f} x; resident {self.resident_kib[0] // 1024} MiB, "
            f"grown by {self.grown_kib} KiB; {len(self.events) / 1e6:.1f} MB of events, the same both ways"
        )


def recording(path: Path, hours: float) -> int:
    """An ECG with noise, repeated from a tenth of an hour; how many samples."""
    part = SyntheticSource(Scene(seconds=360, noises=(Noise(kind="white", level_uv=8),)))
    counts = np.concatenate([chunk.counts_i32 for chunk in part if isinstance(chunk, Samples)])
    whole = np.tile(counts.astype(np.int16), max(1, round(hours * 10)))
    np.savez(path, x=whole, rate_hz=RATE_HZ)
    return int(whole.size)


def resident_kib(process_id: int) -> int:
    """What a process holds in memory now; 0 when it is gone."""
    status = Path(f"/proc/{process_id}/status")
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def night(application: Path, record: Path, hours: float, folder: Path) -> Night:
    """Two terminals and a pty between them, then the file alone."""
    command = [sys.executable, "-m", "device_sim", "run", str(application)]
    resident: list[int] = []
    with (
        terminal("send", record, "--flat-out", "--port", "pty") as sender,
        (folder / "live").open("wb") as live,
        (folder / "said").open("wb") as said,
    ):
        before_s, began_s = children_cpu_s(), time.monotonic()
        host = subprocess.Popen([*command, "--port", address_of(sender)], cwd=ROOT, stdout=live, stderr=said)
        while host.poll() is None:
            resident.append(resident_kib(host.pid))
            time.sleep(0.05 if hours < 1 else 0.25)
        elapsed_s, link_cpu_s = time.monotonic() - began_s, children_cpu_s() - before_s
        assert (host.returncode, sender.wait(30)) == (0, 0)
    before_s = children_cpu_s()
    with (folder / "once").open("wb") as once:
        subprocess.run(
            [*command, "--file", record], cwd=ROOT, stdout=once, stderr=subprocess.DEVNULL, check=True
        )
    return Night(
        hours=hours,
        elapsed_s=elapsed_s,
        link_cpu_s=link_cpu_s,
        file_cpu_s=children_cpu_s() - before_s,
        resident_kib=tuple(kib for kib in resident[int(len(resident) * SETTLED) :] if kib),
        summary=(folder / "said").read_text(),
        events=(folder / "live").read_bytes(),
        events_of_file=(folder / "once").read_bytes(),
    )


def check(one: Night, n_samples: int) -> None:
    assert f"{n_samples / RATE_HZ:.1f} s, {n_samples // 16} columns" in one.summary
    assert "gaps" not in one.summary
    assert "0 damaged; ended by END" in one.summary
    assert one.events == one.events_of_file
    assert one.events.count(b"\n") > one.hours * 3000


def test_six_minutes_through_a_pty_are_those_of_the_file(tmp_path: Path) -> None:
    write_bundle(bundle_of(InputKind.BEAT), tmp_path / "bundle")
    n_samples = recording(tmp_path / "night.npz", 0.1)
    check(night(tmp_path / "bundle", tmp_path / "night.npz", 0.1, tmp_path), n_samples)


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(path.parent.name for path in ROOT.glob("models/*/manifest.json")))
def test_eight_hours_through_a_pty(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    n_samples = recording(tmp_path / "night.npz", 8)
    one = night(ROOT / "models" / name, tmp_path / "night.npz", 8, tmp_path)
    with capsys.disabled():
        print(f"\n{name}: {one.words()}")
    check(one, n_samples)
    assert one.grown_kib < GROWTH_KIB
