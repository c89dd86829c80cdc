"""What a bundle means on a board: memory, modelled cycles and load, delays, and what a battery would do."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import drive
from benchmarks.bundle_cost import windows_a_second
from benchmarks.mcu import cycles, device
from benchmarks.mcu.cycles import Interval
from benchmarks.mcu.device import Application
from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.image import ZIG
from benchmarks.mcu.targets import Memory, target
from benchmarks.sheet import sheet
from device_sim.contract.board import Board, read_board
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind

BOARDS = Path(__file__).resolve().parent / "boards"
SHORT_DAYS = 2  # below it a battery is said in hours
LAG_COLUMNS = 39  # a column is complete that many hops after its centre (front-end.md)
COLUMN_S = 1 / 16
BEAT_DELAY_S = (
    2.9 - 0.5,
    3.5 - 0.5,
)  # after a beat's window, half a second after its R peak (wl_stream_push)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCost:
    """One network among those of a device."""

    name: str
    window: Interval  # cycles
    instructions: float  # a window, exact
    windows_a_second: float
    algorithmic_s: tuple[float, float]  # from the last sample of a window until all of it is known


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardCost:
    """Bundles on one board, all of them running; cycles are modelled."""

    board: Board
    heart_rate_bpm: float
    sizes: device.Sizes
    stages: Mapping[str, Interval]  # cycles a second, the networks left out
    networks: tuple[NetworkCost, ...]

    @property
    def load(self) -> Interval:
        networks = (one.window.times(one.windows_a_second) for one in self.networks)
        total = sum((*self.stages.values(), *networks), start=Interval(low=0, high=0))
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


def measure(
    applications: Sequence[Application],
    board: Board,
    *,
    heart_rate_bpm: float = 70.0,
    rate_hz: int = device.RATE_HZ,
    compiler: str = ZIG,
) -> BoardCost:
    """Counts a stretch of ECG on the core and turns it into cycles; each application has a run of its own."""
    model = cycles.model_of(board.core, board.name)
    sizes, networks = [], []
    stages: dict[str, Interval] = {}
    for application in applications:
        with tempfile.TemporaryDirectory() as folder:
            built = device.build(
                application, Path(folder), target(board.core), compiler=compiler, rate_hz=rate_hz
            )
            emulator = Emulator(built)
            stream = device.run(
                built, application, drive.ecg(rate_hz, _stream_s(rate_hz), heart_rate_bpm), emulator
            )
        regions = cycles.histograms(emulator)
        spent = {
            stage: cycles.cycles(regions[k], model) + cycles.stalls(regions[k], board.flash)
            for k, stage in device.stages_of(application).items()
            if k in regions
        }
        networks += [
            NetworkCost(
                name=bundle.name,
                window=spent.pop(bundle.name).times(1 / max(stream.n_windows[bundle.name], 1)),
                instructions=stream.by_stage[bundle.name] / max(stream.n_windows[bundle.name], 1),
                windows_a_second=windows_a_second(bundle, heart_rate_bpm),
                algorithmic_s=_algorithmic_s(bundle, application),
            )
            for bundle in bundles_of(application)
        ]
        for stage, cost in spent.items():  # what two applications share is there once: the dearer run of it
            a_second = cost.times(1 / stream.seconds)
            if stage not in stages or a_second.high > stages[stage].high:
                stages[stage] = a_second
        sizes.append(device.sizes_of(built, stream.stack_bytes))
    return BoardCost(
        board=board,
        heart_rate_bpm=heart_rate_bpm,
        sizes=device.together(sizes),
        stages=stages,
        networks=tuple(networks),
    )


def _stream_s(rate_hz: int) -> float:
    """As long as fits the image's memory, a minute at most: a beat behind a gate comes 7 s after its peak."""
    return min(60.0, drive.MAX_SAMPLES / rate_hz)


