"""What ships: every bundle can be written again from committed files, byte for byte, without a recording."""

import importlib.util
import sys
from pathlib import Path

import pytest

from device_sim.__main__ import main
from device_sim.contract.bundle import read_bundle
from device_sim.contract.cascade import read_cascade
from device_sim.plan import plan
from export.arena import smallest_tflm_arena
from export.compare import from_json
from export.shipping_list import LIST, CascadeShipment, read_cascades, read_list

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / LIST
SHIPMENTS = {one.name: one for one in read_list(MODELS)}
BUDGET = "{ window_us = 1, flash_bytes = 1, ram_bytes = 1 }"


@pytest.mark.parametrize("name", SHIPMENTS)
def test_a_bundle_is_the_one_its_files_give(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--list", str(MODELS), "--name", name, "--out", str(tmp_path)]) == 0
    committed = read_bundle(MODELS.parent / name)
    assert capsys.readouterr().out == f"{name} {committed.digest} new\n"
    assert read_bundle(tmp_path / name).digest == committed.digest


@pytest.mark.parametrize("cascade", read_cascades(MODELS), ids=lambda one: one.name)
def test_a_cascade_is_the_one_its_list_gives(
    cascade: CascadeShipment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = cascade.name
    assert main(["export", "--list", str(MODELS), "--name", name, "--out", str(tmp_path)]) == 0
    committed = read_cascade(MODELS.parent / name)
    assert capsys.readouterr().out == f"{name} {committed.digest} new\n"
    assert read_cascade(tmp_path / name).digest == committed.digest
    for part, bundle in ((cascade.quality, committed.quality), (cascade.beat, committed.beat)):
        assert read_bundle(MODELS.parent / part).digest == bundle.digest


@pytest.mark.parametrize("name", SHIPMENTS)
def test_a_bundle_was_measured_and_holds_its_limits(name: str) -> None:
    path = SHIPMENTS[name].comparison
    found = from_json(path.read_bytes(), str(path))
    assert found.broken == ()
    assert found.n_windows > 10_000
    assert found.agreement > 0.99
    bundle = read_bundle(MODELS.parent / name)
    assert bundle.metrics == found.metrics
    assert f"{found.n_windows} windows" in bundle.files["MODEL_CARD.md"].decode()


@pytest.mark.parametrize("name", SHIPMENTS)
def test_a_bundle_needs_a_smaller_arena_than_tflite_micro(name: str) -> None:
    if importlib.util.find_spec("tflite_micro") is None and sys.version_info[:2] != (3, 11):
        pytest.skip("no wheel of tflite_micro for this Python")
    bundle = read_bundle(MODELS.parent / name)
    assert plan(bundle.graph).arena_bytes < smallest_tflm_arena(bundle.files["model.tflite"])


def test_exporting_again_leaves_an_equal_bundle_alone_and_replaces_a_damaged_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", "--list", str(MODELS), "--name", "beat-tiny", "--out", str(tmp_path)]
    said = []
    for damage in ("", "", "damaged"):
        if damage:
            (tmp_path / "beat-tiny/weights.bin").write_bytes(b"nothing")
        assert main(arguments) == 0
        said.append(capsys.readouterr().out.split()[-1])
    assert said == ["new", "unchanged", "replaced"]
    assert read_bundle(tmp_path / "beat-tiny").name == "beat-tiny"
    assert [path.name for path in tmp_path.iterdir()] == ["beat-tiny"]


def test_what_the_list_cannot_mean_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "beat-tiny").mkdir()
    table = f'[a]\nresults = "r"\nseed = 0\nbudget = {BUDGET}\n'
    cases = {
        "not TOML": "expected TOML",
        "[a]\nseed = 0\n": "a: results: expected the field, found none",
        table.replace("seed = 0", "seed = -1"): "a: seed: expected a whole number",
        table + "colour = 1\n": "'colour': no field of this format",
        table: "calibration-s0.json: expected a file, there is none",
    }
    for text, message in cases.items():
        path = tmp_path / "list.toml"
        path.write_text(text)
        assert main(["export", "--list", str(path)]) == 2
        error = capsys.readouterr().err
        assert message in error or "weights-s0.safetensors: expected a file, there is none" in error
        assert error.count("\n") == 1
    weights = tmp_path / "w.safetensors"
    weights.touch()
    for arguments, message in (
        (["export", "--list", str(MODELS), "--name", "none"], "expected one of quality-tiny, beat-tiny"),
        (["export", "--list", str(MODELS), "--name", "beat-tiny", "--out", str(tmp_path)], "left as it is"),
        (["export", "w.safetensors", "--list", str(MODELS)], "expected a CHECKPOINT or a --list, got both"),
        (["export", str(weights), "--out", "x"], "--calibration: expected it beside a CHECKPOINT"),
        (["calibrate", "none", "--list", str(MODELS)], "expected one of quality-tiny, beat-tiny"),
        (["compare", "none", "--list", str(MODELS)], "expected one of quality-tiny, beat-tiny"),
    ):
        assert main(arguments) == 2
        assert message in capsys.readouterr().err
    assert list((tmp_path / "beat-tiny").iterdir()) == []
