"""Builds firmware/src/*.c into the shared library beside device_sim; everything else is in pyproject.toml."""

import gzip
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "firmware" / "src"
HEADERS = ROOT / "firmware" / "include"
# Loaded by its path through ctypes: one name on every system.
LIBRARY = Path("device_sim") / "libwristlead.so"
# -O3 changes speed and no result: there are no floats. Never -march=native: a wheel travels.
FLAGS = ["-std=c99", "-O3", "-fPIC", "-shared"]
ZIGLANG = "ziglang==0.17.0"  # as in constraints.txt
# What `make wheels` builds, and what zig calls it: linked against the symbols of the very glibc in the tag.
ZIG_TARGETS = {
    "manylinux_2_17_x86_64": "x86_64-linux-gnu.2.17",
    "manylinux_2_17_aarch64": "aarch64-linux-gnu.2.17",
    "manylinux_2_17_armv7l": "arm-linux-gnueabihf.2.17",
}
EPOCH_S = 315_532_800  # 1980-01-01, the first day a zip can name: the same sources give the same bytes


def machine_compiler() -> list[str] | None:
    """The compiler named by CC, or the machine's own; None where there is none."""
    named = os.environ.get("CC", "").strip()
    if named:
        return shlex.split(named)
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [found] if found else None


def compiler(platform: str | None = None) -> list[str]:
    """What compiles the core, for this machine or a platform; or one line that says what to install."""
    own = None if platform else machine_compiler()
    if own:
        return own
    if importlib.util.find_spec("ziglang"):
        zig = [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]  # zig's default is this machine's CPU
        return [*zig, "-target", ZIG_TARGETS[platform], "-s"] if platform else zig
    if platform:
        raise SystemExit(f"wristlead: a wheel for {platform} needs zig: `pip install {ZIGLANG}`")
    raise SystemExit(
        "wristlead: no C compiler found (looked for $CC, cc, gcc, clang, ziglang); "
        f"install one: `apt install gcc libc6-dev`, or `pip install {ZIGLANG}`"
    )


def compile_core(library: Path, platform: str | None = None, *, is_quiet: bool = False) -> None:
    """Write the shared library, whole or not at all: another process may have the old one open."""
    sources = sorted(str(path.relative_to(ROOT)) for path in SOURCES.glob("*.c"))
    if not sources:
        raise SystemExit(f"wristlead: {SOURCES}: expected the C sources of the core, found none")
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        fresh = Path(folder) / library.name
        command = [*compiler(platform), *FLAGS, f"-I{HEADERS.relative_to(ROOT)}", *sources, "-o", str(fresh)]
        if not is_quiet:
            print(shlex.join(command), flush=True)
        try:
            failed = subprocess.run(command, cwd=ROOT).returncode != 0
        except FileNotFoundError:
            raise SystemExit(f"wristlead: CC={command[0]}: no such compiler") from None
        if failed:
            print(shlex.join(command), file=sys.stderr)
            raise SystemExit("wristlead: the core did not compile; the compiler's message is above")
        os.replace(fresh, library)


class BuildCore(Command):
    """`python setup.py build_core`: the library in place, beside device_sim/binding.py."""

    description = "build the C core beside device_sim"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = []

    def initialize_options(self) -> None:
        pass

    def finalize_options(self) -> None:
        pass

    def run(self) -> None:
        compile_core(ROOT / LIBRARY, is_quiet=not self.distribution.verbose)


class BuildPyWithCore(build_py):
    """The Python files, and the library beside them: in the tree when editable, in the wheel otherwise."""

    def run(self) -> None:
        super().run()
        compile_core(self.target(), self.platform(), is_quiet=not self.distribution.verbose)

    def platform(self) -> str | None:
        """What the wheel is for, where that is not this machine."""
        wheel = self.distribution.get_command_obj("bdist_wheel", create=False)
        return wheel.plat_name if wheel and wheel.plat_name in ZIG_TARGETS else None

    def target(self) -> Path:
        """Where the library goes."""
        return ROOT / LIBRARY if self.editable_mode else Path(self.build_lib).resolve() / LIBRARY

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs: list[str] = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else [*outputs, str(Path(self.build_lib) / LIBRARY)]

    def get_source_files(self) -> list[str]:
        """With the core: a source distribution is built on somebody else's machine."""
        core = [path for folder in (SOURCES, HEADERS) for path in folder.rglob("*.[ch]")]
        return [*super().get_source_files(), *(str(path.relative_to(ROOT)) for path in sorted(core))]


class PlatformWheel(bdist_wheel):
    """One wheel for every Python, one per platform: the library knows nothing of Python."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class SortedSdist(sdist):
    """The archive knows no clock, no user and no order of a folder."""

    def make_distribution(self) -> None:
        """Without the two tests that setuptools takes for all of them."""
        self.filelist.files = [name for name in self.filelist.files if not name.startswith("tests/")]
        super().make_distribution()

    def make_archive(self, base_name: str, format: str, *where: str, **options: str) -> str:
        folder = Path(options.get("base_dir") or where[-1])
        path = f"{base_name}.tar.gz"
        with (
            open(path, "wb") as file,
            gzip.GzipFile(fileobj=file, filename="", mode="wb", mtime=EPOCH_S) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for member in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.add(member, filter=timeless)
        return path


def timeless(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same file on any machine."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime, member.mode = EPOCH_S, 0o644
    return member


class Wheels(Command):
    """`python setup.py wheels`: what is published, the source distribution and a wheel for each platform."""

    description = "source distribution, and a wheel for each platform, cross-compiled with zig"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = [("dist-dir=", "d", "where they go")]

    def initialize_options(self) -> None:
        self.dist_dir = "dist"

    def finalize_options(self) -> None:
        pass

    def run(self) -> None:
        """Wheels are built from the source distribution: what is missing there is missing at once."""
        os.umask(0o022)  # modes are part of a wheel
        out = Path(self.dist_dir).resolve()
        with tempfile.TemporaryDirectory() as folder:
            setup_py(
                ROOT, "egg_info", "--egg-base", folder, "sdist", "--formats", "gztar", "--dist-dir", folder
            )
            (archive,) = Path(folder).glob("*.tar.gz")
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
            out.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(archive, out / archive.name)
            sources = Path(folder) / archive.name.removesuffix(".tar.gz")
            for platform in ZIG_TARGETS:
                setup_py(sources, "bdist_wheel", "--plat-name", platform, "--dist-dir", str(out))


def setup_py(folder: Path, *arguments: str) -> None:
    """Run a command of a setup.py in a process of its own."""
    hush = "ignore:setup.py install"  # said of any bdist_wheel, whoever calls it
    command = [sys.executable, "-W", hush, "setup.py", "--quiet", *arguments]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH_S)}
    if subprocess.run(command, cwd=folder, env=environment).returncode:
        raise SystemExit(f"wristlead: {shlex.join(arguments)}: failed; the reason is above")


class DistributionWithCore(Distribution):
    """Says that the wheel is not pure, though there is no extension module in it."""

    def has_ext_modules(self) -> bool:
        return True


if __name__ == "__main__":
    setup(
        distclass=DistributionWithCore,
        cmdclass={
            "build_core": BuildCore,
            "build_py": BuildPyWithCore,
            "bdist_wheel": PlatformWheel,
            "sdist": SortedSdist,
            "wheels": Wheels,
        },
        setup_requires=[] if machine_compiler() or importlib.util.find_spec("ziglang") else [ZIGLANG],
    )