def _algorithmic_s(bundle: Bundle, application: Application) -> tuple[float, float]:
    """Delay that no faster core shortens."""
    lag_s = LAG_COLUMNS * COLUMN_S
    if bundle.input is not InputKind.BEAT:
        return (lag_s, lag_s)
    if not isinstance(application, Cascade):
        return BEAT_DELAY_S
    hop_s = application.quality.window.hop_us / 1e6  # the first window around a beat ends within one
    n_windows = application.gate.windows
    return ((n_windows - 1) * hop_s + lag_s, n_windows * hop_s + lag_s)


def text(cost: BoardCost, battery_mah: float) -> str:
    """Measured and modelled apart."""
    board, sizes, clock = cost.board, cost.sizes, cost.board.clock_hz
    memory = [
        (name, f"{needed:,}", f"{there:,}", f"{100 * needed / there:.1f} %" if there else "-")
        for name, needed, there in (
            ("flash", sizes.flash_bytes, board.flash_bytes),
            ("RAM, stack included", sizes.ram_bytes, board.ram_bytes),
        )
    ]
    a_second = dict(cost.stages)
    a_second |= {one.name: one.window.times(one.windows_a_second) for one in cost.networks}
    stages = [
        (stage, *_pair(spent.times(1e-6)), *_pair(spent.times(100 / clock)))
        for stage, spent in a_second.items()
    ]
    stages.append(("all", "", "", *_pair(cost.load.times(100))))
    delays = [
        (
            one.name,
            f"{one.windows_a_second:.2f}",
            f"{one.instructions:,.0f}",
            *_pair(one.window.times(1000 / clock)),
            *(f"{seconds:.2f}" for seconds in one.algorithmic_s),
        )
        for one in cost.networks
    ]
    bounds = "Modelled"
    if cycles.model_of(board.core).is_bound:
        bounds = "Bounds, all in the first cache and without Linux"
    names = " and ".join(one.name for one in cost.networks)
    lines = [
        sheet(
            f"{names} on {board.name}, {clock / 1e6:g} MHz: bytes, exact", ("", "needed", "there", ""), memory
        ),
        sheet(
            f"{bounds}, at {cost.heart_rate_bpm:g} beats a minute",
            ("stage", "Mcycles/s", "to", "load %", "to"),
            stages,
        ),
        sheet(
            "Delays: compute is modelled; the algorithm's, after a window's last sample, no core shortens",
            ("network", "windows/s", "instructions", "compute ms", "to", "algorithm s", "to"),
            delays,
        ),
    ]
    return "\n".join([*lines, *energy(board, cost.load, battery_mah)])


def energy(board: Board, load: Interval, battery_mah: float) -> list[str]:
    """Of the core alone, or of the board where only that was measured, from what its file says it draws."""
    power = board.power
    if power is None:
        why = board.no_currents or "the board's file names no currents"
        return [f"energy                      not known: {why}"]
    low, high = min(load.low, 1), min(load.high, 1)
    whose = "the whole board" if power.whole_board else "the core alone"
    state = "" if power.is_checked else "; recalled, not looked up again"
    currents = _span(power.mean_ua(low), power.mean_ua(high), ",.1f")
    least, most = power.days(battery_mah, high), power.days(battery_mah, low)
    lasts = _span(least, most, ",.0f") + " days"
    if most < SHORT_DAYS:
        lasts = _span(24 * least, 24 * most, ",.1f") + " hours"
    return [
        f"mean current, what if       {currents} uA at {power.supply_mv / 1000:g} V: {whose}",
        f"a battery, what if          {lasts} from {battery_mah:g} mAh: no radio, no analogue front end",
        f"currents from               {power.source}{state}",
    ]


def _span(low: float, high: float, shape: str) -> str:
    """Two ends, or one number where they are the same."""
    return f"{low:{shape}}" if low == high else f"{low:{shape}} - {high:{shape}}"


def _pair(interval: Interval) -> tuple[str, str]:
    return f"{interval.low:,.2f}", f"{interval.high:,.2f}"
