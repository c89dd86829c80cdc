"""What the beat stage costs on a Cortex-M4: the R-peak detector a sample, the window of a beat a beat."""

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import drive
from benchmarks.drive import FNV_START, fnv_1a
from benchmarks.frontend import Limit
from benchmarks.mcu import image
from benchmarks.mcu.emulator import Emulator
from benchmarks.mcu.image import Image
from device_sim.beats import beat_windows_of
from device_sim.frontend import columns_of
from device_sim.rpeaks import RPeaks

SECONDS = 60
MAX_INSTRUCTIONS = 200_000_000
DETECTOR = ("wl_qrs_next", "step", "energy", "settle", "peak_of")
MAKER = (
    "wl_beat_make",
    "differ",
    "best_start",
    "distance",
    "rhythm",
    "remember",
    "code",
    "ratio",
    "log_interval",
    "wl_log2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatCost:
    """Exact counts of one minute of ECG."""

    n_samples: int
    n_beats: int
    detector: float  # instructions per sample of the 128 Hz stream
    maker: float  # instructions per beat
    detector_state_bytes: int
    maker_state_bytes: int
    text_bytes: int
    stack_bytes: int
    hash: int

    def limits(self) -> tuple[Limit, ...]:
        return (Limit(name="R-peak detector", measured=self.detector, allowed=100, unit="per sample"),)


def measure() -> BeatCost:
    """Build the image, run a minute of ECG through it."""
    with tempfile.TemporaryDirectory() as folder:
        return run(build(Path(folder)), ecg_stream())


def build(folder: Path) -> Image:
    return image.build(image.core_sources() + image.port_sources("beats_main.c"), folder / "beats.elf")


def ecg_stream() -> NDArray[np.int16]:
    return columns_of(drive.ecg(256, SECONDS).counts_i32, rate_hz=256).beat_uv_i16


def run(of: Image, beat_uv: NDArray[np.int16]) -> BeatCost:
    emulator = Emulator(of)
    job = struct.pack("<I", beat_uv.size) + beat_uv.astype("<i2").tobytes()
    emulator.run(jobs={"wl_job": job}, max_instructions=MAX_INSTRUCTIONS)
    n_beats, fnv = struct.unpack("<2I", emulator.read("wl_result"))
    counted = {
        group: sum(n for (function, caller), n in emulator.charged.items() if (caller or function) in group)
        for group in (DETECTOR, MAKER)
    }
    return BeatCost(
        n_samples=beat_uv.size,
        n_beats=n_beats,
        detector=counted[DETECTOR] / beat_uv.size,
        maker=counted[MAKER] / max(n_beats, 1),
        detector_state_bytes=of.symbols["qrs"].n_bytes,
        maker_state_bytes=of.symbols["maker"].n_bytes,
        text_bytes=of.n_bytes(set(DETECTOR + MAKER)),
        stack_bytes=emulator.stack_bytes,
        hash=fnv,
    )


def hash_here(beat_uv: NDArray[np.int16]) -> tuple[int, int]:
    """Beats and hash of the same job through the shared library."""
    peaks = RPeaks().push(beat_uv[: beat_uv.size // 8 * 8])
    made = beat_windows_of(beat_uv, peaks)
    fnv = FNV_START
    for i, peak in enumerate(peaks[:-1].tolist()):
        fnv = fnv_1a(fnv, struct.pack("<I", peak) + made.shapes_tc_i8[i].tobytes() + made.rr_i8[i].tobytes())
    return max(len(peaks) - 1, 0), fnv


def text(cost: BeatCost) -> str:
    rows = [
        f"Cortex-M4, {cost.n_samples / 128:.0f} s of ECG, {cost.n_beats} beats",
        f"  R-peak detector        {cost.detector:10,.1f} instructions per 128 Hz sample",
        f"  window of a beat       {cost.maker:10,.1f} instructions per beat",
        f"  state of the detector  {cost.detector_state_bytes:10,} bytes",
        f"  state of the windows   {cost.maker_state_bytes:10,} bytes",
        f"  flash, text            {cost.text_bytes:10,} bytes",
        f"  stack                  {cost.stack_bytes:10,} bytes",
    ]
    for limit in cost.limits():
        verdict = "kept" if limit.kept else "BROKEN"
        rows.append(
            f"  limit: {limit.name} {limit.measured:,.1f} of {limit.allowed:,.0f} {limit.unit}: {verdict}"
        )
    return "\n".join(rows)
