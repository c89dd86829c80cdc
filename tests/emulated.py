"""A Debian Python of another machine in a folder, run by qemu-user: `python -m tests.emulated` makes both."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "emulated"
PYTHON = "usr/bin/python3.11"
SITE = "usr/lib/python3/dist-packages"
NUMPY = "numpy==1.26.4"  # as in constraints.txt
# What an interpreter and NumPy need, without what only their installation does.
PACKAGES = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "python3-numpy"),
    *("libc6", "libgcc-s1", "libstdc++6", "libgfortran5", "libblas3", "liblapack3", "zlib1g"),
    *("libexpat1", "libffi8", "libssl3", "libbz2-1.0", "liblzma5", "libcrypt1", "libuuid1"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A machine that qemu-user plays."""

    machine: str  # as `uname -m` says
    debian: str
    libraries: str
    qemu: str
    # PyPI has no NumPy for 32-bit ARM: there it is Debian's, older than the base asks for.
    numpy_platform: str | None

    @property
    def root(self) -> Path:
        return FOLDER / self.machine

    def missing(self) -> str | None:
        """What a person has to do first."""
        if shutil.which(self.qemu) is None:
            return f"{self.qemu}: not installed: `apt install qemu-user`"
        if not (self.root / PYTHON).exists():
            return f"{self.root}: no Python of {self.machine}: `python -m tests.emulated` fetches it"
        return None

    def run(self, *arguments: object, path: Sequence[Path] = ()) -> subprocess.CompletedProcess[str]:
        """Its Python with these arguments; `path` comes before its own packages."""
        command = [self.qemu, "-L", str(self.root), str(self.root / PYTHON), *map(str, arguments)]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": ":".join(map(str, [*path, self.root / SITE])),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300
        )


FOREIGN = (
    Foreign(
        machine="aarch64",
        debian="arm64",
        libraries="aarch64-linux-gnu",
        qemu="qemu-aarch64",
        numpy_platform="manylinux2014_aarch64",
    ),
    Foreign(
        machine="armv7l",
        debian="armhf",
        libraries="arm-linux-gnueabihf",
        qemu="qemu-arm",
        numpy_platform=None,
    ),
)


def fetch(foreign: Foreign) -> None:
    """Debian's packages of that machine, unpacked beside a state of apt's own; the system is left alone."""
    state, fresh = FOLDER / f"apt-{foreign.debian}", foreign.root.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    for folder in (state / "lists/partial", state / "cache/archives/partial", state / "debs", fresh):
        folder.mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    options = {
        "APT::Architecture": foreign.debian,
        "APT::Architectures": foreign.debian,
        "APT::Sandbox::User": "root",
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    subprocess.run([*apt, "update"], check=False)  # a list that is out of date elsewhere is no reason to stop
    subprocess.run([*apt, "download", *PACKAGES], cwd=state / "debs", check=True)
    for package in sorted((state / "debs").glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), str(fresh)], check=True)
    libraries = fresh / "usr/lib" / foreign.libraries
    for name in ("blas", "lapack"):  # what Debian's alternatives would link
        (libraries / f"lib{name}.so.3").symlink_to(f"{name}/lib{name}.so.3")
    if foreign.numpy_platform:
        replace_numpy(fresh / SITE, foreign.numpy_platform, state)
    shutil.rmtree(foreign.root, ignore_errors=True)
    fresh.rename(foreign.root)


def replace_numpy(site: Path, platform: str, folder: Path) -> None:
    """The wheel a user's pip would take."""
    where = ["--platform", platform, "--python-version", "3.11", "--only-binary=:all:", "-d", str(folder)]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *where, NUMPY]
    subprocess.run(command, check=True)
    shutil.rmtree(site / "numpy")
    (wheel,) = folder.glob("numpy-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)


if __name__ == "__main__":
    for one in FOREIGN:
        fetch(one)
        print(f"{one.root}: {one.run('-VV').stdout.strip()}")
