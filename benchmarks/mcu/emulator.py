"""Runs a Cortex-M image in Unicorn and counts every instruction: by function, by region, by class."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from benchmarks.mcu import hook
from benchmarks.mcu.hook import Layout, Place, Strict, Times, count_instructions
from benchmarks.mcu.image import Image, Symbol, plain, require
from device_sim.contract.errors import BudgetExceeded, ContractError

__all__ = ["LIBRARY", "Emulator", "count_instructions"]
PAINT = 0xA5
STACK_ROOM = 16 << 10
WIDE_STACK_ROOM = 64 << 10  # of a computer: the wide kernels lay out many windows at once
STRICT = ("ldrd", "strd", "ldm", "stm", "vldr", "vstr", "vldm", "vstm")
SYSTEM_START, SYSTEM_BYTES = 0xE000E000, 0x1000  # where reset lets the FPU be used
# What a compiler calls of its own accord: counted for the function that needed it.
LIBRARY = ("mem", "__aeabi_", "__mem", "compiler_rt.")


@dataclass
class Emulator:
    """One run of one image; memory can be written before and read after."""

    image: Image
    shared: tuple[str, ...] = ()  # functions that are charged to their callers, as the library's are
    in_python: bool = False  # count without the compiled hook
    counts: Counter[str] = field(default_factory=Counter)  # by function
    charged: Counter[tuple[str, str]] = field(default_factory=Counter)  # by (function, who called it or "")
    regions: Counter[int] = field(default_factory=Counter)  # by the argument of the last wl_mark
    stack_bytes: int = 0

    def __post_init__(self) -> None:
        require("unicorn")
        import unicorn
        from unicorn import arm64_const, arm_const

        target = self.image.target
        if target.unicorn_cpu is None:
            raise ContractError(f"{target.name}: unicorn has no such core; QEMU has one")
        if target.is_a64:
            model = getattr(arm64_const, f"UC_CPU_ARM64_{target.unicorn_cpu}")
            self._pc, self._sp = arm64_const.UC_ARM64_REG_PC, arm64_const.UC_ARM64_REG_SP
            self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM, cpu=model)
        else:
            model = getattr(arm_const, f"UC_CPU_ARM_{target.unicorn_cpu}")
            self._pc, self._sp = arm_const.UC_ARM_REG_PC, arm_const.UC_ARM_REG_SP
            self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB, cpu=model)
        # UC_MODE_MCLASS would silently give a Cortex-M33, whatever was asked for.
        found = self._uc.ctl_get_cpu_model()
        if found != model:
            asked = target.unicorn_cpu.title().replace("_", "-")
            raise ContractError(f"unicorn: asked for {asked}, got model {found}")
        memory = target.memory
        self._uc.mem_map(memory.flash_start, _pages(memory.flash_bytes))
        self._uc.mem_map(memory.ram_start, _pages(memory.ram_bytes))
        self._uc.mem_map(SYSTEM_START, SYSTEM_BYTES)
        for address, content in self.image.segments:
            self._uc.mem_write(address, content)
        functions = [s for s in self.image.symbols.values() if s.is_code]
        self._functions = sorted(functions, key=lambda s: (s.address, s.name))
        self._starts = [s.address for s in self._functions]
        self._places: dict[Place, Times] = {}

    @property
    def _thumb(self) -> int:
        """What an address of code is marked with."""
        return 0 if self.image.target.is_a64 else 1

    @property
    def _stack_room(self) -> int:
        return STACK_ROOM if self.image.target.is_mcu else WIDE_STACK_ROOM

    def length_of(self, code: bytes) -> int:
        """Instructions."""
        return count_instructions(code, is_a64=self.image.target.is_a64)

    def write(self, symbol: str, content: bytes, offset: int = 0) -> None:
        self._uc.mem_write(self._at(symbol).address + offset, content)

    def read(self, symbol: str) -> bytes:
        at = self._at(symbol)
        return bytes(self._uc.mem_read(at.address, at.n_bytes))

    def run(self, *, jobs: dict[str, bytes], max_instructions: int) -> None:
        """Run from reset to wl_halt; the jobs are written when main is entered, after .bss is cleared."""
        from unicorn import UcError

        start = self.image.target.memory.flash_start
        top, reset = (int.from_bytes(self._uc.mem_read(start + at, 4), "little") for at in (0, 4))
        self._uc.mem_write(top - self._stack_room, bytes([PAINT]) * self._stack_room)
        self._uc.reg_write(self._sp, top)
        halt, main = self._at("wl_halt").address, self._at("main").address
        counter = hook.counter(self._layout(max_instructions), in_python=self.in_python)
        counter.attach(self._uc)
        try:
            self._uc.emu_start(reset | self._thumb, main)
            for symbol, content in jobs.items():
                self.write(symbol, content)
            counter.forget()
            self._uc.emu_start(main | self._thumb, halt)
        except UcError as error:
            at = self._function_at(self._uc.reg_read(self._pc))
            raise ContractError(
                f"{self.image.path.name}: the emulated core stopped in {at}: {error}"
            ) from error
        self.stack_bytes = self._stack_bytes(top)
        if counter.executed >= max_instructions:
            raise BudgetExceeded(
                f"{self.image.path.name}: never reached wl_halt",
                measured=counter.executed, allowed=max_instructions, unit="instructions",
            )  # fmt: skip
        self._places = dict(counter.places())
        self._attribute()

    def blocks(self) -> Iterator[tuple[Place, Times, bytes]]:
        """Every block that ran, with its code."""
        for place, times in self._places.items():
            yield place, times, bytes(self._uc.mem_read(place.address, place.size))

    def strict_places(self) -> dict[int, str]:
        """Where instructions ran that a core refuses on an unaligned address, and this emulator does not."""
        found: dict[int, str] = {}
        for place, _, code in self.blocks():
            for address, _, mnemonic, operands in decoder().disasm_lite(code, place.address):
                if mnemonic.startswith(STRICT):
                    found[address] = f"{mnemonic} {operands}"
        return found

    def watch(self, places: dict[int, str]) -> dict[int, Strict]:
        """Before a run: meter these instructions."""
        from unicorn import arm_const

        made = {}
        for address, text in places.items():
            base = re.search(r"\[(\w+)", text) or re.search(r" (\w+)!?,", text)
            assert base is not None, text
            register = getattr(arm_const, f"UC_ARM_REG_{base.group(1).upper()}")
            made[address] = hook.watch(self._uc, address, register)
        return made

    def function_of(self, place: Place) -> str:
        """Whose the block is: its function's, or its caller's where it is shared."""
        return (
            plain(self._functions[place.caller - 1].name)
            if place.caller
            else self._function_at(place.address)
        )

    def _layout(self, limit: int) -> Layout:
        """Owners from 1 on: the functions in the order of their addresses; 0 is nobody."""
        at, code = next((a, c) for a, c in self.image.segments if a == self.image.target.memory.flash_start)
        owners = [0] * (len(code) // 2 + 1)
        for number, symbol in enumerate(self._functions, start=1):
            name = plain(symbol.name)
            owner = -1 if name.startswith(LIBRARY) or name in self.shared else number
            first = (symbol.address - at) // 2
            last = first + symbol.n_bytes // 2
            owners[first:last] = [owner] * (min(last, len(owners)) - first)
        mark = self.image.symbols.get("wl_mark")
        return Layout(
            code_start=at,
            code=code,
            owners=tuple(owners),
            mark=mark.address if mark else 0,
            limit=limit,
            is_a64=self.image.target.is_a64,
        )

    def _attribute(self) -> None:
        for place, times, code in self.blocks():
            n = self.length_of(code) * times.entered
            name = self._function_at(place.address)
            self.counts[name] += n
            self.charged[name, plain(self._functions[place.caller - 1].name) if place.caller else ""] += n
            self.regions[place.region] += n

    def _stack_bytes(self, top: int) -> int:
        painted = bytes(self._uc.mem_read(top - self._stack_room, self._stack_room))
        used = len(painted.lstrip(bytes([PAINT])))
        if used == self._stack_room:
            raise ContractError(f"{self.image.path.name}: uses more than {used} bytes of stack")
        return used

    def _function_at(self, address: int) -> str:
        i = bisect_right(self._starts, address) - 1
        return plain(self._functions[i].name) if i >= 0 else "?"

    def _at(self, symbol: str) -> Symbol:
        if symbol not in self.image.symbols:
            raise ContractError(f"{self.image.path.name}: no symbol {symbol}")
        return self.image.symbols[symbol]


@cache
def decoder(*, is_a64: bool = False) -> Any:
    """Thumb, as every Cortex-M has it, or A64; what is no instruction is passed over."""
    require("capstone")
    import capstone

    if is_a64:
        made = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    else:
        made = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    made.skipdata = True
    return made


def _pages(n_bytes: int) -> int:
    return -(-n_bytes // 4096) * 4096
