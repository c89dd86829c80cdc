"""How far the integers are from mathematics: `python -m tests.golden.accuracy` prints the tables."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.golden import reference, signals, twin

SETTLED = 40  # columns: the slowest wavelet has forgotten the start

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    snr_db: float
    row_snr_db: Array  # (30,)
    share_same: float
    share_within_1: float
    worst_codes: float


def compare(out: twin.Output) -> Accuracy:
    """Integers against the true Morlet of the stream behind the blocker, settled columns only."""
    n_columns = len(out.flags_u8)
    settled = slice(SETTLED, n_columns - 1)
    power = reference.pooled_power(out.after_blocker_uv, n_columns)[settled]
    exact, ours = np.sqrt(power), np.sqrt(out.power_uv2[settled])
    error = np.abs(out.codes_ts_i8[settled, :30] - np.rint(reference.code(power)))
    return Accuracy(
        snr_db=snr_db(exact, ours),
        row_snr_db=np.array([snr_db(exact[:, row], ours[:, row]) for row in range(30)]),
        share_same=float(np.mean(error == 0)),
        share_within_1=float(np.mean(error <= 1)),
        worst_codes=float(error.max()),
    )


def snr_db(exact: Array, ours: Array) -> float:
    noise = float(np.sum((exact - ours) ** 2))
    return float(10 * np.log10(np.sum(exact**2) / noise)) if noise else float("inf")


def ecg_signals() -> dict[str, Array]:
    """1 mV ECGs at 256 Hz that need no data set."""
    import pywt

    rng = np.random.default_rng(7)
    clean = signals.ecg(30, 256)
    t = np.arange(clean.size) / 256
    holter = np.tile(pywt.data.ecg().astype(np.float64), 10)
    at = np.arange(int(holter.size * 256 / 360)) * 360 / 256
    holter = np.interp(at, np.arange(holter.size), holter)
    return {
        "sum of Gaussians": clean,
        "pywt.data.ecg": (holter - np.median(holter)) / np.ptp(holter[500:1500]) * 1000,
        "with noise, wander, mains": clean
        + rng.normal(0, 50, t.size) + 200 * np.sin(2 * np.pi * 0.3 * t) + 30 * np.sin(2 * np.pi * 50 * t),
    }  # fmt: skip


def qrs_uv(beat_uv: NDArray[np.int16]) -> float:
    """Height of a typical beat: the median over 1.5 s of the peak-to-peak of the beat stream."""
    windows = beat_uv[: beat_uv.size // 192 * 192].reshape(-1, 192)[1:]
    return float(np.median(np.ptp(windows.astype(np.int64), axis=1)))


def real_records(data: Path, n_cinc: int = 40, seconds: int = 40) -> Iterator[tuple[str, int, Array]]:
    """(name, rate, microvolts) from MIT-BIH and CinC 2017."""
    import io
    import zipfile

    import scipy.io
    import wfdb

    for header in sorted((data / "mitdb").glob("*.hea")):
        record = wfdb.rdrecord(
            str(header.with_suffix("")), channels=[0], sampfrom=360 * 300, sampto=360 * (300 + seconds)
        )
        yield f"mitdb {header.stem}", 360, record.p_signal[:, 0] * 1000
    with zipfile.ZipFile(data / "training2017.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".mat"))
        for name in names[:: max(len(names) // n_cinc, 1)][:n_cinc]:
            counts = scipy.io.loadmat(io.BytesIO(archive.read(name)))["val"][0]
            yield f"cinc2017 {Path(name).stem}", 300, counts[: 300 * seconds].astype(np.float64)


def scaled_to_1_mv(rate_hz: int, x_uv: Array) -> Array | None:
    """The recording with a 1 mV QRS; None for one that holds no ECG (below 50 uV) or is too short."""
    if x_uv.size < 8 * rate_hz:
        return None
    height = qrs_uv(twin.front_end(to_counts(x_uv), rate_hz=rate_hz).beat_uv_i16)
    return None if height < 50 else x_uv * (1000 / height)


def to_counts(x_uv: Array) -> NDArray[np.int64]:
    return np.rint(x_uv).astype(np.int64)


def main() -> None:
    print(f"{'signal':28} {'QRS uV':>7} {'SNR':>6} {'worst row':>9} {'same':>7} {'<=1':>7} {'max':>4}")
    for name, x_uv in ecg_signals().items():
        _print(name, 1000, compare(twin.front_end(to_counts(x_uv))))
    for height in (20, 50, 100, 200, 500, 1000, 2000, 4000):
        _print(
            f"Gaussians, {height} uV",
            height,
            compare(twin.front_end(to_counts(signals.ecg(30, 256, r_uv=height)))),
        )
    if "WRISTLEAD_DATA" not in os.environ:
        print("real records: not shown, WRISTLEAD_DATA is not set", file=sys.stderr)
        return
    rows = []
    for _name, rate_hz, x_uv in real_records(Path(os.environ["WRISTLEAD_DATA"])):
        if x_uv.size >= 8 * rate_hz:
            out = twin.front_end(to_counts(x_uv), rate_hz=rate_hz)
            rows.append((qrs_uv(out.beat_uv_i16), compare(out)))
    for low, high in ((0, 200), (200, 500), (500, 1000), (1000, 2000), (2000, 9000)):
        inside = [a for height, a in rows if low <= height < high]
        if inside:
            _print(f"real, {low}-{high} uV, {len(inside)} records", (low + high) // 2, _worst(inside))


def _worst(rows: list[Accuracy]) -> Accuracy:
    return Accuracy(
        snr_db=min(a.snr_db for a in rows),
        row_snr_db=np.min([a.row_snr_db for a in rows], axis=0),
        share_same=min(a.share_same for a in rows),
        share_within_1=min(a.share_within_1 for a in rows),
        worst_codes=max(a.worst_codes for a in rows),
    )


def _print(name: str, height_uv: int, a: Accuracy) -> None:
    print(
        f"{name:28} {height_uv:7} {a.snr_db:6.1f} {a.row_snr_db.min():9.1f} "
        f"{a.share_same:7.2%} {a.share_within_1:7.2%} {a.worst_codes:4.0f}"
    )


if __name__ == "__main__":
    main()
