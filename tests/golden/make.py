"""Writes the golden vectors with the integer twin: `python -m tests.golden.make`, by hand."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.golden import network_vectors, signals, twin, twin_wire
from tests.golden.vectors import FOLDER, SUMS, Case, qrs_to_bytes, to_bytes

SEED = 20261120
RATES_HZ = (125, 128, 200, 250, 256, 300, 360, 400, 500, 512, 1000)
COMMAND = "python -m tests.golden.make"
ADC_16 = (-32768, 32767)
NO_RAILS = (-(2**31), 2**31 - 1)

Array = NDArray[Any]
Signal = tuple[int, tuple[int, int], tuple[int, int], Array]


def cases() -> dict[str, tuple[str, Signal]]:
    """name -> (why it exists, (rate, gain, rails, counts))"""
    rng = np.random.default_rng(SEED)
    n = 256 * 6
    t = np.arange(n)
    clean = signals.ecg(8, 256)
    one = (1, 0)
    made: dict[str, tuple[str, Signal]] = {
        f"ecg_{rate}": (
            f"an ordinary ECG with noise and offset at {rate} Hz: the resampler's table and phases",
            (rate, (5, 0), ADC_16, signals.ecg(6, rate) / 5 + rng.normal(0, 2, 6 * rate) + 1000),
        )
        for rate in RATES_HZ
    }
    bits_24 = (-(2**23), 2**23 - 1)
    squares = np.where(t // 64 % 2, 500_000, -500_000)
    steps = np.repeat([0, 20_000, -20_000, 300_000], 512)
    chirp = signals.chirp(8, 256, from_hz=0.5, to_hz=80, amplitude_uv=4800)
    flat = np.full(512, 77.0)

    def plain(why: str, counts: Array) -> tuple[str, Signal]:
        return why, (256, one, NO_RAILS, counts)

    return made | {
        "ecg_20uv": plain("near the floor of the codes", signals.ecg(8, 256, r_uv=20)),
        "ecg_clipped": (
            "a converter that clips: rail flags",
            (256, one, (-200, 600), np.clip(clean, -200, 600)),
        ),
        "ecg_24_bit": ("a gain far below one", (250, (25, 10), bits_24, signals.ecg(6, 250) * 41)),
        "noise_white": plain("every code path of the logarithm", rng.normal(0, 300, n)),
        "both_rails": (
            "worst steps of 16 bits",
            (256, (10, 0), ADC_16, np.where(t // 37 % 2, 32767, -32768)),
        ),
        "square_full_scale": plain("limits of every stream at once", squares),
        "random_full_scale": plain("the same without a pattern", rng.integers(-(2**31), 2**31, n)),
        "steps": plain("fast restore, twice", steps + signals.ecg(8, 256)),
        "chirp": plain("0.5-80 Hz at 4.8 mV: below all limits", chirp),
        "zeros": plain("silence is -128 everywhere, and flat", np.zeros(n)),
        "offset_300mv": plain("a constant offset is silence too", np.full(n, 300_000.0)),
        "offset_ecg": plain("an ECG on -300 mV", clean - 300_000),
        "half_lsb_ties": ("half way in the gain", (256, (1, 1), NO_RAILS, rng.integers(-4001, 4001, n) | 1)),
        "flat_then_ecg": plain("a flat lead that comes to life", np.concatenate([flat, clean])),
    }


def beat_streams() -> dict[str, tuple[str, NDArray[np.int16]]]:
    """name -> (why it exists, 128 Hz stream)"""
    rng = np.random.default_rng(SEED + 1)
    clean = signals.ecg(20, 128)
    n = clean.size
    tall_t = clean + 0.9 * signals.ecg(20, 128, delay_s=0.28)
    pause = np.where((np.arange(n) > 900) & (np.arange(n) < 1400), 0, clean)
    streams = {
        "ecg": ("an ordinary ECG", clean),
        "ecg_20uv": ("hardly above the resolution", signals.ecg(20, 128, r_uv=20)),
        "ecg_fast": ("200 beats a minute", signals.ecg(20, 128, bpm=200)),
        "ecg_inverted": ("the largest excursion is negative", -clean),
        "tall_t_waves": ("a second wave soon after each beat", tall_t),
        "pause": ("no beat for four seconds: the level falls", pause + rng.normal(0, 4, n)),
        "shrinking": ("a lead that comes off", clean * np.linspace(3, 0.05, n)),
        "noise": ("no beat at all", rng.normal(0, 300, n)),
        "rails": ("the largest energy there can be", np.where(rng.integers(0, 2, n), 32767, -32768)),
        "plateau": ("a stretch above the threshold that never ends", np.repeat([0, 8000, -8000, 0], n // 4)),
        "zeros": ("nothing", np.zeros(n)),
    }
    return {
        name: (why, np.rint(x).clip(-32768, 32767).astype(np.int16)) for name, (why, x) in streams.items()
    }


def main() -> None:
    files: dict[str, tuple[str, bytes]] = network_vectors.files() | twin_wire.files()
    for name, (why, (rate_hz, gain, rails, signal)) in cases().items():
        counts = np.clip(np.rint(signal), -(2**31), 2**31 - 1).astype(np.int64)
        out = twin.front_end(counts, rate_hz=rate_hz, gain=gain, rails=rails)
        case = Case(
            rate_hz=rate_hz,
            gain=gain,
            rails=rails,
            counts=counts.astype(np.int32),
            codes_ts_i8=out.codes_ts_i8,
            flags_u8=out.flags_u8,
            beat_uv_i16=out.beat_uv_i16,
        )
        files[f"frontend/{name}.bin"] = why, to_bytes(case)
    for name, (why, beat_uv) in beat_streams().items():
        files[f"qrs/{name}.bin"] = why, qrs_to_bytes(beat_uv, twin.r_peaks(beat_uv))
    entries = []
    for file, (why, raw) in sorted(files.items()):
        path = FOLDER / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw)
        entries.append(
            f'["{file}"]\nsha256 = "{hashlib.sha256(raw).hexdigest()}"\n'
            f'command = "{COMMAND}"\nseed = {SEED}\nversions = "numpy {np.__version__}"\nwhy = "{why}"\n'
        )
    SUMS.write_text("\n".join(entries), encoding="utf-8")


if __name__ == "__main__":
    main()
