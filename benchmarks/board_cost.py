"""What a bundle means on a board: memory, modelled cycles and load, delays, and what a battery would do."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mcu import cycles, device
from benchmarks.mcu.cycles import Interval
from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.image import ZIG
from benchmarks.mcu.targets import Memory, target
from benchmarks.sheet import sheet
from device_sim.contract.board import Board, read_board
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind

BOARDS = Path(__file__).resolve().parent / "boards"
STREAM_S = 12.0  # the first image is whole after 7.4 s
LAG_COLUMNS = 39  # a column is complete that many hops after its centre (front-end.md)
COLUMN_S = 1 / 16
# A beat: half its window, then its next beat at most 2 s later, and the detector's own wait.
BEAT_DELAY_S = (0.4, 2.0 + 1.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardCost:
    """One bundle on one board; cycles are modelled."""

    board: Board
    bundle: str
    heart_rate_bpm: float
    sizes: device.Sizes
    stages: Mapping[str, Interval]  # cycles a second
    window: Interval  # cycles of the network, one window
    windows_a_second: float
    algorithmic_s: tuple[float, float]  # from the last sample of a window until all of it is known

    @property
    def load(self) -> Interval:
        total = sum(self.stages.values(), start=Interval(low=0, high=0))
        return total.times(1 / self.board.clock_hz)


def board_named(name: str) -> Board:
    """One of ours by its name, or any TOML file."""
    path = Path(name)
    if path.suffix == ".toml":
        return read_board(path)
    if not (BOARDS / f"{name}.toml").is_file():
        known = ", ".join(board_names())
        raise ContractError(f"--board: expected one of {known}, or a TOML file, got {name[:60]!r}")
    return read_board(BOARDS / f"{name}.toml")


def board_names() -> list[str]:
    return sorted(path.stem for path in BOARDS.glob("*.toml"))


def memory_of(board: Board) -> Memory:
    return Memory(
        flash_start=board.flash_start,
        flash_bytes=board.flash_bytes,
        ram_start=board.ram_start,
        ram_bytes=board.ram_bytes,
    )


def measure(bundle: Bundle, board: Board, *, heart_rate_bpm: float = 70.0, compiler: str = ZIG) -> BoardCost:
    """Counts a stretch of ECG on the board's core and turns them into cycles."""
    model = cycles.model_of(board.core)
    with tempfile.TemporaryDirectory() as folder:
        built = device.build(bundle, Path(folder), target(board.core), compiler=compiler)
        emulator = Emulator(built)
        played = device.ecg(STREAM_S, heart_rate_bpm)
        stream = device.run(built, played, emulator)
    regions = cycles.histograms(emulator)
    spent = {
        stage: cycles.cycles(regions[k], model) + cycles.stalls(regions[k], board.flash)
        for k, stage in enumerate(device.STAGES)
        if k and k in regions
    }
    window = spent["network"].times(1 / max(stream.n_windows, 1))
    a_second = _windows_a_second(bundle, heart_rate_bpm)
    stages = {stage: cost.times(1 / stream.seconds) for stage, cost in spent.items() if stage != "network"}
    return BoardCost(
        board=board,
        bundle=bundle.name,
        heart_rate_bpm=heart_rate_bpm,
        sizes=device.sizes_of(built, stream.stack_bytes),
        stages={**stages, "network": window.times(a_second)},
        window=window,
        windows_a_second=a_second,
        algorithmic_s=_algorithmic_s(bundle),
    )


def _windows_a_second(bundle: Bundle, heart_rate_bpm: float) -> float:
    if bundle.input is InputKind.BEAT:
        return heart_rate_bpm / 60
    return bundle.window.rate_hz / bundle.window.hop_samples


def _algorithmic_s(bundle: Bundle) -> tuple[float, float]:
    """Delay that no faster core shortens."""
    if bundle.input is InputKind.IMAGE:
        return (LAG_COLUMNS * COLUMN_S, LAG_COLUMNS * COLUMN_S)
    return BEAT_DELAY_S if bundle.input is InputKind.BEAT else (14 / 128, 14 / 128)


def text(cost: BoardCost, battery_mah: float) -> str:
    """Measured and modelled apart."""
    board, sizes, clock = cost.board, cost.sizes, cost.board.clock_hz
    memory = [
        (name, f"{needed:,}", f"{there:,}", f"{100 * needed / there:.1f} %")
        for name, needed, there in (
            ("flash", sizes.flash_bytes, board.flash_bytes),
            ("RAM, stack included", sizes.ram_bytes, board.ram_bytes),
        )
    ]
    stages = [
        (stage, *_pair(spent.times(1e-6)), *_pair(spent.times(100 / clock)))
        for stage, spent in cost.stages.items()
    ]
    stages.append(("all", "", "", *_pair(cost.load.times(100))))
    title = f"{cost.heart_rate_bpm:g} beats a minute, {cost.windows_a_second:.2f} windows a second"
    compute, (low, high) = cost.window.times(1000 / clock), cost.algorithmic_s
    lines = [
        sheet(
            f"{cost.bundle} on {board.name}, {clock / 1e6:g} MHz: bytes, exact",
            ("", "needed", "there", ""),
            memory,
        ),
        sheet(f"Modelled: {title}", ("stage", "Mcycles/s", "to", "load %", "to"), stages),
        f"compute delay of a window   {compute.low:,.2f} - {compute.high:,.2f} ms (modelled)",
        f"algorithmic delay           {low:.2f} - {high:.2f} s after its last sample, on any core",
    ]
    return "\n".join([*lines, *_energy(cost, battery_mah)])


def _energy(cost: BoardCost, battery_mah: float) -> list[str]:
    power = cost.board.power
    if power is None:
        return ["energy                      not known: the board's file names no currents"]
    low, high = min(cost.load.low, 1), min(cost.load.high, 1)
    state = "" if power.is_checked else "; recalled, not looked up again"
    days = f"{power.days(battery_mah, high):,.0f} - {power.days(battery_mah, low):,.0f} days"
    return [
        f"mean current, what if       {power.mean_ua(low):,.1f} - {power.mean_ua(high):,.1f} uA at "
        f"{power.supply_mv / 1000:g} V: the core alone",
        f"a battery, what if          {days} from {battery_mah:g} mAh: no radio, no analogue front end",
        f"currents from               {power.source}{state}",
    ]


def _pair(interval: Interval) -> tuple[str, str]:
    return f"{interval.low:,.2f}", f"{interval.high:,.2f}"
