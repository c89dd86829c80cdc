"""The image of a whole device with its application: sizes by section and object, what a stream costs."""

import re
import struct
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks import drive
from benchmarks.drive import Drive
from benchmarks.mcu import image, model
from benchmarks.mcu.emulator import LIBRARY, Emulator
from benchmarks.mcu.image import ZIG, Image, Symbol, plain
from benchmarks.mcu.targets import Memory, Target
from benchmarks.sheet import number, sheet
from device_sim.app import app_of, is_streamed
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of
from device_sim.contract.errors import ContractError
from device_sim.judged import judged_of
from device_sim.stream import CoreStream, Table
from export import to_c

Application = Bundle | Cascade

RATE_HZ = 256
PORTION = 16  # of device_main.c
BEATS_ALONE = 512  # WL_BEAT_SAMPLES
BEATS_OF_A_GATE = 1024  # a beat behind a gate waits for its signal's quality
STACK_S, STACK_BPM = 12.0, 200.0  # long enough for windows of every kind
MAX_INSTRUCTIONS = 20_000_000_000
FRONT_END, WINDOWS, WIRE = "front end", "windows", "wire"
FIRST_NETWORK, N_NETWORKS = 3, 2  # enum region of device_main.c, WL_NETWORKS
HARNESS = {"wl_job", "wl_result", "wl_mark", "wl_halt", "main", "reset", "vectors", "take"}
KERNELS = {"conv.c", "conv_vectors.c", "conv_wide.c", "dense.c", "pool.c", "elementwise.c", "graph.c"}
BEAT_FILES = {"qrs.c", "beat_window.c"}
STREAM_FILES = {"stream.c", "app.c", "judge.c", "gate.c"}
MODEL = re.compile(r"op\d+_|ops$|networks$|gate$|wl_(model|quality|beat|app)|(model|quality|beat)_\w+$")
RAM_OBJECTS = {"arena": "arena and judges", "stream": "front end, rings, beats", "events": "events"}
RAM_OBJECTS |= dict.fromkeys(("frame", "heard", "wire", "sent", "sequence"), WIRE)
ON_THE_WIRE = {"report", "pass_on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes of one image: what the linker says by section, what the symbols say by object."""

    sections: tuple[tuple[str, int], ...]
    flash_by_object: Mapping[str, int]
    ram_by_object: Mapping[str, int]
    stack_bytes: int | None  # measured; None where no emulator has the core

    @property
    def flash_bytes(self) -> int:
        """What a product programs: everything but the harness."""
        return sum(n for name, n in self.flash_by_object.items() if name != "harness")

    @property
    def ram_bytes(self) -> int:
        """Static memory and stack of a product."""
        return sum(n for name, n in self.ram_by_object.items() if name != "harness") + (self.stack_bytes or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a stretch of ECG cost, stage by stage."""

    seconds: float
    n_windows: Mapping[str, int]  # by network: how many it was asked of
    by_stage: Mapping[str, int]  # instructions, all of it but the harness
    stack_bytes: int

    @property
    def per_second(self) -> float:
        return sum(self.by_stage.values()) / self.seconds


def is_whole(application: Application) -> bool:
    """Whether there is a device to build: what the core does not stream makes no events."""
    return is_streamed(application)


def stages_of(application: Application) -> dict[int, str]:
    """Regions of device_main.c by what a person calls them; the harness has none."""
    names = [one.name for one in bundles_of(application)]
    networks = {FIRST_NETWORK + k: name for k, name in enumerate(names)}
    return {1: FRONT_END, 2: WINDOWS, **networks, FIRST_NETWORK + N_NETWORKS: WIRE}


def build(
    application: Application,
    folder: Path,
    target: Target,
    *,
    compiler: str = ZIG,
    memory: Memory | None = None,
    rate_hz: int = RATE_HZ,
) -> Image:
    """Front end, networks and all between; built for one input rate."""
    app_of(application)  # what no device can run is refused before a compiler says it in its words
    networks = model.generated(application, folder)
    n_beats = BEATS_OF_A_GATE if isinstance(application, Cascade) else BEATS_ALONE
    paints = any(bundle.painting for bundle in bundles_of(application))
    return image.build(
        [*sorted((to_c.FIRMWARE / "src").glob("*.c")), *networks, *image.port_sources("device_main.c")],
        folder / f"device-{target.name}-{compiler}.elf",
        target=target,
        compiler=compiler,
        memory=memory,
        defines=(
            *(f"WL_RATE_HZ={rate_hz}", f"WL_BEAT_SAMPLES={n_beats}", "WL_METERED"),
            *(() if paints else ("WL_NO_PICTURES",)),
        ),
        includes=(folder, *image.INCLUDES),
    )


def run(of: Image, application: Application, played: Drive, emulator: Emulator | None = None) -> Stream:
    """A stretch of ECG from the first sample on."""
    emulator = emulator or Emulator(of)
    emulator.run(jobs={"wl_job": played.job()}, max_instructions=MAX_INSTRUCTIONS)
    status, n_columns, _, _, _, *n_asked, fnv = struct.unpack("<8I", emulator.read("wl_result"))
    if status or not n_columns:
        raise ContractError(f"{of.path.name}: the core refused {played.name}: status {status}")
    if fnv != hash_here(application, played):
        raise ContractError(f"{of.path.name}: {of.target.name} and this machine give different verdicts")
    return Stream(
        seconds=played.counts_i32.size / played.rate_hz,
        n_windows=dict(zip((one.name for one in bundles_of(application)), n_asked, strict=False)),
        by_stage={stage: emulator.regions[k] for k, stage in stages_of(application).items()},
        stack_bytes=emulator.stack_bytes,
    )


def hash_here(application: Application, played: Drive) -> int:
    """The same samples through the core of this machine: FNV-1a over what each verdict is on the wire."""
    stream = CoreStream(
        Table(app_of(application)),
        rate_hz=played.rate_hz,
        uv_per_count=played.uv_per_count,
        rails_counts=played.rails_counts,
    )
    of = {bundle.digest: bundle for bundle in bundles_of(application)}
    fnv = drive.FNV_START
    for verdict in stream.push(played.counts_i32[: played.counts_i32.size // PORTION * PORTION]):
        fnv = drive.fnv_1a(fnv, judged_of(verdict, of[verdict.bundle_digest]).pack())
    return fnv


def ecg(seconds: float, heart_rate_bpm: float = 70.0) -> Drive:
    """What is streamed: 1 mV with muscle and wander, at a heart rate."""
    return drive.ecg(RATE_HZ, seconds, heart_rate_bpm)


def together(parts: Sequence[Sizes]) -> Sizes:
    """Bundles on one device: models, arenas and what feeds them side by side, everything else once."""

    def joined(objects: Sequence[Mapping[str, int]]) -> dict[str, int]:
        names = dict.fromkeys(name for of in objects for name in of)
        return {
            name: (sum if name in ("model", "arena and judges") else max)(of.get(name, 0) for of in objects)
            for name in names
        }

    stacks = [part.stack_bytes for part in parts if part.stack_bytes is not None]
    return Sizes(
        sections=(),
        flash_by_object=joined([part.flash_by_object for part in parts]),
        ram_by_object=joined([part.ram_by_object for part in parts]),
        stack_bytes=max(stacks) if stacks else None,
    )


def sizes_of(of: Image, stack_bytes: int | None) -> Sizes:
    """Every byte of the sections is somebody's: what no symbol holds is start-up and padding."""
    homes = _homes()
    flash: Counter[str] = Counter()
    ram: Counter[str] = Counter()
    seen: set[tuple[int, bool]] = set()
    for symbol in of.symbols.values():
        if (symbol.address, symbol.is_code) not in seen:
            seen.add((symbol.address, symbol.is_code))
            (flash if symbol.in_flash else ram)[_object_of(symbol, homes)] += symbol.n_bytes
    flash["start-up and padding"] += of.flash_bytes - sum(flash.values())
    ram["start-up and padding"] += of.ram_bytes - sum(ram.values())
    return Sizes(
        sections=of.sections,
        flash_by_object={name: n for name, n in flash.most_common() if n},
        ram_by_object={name: n for name, n in ram.most_common() if n},
        stack_bytes=stack_bytes,
    )


def _object_of(symbol: Symbol, homes: Mapping[str, str]) -> str:
    """Which part of a device a symbol belongs to."""
    name = plain(symbol.name)
    if name in HARNESS:
        return "harness"
    if name.startswith(LIBRARY):
        return "compiler's library"
    if MODEL.match(name):
        return "model"
    if not symbol.in_flash:
        return RAM_OBJECTS.get(name, "other")
    home = symbol.source or homes.get(name, "")
    if home in KERNELS:
        return "kernels"
    if home in BEAT_FILES:
        return "beats"
    if home in STREAM_FILES:
        return "windows, verdicts"
    if home == "codec.c" or name in ON_THE_WIRE:
        return WIRE
    return "front end" if symbol.is_code else "tables"


@cache
def _homes() -> Mapping[str, str]:
    """Which file defines a function that all files see: the linker does not say."""
    found = {}
    for path in image.core_sources():
        for name in re.findall(r"^\w[\w \*]*?\b(wl_\w+)\(", path.read_text(encoding="ascii"), re.MULTILINE):
            found[name] = path.name
    return found


def stack_bytes(application: Application, folder: Path, core: Target, *, compiler: str = ZIG) -> int | None:
    """By painting, on the emulated core; None where no emulator of this route has the core."""
    if core.unicorn_cpu is None:
        return None
    built = build(application, folder, core, compiler=compiler)
    return run(built, application, ecg(STACK_S, STACK_BPM)).stack_bytes


def build_library(application: Application, folder: Path, core: Target, *, compiler: str = ZIG) -> Path:
    """The same sources as a shared library, for boards that run Linux."""
    source, out = folder / "c", folder / f"libwl_model-{core.name}.so"
    to_c.to_c(application, source)
    flags = ("-std=c99", "-O2", "-shared", "-fPIC", "-Wl,-s", f"-I{source / 'src'}")
    files = sorted(map(str, (source / "src").glob("*.c")))
    command = [*image.compile_command(core, compiler), *flags, *files, "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise ContractError(f"{out.name}: does not build: {lines[0]}")
    return out


def sizes_text(of: Image, sizes: Sizes, board: str) -> str:
    """By section and by object; the harness is what a product replaces by its own drivers."""
    stack = "not measured: no emulator here has this core" if sizes.stack_bytes is None else None
    sections = [(name, number(n)) for name, n in sizes.sections]
    objects = [
        (name, number(sizes.flash_by_object.get(name, 0)), number(sizes.ram_by_object.get(name, 0)))
        for name in dict.fromkeys((*sizes.flash_by_object, *sizes.ram_by_object))
    ]
    objects.append(("stack", "0", stack or number(sizes.stack_bytes or 0)))
    objects.append(("without the harness", number(sizes.flash_bytes), number(sizes.ram_bytes)))
    return "\n\n".join(
        [
            sheet(f"{of.path.stem} for {board}: bytes by section", ("section", "bytes"), sections),
            sheet("Bytes by object", ("object", "flash", "RAM"), objects),
        ]
    )
