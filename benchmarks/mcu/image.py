"""Builds a Cortex-M image with the pinned ziglang compiler and reads its symbols and sizes."""

import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from device_sim.contract.errors import ContractError

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
PORT = FIRMWARE / "ports" / "cortex_m"

# -fhosted: a freestanding target would turn memcpy of a word into a call to a byte loop.
# -fomit-frame-pointer: zig keeps r7 otherwise, and the kernels need every register.
FLAGS = (
    "-std=c99", "-O2", "-fhosted", "-fomit-frame-pointer", "-ffunction-sections", "-fdata-sections",
    "-Wall", "-Wextra", "-Werror", "-Wl,--gc-sections", "-Wl,-e,reset",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    name: str
    address: int
    n_bytes: int
    is_code: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    path: Path
    segments: tuple[tuple[int, bytes], ...]  # where in memory, what
    symbols: dict[str, Symbol]

    def n_bytes(self, prefixes: tuple[str, ...]) -> int:
        """Flash that the symbols with these prefixes take."""
        return sum(s.n_bytes for s in self.symbols.values() if s.name.startswith(prefixes) and s.address < 0x20000000)


def build(
    sources: list[Path], out: Path, *, target: str = "thumb-freestanding-eabihf", cpu: str = "cortex_m4", defines: tuple[str, ...] = ()
) -> Image:
    """Compile and link; the same sources and flags give the same bytes."""
    if importlib.util.find_spec("ziglang") is None:
        raise ContractError("ziglang: not installed; pip install -c constraints.txt -e '.[mcu]'")
    command = [
        sys.executable, "-m", "ziglang", "cc", "-target", target, f"-mcpu={cpu}", *FLAGS,
        *(f"-D{d}" for d in defines), f"-I{FIRMWARE / 'include'}", f"-I{PORT / 'include'}", f"-I{FIRMWARE / 'src'}",
        "-T", str(PORT / "link.ld"), *map(str, sources), "-o", str(out),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ContractError(f"{out.name}: does not build: {(done.stderr.strip().splitlines() or ['no message'])[0]}")
    return read_image(out)


def core_sources() -> list[Path]:
    return sorted((FIRMWARE / "src").glob("*.c"))


def port_sources(main: str) -> list[Path]:
    return [PORT / "startup.c", PORT / main]


def read_image(path: Path) -> Image:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with path.open("rb") as file:
        elf = ELFFile(file)
        segments = tuple(
            (int(s["p_paddr"]), bytes(s.data())) for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"]
        )
        symbols = {}
        for section in elf.iter_sections():
            if isinstance(section, SymbolTableSection):
                for s in section.iter_symbols():
                    kind = s["st_info"]["type"]
                    if kind in ("STT_FUNC", "STT_OBJECT") and s["st_size"]:
                        address = int(s["st_value"]) & ~1 if kind == "STT_FUNC" else int(s["st_value"])
                        symbols[s.name] = Symbol(name=s.name, address=address, n_bytes=int(s["st_size"]), is_code=kind == "STT_FUNC")
    return Image(path=path, segments=segments, symbols=symbols)
