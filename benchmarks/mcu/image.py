"""Builds a Cortex-M image with the pinned ziglang compiler and reads its symbols and sizes."""

import importlib.util
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from device_sim.contract.errors import ContractError

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
PORT = FIRMWARE / "ports" / "cortex_m"
TARGET, CPU = "thumb-freestanding-eabihf", "cortex_m4"
INCLUDES = (FIRMWARE / "include", PORT / "include", FIRMWARE / "src")

# -fhosted: a freestanding target would turn memcpy of a word into a call to a byte loop.
# -fomit-frame-pointer: zig keeps r7 otherwise, and the kernels need every register.
FLAGS = (
    "-std=c99", "-O2", "-fhosted", "-fomit-frame-pointer", "-ffunction-sections", "-fdata-sections",
    "-Wall", "-Wextra", "-Werror", "-Wl,--gc-sections", "-Wl,-e,reset",
)  # fmt: skip


RAM_START = 0x20000000


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    name: str
    address: int
    n_bytes: int
    is_code: bool

    @property
    def in_flash(self) -> bool:
        return self.address < RAM_START


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    path: Path
    segments: tuple[tuple[int, bytes], ...]  # where in memory, what
    symbols: dict[str, Symbol]

    def n_bytes(self, names: Collection[str]) -> int:
        """Bytes that these symbols take; two names of one place count once."""
        places = {
            (s.address, s.is_code): s.n_bytes for name, s in self.symbols.items() if plain(name) in names
        }
        return sum(places.values())

    @property
    def flash_bytes(self) -> int:
        """Everything that is programmed, start-up and padding included."""
        return sum(len(content) for address, content in self.segments if address < RAM_START)


def plain(name: str) -> str:
    """The name in the source: a compiler marks its clones with a dot, read_image a second static with #."""
    name = name.split("#")[0]
    return name if name.startswith("compiler_rt.") else name.split(".")[0]


def require(package: str) -> None:
    """One line with the command when a package of the extra is not there."""
    if importlib.util.find_spec(package) is None:
        raise ContractError(
            f"{package}: not installed; in a checkout: pip install -c constraints.txt -e '.[mcu]'"
        )


def build(
    sources: list[Path],
    out: Path,
    *,
    target: str = TARGET,
    cpu: str = CPU,
    defines: tuple[str, ...] = (),
) -> Image:
    """Compile and link; the same sources and flags give the same bytes."""
    require("ziglang")
    command = [
        sys.executable, "-m", "ziglang", "cc", "-target", target, f"-mcpu={cpu}", *FLAGS,
        *(f"-D{d}" for d in defines), *(f"-I{folder}" for folder in INCLUDES),
        "-T", str(PORT / "link.ld"), *map(str, sources), "-o", str(out),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise ContractError(
            f"{out.name}: does not build: {next((line for line in lines if 'error' in line), lines[0])}"
        )
    return read_image(out)


def core_sources() -> list[Path]:
    return sorted((FIRMWARE / "src").glob("*.c"))


def port_sources(main: str) -> list[Path]:
    return [PORT / "startup.c", PORT / main]


def read_image(path: Path) -> Image:
    """Segments and symbols of an ELF file; the second static of one name becomes name#2."""
    require("elftools")
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with path.open("rb") as file:
        elf = ELFFile(file)
        segments = tuple(
            (int(s["p_paddr"]), bytes(s.data()))
            for s in elf.iter_segments()
            if s["p_type"] == "PT_LOAD" and s["p_filesz"]
        )
        symbols: dict[str, Symbol] = {}
        for section in elf.iter_sections():
            if not isinstance(section, SymbolTableSection):
                continue
            for s in section.iter_symbols():
                kind = s["st_info"]["type"]
                if kind in ("STT_FUNC", "STT_OBJECT") and s["st_size"]:
                    symbol = Symbol(
                        name=_free_name(s.name, symbols),
                        address=int(s["st_value"]) & ~1 if kind == "STT_FUNC" else int(s["st_value"]),
                        n_bytes=int(s["st_size"]),
                        is_code=kind == "STT_FUNC",
                    )
                    symbols[symbol.name] = symbol
    return Image(path=path, segments=segments, symbols=symbols)


def _free_name(name: str, taken: dict[str, Symbol]) -> str:
    times = sum(1 for other in taken if other.split("#")[0] == name)
    return f"{name}#{times + 1}" if times else name
