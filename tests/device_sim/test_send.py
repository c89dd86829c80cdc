"""`wristlead send` and `wristlead run` as a person uses them: two terminals and a line between."""

import errno
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import serial

from device_sim.__main__ import main
from device_sim.contract.errors import ContractError
from device_sim.send_line import FaultyLine, LineFaults, line_faults
from tests.device_sim.conftest import ROOT
from tests.device_sim.terminals import address_of, terminal

BROKEN = ("--fault", "lead_off@2+1", "--fault", "rail@4+0.5", "--noise", "mains=80")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What the command said, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def wristlead(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command in this process: what is tested is the line, not the start of Python."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = main(list(map(str, arguments)))
        said = capsys.readouterr()
        return Done(returncode=code, stdout=said.out, stderr=said.err)

    return run


Command = Callable[..., Done]


def lines_of(stdout: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_send_and_run_joined_by_a_pty_give_what_the_file_gives(wristlead: Command, tmp_path: Path) -> None:
    counts = np.random.default_rng(1).integers(-3000, 3000, 250 * 12)
    record = tmp_path / "r.npz"
    np.savez(record, x=counts, rate_hz=250)
    with terminal("send", record, "--port", f"pty:{tmp_path / 'tty'}", "--flat-out") as sender:
        assert address_of(sender) == str(tmp_path / "tty")
        done = wristlead("run", "--port", tmp_path / "tty", "--columns")
        assert sender.wait(20) == 0
        assert "sent 12.0 s" in sender.stderr.read()  # type: ignore[union-attr]
    assert (done.returncode, lines_of(done.stdout)) == (
        0,
        lines_of(wristlead("run", "--file", record, "--columns").stdout),
    )
    assert done.stderr.splitlines()[-1].endswith("0 damaged; ended by END")
    assert not (tmp_path / "tty").is_symlink()


def test_a_bad_line_flags_its_gaps_and_loses_count_of_nothing(wristlead: Command) -> None:
    sent = (
        "send",
        "--synthetic",
        "--seconds",
        30,
        "--flat-out",
        "--line",
        "flip=1e-3,lose=0.02",
        "--port",
        "pty",
    )
    with terminal(*sent) as sender:
        done = wristlead("run", "--port", address_of(sender))
    summary = done.stderr.splitlines()
    assert done.returncode == 0
    assert "30.0 s, 480 columns" in summary[0]
    assert summary[1].startswith("gaps: ")
    assert "estimated" not in summary[1]
    assert "gap" in summary[2]


def test_the_signal_itself_can_be_disturbed(wristlead: Command, tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", x=np.zeros(256 * 8, np.int64), rate_hz=256)
    with terminal("send", tmp_path / "r.npz", "--flat-out", "--port", "pty", *BROKEN) as sender:
        done = wristlead("run", "--port", address_of(sender))
    by_second = [line["flags"] for line in lines_of(done.stdout)]
    off = [second for second, flags in enumerate(by_second) if "lead_off" in flags]  # type: ignore[operator]
    assert off == [2, 3]  # the first column of a second still sees the last samples of the one before
    assert "rail" in by_second[4]  # type: ignore[operator]
    assert lines_of(done.stdout)[7]["level_dbuv"]["31-61"] > 30  # type: ignore[index]


def test_text_from_a_sketch_is_found_out(wristlead: Command) -> None:
    with terminal("send", "--synthetic", "--seconds", 6, "--text", "--flat-out", "--port", "pty") as sender:
        done = wristlead("run", "--port", address_of(sender), "--rate", 256, "--unpaced", "--wait", 1.5)
    assert lines_of(done.stdout) == lines_of(wristlead("run", "--synthetic", "--seconds", 6).stdout)
    assert "1536 lines of text, 0 without a number" in done.stderr


def test_frames_go_through_a_pipe(wristlead: Command) -> None:
    send = shlex.join(
        [sys.executable, "-m", "device_sim", "send", "--synthetic", "--seconds", "6", "--flat-out"]
    )
    run = shlex.join([sys.executable, "-m", "device_sim", "run", "-"])
    done = subprocess.run(
        f"{send} --port - | {run}",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert lines_of(done.stdout) == lines_of(wristlead("run", "--synthetic", "--seconds", 6).stdout)


def test_a_capture_is_a_port_too(wristlead: Command, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    with capture.open("wb") as file:
        command = [sys.executable, "-m", "device_sim", "send", "--synthetic", "--seconds", "6", "--flat-out"]
        subprocess.run([*command, "--port", "-"], cwd=ROOT, stdout=file, timeout=60, check=True)
    done = wristlead("run", "--port", capture)
    assert lines_of(done.stdout) == lines_of(wristlead("run", "--synthetic", "--seconds", 6).stdout)


@pytest.mark.parametrize(
    ("stop", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)],
    ids=["ctrl-C", "a service's end"],
)
def test_a_stream_that_is_stopped_leaves_complete_files(
    tmp_path: Path, stop: signal.Signals, code: int
) -> None:
    out = tmp_path / "out.npz"
    with (
        terminal("simulate-device", "--flat-out", "--port", "pty") as device,
        terminal("run", "--port", address_of(device), "--out", out) as host,
    ):
        assert host.stdout is not None
        first = json.loads(host.stdout.readline())
        host.send_signal(stop)
        _rest, said = host.communicate(timeout=20)
        assert host.returncode == code
        assert f"wrote {out}" in said
    with np.load(out) as trace:
        assert len(trace["flags_u8"]) >= first["n_columns"]
        assert len(trace["codes_ts_i8"]) == len(trace["flags_u8"])


def test_a_device_that_is_unplugged_and_plugged_in_again_leaves_a_flagged_gap(tmp_path: Path) -> None:
    port = tmp_path / "tty"
    device = ("simulate-device", "--scene", "normal", "--port", f"pty:{port}")
    with terminal(*device) as first:
        address_of(first)
        with terminal("run", "--port", port, "--columns", "--seconds", 4) as host:
            assert host.stdout is not None
            host.stdout.readline()  # the first column is there after 2.5 s
            first.kill()
            time.sleep(0.5)
            with terminal(*device):
                rest, said = host.communicate(timeout=30)
    assert host.returncode == 0
    columns = [line["flags"] for line in lines_of(rest)]
    gaps = re.findall(r"^gaps: 1 with (\d+) samples, 1 of them estimated$", said, re.MULTILINE)
    assert len(gaps) == 1
    assert int(gaps[0]) >= 0.5 * 256
    assert sum("gap" in names for names in columns) >= int(gaps[0]) // 16  # type: ignore[operator]


def test_a_host_that_only_looks_is_not_taken_for_one(wristlead: Command) -> None:
    with terminal("send", "--synthetic", "--seconds", 6, "--flat-out", "--port", "pty") as sender:
        port = address_of(sender)
        os.close(os.open(port, os.O_RDWR | os.O_NOCTTY))
        time.sleep(0.2)
        assert wristlead("run", "--port", port).returncode == 0


def test_a_host_that_leaves_is_one_line(wristlead: Command) -> None:
    with terminal("send", "--synthetic", "--seconds", 60, "--port", "pty") as sender:
        wristlead("run", "--port", address_of(sender), "--seconds", 1)
        assert sender.wait(20) == 2
        assert sender.stderr.read().startswith("the host went away after ")  # type: ignore[union-attr]


def refused(wristlead: Command, *arguments: object) -> str:
    began_s = time.monotonic()
    done = wristlead(*arguments)
    assert time.monotonic() - began_s < 15  # a busy machine
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_port_that_is_not_there_says_which_are(wristlead: Command) -> None:
    assert refused(wristlead, "run", "--port", "/dev/ttyNONE").startswith(
        "/dev/ttyNONE: expected a serial port, found none there; found"
    )


def test_a_port_without_permission_names_its_group(
    wristlead: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, **_options: object) -> None:
        raise serial.SerialException(errno.EACCES, f"could not open port {name}")  # what root never sees

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    assert refused(wristlead, "run", "--port", "/dev/null") == (
        "/dev/null: expected permission to open it, got none; "
        "join its group: sudo usermod -aG root $USER, then log in again\n"
    )


def test_a_port_that_another_program_holds_is_one_line(wristlead: Command) -> None:
    with terminal("simulate-device", "--flat-out", "--port", "pty") as device:
        port = address_of(device)
        with terminal("run", "--port", port) as first:
            assert first.stdout is not None
            first.stdout.readline()
            assert refused(wristlead, "run", "--port", port).startswith(
                f"{port}: expected a free port, got one that another program holds; close that program"
            )


def test_a_board_that_never_answers_is_one_line_in_bounded_time(wristlead: Command) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    message = refused(wristlead, "run", "--port", os.ttyname(slave), "--wait", 0.4)
    assert "expected a device that sends, got nothing within 0.4 s; is the board powered" in message
    os.close(slave)
    os.close(master)


def test_a_wrong_baud_rate_is_one_line_in_bounded_time(wristlead: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"socket://127.0.0.1:{server.getsockname()[1]}"
        with terminal("run", "--port", port, "--wait", 1.5) as host:
            connection, _ = server.accept()
            connection.sendall(np.random.default_rng(1).bytes(5000))
            assert host.wait(15) == 2
            assert host.stderr is not None
            message = host.stderr.read()
            connection.close()
    assert message.startswith(f"{port}: expected frames or lines of numbers, got 5000 bytes of neither")
    assert message.count("\n") == 1


def test_nobody_listening_is_one_line(wristlead: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    message = refused(wristlead, "run", "--port", f"socket://127.0.0.1:{port}")
    assert message.endswith("got: Connection refused; start it first, or correct host and port\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--port", "socket://a..b:1"), "expected socket://HOST:PORT, got no name of a host"),
        (("run", "--port", "socket://nowhere"), "expected socket://HOST:PORT, got another form"),
        (("run", "--port", "bluetooth://7"), "expected a URL of pyserial"),
        (("run", "--port", "/tmp"), "/tmp: expected a port, got a directory"),
        (
            ("run", "--port", "/dev/null"),
            "/dev/null: expected a serial port, got a device that is none; found",
        ),
        (("run", "--port", "/etc/passwd"), "bytes of neither; a recording is named with --file"),
        (
            ("run", "--port", "spy:///dev/nope"),
            "spy:///dev/nope: expected a port that opens, got: could not open",
        ),
        (("run", "--port", "/dev/null", "--wait", "-1"), "--wait: expected seconds above 0, got -1"),
        (("run", "--port", "/dev/null", "--seed", 3), "--seed: means nothing to --port"),
        (("run", "--synthetic", "--baud", 9600), "--baud: means nothing to --synthetic"),
        (("run", "--port", "/dev/null", "--baud", 0), "argument --baud: expected whole bits per second"),
        (("send", "--synthetic", "--gain", 5, "--port", "pty"), "send: --gain: means nothing to --synthetic"),
        (("send", "a.npz", "--scene", "af", "--port", "pty"), "send: --scene: means nothing to a recording"),
        (("send", "a.npz", "--port", "pty"), "a.npz: expected a recording, found no such file"),
        (("simulate-device", "--rate", 256, "--lead", "I", "--port", "pty"), "--lead: means nothing to the"),
        (("send", "--port", "pty"), "expected a RECORD or --synthetic, got none or both"),
        (("send", "--synthetic", "--port", "listen://x:y"), "expected listen://HOST:PORT, got another form"),
        (
            ("send", "--synthetic", "--port", "pty", "--line", "flip=2"),
            "flip: expected a share of 0..1, got 2",
        ),
        (
            ("send", "--synthetic", "--port", "pty", "--line", "cut=1"),
            "--line: expected KIND=SHARE,.. of copy",
        ),
    ],
)
def test_what_makes_no_sense_is_one_line(
    arguments: tuple[object, ...], message: str, wristlead: Command
) -> None:
    assert message in refused(wristlead, *arguments)


def test_loop_hears_only_itself(wristlead: Command) -> None:
    message = refused(wristlead, "run", "--port", "loop://", "--wait", 0.4)
    assert "expected a device, got the questions of a host within 0.4 s" in message


def test_the_same_seed_gives_the_same_faults() -> None:
    faults = line_faults("flip=0.01,drop=0.01,lose=0.1,copy=0.1,swap=0.1,noise=0.1")
    frames = [bytes([k] * 40) for k in range(200)]

    def through(seed: int) -> bytes:
        line = FaultyLine(faults, seed)
        return b"".join(map(line.passed, frames)) + line.rest()

    assert through(5) == through(5)
    assert through(5) != through(6)


def test_a_good_line_changes_nothing() -> None:
    line = FaultyLine(LineFaults(drift_ppm=10), 1)
    assert line.passed(b"abc") == b"abc"
    assert (line.stall_s(), line.restarts(), line.rest(), line.n_faults) == (0.0, False, b"", 0)


@pytest.mark.parametrize("text", ["flip", "flip=", "flip=x", "=1", "flip=1;lose=1", "drift_ppm=600000"])
def test_a_script_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match="--line"):
        line_faults(text)
