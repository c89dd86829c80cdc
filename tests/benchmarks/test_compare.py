"""Two results beside each other: only what differs, with its change."""

import json
from pathlib import Path

import pytest

from device_sim.__main__ import main


def test_only_what_differs_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    one = {"bench": "x", "machine": "m", "layers": [{"name": "A", "n": 100}, {"name": "B", "n": 5}]}
    a.write_text(json.dumps({"old": 1}) + "\n" + json.dumps(one) + "\n")
    one["machine"] = "other"
    one["layers"][0]["n"] = 101  # type: ignore[index]
    b.write_text(json.dumps(one) + "\n")
    assert main(["bench", "--compare", str(a), str(b)]) == 0
    said = capsys.readouterr().out
    assert "layers/A/n    100     101  +1.00 %" in said
    assert "machine: m | other" in said
    assert "layers/B" not in said
    assert main(["bench", "--compare", str(a), str(a)]) == 0
    assert capsys.readouterr().out == "nothing differs\n"


@pytest.mark.parametrize("options", [["--compare", "/nowhere/a", "/nowhere/b"], ["--compare", "a"], []])
def test_a_comparison_without_sense_is_one_line(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1
