"""Tables of cost: layers that multiply nothing, and every board; a record says where and with what."""

import json
from pathlib import Path

import pytest

from benchmarks import board_cost, codes, recorded
from benchmarks.mcu.targets import M4
from device_sim.__main__ import main
from device_sim.contract.bundle import write_bundle
from device_sim.contract.inputs import InputKind
from tests.device_sim.bundles import bundle_of
from tests.device_sim.conftest import ROOT


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recorded, "RESULTS", tmp_path)
    return tmp_path


def test_pools_take_four_channels_in_a_word(
    mcu_extra: None, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(codes, "LAYERS", (codes.LAYERS[1], codes.LAYERS[3]))
    assert main(["bench", "codes", "--record"]) == 0
    assert "global mean, 20x8, 32" in capsys.readouterr().out
    written = json.loads((results / "codes.jsonl").read_text())
    maximum, mean = written["layers"]
    assert (maximum["n_read"], maximum["n_written"]) == (128 * 32, 63 * 32)
    assert maximum["instructions"] < 30 * maximum["n_written"]  # one by one: 88
    assert mean["instructions"] < 4 * mean["n_read"]  # 7.6
    assert written["target"] == M4.name
    assert {"date", "machine", "versions"} <= set(written)


def test_every_board_has_a_row_and_one_without_a_model_says_so(
    mcu_extra: None, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(board_cost, "board_names", lambda: ["apollo510", "nrf52840", "stm32f746"])
    write_bundle(bundle_of(InputKind.BEAT), results / "beat")
    assert main(["bench", "boards", str(results / "beat"), "--record"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["apollo510", "nrf52840", "stm32f746"]
    assert "no model of its core" in " ".join(rows[0])
    assert rows[1][-1] == "checked"
    assert rows[2][-3:] == ["-", "-", "-"]
    written = json.loads((results / "boards.jsonl").read_text())
    assert written["digest"] == bundle_of(InputKind.BEAT).digest
    assert [one["name"] for one in written["boards"]] == ["nrf52840", "stm32f746"]
    assert all(0 < one["load_low"] < one["load_high"] < 0.1 for one in written["boards"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["cost", "--board", "nrf52840", "--battery", "nan"],
            "expected 20..250 beats a minute and a battery above 0",
        ),
        (["cost", "--board", "nrf52840", "--heart-rate", "nan"], "expected 20..250 beats a minute"),
        (["cost", "--board", "esp32_s3"], "ESP32-S3, memory only"),
    ],
)
def test_a_cost_that_nobody_can_tell_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mcu", *arguments, str(ROOT / "models/beat-tiny")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("option", "value"), [("--heart-rate", "900"), ("--battery", "x")])
def test_a_table_without_sense_is_one_line(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "boards", "models/cascade", option, value]) == 2
    assert capsys.readouterr().err.count("\n") == 1
