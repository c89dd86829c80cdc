"""What runs before every block: compiled where the emulator's library can be reached, else Python."""

import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from device_sim.contract.errors import ContractError

SOURCE = Path(__file__).with_name("hook.c")
N_CELLS = 1 << 17


@dataclass(frozen=True, slots=True)
class Place:
    """A block as somebody's: its own function's, or charged to whoever called it."""

    address: int
    size: int
    caller: int  # 0: nobody's
    region: int


@dataclass(slots=True)
class Times:
    entered: int = 0
    jumped: int = 0  # entered, and not from the instruction before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a counter has to know of the image."""

    code_start: int
    code: bytes
    owners: tuple[int, ...]  # of every halfword: a function, or -1 where its caller is charged
    mark: int  # the function whose argument names the region that follows; 0: none
    limit: int  # instructions
    is_a64: bool = False

    @property
    def argument(self) -> int:
        """The register with a function's first argument."""
        from unicorn import arm64_const, arm_const

        return int(arm64_const.UC_ARM64_REG_X0 if self.is_a64 else arm_const.UC_ARM_REG_R0)


class Counter(Protocol):
    """Attached to one emulated core."""

    is_native: bool

    def attach(self, uc: Any) -> None: ...
    def forget(self) -> None: ...
    @property
    def executed(self) -> int: ...
    def stop_at(self, executed: int) -> None: ...
    def places(self) -> Iterator[tuple[Place, Times]]: ...


class Cell(ctypes.Structure):
    """struct cell of hook.c."""

    _fields_ = [
        *(
            (name, ctypes.c_uint32)
            for name in ("address", "size", "caller", "region", "n_instructions", "used")
        ),
        *((name, ctypes.c_uint64) for name in ("times", "jumped")),
    ]


