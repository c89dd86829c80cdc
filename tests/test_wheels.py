"""What is published: honest tags, the same bytes every time, and verdicts on every machine it names."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.emulated import FOREIGN, Foreign

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = "device_sim/libwristlead.so"
# Tag, machine of the ELF header, 64 bits.
PLATFORMS = {
    "manylinux_2_17_x86_64": ("EM_X86_64", 64),
    "manylinux_2_17_aarch64": ("EM_AARCH64", 64),
    "manylinux_2_17_armv7l": ("EM_ARM", 32),
}
PURE = ("serial", "rich", "markdown_it", "mdurl", "pygments")  # pyserial and rich, and what rich brings
RUN = ("run", ROOT / "models/quality-tiny", "--synthetic", "--seconds", "12")


def build(folder: Path, umask: int) -> Path:
    """`make wheels` without its environment."""
    pytest.importorskip("ziglang", reason="wheels are cross-compiled: pip install -e '.[mcu]'")
    command = [sys.executable, "setup.py", "--quiet", "wheels", "--dist-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, umask=umask)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"), umask=0o022)


def wheel_of(dist: Path, platform: str) -> Path:
    (found,) = dist.glob(f"wristlead-*-py3-none-{platform}.whl")
    return found


@pytest.fixture(scope="module")
def verdicts() -> str:
    """What this checkout says of the same seconds."""
    command = [sys.executable, "-m", "device_sim", *map(str, RUN)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


def test_there_is_a_source_distribution_and_a_wheel_for_each_platform(dist: Path) -> None:
    names = {path.name for path in dist.iterdir()}
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    stem = f"wristlead-{version[1]}"
    assert names == {f"{stem}.tar.gz", *(f"{stem}-py3-none-{platform}.whl" for platform in PLATFORMS)}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_wheel_holds_the_runtime_and_nothing_else(dist: Path, platform: str) -> None:
    with zipfile.ZipFile(wheel_of(dist, platform)) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        notes = {name.split("/", 1)[1] for name in wheel.namelist() if ".dist-info/" in name}
        wheel_file = next(name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL"))
        tags = re.findall(r"^Tag: (.+)$", wheel.read(wheel_file).decode(), re.MULTILINE)
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "device_sim").rglob("*.py")}
    assert names - {LIBRARY, "device_sim/py.typed"} == modules | shipped_beside()
    assert LIBRARY in names
    assert {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"} <= notes
    assert tags == [f"py3-none-{platform}"]


def shipped_beside() -> set[str]:
    """Files that are no modules and are committed inside the package."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "device_sim"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return {name for name in listed if not name.endswith((".py", "py.typed"))}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_tag_says_what_the_library_needs(dist: Path, platform: str) -> None:
    pytest.importorskip("elftools", reason="reads the library: pip install -e '.[mcu]'")
    from elftools.elf.dynamic import DynamicSection
    from elftools.elf.elffile import ELFFile

    with zipfile.ZipFile(wheel_of(dist, platform)) as wheel:
        elf = ELFFile(BytesIO(wheel.read(LIBRARY)))
    machine, bits = PLATFORMS[platform]
    assert (elf["e_machine"], elf.elfclass) == (machine, bits)
    dynamic = elf.get_section_by_name(".dynamic")
    assert isinstance(dynamic, DynamicSection)
    tags: list[Any] = list(dynamic.iter_tags())
    assert {tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"} <= {"libc.so.6"}
    assert not [tag for tag in tags if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH")]
    promised = tuple(map(int, re.findall(r"\d+", platform)[:2]))
    for version in glibc_versions(elf):
        assert version <= promised, f"needs glibc {version}"
    if machine == "EM_ARM":
        assert arm_attributes(elf) == {"TAG_CPU_ARCH": 10, "TAG_ABI_VFP_ARGS": 1}  # v7, hard float


def glibc_versions(elf: Any) -> list[tuple[int, ...]]:
    """Every version of glibc a symbol is bound to."""
    section = elf.get_section_by_name(".gnu.version_r")
    names = [aux.name for _, auxes in section.iter_versions() for aux in auxes] if section else []
    assert all(name.startswith("GLIBC_") for name in names), names
    return [tuple(map(int, name.removeprefix("GLIBC_").split("."))) for name in names]


def arm_attributes(elf: Any) -> dict[str, int]:
    wanted = ("TAG_CPU_ARCH", "TAG_ABI_VFP_ARGS")
    section = elf.get_section_by_name(".ARM.attributes")
    found = [
        one
        for part in section.iter_subsections()
        for sub in part.iter_subsubsections()
        for one in sub.iter_attributes()
    ]
    return {one.tag: one.value for one in found if one.tag in wanted}


def test_the_same_sources_give_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "again", umask=0o077)
    digests = [{path.name: sha256(path) for path in folder.iterdir()} for folder in (dist, again)]
    assert digests[0] == digests[1]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_source_distribution_holds_the_core_and_no_clock(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    names = {member.name.split("/", 1)[1] for member in members}
    core = {str(file.relative_to(ROOT)) for file in (ROOT / "firmware/src").glob("*.[ch]")}
    assert core <= names
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE", "firmware/include/wl.h"} <= names
    assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, 315_532_800)}


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has this machine's wheel and what it needs."""
    machine = sysconfig.get_platform().removeprefix("linux-")
    if f"manylinux_2_17_{machine}" not in PLATFORMS:
        pytest.skip(f"no wheel for {machine}")
    site, python = bare_environment(tmp_path_factory.mktemp("installed") / "venv")
    install = ["-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile", "--target", str(site)]
    subprocess.run([sys.executable, *install, str(wheel_of(dist, f"manylinux_2_17_{machine}"))], check=True)
    return python


