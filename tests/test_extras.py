"""The base works alone, and what an extra opens is refused without it with the command that installs it."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from device_sim.contract.errors import StreamError

ROOT = Path(__file__).resolve().parent.parent
BASE = {"numpy", "pyserial", "rich"}
QUALITY, BEAT = "models/quality-tiny", "models/beat-tiny"
SYNTHETIC = ["--synthetic", "--seconds", "6"]
# Read by Python at its start: the process, and every one it starts, finds these packages nowhere.
HIDE = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in {names} else super().find_spec(name, path, target)

sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A command that needs an extra, and one of its packages."""

    name: str
    package: str
    command: Sequence[str]


EXTRAS = (
    Extra(name="records", package="wfdb", command=["run", "--file", "100.hea"]),
    Extra(name="records", package="pyedflib", command=["run", "--file", "night.edf"]),
    Extra(name="train", package="torch", command=["train", "training/recipes/p3-beat.toml"]),
    Extra(name="export", package="torch", command=["export", "--name", "beat-tiny", "--out", "bundles"]),
    Extra(name="export", package="onnx", command=["export", "--name", "beat-tiny", "--out", "bundles"]),
    Extra(name="onnx", package="onnxruntime", command=["run", BEAT, *SYNTHETIC, "--backend", "onnx"]),
    Extra(name="litert", package="ai_edge_litert", command=["run", BEAT, *SYNTHETIC, "--backend", "litert"]),
    Extra(name="tflite", package="tflite_runtime", command=["run", BEAT, *SYNTHETIC, "--backend", "tflite"]),
    Extra(name="tflm", package="tflite_micro", command=["run", BEAT, *SYNTHETIC, "--backend", "tflm"]),
    Extra(name="mcu", package="unicorn", command=["mcu", "check", BEAT]),
    Extra(name="mcu", package="ziglang", command=["mcu", "build", BEAT, "--board", "nrf52840"]),
    Extra(name="report", package="matplotlib", command=["run", *SYNTHETIC, "--picture", "p.png"]),
)


def wristlead(
    folder: Path, hidden: Sequence[str], command: Sequence[str]
) -> "subprocess.CompletedProcess[str]":
    """The command in a folder beside the tree's models, where some packages are not installed."""
    for name in ("models", "training"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "hidden").mkdir()
    (folder / "hidden/sitecustomize.py").write_text(HIDE.format(names=list(hidden)))
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'hidden'}:{ROOT}"}
    return subprocess.run(
        [sys.executable, "-m", "device_sim", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: f"{extra.name}-{extra.package}")
def test_a_missing_extra_is_answered_with_the_command_that_installs_it(extra: Extra, tmp_path: Path) -> None:
    (tmp_path / "100.hea").write_text("100 1 360 10\n100.dat 212 200 11 1024 0 0 0 MLII\n")
    (tmp_path / "night.edf").write_text("0".ljust(184) + "512".ljust(52) + "-1".ljust(16) + "1".ljust(260))
    done = wristlead(tmp_path, [extra.package], extra.command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"[{extra.name}]" in done.stderr, done.stderr
    assert "pip install" in done.stderr


def test_every_extra_that_opens_a_command_is_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tools = {"dev", "check"}  # of the tests alone
    elsewhere = {"cluster", "serve", "sign"}  # refused where they are used: see below and their own tests
    assert {extra.name for extra in EXTRAS} == set(project["optional-dependencies"]) - tools - elsewhere


def test_a_cluster_without_dask_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests.training.test_jobs import squares
    from training.jobs import Workers, run_jobs

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StreamError, match=r"pip install -e '\.\[cluster\]'"):
        run_jobs(squares(tmp_path, 1), tmp_path / "done", Workers(cluster="tcp://127.0.0.1:1"))


def test_the_base_alone_runs_shows_sends_and_writes_c(tmp_path: Path) -> None:
    """Everything but the three packages of the base is hidden."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {line.split(">")[0] for line in project["dependencies"]} == BASE
    hidden = sorted({extra.package for extra in EXTRAS} | {"scipy", "dask", "aiohttp", "cryptography"})
    for k, command in enumerate(
        (
            ["run", QUALITY, *SYNTHETIC],
            ["show", QUALITY],
            ["send", *SYNTHETIC, "--text", "--flat-out", "--port", "-"],
            ["export", QUALITY, "--c", "wl"],
        )
    ):
        (tmp_path / str(k)).mkdir()
        done = wristlead(tmp_path / str(k), hidden, command)
        assert done.returncode == 0, done.stderr
