"""A recording in memory: what a file held, and how the reader was told to take it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.frontend import RATES_HZ
from device_sim.sources import Annotations, Chunk, Gap, Samples, Where, check_microvolts, check_rate, split

Units = Literal["uV", "mV", "adc"]
UNITS: tuple[Units, ...] = ("uV", "mV", "adc")

# A recording in millivolts or volts that is taken for microvolts spans a few "microvolts", with decimals.
SUSPECT_SPAN_UV = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAs:
    """What the caller knows about a file; None leaves it to the file."""

    rate_hz: int | None = None
    units: Units | None = None
    gain_per_mv: Fraction | None = None  # ADC counts per millivolt
    lead: str | None = None
    dtype: str | None = None
    rails_counts: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Values of a file -> counts: `values * factor`, rounded half to even, are counts of `uv_per_count`."""

    factor: int
    uv_per_count: Fraction
    whole: bool  # ADC counts have no decimals


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One lead of one file, validated to the last sample before the first is streamed."""

    name: str
    kind: str
    lead: str
    leads: tuple[str, ...]
    rate_hz: Fraction | None  # None: the file does not say
    uv_per_count: Fraction
    chunks: tuple[Chunk, ...]
    rails_counts: tuple[int, int] | None = None
    annotations: Annotations | None = None

    @property
    def n_samples(self) -> int:
        return sum(chunk.n_samples for chunk in self.chunks)

    def source(self, *, block_samples: int | None = None) -> "RecordingSource":
        """The recording as a stream, in blocks of one second unless told otherwise."""
        if self.rate_hz is None:
            rates = ", ".join(map(str, RATES_HZ))
            raise ContractError(
                f"{self.name}: expected a sampling rate, found none in the file; say --rate HZ ({rates})"
            )
        rate_hz = check_rate(self.rate_hz, where=self.name)
        return RecordingSource(self, rate_hz=rate_hz, block_samples=block_samples or rate_hz)


class RecordingSource:
    """A recording handed out block by block."""

    def __init__(self, recording: Recording, *, rate_hz: int, block_samples: int) -> None:
        self.name = recording.name
        self.lead = recording.lead
        self.rate_hz = rate_hz
        self.uv_per_count = recording.uv_per_count
        self.rails_counts = recording.rails_counts
        self.n_samples: int | None = recording.n_samples
        self.annotations = recording.annotations
        self._chunks = recording.chunks
        self._block_samples = block_samples

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            if isinstance(chunk, Gap):
                yield chunk
            else:
                yield from split(chunk, self._block_samples)


def scale_of(read_as: ReadAs, *, name: str) -> Scale:
    """What `--units` and `--gain` mean; a file that names no units is taken to count microvolts."""
    units = read_as.units or "uV"
    if units == "adc":
        if read_as.gain_per_mv is None:
            raise ContractError(f"{name}: units adc: expected a gain; say --gain COUNTS_PER_MV")
        return Scale(factor=1, uv_per_count=Fraction(1000) / read_as.gain_per_mv, whole=True)
    if read_as.gain_per_mv is not None:
        raise ContractError(
            f"{name}: --gain: expected --units adc beside it, got {units}; drop --gain or say --units adc"
        )
    return Scale(factor={"uV": 1, "mV": 1000}[units], uv_per_count=Fraction(1), whole=False)


def counts_of(values: NDArray[np.float64], scale: Scale, where: Where) -> NDArray[np.int32]:
    """Values as counts; the first one that is not finite, not whole or not plausible is refused."""
    not_finite = np.flatnonzero(~np.isfinite(values))
    if not_finite.size:
        first = int(not_finite[0])
        raise ContractError(
            f"{where(first)}: expected a finite number, got {values[first]:g}; cut that stretch out"
        )
    if scale.whole:
        _check_whole(values, where)
    # 1e12 keeps the arithmetic exact; a value that large is refused right after it
    counts_i64 = np.rint(np.clip(values, -1e12, 1e12) * scale.factor).astype(np.int64)
    check_microvolts(counts_i64, scale.uv_per_count, where)
    return np.asarray(counts_i64, dtype=np.int32)


def _check_whole(values: NDArray[np.float64], where: Where) -> None:
    broken = np.flatnonzero(values != np.rint(values))
    if broken.size:
        first = int(broken[0])
        raise ContractError(
            f"{where(first)}: expected a whole number of ADC counts, got {values[first]:g}; "
            "are the units right? (--units uV|mV)"
        )


def check_span(values: NDArray[np.float64], read_as: ReadAs, *, name: str) -> None:
    """Where nobody named the units, refuse decimals that would all but vanish in rounding to microvolts."""
    if read_as.units is not None or values.size < 2:
        return
    span_uv = float(np.ptp(values))
    if 0 < span_uv < SUSPECT_SPAN_UV and bool(np.any(values != np.rint(values))):
        raise ContractError(
            f"{name}: expected an ECG of more than {SUSPECT_SPAN_UV} uV from peak to peak, "
            f"got {span_uv:.3g} uV; say --units mV, or --units uV if it is so"
        )


def check_header_rate(found_hz: Fraction, read_as: ReadAs, *, name: str) -> Fraction:
    """The file's own rate, where the caller does not claim another."""
    if read_as.rate_hz is not None and read_as.rate_hz != found_hz:
        raise ContractError(
            f"{name}: expected {read_as.rate_hz} Hz from --rate, "
            f"got {float(found_hz):g} Hz in the file; leave out --rate"
        )
    return found_hz


def refuse_scale(read_as: ReadAs, *, name: str, kind: str) -> None:
    """Formats with their own gain take none from outside."""
    for option, value in (
        ("--units", read_as.units),
        ("--gain", read_as.gain_per_mv),
        ("--dtype", read_as.dtype),
    ):
        if value is not None:
            raise ContractError(
                f"{name}: {option}: expected none, {kind} carries its own; leave it out, got {value}"
            )


def pick_lead(wanted: str | None, leads: tuple[str, ...], default: str | None, *, name: str) -> str:
    """The wanted lead, else the default; the message lists what there is."""
    if wanted is None and default is not None:
        return default
    listed = ", ".join(leads) if leads else "none"
    if wanted is None:
        raise ContractError(f"{name}: expected one lead, got {len(leads)}: {listed}; say --lead NAME")
    if wanted not in leads:
        raise ContractError(f"{name}: expected a lead of this file ({listed}), got --lead {wanted}")
    return wanted


def with_rails(recording: Recording, rails_counts: tuple[int, int] | None) -> Recording:
    """The recording with the caller's rails, where the caller gave any."""
    return recording if rails_counts is None else replace(recording, rails_counts=rails_counts)


def whole(counts_i32: NDArray[np.int32]) -> tuple[Chunk, ...]:
    """A recording without gaps."""
    return (Samples(first_index=0, counts_i32=counts_i32),)
