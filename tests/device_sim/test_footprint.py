"""What the runtime costs a small computer before the first sample: memory and time of its own process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from device_sim.contract.bundle import write_bundle
from device_sim.contract.inputs import InputKind
from tests.device_sim.bundles import bundle_of
from tests.device_sim.conftest import ROOT

MOST_RESIDENT_KIB = 45_000_000 // 1024
MOST_IMPORT_S = 0.3
# A small parent: the largest memory of a process counts what its parent held when it was started.
METER = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "resident": used.ru_maxrss}))
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems count resident memory differently"
)


def usage(*arguments: object) -> dict[str, float]:
    """CPU seconds and KiB of one finished Python: what nobody else's load can change."""
    command = [sys.executable, "-S", "-c", METER, sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_importing_the_runtime_takes_less_than_a_third_of_a_second() -> None:
    assert min(usage("-c", "import device_sim.pipeline")["cpu_s"] for _ in range(3)) < MOST_IMPORT_S


def test_a_run_on_the_core_stays_below_45_megabytes(tmp_path: Path) -> None:
    write_bundle(bundle_of(InputKind.IMAGE), tmp_path / "b")
    used = usage("-m", "device_sim", "run", tmp_path / "b", "--synthetic", "--seconds", "20")
    assert used["resident"] < MOST_RESIDENT_KIB
