"""What the front end is driven with, on an emulated core and on this machine, and a hash over its answer."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.image import Image
from device_sim.contract.errors import ContractError
from device_sim.frontend import NO_RAILS, FrontEnd, rational_gain
from device_sim.sources import Samples
from device_sim.synthetic import Noise, Scene, SyntheticSource

FNV_START, FNV_PRIME = 2166136261, 16777619
MAX_SAMPLES = 32768  # room in firmware/ports/cortex_m/frontend_main.c
MAX_INSTRUCTIONS = 200_000_000
HOPS_TO_A_COLUMN = 39
BEATS_A_HOP, BEATS_BEHIND = 8, 14  # after hop b (0, 1 ..) 8 b - 14 beat samples are there


class Answer(Protocol):
    """Columns of device_sim.frontend, or anything with the same three arrays from the first column on."""

    @property
    def codes_ts_i8(self) -> NDArray[np.int8]: ...
    @property
    def flags_u8(self) -> NDArray[np.uint8]: ...
    @property
    def beat_uv_i16(self) -> NDArray[np.int16]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """Counts of a converter and what is known about it."""

    name: str
    rate_hz: int
    counts_i32: NDArray[np.int32]
    uv_per_count: Fraction = Fraction(1)
    rails_counts: tuple[int, int] = NO_RAILS

    def __post_init__(self) -> None:
        if self.counts_i32.size > MAX_SAMPLES:
            raise ContractError(
                f"{self.name}: expected at most {MAX_SAMPLES} samples, got {self.counts_i32.size}"
            )

    def job(self) -> bytes:
        """struct job of frontend_main.c."""
        mul, shift = rational_gain(self.uv_per_count)
        header = struct.pack("<5iI", self.rate_hz, mul, shift, *self.rails_counts, self.counts_i32.size)
        return header + self.counts_i32.astype("<i4").tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the image says it did: struct result of frontend_main.c."""

    n_columns: int
    n_beats: int
    hash: int


def ecg(rate_hz: int, seconds: float, heart_rate_bpm: float = 70.0) -> Drive:
    """1 mV with 20 uV of muscle and a wander: what is on a wrist on a good day."""
    noises = (Noise(kind="emg", level_uv=20), Noise(kind="wander", level_uv=60))
    scene = Scene(rate_hz=rate_hz, seconds=seconds, noises=noises, heart_rate_bpm=heart_rate_bpm)
    source = SyntheticSource(scene=scene, seed=7)
    counts = np.concatenate([chunk.counts_i32 for chunk in source if isinstance(chunk, Samples)])
    return Drive(name="ecg", rate_hz=rate_hz, counts_i32=counts)


def noise(rate_hz: int, seconds: float) -> Drive:
    """White, 500 uV, through a gain that is no integer."""
    counts = np.random.default_rng(11).normal(0, 160, round(rate_hz * seconds)).astype(np.int32)
    return Drive(name="noise", rate_hz=rate_hz, counts_i32=counts, uv_per_count=Fraction(25, 8))


def rails(rate_hz: int, seconds: float) -> Drive:
    """From one rail of a 16-bit converter to the other, 18 times a second: everything limits."""
    high = np.arange(round(rate_hz * seconds)) * 36 // rate_hz % 2 == 1
    counts = np.where(high, 32767, -32768).astype(np.int32)
    return Drive(
        name="rails",
        rate_hz=rate_hz,
        counts_i32=counts,
        uv_per_count=Fraction(5),
        rails_counts=(-32768, 32767),
    )


def run_on_m4(image: Image, drive: Drive, *, shared: tuple[str, ...] = ()) -> tuple[Answered, Emulator]:
    """One run of the image; shared functions are charged to their callers."""
    emulator = Emulator(image, shared=shared)
    emulator.run(jobs={"wl_job": drive.job()}, max_instructions=MAX_INSTRUCTIONS)
    status, n_columns, n_beats, fnv = struct.unpack("<4I", emulator.read("wl_result"))
    if status != 0:
        raise ContractError(
            f"{image.path.name}: the core refused {drive.name} at {drive.rate_hz} Hz: status {status}"
        )
    return Answered(n_columns=n_columns, n_beats=n_beats, hash=fnv), emulator


def run_here(drive: Drive) -> Answered:
    """The same, sample by sample through the shared library."""
    front_end = FrontEnd(
        rate_hz=drive.rate_hz, uv_per_count=drive.uv_per_count, rails_counts=drive.rails_counts
    )
    answers = [front_end.push(drive.counts_i32[i : i + 1]) for i in range(drive.counts_i32.size)]
    fnv = FNV_START
    for answer in answers:
        fnv = fnv_1a(fnv, _bytes_of(answer))
    return Answered(
        n_columns=sum(a.flags_u8.size for a in answers),
        n_beats=sum(a.beat_uv_i16.size for a in answers),
        hash=fnv,
    )


def hash_in_order(answer: Answer) -> Answered:
    """The hash of a whole answer, laid out as it came: hop by hop a column, then eight beat samples."""
    fnv, column, beat = FNV_START, 0, 0
    n_columns, n_beats = answer.flags_u8.size, answer.beat_uv_i16.size
    hop = 0
    while column < n_columns or beat < n_beats:
        if hop >= HOPS_TO_A_COLUMN and column < n_columns:
            fnv = fnv_1a(fnv, answer.codes_ts_i8[column].tobytes() + answer.flags_u8[column].tobytes())
            column += 1
        end = max(beat, min(BEATS_A_HOP * hop - BEATS_BEHIND, n_beats))
        fnv = fnv_1a(fnv, answer.beat_uv_i16[beat:end].astype("<i2").tobytes())
        beat = end
        hop += 1
    return Answered(n_columns=n_columns, n_beats=n_beats, hash=fnv)


def fnv_1a(fnv: int, content: Iterable[int]) -> int:
    """FNV-1a, 32 bits, from where it stands."""
    for byte in content:
        fnv = (fnv ^ byte) * FNV_PRIME & 0xFFFFFFFF
    return fnv


def _bytes_of(answer: Answer) -> bytes:
    columns = (c.tobytes() + f.tobytes() for c, f in zip(answer.codes_ts_i8, answer.flags_u8, strict=True))
    return b"".join(columns) + answer.beat_uv_i16.astype("<i2").tobytes()
