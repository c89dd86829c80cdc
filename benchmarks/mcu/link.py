"""A device on a line in this process: a Cortex-M with a UART, a clock and a converter, at its own pace."""

import shutil
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import drive
from benchmarks.mcu import hook, image
from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.image import PORT, ZIG, Image
from benchmarks.mcu.targets import M4, Target
from device_sim.app import app_of
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from device_sim.contract.errors import ContractError
from device_sim.link import LinkClosed
from export import to_c

CLOCK_HZ = 64_000_000
MPS2_HZ = 25_000_000  # of QEMU's board
BAUD = 115_200
BITS_A_BYTE = 10  # 8N1
RATE_HZ = 256
ECG_SECONDS = 30.0
TIMER, UART, PAGE = 0x40000000, 0x40004000, 0x1000
VALUE, DATA, STATE = 4, 0, 4  # offsets of the registers that answer
TX_FULL, RX_FULL = 1, 2
RX_BYTES = 256  # that DMA keeps until they are fetched: a frame of a host
FOREVER = 1 << 62


def build(
    application: Bundle | Cascade,
    folder: Path,
    *,
    target: Target = M4,
    compiler: str = ZIG,
    ticks_hz: int = CLOCK_HZ,
) -> Image:
    """A device that can be verified: what `wristlead export --c` hands out, on this board."""
    app_of(application)  # a network that judges nothing has no stream
    written = folder / "c"
    to_c.to_c(application, written)
    (folder / "wl_ecg.h").write_text(_ecg_header(ecg().tolist()), encoding="ascii")
    core = image.core_sources()
    names = {path.name for path in core}
    tables = [path for path in (written / "src").glob("*.c") if path.name not in names]
    for path in tables:
        shutil.move(path, folder / path.name)
    rest = [*(folder / path.name for path in tables), *(written / "link").glob("*.c")]
    return image.build(
        [*core, *sorted(rest), PORT / "startup.c", PORT / "board_mps2.c"],
        folder / f"link-{target.name}-{compiler}.elf",
        target=target,
        compiler=compiler,
        defines=(f"WL_RATE_HZ={RATE_HZ}", f"WL_TICKS_HZ={ticks_hz}u"),
        includes=(folder, written / "src", written / "link", *image.INCLUDES),
    )


def ecg() -> NDArray[np.int32]:
    """What its converter takes, again and again."""
    return drive.ecg(RATE_HZ, ECG_SECONDS, 70.0).counts_i32


def _ecg_header(counts: list[int]) -> str:
    rows = (counts[at : at + 16] for at in range(0, len(counts), 16))
    body = ",\n".join("    " + ", ".join(map(str, row)) for row in rows)
    return f"#define N_ECG {len(counts)}\n\nstatic const int16_t ecg_uv[N_ECG] = {{\n{body}\n}};\n"


