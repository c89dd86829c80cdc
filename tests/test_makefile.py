"""What a machine lacks is named with the package that brings it, before anything is installed."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


def make(*arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """Run make on the project's Makefile, with another PATH where given."""
    command = [shutil.which("make") or "make", "--no-print-directory", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, env={**environment, "PATH": path}
    )


def put_program(folder: Path, name: str, script: str) -> None:
    """An executable shell script."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def build() -> ModuleType:
    """setup.py as a module: it builds only when it is run."""
    spec = importlib.util.spec_from_file_location("wristlead_setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_machine_without_python_is_told_the_package(tmp_path: Path) -> None:
    done = make("demo", "PYTHONS=python-that-is-not-here", f"DEMO_VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert "apt install python3.11 python3.11-venv" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_without_venv_is_told_the_package(tmp_path: Path) -> None:
    script = f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"'
    put_program(tmp_path, "python3.11", script)
    done = make("demo", f"DEMO_VENV={tmp_path / 'venv'}", path=f"{tmp_path}:{os.environ['PATH']}")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert done.returncode != 0
    assert f"`apt install python{version}-venv`" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    put_program(tmp_path, "python3.11", "echo 'no such version' >&2; exit 127")
    put_program(tmp_path, "python3.12", 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; esac')
    done = make("demo", f"DEMO_VENV={tmp_path / 'venv'}", path=f"{tmp_path}:{os.environ['PATH']}")
    assert "`apt install python3.12-venv`" in done.stderr
    assert "no such version" not in done.stderr


def test_a_machine_without_any_compiler_is_told_both_packages(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"apt install gcc libc6-dev`, or `pip install ziglang==0\.17\.0`"):
        build.compiler()


def test_ziglang_compiles_for_every_cpu_where_there_is_no_compiler(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert build.compiler() == [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]


def test_a_wrong_cc_is_named_and_the_old_library_stays(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = tmp_path / "libwristlead.so"
    library.write_bytes(b"old")
    monkeypatch.setenv("CC", "cc-that-is-not-here")
    with pytest.raises(SystemExit, match="CC=cc-that-is-not-here: no such compiler"):
        build.compile_core(library)
    assert library.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [library]


def test_quiet_is_quiet_until_the_compiler_fails(
    build: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    put_program(tmp_path, "cc", 'for last; do :; done; echo built > "$last"')
    put_program(tmp_path, "bad", "echo no such flag >&2; exit 1")
    library = tmp_path / "out" / "libwristlead.so"
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    build.compile_core(library, is_quiet=True)
    assert capfd.readouterr() == ("", "")
    build.compile_core(library)
    assert capfd.readouterr().out.startswith(f"{tmp_path}/cc -std=c99 ")
    monkeypatch.setenv("CC", str(tmp_path / "bad"))
    with pytest.raises(SystemExit, match="the core did not compile; the compiler's message is above"):
        build.compile_core(library, is_quiet=True)
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"no such flag\n{tmp_path}/bad -std=c99 ")
    assert library.read_text() == "built\n"


def test_no_flag_ties_the_library_to_one_cpu(build: ModuleType) -> None:
    assert not [flag for flag in build.FLAGS if "native" in flag or "fast-math" in flag]
