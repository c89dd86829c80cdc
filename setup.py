"""Builds firmware/src/*.c into the shared library beside device_sim; everything else is in pyproject.toml."""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "firmware" / "src"
HEADERS = ROOT / "firmware" / "include"
# Loaded by its path through ctypes: one name on every system.
LIBRARY = Path("device_sim") / "libwristlead.so"
# -O3 changes speed and no result: there are no floats. Never -march=native: a wheel travels.
FLAGS = ["-std=c99", "-O3", "-fPIC", "-shared"]
ZIGLANG = "ziglang==0.17.0"  # as in constraints.txt


def machine_compiler() -> list[str] | None:
    """The compiler named by CC, or the machine's own; None where there is none."""
    named = os.environ.get("CC", "").strip()
    if named:
        return shlex.split(named)
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [found] if found else None


def compiler() -> list[str]:
    """The command that compiles the core, or one line that says what to install."""
    own = machine_compiler()
    if own:
        return own
    if importlib.util.find_spec("ziglang"):
        return [
            sys.executable,
            "-m",
            "ziglang",
            "cc",
            "-mcpu=baseline",
        ]  # zig's default is this machine's CPU
    raise SystemExit(
        "wristlead: no C compiler found (looked for $CC, cc, gcc, clang, ziglang); "
        f"install one: `apt install gcc libc6-dev`, or `pip install {ZIGLANG}`"
    )


def compile_core(library: Path) -> None:
    """Write the shared library, whole or not at all: another process may have the old one open."""
    sources = sorted(str(path.relative_to(ROOT)) for path in SOURCES.glob("*.c"))
    if not sources:
        raise SystemExit(f"wristlead: {SOURCES}: expected the C sources of the core, found none")
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        fresh = Path(folder) / library.name
        command = [*compiler(), *FLAGS, f"-I{HEADERS.relative_to(ROOT)}", *sources, "-o", str(fresh)]
        print(shlex.join(command))
        try:
            failed = subprocess.run(command, cwd=ROOT).returncode != 0
        except FileNotFoundError:
            raise SystemExit(f"wristlead: CC={command[0]}: no such compiler") from None
        if failed:
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
        compile_core(ROOT / LIBRARY)


class BuildPyWithCore(build_py):
    """The Python files, and the library beside them: in the tree when editable, in the wheel otherwise."""

    def run(self) -> None:
        super().run()
        compile_core(self.library())

    def library(self) -> Path:
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


class DistributionWithCore(Distribution):
    """Says that the wheel is not pure, though there is no extension module in it."""

    def has_ext_modules(self) -> bool:
        return True


if __name__ == "__main__":
    setup(
        distclass=DistributionWithCore,
        cmdclass={"build_core": BuildCore, "build_py": BuildPyWithCore, "bdist_wheel": PlatformWheel},
        setup_requires=[] if machine_compiler() or importlib.util.find_spec("ziglang") else [ZIGLANG],
    )
