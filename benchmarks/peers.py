"""A 5 s window through other wavelet libraries: the same 30 scales, all that is reusable prepared before."""

import importlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.frontend import STREAM_HZ, WAVELET_ROWS, row_hz

W0 = 6.0  # of the Morlet wavelet, in radians
WINDOW_SAMPLES = 5 * STREAM_HZ
Magnitudes = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One way to compute the window."""

    name: str
    package: str  # its name on PyPI
    compute: Callable[[], object]  # the whole window again
    magnitudes: Callable[
        [], Magnitudes
    ]  # (30, 1280), of the same window: to see that it is the same transform


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A library that does not load here, why, and the command that brings it."""

    name: str
    why: str
    install: str


def peers(x_uv: NDArray[np.float64]) -> tuple[list[Peer], list[Absent]]:
    """Every library that is installed, ready to compute x_uv; and those that are not."""
    found: list[Peer] = []
    absent: list[Absent] = []
    for module, make, install in (
        ("pywt", _pywt, "pip install -c constraints.txt PyWavelets"),
        ("ssqueezepy", _ssqueezepy, "pip install -c constraints.txt ssqueezepy"),
        (
            "fcwt",
            _fcwt,
            "apt install g++ libfftw3-dev libomp-dev && pip install -c constraints.txt fCWT==0.1.18",
        ),
    ):
        try:
            library = importlib.import_module(module)
        except ImportError as error:  # it, or something that it needs
            absent.append(Absent(name=module, why=str(error), install=install))
        else:
            found += make(library, x_uv)
    return found, absent


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def scales_hz() -> NDArray[np.float64]:
    return np.array([row_hz(row) for row in range(WAVELET_ROWS)])


def _pywt(pywt: Any, x_uv: NDArray[np.float64]) -> Iterator[Peer]:
    wavelet = f"cmor2.0-{W0 / (2 * np.pi):.6f}"
    scales = pywt.central_frequency(wavelet) * STREAM_HZ / scales_hz()
    for method in ("conv", "fft"):

        def compute(method: str = method) -> Any:
            return pywt.cwt(x_uv, scales, wavelet, 1 / STREAM_HZ, method=method)[0]

        yield Peer(
            name=f"pywt {method}",
            package="PyWavelets",
            compute=compute,
            magnitudes=lambda compute=compute: np.abs(compute()),  # type: ignore[misc]
        )


def _ssqueezepy(ssqueezepy: Any, x_uv: NDArray[np.float64]) -> Iterator[Peer]:
    x_f32 = x_uv.astype(np.float32)
    scales = (W0 * STREAM_HZ / (2 * np.pi * scales_hz())).astype(np.float32)
    # Its fastest way: no padding, and the wavelets sampled once, for this length.
    wavelet = ssqueezepy.Wavelet(("morlet", {"mu": W0}), N=WINDOW_SAMPLES, dtype="float32")

    def compute() -> Any:
        return ssqueezepy.cwt(
            x_f32, wavelet, scales=scales, fs=STREAM_HZ, astensor=False, padtype=None,
            cache_wavelet=True, nan_checks=False,
        )[0]  # fmt: skip

    yield Peer(name="ssqueezepy", package="ssqueezepy", compute=compute, magnitudes=lambda: np.abs(compute()))


def _fcwt(fcwt: Any, x_uv: NDArray[np.float64]) -> Iterator[Peer]:
    x_f32 = x_uv.astype(np.float32)
    out = np.zeros((WAVELET_ROWS, WINDOW_SAMPLES), np.complex64)
    morlet = fcwt.Morlet(W0 / (2 * np.pi))
    high_hz, low_hz = (float(scales_hz()[row]) for row in (0, -1))
    scales = fcwt.Scales(morlet, fcwt.FCWT_LOGSCALES, STREAM_HZ, low_hz, high_hz, WAVELET_ROWS)
    one_thread, plan_file, normalise = 1, False, True
    transform = fcwt.FCWT(morlet, one_thread, plan_file, normalise)
    transform.keeps_alive = morlet  # it points there, and counts no reference
    # A measured FFTW plan halves its time; it stays in this process, no file has to be read again.
    with _in_a_silent_folder():
        transform.create_FFT_optimization_plan(2048, "FFTW_MEASURE")

    def compute() -> None:
        transform.cwt(x_f32, scales, out)

    def magnitudes() -> Magnitudes:
        compute()
        return np.abs(out)

    yield Peer(name="fCWT", package="fCWT", compute=compute, magnitudes=magnitudes)


@contextmanager
def _in_a_silent_folder() -> Iterator[None]:
    """fCWT prints from C++ and leaves its plan in the current folder."""
    here, stdout = Path.cwd(), os.dup(1)
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "wb") as nowhere:
        os.chdir(folder)
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(stdout, 1)
            os.close(stdout)
            os.chdir(here)
