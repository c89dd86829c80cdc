"""What a source is: counts in order, with a Gap wherever samples are missing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.frontend import RATES_HZ

# Electrode offset reaches 300 mV and the core clamps at 500 mV: what lies beyond is not a skin potential.
MAX_UV = 500_000

Where = Callable[[int], str]
"""Turns the index of a sample into the place a person can look up: `ecg.csv:17`, `100: sample 17`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Neighbouring samples; `lead_off` is what the analogue front end said about its electrodes."""

    first_index: int
    counts_i32: NDArray[np.int32]
    lead_off: bool = False

    @property
    def n_samples(self) -> int:
        return int(self.counts_i32.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Samples that never came; `estimated` where their number is a guess."""

    first_index: int
    n_samples: int
    estimated: bool


Chunk = Samples | Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Marks that came with the samples, such as beats: sample index and symbol."""

    indices_i64: NDArray[np.int64]
    symbols: tuple[str, ...]


class Source(Protocol):
    """Anything the replay loop can read: facts first, then chunks in order of their index."""

    @property
    def name(self) -> str: ...
    @property
    def lead(self) -> str: ...
    @property
    def rate_hz(self) -> int: ...
    @property
    def uv_per_count(self) -> Fraction: ...
    @property
    def rails_counts(self) -> tuple[int, int] | None: ...
    @property
    def n_samples(self) -> int | None:
        """How many samples there will be, gaps included; None where only the end can tell."""

    @property
    def annotations(self) -> Annotations | None: ...
    def __iter__(self) -> Iterator[Chunk]: ...


def check_rate(rate_hz: float | Fraction, *, where: str) -> int:
    """The rate as an integer the resampler has a table for."""
    if rate_hz not in RATES_HZ:
        raise ContractError(
            f"{where}: expected a rate of {', '.join(map(str, RATES_HZ))} Hz, got {float(rate_hz):g} Hz; "
            "resample the recording first"
        )
    return int(rate_hz)


def check_microvolts(
    counts_i64: NDArray[np.int64],
    uv_per_count: Fraction,
    where: Where,
    *,
    advice: str = "are the units right? (--units uV|mV|adc)",
) -> None:
    """Refuse the first count that no electrode can have produced."""
    limit_counts = int(MAX_UV / uv_per_count)
    beyond = np.flatnonzero(np.abs(counts_i64) > limit_counts)
    if beyond.size:
        first = int(beyond[0])
        value_mv = float(int(counts_i64[first]) * uv_per_count) / 1000
        raise ContractError(
            f"{where(first)}: expected at most {MAX_UV // 1000} mV either way, "
            f"got {value_mv:.6g} mV; {advice}"
        )


def split(chunk: Samples, block_samples: int) -> Iterator[Samples]:
    """The same samples in pieces of at most `block_samples`."""
    for start in range(0, chunk.n_samples, block_samples):
        yield Samples(
            first_index=chunk.first_index + start,
            counts_i32=chunk.counts_i32[start : start + block_samples],
            lead_off=chunk.lead_off,
        )
