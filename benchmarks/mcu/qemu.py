"""The second witness: the same image in QEMU, which counts by a plugin of our own."""

import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.mcu.image import Image
from device_sim.contract.errors import ContractError

SYSTEM = "qemu-system-arm"
INSTALL = "apt install qemu-system-arm"
PLUGIN = Path(__file__).with_name("qemu_plugin.c")
TIMEOUT_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What QEMU says of one run."""

    words: tuple[int, ...]  # wl_result
    instructions: int  # from main to wl_halt


def link_command(image: Path, port: int = 5555) -> str:
    """What runs an image of firmware/ports/link, its UART on a TCP port of this machine."""
    return (
        f"{SYSTEM} -M mps2-an386 -nographic -monitor none "
        f"-serial tcp:127.0.0.1:{port},server,nowait -kernel {image}"
    )


def is_installed() -> bool:
    return shutil.which(SYSTEM) is not None


@cache
def _plugin(folder: str) -> Path:
    """Built by the pinned compiler; QEMU 7 and 8 read its version of the interface."""
    library = Path(folder) / "count.so"
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-O2",
        "-shared",
        "-fPIC",
        str(PLUGIN),
        "-o",
        str(library),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ContractError(
            f"{PLUGIN.name}: does not build: {(done.stderr.splitlines() or ['no message'])[0]}"
        )
    return library


def run(of: Image) -> Witness:
    """From reset to the stop; wl_result comes over semihosting, the count from the plugin."""
    machine = of.target.qemu_machine
    if machine is None or not is_installed():
        raise ContractError(f"{SYSTEM}: not installed: {INSTALL}")
    main, halt = (of.symbols[name].address for name in ("main", "wl_halt"))
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "count.txt"
        plugin = f"{_plugin(folder)},main={main},halt={halt},out={counts}"
        command = [
            SYSTEM, "-M", machine, "-nographic", "-monitor", "none", "-serial", "none",
            "-semihosting-config", "enable=on,target=native", "-kernel", str(of.path), "-plugin", plugin,
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            raise ContractError(f"{of.path.name}: {SYSTEM}: no end after {TIMEOUT_S} s") from None
        said = [line for line in done.stderr.splitlines() if len(line.split()) == 8]
        if done.returncode != 0 or not said or not counts.exists():
            why = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise ContractError(f"{of.path.name}: {SYSTEM} -M {machine} stopped: {why}")
        words = struct.unpack("<8I", struct.pack("<8I", *(int(word, 16) for word in said[-1].split())))
        return Witness(words=words, instructions=int(counts.read_text()))
