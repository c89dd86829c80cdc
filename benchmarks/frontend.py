"""What the front end costs on a Cortex-M4: instructions by stage, multiplications, state, flash, stack."""

import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks import drive
from benchmarks.drive import Drive
from benchmarks.mcu import image
from benchmarks.mcu.device import BEATS_ALONE
from benchmarks.mcu.emulator import LIBRARY
from benchmarks.mcu.image import FIRMWARE, Image
from device_sim.contract.errors import ContractError
from device_sim.frontend import HOP_SAMPLES, RATES_HZ, STREAM_HZ

# Counts are differences of two runs: the warm-up cancels, and 5 s are whole hops and whole resampler periods.
WARM_S, LONG_S = 6, 11
MEASURED_SAMPLES = (LONG_S - WARM_S) * STREAM_HZ

# The statics of one file go with its functions, whichever of them the compiler inlines. What is not here
# stops the count: a function without a stage would be a cost without a name.
STAGE_FUNCTIONS = {
    "input: gain, limits, rails": ("wl_frontend_push", "push_one", "to_uv", "watch_count"),
    "resampler": ("wl_resample_put", "wl_resample_get", "wl_resample_prime", "wl_resample_find"),
    "blocker": ("wl_blocker",),
    "hop: feeding, column flags": ("accept", "hop", "mark_flat"),
    "half-bands": ("wl_halfband",),
    "wavelets": ("wl_cwt_hop", "octave_column", "wl_cwt_position", "advance"),
    "log2": ("wl_level", "wl_log2", "leading_zeros"),
    "LF and HF rows": ("wl_band_high", "wl_band_low"),
    "beat stream": ("wl_beat_hop", "high_pass", "low_pass_uv"),
}
MOVING = "wavelets: memmove, memclr"
# Compiled apart from their callers, so never inlined: without them a stage would be hidden in another.
LANDMARKS = ("wl_frontend_push", "wl_blocker", "wl_halfband", "wl_cwt_hop", "wl_level", "wl_beat_hop")
HARNESS = ("main", "reset", "wl_region_push", "wl_frontend_init", "fnv")
PATH = ("blocker", "hop: feeding, column flags", "half-bands", "wavelets", MOVING, "log2")
PATH_TABLES = ("octaves", "wl_morlet_", "wl_log2_", "wl_halfband_")
STAGES = (*PATH[:4], MOVING, *list(STAGE_FUNCTIONS)[6:])
ORDER = (*list(STAGE_FUNCTIONS)[:2], *STAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What is allowed, and what was measured."""

    name: str
    measured: float
    allowed: float
    unit: str

    @property
    def kept(self) -> bool:
        return self.measured <= self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """Per sample of the 256 Hz stream, in steady state, for one input."""

    drive: str
    by_stage: dict[str, float]

    @property
    def path(self) -> float:
        """The Morlet path: from the blocker to the codes of the 30 wavelet rows."""
        return sum(self.by_stage.get(stage, 0) for stage in PATH)

    @property
    def complete(self) -> float:
        """Everything but the resampler."""
        return sum(n for stage, n in self.by_stage.items() if stage != "resampler")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """Bytes of text and constants."""

    path_text: int
    path_tables: int
    core_text: int
    core_tables: int
    library: int  # memmove and its like, from the compiler, shared with the rest of a firmware
    whole_image: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """What one input rate adds; everything per sample of the 256 Hz stream."""

    rate_hz: int
    n_taps: int
    resampler: float  # instructions
    complete: float  # instructions of the whole front end
    table_bytes: int
    text_bytes: int
    state_bytes: int  # beyond those of 256 Hz


@dataclass(frozen=True, slots=True, kw_only=True)
class McuCost:
    """All of it, from a build for 256 Hz, a build for every other rate, and one for all."""

    inputs: tuple[Instructions, ...]
    wavelet_macs: float
    halfband_macs: float
    state_bytes: int
    state_all_rates_bytes: int
    image_bytes: int
    beat_ring_bytes: int
    stack_bytes: int
    flash: Flash
    resampling: tuple[Resampling, ...]

    def limits(self) -> tuple[Limit, ...]:
        """The dearest input counts, and for the complete state the ring of beats and every rate."""
        path = max(i.path for i in self.inputs)
        complete = max(i.complete for i in self.inputs)
        state = self.state_all_rates_bytes
        flash = self.flash.path_text + self.flash.path_tables
        return (
            Limit(name="Morlet path, MAC", measured=self.macs, allowed=160, unit="per sample"),
            Limit(name="Morlet path, instructions", measured=path, allowed=1300, unit="per sample"),
            Limit(name="Morlet path, state", measured=state, allowed=1536, unit="bytes"),
            Limit(name="Morlet path, text + tables", measured=flash, allowed=4096, unit="bytes"),
            Limit(name="complete, instructions", measured=complete, allowed=1700, unit="per sample"),
            Limit(name="complete, state", measured=state + self.beat_ring_bytes, allowed=2560, unit="bytes"),
        )

    @property
    def macs(self) -> float:
        return self.wavelet_macs + self.halfband_macs


def measure(rates_hz: tuple[int, ...] = RATES_HZ) -> McuCost:
    """Build and run every image; the numbers are the same on every machine and under every load."""
    with tempfile.TemporaryDirectory() as folder:
        bare = build(Path(folder), 256)
        every = build(Path(folder), None)
        inputs = []
        for play in (drive.ecg, drive.noise, drive.rails):
            inputs.append(instructions(bare, play(256, LONG_S)))
        _, longest = drive.run_on_m4(bare, drive.ecg(256, WARM_S))
        resampling = tuple(
            _resampling(build(Path(folder), rate_hz), rate_hz, bare) for rate_hz in rates_hz if rate_hz != 256
        )
    wavelets, halfbands = macs_per_sample()
    return McuCost(
        inputs=tuple(inputs),
        wavelet_macs=wavelets,
        halfband_macs=halfbands,
        state_bytes=bare.symbols["fe"].n_bytes,
        state_all_rates_bytes=every.symbols["fe"].n_bytes,
        image_bytes=bare.symbols["image"].n_bytes,
        beat_ring_bytes=bare.symbols["beats"].n_bytes,
        stack_bytes=longest.stack_bytes,
        flash=flash_of(bare),
        resampling=resampling,
    )


def build(folder: Path, rate_hz: int | None) -> Image:
    """The image of one rate, or of all; its beats wait for no gate."""
    rate = () if rate_hz is None else (f"WL_RATE_HZ={rate_hz}",)
    sources = image.core_sources() + image.port_sources("frontend_main.c")
    return image.build(
        sources,
        folder / f"frontend_{rate_hz or 'all'}.elf",
        defines=(f"WL_BEAT_SAMPLES={BEATS_ALONE}", *rate),
    )


def instructions(of: Image, played: Drive) -> Instructions:
    """Steady state: the run without its first 6 s, which are run again alone."""
    n_warm = WARM_S * played.rate_hz
    n_long = LONG_S * played.rate_hz
    start = Drive(
        name=played.name,
        rate_hz=played.rate_hz,
        counts_i32=played.counts_i32[:n_warm],
        uv_per_count=played.uv_per_count,
        rails_counts=played.rails_counts,
    )
    if played.counts_i32.size != n_long:
        raise ContractError(f"{played.name}: expected {n_long} samples, got {played.counts_i32.size}")
    absent = [name for name in LANDMARKS if name not in of.symbols]
    if absent:
        raise ContractError(f"{of.path.name}: {absent[0]} was inlined, its stage cannot be told apart")
    long, short = (_by_stage(of, one) for one in (played, start))
    by_stage = {stage: (long[stage] - short[stage]) / MEASURED_SAMPLES for stage in ORDER}
    return Instructions(drive=played.name, by_stage={s: n for s, n in by_stage.items() if n})


def _by_stage(of: Image, played: Drive) -> Counter[str]:
    _, emulator = drive.run_on_m4(of, played, shared=("wl_level",))
    stages: Counter[str] = Counter()
    for (function, caller), n in emulator.charged.items():
        stages[stage_of(function, caller)] += n
    return stages


def stage_of(function: str, caller: str) -> str:
    """The stage that a function works for; a library function and the logarithm work for their caller."""
    if function in HARNESS or caller in HARNESS:
        return "harness"
    home = next((stage for stage, names in STAGE_FUNCTIONS.items() if (caller or function) in names), None)
    if home is None:
        raise ContractError(f"{caller or function}: belongs to no stage; name it in benchmarks/frontend.py")
    if function.startswith(LIBRARY):
        return MOVING if home in PATH else home
    if function == "wl_level":
        return "log2" if home == "wavelets" else home
    return home


def macs_per_sample() -> tuple[float, float]:
    """Wavelets and half-bands, counted in the tables: positions a hop times folded taps of both parts."""
    positions = 0
    for row in re.findall(r"^    \{(\d+(?:, -?\d+){6}), 18 \* 4096", _source("cwt.c"), re.MULTILINE):
        _lag, _centre, _first, _step, n_inner, _inner_weight, edge_weight = map(int, row.split(", "))
        positions += n_inner + (1 if edge_weight else 0)
    halves = re.search(r"wl_morlet_half\[\w+\] = \{\s*([\d, ]+?)\s*\}", _source("table_morlet.h"))
    pairs = re.search(r"#define WL_HALFBAND_PAIRS (\d+)", _source("table_halfband.h"))
    if not positions or not halves or not pairs:
        raise ContractError("firmware/src: the octaves, the wavelets or the half-band were not found")
    taps = sum(int(half) + 1 for half in halves.group(1).split(","))
    outputs = 8 + 4 + 2 + 1  # of the four half-bands, a hop
    return positions * 2 * taps / HOP_SAMPLES, outputs * (int(pairs.group(1)) + 1) / HOP_SAMPLES


def flash_of(of: Image) -> Flash:
    """Flash by symbol, each place once."""
    path_functions = {name for stage in PATH if stage != MOVING for name in STAGE_FUNCTIONS[stage]}
    functions = {name for names in STAGE_FUNCTIONS.values() for name in names} | {"wl_frontend_init"}
    tables = {s.name for s in of.symbols.values() if not s.is_code and s.in_flash and s.name != "vectors"}
    return Flash(
        path_text=of.n_bytes(path_functions),
        path_tables=of.n_bytes({name for name in tables if name.startswith(PATH_TABLES)}),
        core_text=of.n_bytes(functions),
        core_tables=of.n_bytes(tables),
        library=of.n_bytes({name for name in of.symbols if name.startswith(LIBRARY)}),
        whole_image=of.flash_bytes,
    )


def _resampling(of: Image, rate_hz: int, bare: Image) -> Resampling:
    cost = instructions(of, drive.ecg(rate_hz, LONG_S))
    table_bytes = of.n_bytes({f"wl_resample_{rate_hz}_q15"})
    up = STREAM_HZ // _common(STREAM_HZ, rate_hz)
    return Resampling(
        rate_hz=rate_hz,
        n_taps=table_bytes // 2 // -(-up // 2),  # int16, and half of the phases
        resampler=cost.by_stage["resampler"],
        complete=cost.complete + cost.by_stage["resampler"],
        table_bytes=table_bytes,
        text_bytes=of.n_bytes(set(STAGE_FUNCTIONS["resampler"])),
        state_bytes=of.symbols["fe"].n_bytes - bare.symbols["fe"].n_bytes,
    )


def _common(a: int, b: int) -> int:
    return a if b == 0 else _common(b, a % b)


def _source(name: str) -> str:
    return (FIRMWARE / "src" / name).read_text(encoding="ascii")
