"""A board: its core, its memory, and what it draws; a TOML file read into these."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields

FORMAT = 1
LARGEST = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What the supply gives while the core runs and while it sleeps with its memory kept."""

    supply_mv: int
    run_ua: float  # at the board's clock
    sleep_ua: float
    source: str
    is_checked: bool  # False: recalled from the document named, not looked up again
    whole_board: bool = False  # what these currents feed, where it is more than the chip

    @property
    def standing(self) -> str:
        """How far these currents can be trusted, and of what they are; for a table."""
        return ("checked" if self.is_checked else "recalled") + ", board" * self.whole_board

    def mean_ua(self, load: float) -> float:
        """With the core awake for a part of the time."""
        return load * self.run_ua + (1 - load) * self.sleep_ua

    def days(self, battery_mah: float, load: float) -> float:
        """How long a battery lasts with this alone: no radio, no analogue front end, no self-discharge."""
        return battery_mah * 1000 / self.mean_ua(load) / 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """How code and constants are fetched at the board's clock."""

    wait_states: int
    line_bytes: int  # a fetch
    has_cache: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    name: str
    core: str  # a target of benchmarks.mcu.targets, or "" where only memory is compared
    clock_hz: int
    flash_bytes: int
    ram_bytes: int
    flash_start: int = 0
    ram_start: int = 0x20000000
    flash: Flash | None = None
    power: Power | None = None
    no_currents: str = ""  # why there is no power: what was looked for


def read_board(path: Path) -> Board:
    """The file, or one line about its first fault."""
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContractError(f"{path}: expected a board, found none ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: expected TOML: {error}") from None
    top = Fields(read, str(path))
    top.integer("format", FORMAT, FORMAT)
    board = Board(
        name=top.text("name"),
        core=top.text("core"),
        clock_hz=top.integer("clock_hz", 1, LARGEST),
        flash_bytes=top.integer("flash_bytes", 0, LARGEST),
        ram_bytes=top.integer("ram_bytes", 1, LARGEST),
        flash_start=top.integer("flash_start", 0, 2**32 - 1) if top.has("flash_start") else 0,
        ram_start=top.integer("ram_start", 0, 2**32 - 1) if top.has("ram_start") else 0x20000000,
        flash=_flash(top.object("flash")) if top.has("flash") else None,
        power=_power(top.object("power")) if top.has("power") else None,
        no_currents=top.text("no_currents") if top.has("no_currents") else "",
    )
    top.done()
    if board.power is not None and board.no_currents:
        raise ContractError(f"{path}: expected [power] or no_currents, got both")
    return board


def _flash(read: Fields) -> Flash:
    flash = Flash(
        wait_states=read.integer("wait_states", 0, 64),
        line_bytes=read.integer("line_bytes", 1, 256),
        has_cache=read.truth("has_cache"),
    )
    read.done()
    return flash


def _power(read: Fields) -> Power:
    power = Power(
        supply_mv=read.integer("supply_mv", 1, 100_000),
        run_ua=_positive(read, "run_ua"),
        sleep_ua=_positive(read, "sleep_ua"),
        source=_source(read),
        is_checked=read.truth("is_checked"),
        whole_board=read.has("whole_board") and read.truth("whole_board"),
    )
    read.done()
    return power


def _source(read: Fields) -> str:
    """A current without a source is a guess."""
    source = read.text("source").strip()
    if not source:
        raise ContractError(f"{read.where}: source: expected where these currents stand, got nothing")
    return source


def _positive(read: Fields, name: str) -> float:
    value = read.number(name)
    if value <= 0:
        raise ContractError(f"{read.where}: {name}: expected a current above 0, got {value:g}")
    return value
