"""`wristlead show` tells what a recording holds, and what it does not say."""

from pathlib import Path

import numpy as np
import pytest

from device_sim.show import main


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
