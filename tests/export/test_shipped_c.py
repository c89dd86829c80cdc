"""The C of everything that ships builds outside the tree, with every compiler, and gives the twin's bytes."""

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from device_sim.contract.cascade import bundles_of, read_application
from export.to_c import to_c
from tests.export.test_to_c import COMPILERS, ROOT, WARNINGS

SHIPPED = sorted(path.parent.name for path in (ROOT / "models").glob("*/manifest.json"))
OWN = ("wl_model.c", "wl_quality.c", "wl_beat.c", "wl_app.c")  # what differs from folder to folder
Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Each exported once."""
    room = tmp_path_factory.mktemp("c")

    @cache
    def exported(name: str) -> Path:
        to_c(read_application(ROOT / "models" / name), room / name)
        return room / name

    return exported


@pytest.fixture(scope="module")
def core(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """Objects of the core, compiled once a compiler: in every folder it is the same, byte for byte."""

    @cache
    def compiled(compiler: str) -> list[str]:
        out = tmp_path_factory.mktemp(compiler)
        room = folder(SHIPPED[0])
        call([*COMPILERS[compiler], *WARNINGS, f"-I{room / 'src'}", "-c", *sources(room, is_own=False)], out)
        return sorted(map(str, out.glob("*.o")))

    return compiled


def sources(room: Path, *, is_own: bool) -> list[str]:
    return sorted(str(path) for path in (room / "src").glob("*.c") if (path.name in OWN) == is_own)


def call(command: list[str], where: Path) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_said(said: str, name: str) -> None:
    """Four vectors of each network, then a minute of ECG; ctest puts a number before each line."""
    digests = [one.digest[:12] for one in bundles_of(read_application(ROOT / "models" / name))]
    assert re.findall(r"(\w{12}): 4 vectors, 0 failures$", said, re.MULTILINE) == digests
    assert re.search(r"stream: \d{2,3} events, every byte equal$", said, re.MULTILINE)


def test_what_ships_is_tried() -> None:
    assert SHIPPED == [
        "beat-cardiacnet",
        "beat-tiny",
        "cascade",
        "quality-light",
        "quality-paper",
        "quality-tiny",
    ]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_core_is_the_same_in_every_folder(name: str, folder: Folder) -> None:
    first, other = (
        {
            path.name: path.read_bytes()
            for path in (folder(one) / "src").iterdir()
            if path.name[:-2] + ".c" not in OWN
        }
        for one in (SHIPPED[0], name)
    )
    assert first == other


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_compiler_and_the_sanitizers_give_the_twins_bytes(
    compiler: str, name: str, folder: Folder, core: Callable[[str], list[str]], tmp_path: Path
) -> None:
    room = folder(name)
    places = [f"-I{room / 'src'}", f"-I{room}"]
    own = [str(room / "main.c"), *sources(room, is_own=True)]
    call([*COMPILERS[compiler], *WARNINGS, *places, *own, *core(compiler), "-o", "check"], tmp_path)
    check_said(call([str(tmp_path / "check")], tmp_path), name)


@pytest.mark.parametrize("name", SHIPPED)
def test_cmake_builds_each_and_runs_its_test(name: str, folder: Folder, tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("no cmake on this machine: apt install cmake")
    flags = [f"-DCMAKE_C_FLAGS={' '.join(WARNINGS)} -O2"]
    call(["cmake", "-S", str(folder(name)), "-B", "b", *flags], tmp_path)
    call(["cmake", "--build", "b", "--parallel", "2"], tmp_path)
    check_said(call(["ctest", "--test-dir", "b", "--verbose"], tmp_path), name)