def says(python: Path, *arguments: object, emulator: Sequence[str] = ()) -> str:
    command = [*emulator, str(python), *map(str, arguments)]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        command, cwd=python.parent, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_alone_runs_a_bundle(installed: Path, verdicts: str) -> None:
    assert says(installed, "-m", "device_sim", *RUN) == verdicts
    assert len(verdicts.splitlines()) == 8


# The second ones have AVX2 and nothing newer.
@pytest.mark.parametrize(("cpu", "steps"), [("Nehalem", 0), ("Haswell", 1)])
def test_the_wheel_says_the_same_on_an_older_processor(
    installed: Path, cpu: str, steps: int, verdicts: str
) -> None:
    if "x86_64" not in sysconfig.get_platform():
        pytest.skip("processors of x86-64, on another machine")
    emulator = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
    if emulator is None:
        pytest.skip("no qemu-x86_64 on this machine: `apt install qemu-user`")
    older = (emulator, "-cpu", cpu)
    look = "import ctypes, device_sim.binding as it; print(ctypes.c_int.in_dll(it.core(), 'wl_x86').value)"
    assert int(says(installed, "-c", look, emulator=older)) == steps
    assert says(installed, "-m", "device_sim", *RUN, emulator=older) == verdicts


def bare_environment(folder: Path) -> tuple[Path, Path]:
    """A new environment with the three dependencies of the base, borrowed from this one, and nothing else."""
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python3*/site-packages"))
    borrow(site, "numpy", "numpy.libs", *PURE)
    return site, folder / "bin/python"


def borrow(folder: Path, *packages: str) -> Path:
    """Links to packages of this environment; one that NumPy's wheel may lack is left out."""
    folder.mkdir(exist_ok=True)
    for name in packages:
        found = next((path for entry in sys.path if (path := Path(entry) / name).is_dir()), None)
        assert found or name == "numpy.libs", f"{name}: expected the package, found none"
        if found:
            (folder / name).symlink_to(found)
    return folder


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda one: one.machine)
def test_the_wheel_says_the_same_on_an_emulated_machine(
    dist: Path, tmp_path: Path, foreign: Foreign, verdicts: str
) -> None:
    """A wheel its pip would take, on its own Python and NumPy, through qemu-user."""
    lacking = foreign.missing()
    if lacking:
        pytest.skip(lacking)
    wheel = wheel_of(dist, f"manylinux_2_17_{foreign.machine}")
    pure, site = borrow(tmp_path / "pure", "pip", *PURE), tmp_path / "site"
    taken = "from pip._vendor.packaging.tags import sys_tags; print(*sys_tags(), sep='\\n')"
    assert wheel.stem.split("-", 2)[2] in foreign.run("-c", taken, path=[pure]).stdout.splitlines()
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    done = foreign.run("-m", "device_sim", *RUN, path=[site, pure])
    assert done.returncode == 0, done.stderr
    assert done.stdout == verdicts
