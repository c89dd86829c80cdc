"""Recordings for the tests of this room: the real ones where they are, small made-up ones everywhere."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

RATE_HZ = 360
LENGTH_S = 100
TRAIN = ("101", "106", "108", "109")
TEST = ("100", "103", "105")
NOISES = ("em", "ma")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; without it the test is skipped and says so."""
    named = os.environ.get("WRISTLEAD_DATA")
    if not named:
        pytest.skip("WRISTLEAD_DATA is not set: no real recordings to test on")
    if not (Path(named) / "mitdb").exists():
        pytest.skip(f"{named}: no mitdb there")
    return Path(named)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums in one order: what is said to be reproducible is tested as it is run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven recordings of 100 s and two of noise, written as WFDB: enough to run everything end to end."""
    folder = tmp_path_factory.mktemp("sets")
    for index, name in enumerate(TRAIN + TEST):
        write_recording(folder / "mitdb", name, seed=index)
    for index, name in enumerate(NOISES):
        write_noise(folder / "nstdb", name, seed=index)
    return folder


def write_recording(folder: Path, name: str, *, seed: int) -> None:
    """A wearer's own QRS; every sixth beat wide and early (V), every ninth early (S)."""
    rng = np.random.default_rng(seed)
    signal_mv = 0.02 * rng.standard_normal(RATE_HZ * LENGTH_S)
    times: list[int] = []
    symbols: list[str] = []
    at = 0.5
    while at < LENGTH_S - 1:
        kind = "V" if len(times) % 6 == 5 else "A" if len(times) % 9 == 8 else "N"
        _add_beat(signal_mv, round(at * RATE_HZ), kind, height_mv=0.8 + 0.1 * seed)
        times.append(round(at * RATE_HZ))
        symbols.append(kind)
        following = "V" if (len(times)) % 6 == 5 else "A" if len(times) % 9 == 8 else "N"
        at += (0.55 if following != "N" else 0.8) + 0.02 * rng.standard_normal()
    _write_wfdb(folder, name, signal_mv, ["MLII", "V5"])
    _write_marks(folder, name, np.array(times), symbols)


def write_noise(folder: Path, name: str, *, seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    _write_wfdb(folder, name, np.cumsum(rng.standard_normal(RATE_HZ * 30)) * 0.01, ["noise1", "noise2"])


def _add_beat(signal_mv: NDArray[np.float64], at: int, kind: str, *, height_mv: float) -> None:
    width, height = (20, -1.5 * height_mv) if kind == "V" else (6, height_mv)
    reach = np.arange(-60, 61)
    inside = (at + reach >= 0) & (at + reach < len(signal_mv))
    signal_mv[(at + reach)[inside]] += (height * np.exp(-0.5 * (reach / width) ** 2))[inside]


def _write_wfdb(folder: Path, name: str, signal_mv: NDArray[np.float64], leads: list[str]) -> None:
    import wfdb

    folder.mkdir(exist_ok=True)
    counts = np.clip(np.rint(signal_mv * 200 + 1024), 0, 2047).astype(np.int64)
    wfdb.wrsamp(
        name,
        fs=RATE_HZ,
        units=["mV", "mV"],
        sig_name=leads,
        d_signal=np.stack([counts, counts[::-1]], axis=1),
        fmt=["212", "212"],
        adc_gain=[200.0, 200.0],
        baseline=[1024, 1024],
        write_dir=str(folder),
    )


def _write_marks(folder: Path, name: str, samples: NDArray[np.int64], symbols: list[str]) -> None:
    import wfdb

    wfdb.wrann(name, "atr", sample=samples, symbol=symbols, write_dir=str(folder))
