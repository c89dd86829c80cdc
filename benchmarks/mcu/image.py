"""Builds a Cortex-M image and reads its sections, symbols and sizes."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.mcu.targets import M4, Memory, Target
from device_sim.contract.errors import ContractError

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
PORT = FIRMWARE / "ports" / "cortex_m"
A64_STARTUP = FIRMWARE / "ports" / "aarch64" / "startup.c"
TARGET = M4.zig_target
INCLUDES = (FIRMWARE / "include", PORT / "include", FIRMWARE / "src")
ZIG, GCC = "zig", "gcc"
GCC_INSTALL = "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi"
SHF_ALLOC = 2
COMPILERS = (ZIG, GCC)  # the pinned one, and a second witness

FLAGS = (
    "-std=c99", "-O2", "-fomit-frame-pointer", "-ffunction-sections", "-fdata-sections",
    "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra", "-Werror",
)  # fmt: skip
LINK_FLAGS = ("-Wl,--gc-sections", "-Wl,-e,reset")
# -fhosted: a freestanding target would turn memcpy of a word into a call to a byte loop.
# -fomit-frame-pointer, above: zig keeps r7 otherwise, and the kernels need every register.
ZIG_FLAGS = ("-fhosted",)
GCC_LINK_FLAGS = ("-nostartfiles", "-Wl,--no-warn-rwx-segments")
PARTIAL: dict[str, tuple[str, ...]] = {ZIG: (), GCC: ("-nostdlib",)}
CORE = "src"  # the folder whose files are the core


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    name: str
    address: int
    n_bytes: int
    is_code: bool
    in_flash: bool = True
    source: str = ""  # the file it was compiled from, where the linker says


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    path: Path
    segments: tuple[tuple[int, bytes], ...]  # where in memory, what
    symbols: dict[str, Symbol]
    target: Target = M4
    sections: tuple[tuple[str, int], ...] = ()  # name, bytes

    def n_bytes(self, names: Collection[str]) -> int:
        """Bytes that these symbols take; two names of one place count once."""
        places = {
            (s.address, s.is_code): s.n_bytes for name, s in self.symbols.items() if plain(name) in names
        }
        return sum(places.values())

    @property
    def flash_bytes(self) -> int:
        """Everything that is programmed, start-up and padding included."""
        return sum(len(content) for at, content in self.segments if at < self.target.memory.ram_start)

    @property
    def ram_bytes(self) -> int:
        """Everything static: .data and .bss; the stack is measured."""
        return sum(n for name, n in self.sections if name in (".data", ".bss"))


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
    target: Target = M4,
    compiler: str = ZIG,
    memory: Memory | None = None,
    defines: tuple[str, ...] = (),
    includes: tuple[Path, ...] = INCLUDES,
) -> Image:
    """Compile and link; the same sources and flags give the same bytes."""
    memory = memory or target.memory
    if target.is_a64:
        sources = [A64_STARTUP if path == PORT / "startup.c" else path for path in sources]
    script = out.with_suffix(".ld")
    script.write_text(memory.script() + (PORT / "link.ld").read_text(encoding="ascii"), encoding="ascii")
    compiler_of = [
        *compile_command(target, compiler, bare=True),
        *(ZIG_FLAGS if compiler == ZIG else ()),
        *FLAGS,
    ]
    defined = [f"-D{d}" for d in defines]
    core = [path for path in sources if path.parent.name == CORE]
    rest = [path for path in sources if path.parent.name != CORE]
    if core:
        # Apart and by the same words each time: the compiler's own cache then knows it.
        room = core[0].parent
        places = [f"-I{folder}" for folder in (room.parent / "include", PORT / "include", room)]
        rest.append(out.with_suffix(".core.o"))
        _call([*compiler_of, *defined, *places, "-r", *PARTIAL[compiler], *map(str, core)], rest[-1])
    link = LINK_FLAGS if compiler == ZIG else (*LINK_FLAGS, *GCC_LINK_FLAGS)
    places = [f"-I{folder}" for folder in includes]
    _call([*compiler_of, *defined, *places, *link, "-T", str(script), *map(str, rest)], out)
    return read_image(out, replace(target, memory=memory))


def _call(command: list[str], out: Path) -> None:
    done = subprocess.run([*command, "-o", str(out)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise ContractError(f"{out.name}: does not build: {first}")


def compile_command(target: Target, compiler: str, *, bare: bool = False) -> list[str]:
    """The compiler with its target, or one line with what installs it."""
    if compiler == ZIG:
        require("ziglang")
        zig = [sys.executable, "-m", "ziglang", "cc"]
        triple = target.bare_zig_target if bare and target.bare_zig_target else target.zig_target
        return [*zig, "-target", triple, f"-mcpu={target.zig_cpu}"]
    if shutil.which(target.gcc) is None:
        raise ContractError(f"{target.gcc}: not installed: {GCC_INSTALL}")
    return [target.gcc, *target.gcc_flags]


def core_sources() -> list[Path]:
    return sorted((FIRMWARE / "src").glob("*.c"))


def port_sources(main: str) -> list[Path]:
    return [PORT / "startup.c", PORT / main]


def read_image(path: Path, target: Target = M4) -> Image:
    """Sections, segments and symbols of an ELF file; the second static of one name becomes name#2."""
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
        sections = tuple(
            (s.name, int(s["sh_size"]))
            for s in elf.iter_sections()
            if s["sh_flags"] & SHF_ALLOC and s["sh_size"]
        )
        symbols: dict[str, Symbol] = {}
        for section in elf.iter_sections():
            if isinstance(section, SymbolTableSection):
                _read_symbols(section, symbols, target)
    return Image(path=path, segments=segments, symbols=symbols, target=target, sections=sections)


def _read_symbols(table: Any, symbols: dict[str, Symbol], target: Target) -> None:
    """A file's local symbols follow its name; global ones come last, with none."""
    source = ""
    for s in table.iter_symbols():
        kind = s["st_info"]["type"]
        if kind == "STT_FILE":
            source = Path(s.name).name
        if kind in ("STT_FUNC", "STT_OBJECT") and s["st_size"]:
            address = int(s["st_value"]) & ~1 if kind == "STT_FUNC" else int(s["st_value"])
            symbol = Symbol(
                name=_free_name(s.name, symbols),
                address=address,
                n_bytes=int(s["st_size"]),
                is_code=kind == "STT_FUNC",
                in_flash=address < target.memory.ram_start,
                source=source if s["st_info"]["bind"] == "STB_LOCAL" else "",
            )
            symbols[symbol.name] = symbol


def _free_name(name: str, taken: dict[str, Symbol]) -> str:
    times = sum(1 for other in taken if other.split("#")[0] == name)
    return f"{name}#{times + 1}" if times else name