class Hook(ctypes.Structure):
    """struct hook of hook.c."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("cells", "owners", "code", "read_register", "stop")),
        *((name, ctypes.c_uint64) for name in ("executed", "limit")),
        *((name, ctypes.c_uint32) for name in ("n_cells", "n_used", "code_start", "code_bytes")),
        *((name, ctypes.c_uint32) for name in ("mark", "caller", "region", "end")),
        ("argument", ctypes.c_int32),
        ("is_full", ctypes.c_uint32),
        ("is_a64", ctypes.c_uint32),
    ]


class Strict(ctypes.Structure):
    """struct strict of hook.c."""

    _fields_ = [
        ("read_register", ctypes.c_void_p),
        *((name, ctypes.c_uint64) for name in ("n", "n_unaligned")),
        ("base", ctypes.c_int32),
    ]


@cache
def native() -> tuple[ctypes.CDLL, ctypes.CDLL] | None:
    """The compiled hook and the emulator's library; None where one of them is not to be had."""
    try:
        from unicorn.unicorn_py3 import unicorn as inner

        uclib: ctypes.CDLL = inner.uclib  # a private name: unicorn is pinned
    except (ImportError, AttributeError):
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "hook.so"
        command = [sys.executable, "-m", "ziglang", "cc", "-O2", "-shared", "-fPIC", str(SOURCE), "-o"]
        done = subprocess.run([*command, str(library)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return None
        return ctypes.CDLL(str(library)), uclib


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _add_hook(
    uclib: ctypes.CDLL, uc: Any, kind: int, function: Any, user: ctypes.Structure, at: int | None = None
) -> None:
    """Everywhere, or at one address."""
    begin, end = (1, 0) if at is None else (at, at)
    handle = ctypes.c_size_t()
    status = uclib.uc_hook_add(
        uc._uch, ctypes.byref(handle), ctypes.c_int(kind), ctypes.c_void_p(_address(function)),
        ctypes.byref(user), ctypes.c_uint64(begin), ctypes.c_uint64(end),
    )  # fmt: skip
    if status:
        raise ContractError(f"unicorn: refused a hook: status {status}")


class NativeCounter:
    """About 200 million instructions a second."""

    is_native = True

    def __init__(self, layout: Layout) -> None:
        found = native()
        assert found is not None
        self._library, self._uclib = found
        self._cells = (Cell * N_CELLS)()
        self._owners = (ctypes.c_int32 * len(layout.owners))(*layout.owners)
        self._code = ctypes.create_string_buffer(layout.code, len(layout.code))
        self._hook = Hook(
            cells=ctypes.addressof(self._cells), owners=ctypes.addressof(self._owners),
            code=ctypes.addressof(self._code), read_register=_address(self._uclib.uc_reg_read),
            stop=_address(self._uclib.uc_emu_stop), limit=layout.limit, n_cells=N_CELLS,
            code_start=layout.code_start, code_bytes=len(layout.code), mark=layout.mark,
            argument=layout.argument, is_a64=layout.is_a64,
        )  # fmt: skip

    def attach(self, uc: Any) -> None:
        from unicorn import UC_HOOK_BLOCK

        _add_hook(self._uclib, uc, UC_HOOK_BLOCK, self._library.on_block, self._hook)

    def forget(self) -> None:
        ctypes.memset(self._cells, 0, ctypes.sizeof(self._cells))
        self._hook.n_used = self._hook.executed = self._hook.region = self._hook.caller = 0

    def stop_at(self, executed: int) -> None:
        self._hook.limit = executed

    @property
    def executed(self) -> int:
        if self._hook.is_full:
            raise ContractError(f"the image has more than {N_CELLS * 3 // 4} blocks: too many to count")
        return int(self._hook.executed)

    def places(self) -> Iterator[tuple[Place, Times]]:
        for c in self._cells:
            if c.used:
                yield Place(c.address, c.size, c.caller, c.region), Times(c.times, c.jumped)


@dataclass
class PythonCounter:
    """The same counts, a twentieth of the speed."""

    layout: Layout
    is_native: bool = False
    executed: int = 0
    _times: dict[Place, Times] = field(default_factory=dict)
    _lengths: dict[tuple[int, int], int] = field(default_factory=dict)
    _caller: int = 0
    _region: int = 0
    _end: int = 0
    _limit: int = field(init=False)

    def __post_init__(self) -> None:
        self._limit = self.layout.limit

    def stop_at(self, executed: int) -> None:
        self._limit = executed

    def attach(self, uc: Any) -> None:
        from unicorn import UC_HOOK_BLOCK

        uc.hook_add(UC_HOOK_BLOCK, self._on_block)

    def forget(self) -> None:
        self._times.clear()
        self.executed = self._caller = self._region = 0

    def places(self) -> Iterator[tuple[Place, Times]]:
        yield from self._times.items()

    def _on_block(self, uc: Any, address: int, size: int, _user: object) -> None:
        at = address - self.layout.code_start
        if not 0 <= at < len(self.layout.code):
            return
        if address == self.layout.mark:
            self._region = uc.reg_read(self.layout.argument)
        owner = self.layout.owners[at >> 1]
        if owner >= 0:
            self._caller = owner
        place = Place(address, size, self._caller if owner < 0 else 0, self._region)
        times = self._times.setdefault(place, Times())
        times.entered += 1
        times.jumped += address != self._end
        self._end = address + size
        if (address, size) not in self._lengths:
            self._lengths[address, size] = count_instructions(
                self.layout.code[at : at + size], is_a64=self.layout.is_a64
            )
        self.executed += self._lengths[address, size]
        if self.executed >= self._limit:
            uc.emu_stop()


def counter(layout: Layout, *, in_python: bool = False) -> Counter:
    """The compiled one where there is one."""
    return PythonCounter(layout) if in_python or native() is None else NativeCounter(layout)


def watch(uc: Any, address: int, base_register: int) -> Strict:
    """An instruction that needs an aligned address: how often it ran, and how often without one."""
    from unicorn import UC_HOOK_CODE

    found = native()
    if found is None:
        raise ContractError("the check of alignment needs the compiled hook; it did not build")
    library, uclib = found
    strict = Strict(read_register=_address(uclib.uc_reg_read), base=base_register)
    _add_hook(uclib, uc, UC_HOOK_CODE, library.on_strict, strict, address)
    return strict


def count_instructions(code: bytes, *, is_a64: bool = False) -> int:
    """Thumb: a first halfword of 0b11101.. and above opens a four-byte instruction."""
    if is_a64:
        return len(code) // 4
    n = at = 0
    while at < len(code):
        at += 4 if int.from_bytes(code[at : at + 2], "little") >> 11 >= 0x1D else 2
        n += 1
    return n
