"""The door: rooms, refusals, interruptions."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from device_sim.__main__ import BUG, ROOMS, main
from device_sim.wire import Ask
from tests.device_sim.conftest import ROOT, Command


def test_the_manual_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    manual = capsys.readouterr().out
    assert all(f"  {command} " in manual for command in ROOMS)


def test_the_version_is_told_even_where_nothing_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("wristlead ")


def test_no_command_shows_the_manual_and_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: wristlead COMMAND" in capsys.readouterr().out


def test_an_unknown_command_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fly"]) == 2
    captured = capsys.readouterr()
    known = ", ".join(ROOMS)
    expected = f"wristlead: expected a command ({known}), got 'fly'; see --help\n"
    assert (captured.out, captured.err) == ("", expected)


@pytest.mark.parametrize(("command", "extra"), [("train", "train"), ("export", "export"), ("bench", "mcu")])
def test_a_room_that_is_not_installed_names_its_command(
    command: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    room = ROOMS[command].module.split(".")[0]
    monkeypatch.setitem(sys.modules, room, None)
    monkeypatch.delitem(sys.modules, ROOMS[command].module, raising=False)
    assert main([command]) == 2
    error = capsys.readouterr().err
    assert f"expected the room `{room}`, found none" in error
    assert f"-e '.[{extra}]'" in error
    assert error.count("\n") == 1


def test_a_name_in_a_refusal_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "no\x1b[2J\rsuch\nfile"]) == 2
    error = capsys.readouterr().err
    assert "no?[2J?such file" in error
    assert error.rstrip("\n").isprintable()


def test_a_run_from_any_folder_works(wristlead: Command, tmp_path: Path) -> None:
    assert wristlead("run", "--synthetic", "--seconds", "1", cwd=tmp_path).returncode == 0


def test_help_of_a_command_is_no_error(wristlead: Command) -> None:
    done = wristlead("run", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--columns" in done.stdout


def test_help_names_all_that_a_simulated_device_answers(wristlead: Command) -> None:
    said = wristlead("simulate-device", "--help").stdout
    assert all(ask.name in said for ask in Ask)


@pytest.mark.parametrize(
    ("command", "default"), [("run", "10"), ("serve", "without end"), ("watch", "without end")]
)
def test_help_says_how_long_an_unplugged_device_is_waited_for(
    wristlead: Command, command: str, default: str
) -> None:
    said = " ".join(wristlead(command, "--help").stdout.split())
    assert re.search(rf"--wait S how long [^-]*\(default: {default}\) --unpaced", said)


def started(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "device_sim", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ,
        preexec_fn=heed_interrupts,
    )


def heed_interrupts() -> None:
    """A test run in the background of a script is born deaf to ctrl-C, and so would its children be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_reader_that_has_enough_is_no_error() -> None:
    with started("run", "--synthetic", "--seconds", "3000", "--columns") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_an_interrupt_ends_without_a_traceback() -> None:
    with started("run", "-", "--rate", "250") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"1\n" * 2000)
        process.stdin.flush()
        process.stdout.readline()  # it streams: the pipe is still open
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == b"interrupted\n"


def in_a_shell(line: str) -> "subprocess.CompletedProcess[str]":
    """$0 is the command."""
    command = f"{sys.executable} -m device_sim"
    return subprocess.run(
        ["sh", "-c", line.replace("$0", command)], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
@pytest.mark.parametrize("command", ["--help", "run --synthetic --seconds 2", "show models/beat-tiny"])
def test_a_disk_that_is_full_is_one_line(command: str) -> None:
    done = in_a_shell(f"$0 {command} > /dev/full")
    assert (done.returncode, done.stderr) == (2, "wristlead: No space left on device\n")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("run --synthetic --seconds 600 --out", "a.npz"),
        ("run --synthetic --seconds 600 --beats-out", "a.npy"),
        ("run models/beat-tiny --synthetic --seconds 600 --csv", "a.csv"),
        ("report models/beat-tiny --out", "a.html"),
        ("show models/quality-tiny --memory", "a.json"),
    ],
)
def test_a_file_that_finds_no_room_is_one_line_and_leaves_nothing(
    command: str, name: str, tmp_path: Path
) -> None:
    """A limit on the size of a file refuses as a full disk does: at a write, or only when it is closed."""
    done = in_a_shell(f"ulimit -f 4; $0 {command} {tmp_path / name}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"{tmp_path / name}: expected to write, got: File too large")
    assert list(tmp_path.iterdir()) == []


def test_a_stdin_that_is_closed_is_one_line() -> None:
    done = in_a_shell("$0 run - --rate 250 <&-")
    assert (done.returncode, done.stderr) == (2, "stdin: expected samples, found it closed\n")


def test_a_stdout_that_is_closed_is_no_error() -> None:
    assert in_a_shell("$0 --version >&-").returncode == 0


@pytest.mark.parametrize(
    "error",
    [
        OSError("nobody said why"),
        OSError(errno.EINVAL, "Invalid argument"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        FileNotFoundError(errno.ENOENT, "No such file", str(ROOT / "device_sim/page/page.css")),
        ValueError("a bug"),
    ],
)
def test_a_bug_is_not_taken_for_what_the_system_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def broken(self: Path) -> bool:
        raise error

    monkeypatch.setattr(Path, "is_dir", broken)
    with pytest.raises(type(error)) as raised:
        main(["show", "secret"])
    assert raised.value.__notes__ == [BUG]
    assert capsys.readouterr().err == ""


def test_what_the_system_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(self: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_dir", denied)
    assert main(["show", "secret"]) == 2
    assert capsys.readouterr().err == "wristlead: secret: Permission denied\n"