class Board(Emulator):
    """One instruction is one cycle; bytes take their time on the line; an idle core lets time pass."""

    def __init__(self, of: Image) -> None:
        super().__init__(of)
        self._byte_cycles = CLOCK_HZ * BITS_A_BYTE // BAUD
        self._skipped = 0  # cycles that passed with nothing to do
        self._horizon = 0
        self._sending_until = 0
        self._sent = bytearray()
        self._coming: deque[tuple[int, int]] = deque()  # (cycle, byte) still on the line
        self._kept: deque[int] = deque()
        self.n_sent = 0
        self.n_overrun = 0  # bytes of the host that came too fast
        self._counter = hook.counter(self._layout(FOREVER), in_python=False)
        self._counter.attach(self._uc)
        self._attach()
        self._pc = self._begin()

    @property
    def cycles(self) -> int:
        """Since the reset."""
        return self._counter.executed + self._skipped

    @property
    def now_s(self) -> float:
        return self.cycles / CLOCK_HZ

    @property
    def line_use(self) -> float:
        """Share of the time in which a byte of its own was on the line."""
        return self.n_sent * self._byte_cycles / self.cycles

    @property
    def load(self) -> float:
        """Share of the time in which there was something to do."""
        return self._counter.executed / self.cycles

    def go(self, seconds: float) -> bytes:
        """Let time pass until bytes have come, or for so long."""
        until = self.cycles + round(seconds * CLOCK_HZ)
        while not self._sent and self.cycles < until:
            self._run(min(until, self.cycles + self._byte_cycles * 16))
        sent = bytes(self._sent)
        self._sent.clear()
        return sent

    def hear(self, raw: bytes) -> None:
        """One byte after the other on the line."""
        at = max(self.cycles, self._coming[-1][0] if self._coming else 0)
        for byte in raw:
            at += self._byte_cycles
            self._coming.append((at, byte))

    def _attach(self) -> None:
        from unicorn import UC_HOOK_CODE

        self._uc.mmio_map(TIMER, PAGE, self._timer, None, self._ignored, None)
        self._uc.mmio_map(UART, PAGE, self._uart, None, self._uart_written, None)
        idle = self._at("board_idle").address
        self._uc.hook_add(UC_HOOK_CODE, self._idle, begin=idle, end=idle)

    def _begin(self) -> int:
        from unicorn.arm_const import UC_ARM_REG_SP

        start = self.image.target.memory.flash_start
        top, reset = (int.from_bytes(self._uc.mem_read(start + at, 4), "little") for at in (0, 4))
        self._uc.reg_write(UC_ARM_REG_SP, top)
        return reset | 1

    def _run(self, until: int) -> None:
        from unicorn import UcError
        from unicorn.arm_const import UC_ARM_REG_PC

        self._horizon = until
        self._counter.stop_at(self._counter.executed + max(1, until - self.cycles))
        try:
            self._uc.emu_start(self._pc, self._at("wl_halt").address)
        except UcError as error:
            at = self._function_at(self._uc.reg_read(UC_ARM_REG_PC))
            raise ContractError(
                f"{self.image.path.name}: the emulated core stopped in {at}: {error}"
            ) from error
        self._pc = self._uc.reg_read(UC_ARM_REG_PC) | 1
        if self._pc & ~1 == self._at("wl_halt").address:
            raise LinkClosed

    def _timer(self, _uc: Any, offset: int, _size: int, _user: object) -> int:
        return ~self.cycles & 0xFFFFFFFF if offset == VALUE else 0

    def _ignored(self, _uc: Any, offset: int, _size: int, value: int, _user: object) -> None:
        """The clock runs anyway."""

    def _uart(self, _uc: Any, offset: int, _size: int, _user: object) -> int:
        self._arrive()
        if offset == DATA:
            return self._kept.popleft() if self._kept else 0
        if offset == STATE:
            return TX_FULL * (self._sending_until > self.cycles) | RX_FULL * bool(self._kept)
        return 0

    def _uart_written(self, _uc: Any, offset: int, _size: int, value: int, _user: object) -> None:
        if offset == DATA:
            self._sent.append(value & 0xFF)
            self.n_sent += 1
            self._sending_until = max(self.cycles, self._sending_until) + self._byte_cycles

    def _arrive(self) -> None:
        now = self.cycles
        while self._coming and self._coming[0][0] <= now:
            _at, byte = self._coming.popleft()
            if len(self._kept) < RX_BYTES:
                self._kept.append(byte)
            else:
                self.n_overrun += 1

    def _idle(self, uc: Any, _address: int, _size: int, _user: object) -> None:
        """To the next thing that can happen: a byte, room on the line, a sample, or the horizon."""
        now = self.cycles
        period = CLOCK_HZ // RATE_HZ
        events = [self._horizon, now + period - now % period]
        if self._sending_until > now:
            events.append(self._sending_until)
        if self._coming:
            events.append(self._coming[0][0])
        self._skipped += max(0, min(events) - now)
        if self.cycles >= self._horizon:
            uc.emu_stop()


class BoardLine:
    """The host's end of its UART: a Link whose time is the board's."""

    is_live = True

    def __init__(self, board: Board) -> None:
        self._board = board

    def read(self, timeout_s: float) -> bytes:
        return self._board.go(timeout_s)

    def write(self, raw: bytes) -> None:
        self._board.hear(raw)

    def close(self) -> None:
        """The board goes on."""
