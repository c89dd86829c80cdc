"""`wristlead parity`: 0 when every byte is as predicted, 1 when one is not, 2 for nonsense."""

import dataclasses
from pathlib import Path

import pytest

from device_sim.__main__ import main
from device_sim.contract.bundle import write_bundle
from export.bias_correction import correct_biases
from export.to_tflite import to_tflite
from tests.export.nets import codes, example
from tests.export.test_pack import packed

BACKENDS = ("core", "litert-ref", "onnx")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bundle(packed("beat_tiny"), tmp_path / "beat-tiny")
    return tmp_path / "beat-tiny"


def options(*backends: str) -> list[str]:
    return [part for name in backends for part in ("--backend", name)]


def test_a_sound_bundle_gives_one_line_for_each_backend(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", str(folder), "--windows", "50", *options(*BACKENDS)]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "core beside twin f1: 0 of 50 bytes differ, by 0 at most",
        "litert-ref beside twin f2: 0 of 50 bytes differ, by 0 at most",
        "onnx beside twin f4-ort: 0 of 50 bytes differ, by 0 at most",
    ]
    assert "50 random windows" in captured.err


def test_a_file_with_other_weights_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, one = packed("beat_tiny"), example("beat_tiny")
    other = correct_biases(one.floats, one.graph, codes("beat_tiny", 64, seed=51))
    wrong = dataclasses.replace(bundle, files={**bundle.files, "model.tflite": to_tflite(other)})
    write_bundle(wrong, tmp_path / "b")
    assert main(["parity", str(tmp_path / "b"), "--windows", "50", *options("core", "litert-ref")]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("core beside twin f1: 0 of 50")
    assert not second.startswith("litert-ref beside twin f2: 0 of 50")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--windows", "0"], "--windows: expected 1..1000000, got 0"),
        (["--windows", "many"], "invalid int value: 'many'"),
        (["--backend", "abacus"], "invalid choice: 'abacus'"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_one_line(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", str(folder), *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parity", str(tmp_path)]) == 2
    assert "manifest.json: expected a file of the bundle, found none" in capsys.readouterr().err
