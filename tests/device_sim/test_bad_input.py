"""Whatever is wrong with a file: one clear line, exit 2, nothing on stdout, never a traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.device_sim.conftest import ROOT, Command

Case = tuple[Callable[[Path], list[object]], str]
HEADER = "r 1 360 1000\nr.dat 16 200 11 0 0 0 0 II\n"


def text(content: str | bytes, *options: object, name: str = "a.csv") -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return [folder / name, *options]

    return make


def array(x: object, *options: object, **facts: object) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        np.savez(folder / "a.npz", x=np.asarray(x), **facts)  # type: ignore[arg-type]
        return [folder / "a.npz", *options]

    return make


def wfdb(header: str, n_bytes: int | None = 2000, *options: object) -> Callable[[Path], list[object]]:
    def make(folder: Path) -> list[object]:
        (folder / "r.hea").write_text(header)
        if n_bytes is not None:
            (folder / "r.dat").write_bytes(bytes(n_bytes))
        return [folder / "r.hea", *options]

    return make


def folder(path: Path) -> list[object]:
    return [path]


def missing(path: Path) -> list[object]:
    return [path / "a.csv"]


CASES: dict[str, Case] = {
    "nan": (text("1\n2\nnan\n", "--rate", 250), "a.csv:3: expected a finite number, got nan"),
    "inf": (text("1\n-inf\n", "--rate", 250), "a.csv:2: expected a finite number, got -inf"),
    "nan in an array": (
        array([1, np.nan], rate_hz=250),
        "a.npz: sample 1: expected a finite number, got nan",
    ),
    "empty": (text("", "--rate", 250), "a.csv: expected samples, got an empty file"),
    "empty raw": (text(b"", "--rate", 250, name="a.i16"), "a.i16: expected samples, got none"),
    "not a number": (text("1\n2\nx3\n", "--rate", 250), "a.csv:3: expected a number, got 'x3'"),
    "prose": (text("dear reader\nhello\n", "--rate", 250), "a.csv:2: expected a number, got 'hello'"),
    "garbage": (text(bytes(range(256)), "--rate", 250), "a.csv:1: expected text, got byte 0x00 at offset 0"),
    "no rate": (text("1\n2\n"), "a.csv: expected a sampling rate, found none in the file; say --rate HZ"),
    "odd rate": (text("1\n2\n", "--rate", 257), "a.csv: expected a rate of 125, 128, 200"),
    "rate against times": (
        text("t,x\n" + "".join(f"{n / 250},{n}\n" for n in range(500)), "--rate", 500),
        "a.csv: expected 500 Hz from --rate, measured 250 Hz over 2 s",
    ),
    "a volt": (
        text("0\n1000000\n", "--rate", 250),
        "a.csv:2: expected at most 500 mV either way, got 1000 mV",
    ),
    "microvolts as millivolts": (
        text("0\n1200\n", "--rate", 250, "--units", "mV"),
        "a.csv:2: expected at most 500 mV either way, got 1200 mV; are the units right? (--units uV|mV|adc)",
    ),
    "millivolts as microvolts": (
        text("0.1\n1.2\n-0.2\n", "--rate", 250),
        "got 1.4 uV; say --units mV, or --units uV if it is so",
    ),
    "unknown column": (
        text("t,I,II\n0,1,2\n", "--lead", "V1"),
        "a.csv: expected a lead of this file (I, II), got --lead V1",
    ),
    "unknown lead": (
        wfdb(HEADER, 2000, "--lead", "V1"),
        "r.hea: expected a lead of this file (II), got --lead V1",
    ),
    "truncated": (
        wfdb(HEADER, 1999),
        "r.dat: expected 2000 bytes (1000 samples of 1 signals, says r.hea), got 1999",
    ),
    "no signal file": (wfdb(HEADER, None), "r.hea: expected its signal file r.dat beside it, found none"),
    "zero samples": (wfdb(HEADER.replace("1000", "0")), "r.hea: expected samples, got a header that says 0"),
    "broken header": (wfdb("not a header\n"), "r.hea: expected a WFDB header, got one that wfdb cannot read"),
    "empty header": (text("", name="r.hea"), "r.hea: expected a WFDB header, got an empty file"),
    "no header": (text(b"12", name="r.dat"), "r.dat: expected its WFDB header r.hea beside it, found none"),
    "no edf": (
        text("0       but no more", name="a.edf"),
        "a.edf: expected an EDF header of 256 bytes, got 19 bytes",
    ),
    "folder": (folder, "expected a file, got a directory"),
    "missing": (missing, "a.csv: expected a recording, found no such file"),
    "unknown format": (text("1", name="a.docx"), "a.docx: expected a name ending in"),
}


@pytest.mark.parametrize(("make", "message"), CASES.values(), ids=CASES)
def test_bad_input_is_one_clear_line(
    make: Callable[[Path], list[object]], message: str, wristlead: Command, tmp_path: Path
) -> None:
    if "wfdb" in make.__qualname__:
        pytest.importorskip("wfdb", reason="the `records` extra is not installed")
    out = tmp_path / "out.npz"
    done = wristlead("run", "--file", *make(tmp_path), "--out", out)
    assert message in done.stderr
    assert done.stderr.startswith(str(tmp_path))  # it opens with the place
    assert done.stderr.count("\n") == 1
    assert (done.returncode, done.stdout) == (2, "")
    assert not out.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_one_clear_line(wristlead: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1\n")
    path.chmod(0)
    done = wristlead("run", "--file", path, "--rate", 250)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{path}: expected a readable file, got: Permission denied\n"


def test_show_refuses_like_run(wristlead: Command, tmp_path: Path) -> None:
    done = wristlead("show", tmp_path / "none.edf")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{tmp_path / 'none.edf'}: expected a recording, found no such file\n"


def test_an_empty_pipe_is_one_clear_line(wristlead: Command) -> None:
    done = wristlead("run", "-", "--rate", 250)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stdin: expected samples, got an empty file\n"


def test_a_missing_package_names_the_command_that_installs_it(tmp_path: Path) -> None:
    # A package of the same name that cannot be found stands in for one that is not installed.
    hide = "import sys\nsys.modules.update(dict.fromkeys(('wfdb', 'pyedflib', 'matplotlib')))\n"
    (tmp_path / "hidden.py").write_text(
        f"{hide}from device_sim.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
    )

    def run(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, tmp_path / "hidden.py", *map(str, arguments)],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    (header,) = wfdb(HEADER)(tmp_path)
    assert "pip install 'wristlead[records]'" in run("run", "--file", header)
    assert "pip install 'wristlead[report]'" in run("run", "--synthetic", "--picture", tmp_path / "a.png")
