"""Runs a Cortex-M image in Unicorn and counts every instruction, by function."""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.mcu.image import RAM_START, Image, Symbol, plain, require
from device_sim.contract.errors import BudgetExceeded, ContractError

FLASH_BYTES, RAM_BYTES = 1 << 20, 512 << 10
PAINT = 0xA5
STACK_ROOM = 16 << 10
# What a compiler calls of its own accord: counted for the function that needed it.
LIBRARY = ("mem", "__aeabi_", "compiler_rt.")


@dataclass
class Emulator:
    """One run of one image; memory can be written before and read after."""

    image: Image
    shared: tuple[str, ...] = ()  # functions that are charged to their callers, as the library's are
    counts: Counter[str] = field(default_factory=Counter)  # by function
    charged: Counter[tuple[str, str]] = field(default_factory=Counter)  # by (function, who called it or "")
    stack_bytes: int = 0

    def __post_init__(self) -> None:
        require("unicorn")
        from unicorn import UC_ARCH_ARM, UC_MODE_THUMB, Uc
        from unicorn.arm_const import UC_CPU_ARM_CORTEX_M4

        self._uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB, cpu=UC_CPU_ARM_CORTEX_M4)
        # UC_MODE_MCLASS would silently give a Cortex-M33, whatever was asked for.
        if self._uc.ctl_get_cpu_model() != UC_CPU_ARM_CORTEX_M4:
            raise ContractError(f"unicorn: asked for Cortex-M4, got model {self._uc.ctl_get_cpu_model()}")
        self._uc.mem_map(0, FLASH_BYTES)
        self._uc.mem_map(RAM_START, RAM_BYTES)
        for address, data in self.image.segments:
            self._uc.mem_write(address, data)
        functions = [s for s in self.image.symbols.values() if s.is_code]
        self._functions = sorted(functions, key=lambda s: (s.address, s.name))
        self._starts = [s.address for s in self._functions]
        self._owners: dict[int, str | None] = {}  # block -> its function, None for one that is charged on
        self._caller = ""
        self._blocks: Counter[tuple[int, int, str]] = Counter()

    def write(self, symbol: str, data: bytes, offset: int = 0) -> None:
        self._uc.mem_write(self._at(symbol).address + offset, data)

    def read(self, symbol: str) -> bytes:
        at = self._at(symbol)
        return bytes(self._uc.mem_read(at.address, at.n_bytes))

    def run(self, *, jobs: dict[str, bytes], max_instructions: int) -> None:
        """Run from reset to wl_halt; the jobs are written when main is entered, after .bss is cleared."""
        from unicorn import UC_HOOK_BLOCK, UcError
        from unicorn.arm_const import UC_ARM_REG_SP

        top = int.from_bytes(self._uc.mem_read(0, 4), "little")
        reset = int.from_bytes(self._uc.mem_read(4, 4), "little")
        self._uc.mem_write(top - STACK_ROOM, bytes([PAINT]) * STACK_ROOM)
        self._uc.reg_write(UC_ARM_REG_SP, top)
        halt, main = self._at("wl_halt").address, self._at("main").address
        self._uc.hook_add(UC_HOOK_BLOCK, self._on_block)
        try:
            self._uc.emu_start(reset | 1, main, count=max_instructions)
            for symbol, data in jobs.items():
                self.write(symbol, data)
            self._blocks.clear()
            self._uc.emu_start(main | 1, halt, count=max_instructions)
        except UcError as error:
            raise ContractError(f"{self.image.path.name}: the emulated core stopped: {error}") from error
        painted = bytes(self._uc.mem_read(top - STACK_ROOM, STACK_ROOM))
        self.stack_bytes = len(painted.lstrip(bytes([PAINT])))
        self._attribute()
        if sum(self.counts.values()) >= max_instructions:
            raise BudgetExceeded(
                f"{self.image.path.name}: never reached wl_halt",
                measured=sum(self.counts.values()), allowed=max_instructions, unit="instructions",
            )  # fmt: skip

    def _on_block(self, _uc: object, address: int, size: int, _user: object) -> None:
        if address not in self._owners:
            name = self._function_at(address)
            self._owners[address] = None if name.startswith(LIBRARY) or name in self.shared else name
        owner = self._owners[address]
        if owner is None:
            self._blocks[address, size, self._caller] += 1
        else:
            self._caller = owner
            self._blocks[address, size, ""] += 1

    def _attribute(self) -> None:
        for (address, size, caller), times in self._blocks.items():
            n = count_instructions(bytes(self._uc.mem_read(address, size))) * times
            name = self._function_at(address)
            self.counts[name] += n
            self.charged[name, caller] += n

    def _function_at(self, address: int) -> str:
        i = bisect_right(self._starts, address) - 1
        return plain(self._functions[i].name) if i >= 0 else "?"

    def _at(self, symbol: str) -> Symbol:
        if symbol not in self.image.symbols:
            raise ContractError(f"{self.image.path.name}: no symbol {symbol}")
        return self.image.symbols[symbol]


def count_instructions(code: bytes) -> int:
    """Thumb: a first halfword of 0b11101.. and above opens a four-byte instruction."""
    n = at = 0
    while at < len(code):
        at += 4 if int.from_bytes(code[at : at + 2], "little") >> 11 >= 0x1D else 2
        n += 1
    return n
