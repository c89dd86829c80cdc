"""`wristlead show` tells what a recording holds, and what it does not say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.bundle import write_bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import count_macs
from device_sim.contract.inputs import InputKind
from device_sim.contract.manifest import graph_sha256
from device_sim.show import main
from tests.device_sim.bundles import bundle_of


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, str]:
    assert main([str(argument) for argument in arguments]) == 0
    return {line[:12].strip(): line[12:] for line in capsys.readouterr().out.splitlines()}


def test_an_npz_tells_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.array([-2048] * 3 + [0] * 496 + [2047], dtype=np.int16)
    np.savez(tmp_path / "a.npz", I=x, II=x, rate_hz=250, uv_per_count=2)
    facts = shown(capsys, tmp_path / "a.npz", "--lead", "II", "--rails=-2048:2047")
    assert facts["leads"] == "I, [II]"
    assert facts["rate"] == "250 Hz"
    assert facts["samples"] == "500, 2.000 s"
    assert facts["gain"] == "2 uV per count, 500 counts per mV"
    assert facts["range"] == "-4.096 to 4.094 mV, median 0.000 mV"
    assert facts["rails"] == "-2048 and 2047 counts; 3 samples at the lower, 1 at the upper"
    assert facts["annotations"] == "none"


def test_what_a_text_file_does_not_say_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("1\n2\n")
    facts = shown(capsys, tmp_path / "a.txt")
    assert facts["rate"] == "not in the file; say --rate HZ"
    assert facts["samples"] == "2"
    assert facts["rails"] == "not in the file"


def test_a_rate_the_front_end_does_not_take_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(10, np.int16), rate_hz=257)
    assert shown(capsys, tmp_path / "a.npz")["rate"] == "257 Hz, which `wristlead run` does not take"


def test_gaps_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("sample,ecg\n0,1\n1,2\n5,3\n")
    assert shown(capsys, tmp_path / "a.csv", "--rate", "250")["gaps"] == "1, 3 samples"


def test_a_real_record_shows_its_marks(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = shown(capsys, recordings / "mitdb" / "100.hea")
    assert facts["leads"] == "[MLII], V5"
    assert facts["samples"] == "650000, 1805.556 s"
    assert facts["annotations"].startswith("2274: N 2239")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("show") / "b"
    write_bundle(bundle_of(InputKind.BEAT), folder)
    return folder


def test_a_bundle_tells_what_it_is(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = shown(capsys, bundle)
    known = bundle_of(InputKind.BEAT)
    assert facts["bundle"] == f"test-beat {known.digest}"
    assert facts["labels"] == "N, V, S"
    assert facts["verdict"].startswith(
        "V from code 9 of op5.out on (score 0.52), no up to 7, kept for 0.5 more"
    )
    assert facts["rule"] == "unusable with more flagged columns than rail 4, flat 7, lead_off 0, gap 8"
    assert facts["front end"].endswith(", this core's")
    assert f"{count_macs(known.graph):,} MAC a window, {graph_sha256(known.graph)}" in facts["graph"]
    assert facts["metrics"] == "AUC on nothing: 0.5 int8, 0.5 float"
    assert "RAM 65,536 bytes, the plan takes 13%" in facts["budget"]


def test_every_operator_has_a_line(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundle)]) == 0
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert table[0].split() == ["operator", "kind", "output", "MAC", "weights", "bytes", "at"]
    first = next(line for line in table if line.startswith("op0 "))
    assert first.split()[:-1] == ["op0", "conv2d", "1", "x", "31", "x", "4", "1,240", "56", "124"]
    assert len(table) == 1 + len(bundle_of(InputKind.BEAT).graph.operators)


def test_a_script_gets_the_same_as_json(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundle), "--json"]) == 0
    read = json.loads(capsys.readouterr().out)
    known = bundle_of(InputKind.BEAT)
    assert (read["digest"], read["graph_sha256"]) == (known.digest, graph_sha256(known.graph))
    assert [node["name"] for node in read["nodes"]] == [one.name for one in known.graph.operators]
    assert sum(node["macs"] for node in read["nodes"]) == read["macs"] == count_macs(known.graph)
    assert read["memory"]["total_bytes"] < read["budget"]["ram_bytes"]
    assert read["metrics"] == [{"name": "AUC", "on": "nothing", "float": 0.5, "int8": 0.5}]


def test_a_network_without_thresholds_is_shown_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(replace(bundle_of(InputKind.IMAGE), verdict=None, metrics=None, budget=None), tmp_path / "b")
    facts = shown(capsys, tmp_path / "b")
    assert facts["verdict"] == "none: this network gives numbers that nobody has calibrated"
    assert (facts["metrics"], facts["budget"]) == ("none", "none")


def test_where_it_comes_from_does_not_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = replace(bundle_of(InputKind.BEAT), provenance={"commit\x1b[31m": "\x1b[2J\nweights     none"})
    write_bundle(made, tmp_path / "bundle")
    main([str(tmp_path / "bundle")])
    assert "provenance  commit?[31m: ?[2J?weights     none\n" in capsys.readouterr().out


def test_the_memory_plan_is_written_by_its_ending(bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the `report` extra is not installed")
    assert main([str(bundle), "--memory", str(tmp_path / "plan.json")]) == 0
    assert json.loads((tmp_path / "plan.json").read_text())["holes"] == ""
    assert main([str(bundle), "--memory", str(tmp_path / "plan.png")]) == 0
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{bundle}", "--rate", "250"], "--rate: means nothing to a bundle"),
        (["{bundle}", "--memory", "plan.txt"], "expected a name ending in .png or .svg or .pdf or .json"),
        (["{recording}", "--json"], "--json and --memory: expected a bundle's folder beside them"),
        (["{empty}"], "manifest.json: expected a file of the bundle, found none"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    arguments: list[str], message: str, bundle: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", np.zeros(100, np.int16))
    (tmp_path / "empty").mkdir()
    places = {"bundle": bundle, "recording": tmp_path / "a.npy", "empty": tmp_path / "empty"}
    with pytest.raises(ContractError, match=message):
        main([one.format(**places) for one in arguments])
