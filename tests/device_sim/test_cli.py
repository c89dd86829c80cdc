"""`wristlead run` as a person and a script see it."""

import json
from pathlib import Path

import numpy as np
import pytest

from device_sim.cli import main
from tests.device_sim.conftest import Command


def test_the_example_shows_every_fault_a_line_per_second(wristlead: Command) -> None:
    done = wristlead("run", "--synthetic")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["t_us"] for line in lines] == [second * 1_000_000 for second in range(30)]
    assert [line["column"] for line in lines] == [second * 16 for second in range(30)]
    assert lines[5]["flags"] == {}
    assert lines[10]["level_dbuv"]["hf"] > lines[5]["level_dbuv"]["hf"] + 20  # the muscle
    assert lines[16]["flags"]["lead_off"] == 16
    assert lines[20]["flags"]["rail"] >= 15
    assert "gap" in lines[24]["flags"]
    assert 800 < lines[5]["beat_pp_uv"] < 2000
    assert "30.0 s, 480 columns, 3840 beat samples" in done.stderr
    assert "gaps: 1 with 128 samples" in done.stderr


def test_columns_carry_their_codes(wristlead: Command) -> None:
    done = wristlead("run", "--synthetic", "--seconds", "3", "--columns", "--rate", "250")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 48
    assert all(len(line["codes"]) == 32 for line in lines)
    assert {line["t_us"] - 62_500 * line["column"] for line in lines} == {-39_984}
    assert lines[0]["flags"] == ["warm_up"]


def test_files_hold_what_the_lines_say(wristlead: Command, tmp_path: Path) -> None:
    done = wristlead(
        *("run", "--synthetic", "--seconds", "4", "--columns", "--seed", "3"),
        *("--out", tmp_path / "a.npz", "--beats-out", tmp_path / "b.npy"),
    )
    codes = [json.loads(line)["codes"] for line in done.stdout.splitlines()]
    with np.load(tmp_path / "a.npz") as found:
        assert found["codes_ts_i8"].tolist() == codes
    assert np.load(tmp_path / "b.npy").shape == (512,)
    assert f"wrote {tmp_path / 'a.npz'}" in done.stderr


def test_stdin_and_a_file_give_the_same_lines(wristlead: Command, tmp_path: Path) -> None:
    text = b"ecg_mv\n" + b"".join(b"%.3f\n" % (np.sin(n / 9) / 2) for n in range(2000))
    path = tmp_path / "a.csv"
    path.write_bytes(text)
    from_file = wristlead("run", "--file", path, "--rate", "500")
    piped = wristlead("run", "-", "--rate", "500", stdin=text)
    assert from_file.returncode == piped.returncode == 0
    assert from_file.stdout == piped.stdout
    assert len(piped.stdout.splitlines()) == 4


def test_a_pipe_that_breaks_ends_in_whole_lines(wristlead: Command) -> None:
    text = b"".join(b"%d\n" % (n % 50) for n in range(5000)) + b"oops\n" + b"1\n" * 100
    done = wristlead("run", "-", "--rate", "250", stdin=text)
    assert done.returncode == 2
    assert done.stderr == "stdin:5001: expected a number, got 'oops'\n"
    assert done.stdout.endswith("\n")
    assert all(json.loads(line)["n_columns"] == 16 for line in done.stdout.splitlines())


def test_seconds_end_a_recording_early(wristlead: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(5000, dtype=np.int16))
    done = wristlead("run", "--file", tmp_path / "a.npy", "--rate", "250", "--seconds", "2.5")
    assert [json.loads(line)["n_columns"] for line in done.stdout.splitlines()] == [16, 16, 8]


def test_a_picture_is_drawn(wristlead: Command, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the `report` extra is not installed")
    done = wristlead("run", "--synthetic", "--seconds", "5", "--picture", tmp_path / "a.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_real_record_runs_to_its_end(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--file", str(recordings / "mitdb" / "100.hea"), "--seconds", "60"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 60
    assert "lead MLII, 360 Hz: 60.0 s, 960 columns" in captured.err
