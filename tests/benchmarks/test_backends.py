"""Backends side by side: everybody takes turns, who is missing says why."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import backends
from device_sim.__main__ import main
from device_sim.contract.bundle import write_bundle
from device_sim.contract.inputs import InputKind
from device_sim.runner import Backend
from tests.device_sim.bundles import bundle_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without the files of the public runtimes."""
    path = tmp_path_factory.mktemp("backends") / "b"
    write_bundle(bundle_of(InputKind.IMAGE), path)
    return path


def test_the_core_is_the_measure_of_the_others(folder: Path) -> None:
    table = backends.measure(folder, [Backend.TWIN, Backend.ONNX], rounds=5, windows=4)
    core, twin = table.costs
    assert (core.backend, core.ratio) == ("core", (1.0, 1.0, 1.0))
    assert (twin.backend, twin.family) == ("twin", "f1")
    low, median, high = (twin.ratio[k] for k in (1, 0, 2))
    assert 0 < low <= median <= high
    assert 20e6 < core.resident_bytes < 60e6
    assert 0.05 < core.start_s < 60
    assert table.absent == (
        "test-image: model.onnx: expected the file for backend onnx, found none; export it again",
    )
    shown = backends.text(table)
    assert "core" in shown
    assert "not here: test-image: model.onnx" in shown


def test_a_file_gets_the_same_table(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.cli.Backend", (Backend.CORE,))
    out = tmp_path / "a.json"
    assert main(["bench", "backends", str(folder), "--rounds", "3", "--json", str(out)]) == 0
    read = json.loads(out.read_text())
    assert [cost["backend"] for cost in read["costs"]] == ["core"]
    assert read["bundle"] in capsys.readouterr().out


def test_what_does_not_reproduce_its_vectors_is_not_timed(tmp_path: Path) -> None:
    bundle = bundle_of(InputKind.IMAGE)
    other = bundle_of(InputKind.BLIND)
    write_bundle(replace(bundle, files=other.files), tmp_path / "b")
    with pytest.raises(ValueError, match=r"vectors.npz: in/image: expected an array"):
        backends.measure(tmp_path / "b", [])


def test_too_few_rounds_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "backends", str(folder), "--rounds", "1"]) == 2
    assert capsys.readouterr().err == "--rounds: expected 3..10000, got 1\n"
