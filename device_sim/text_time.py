"""The time column of a text recording: it gives the rate, or checks it, and shows what is missing."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, StreamError
from device_sim.frontend import RATES_HZ
from device_sim.sources import Chunk, Gap, Samples
from device_sim.text_layout import Layout

# A recorder's crystal is within 0.01 %; times rounded to a millisecond are within 1 % after a quarter second.
RATE_TOLERANCE = 0.01
# At 512 Hz, in whole milliseconds, neighbours are 1 or 2 ms apart and a lost sample makes 3 or 4.
GAP_FROM_PERIODS = 1.6
# Further from a whole number of periods than rounding explains.
CERTAIN_PERIODS = 0.25
MAX_GAP_S = 3600
MAX_TIME = 1e15  # microseconds of thirty years; beyond it neighbours are no longer told apart
MAX_RATE_HZ = 100_000


class Timeline:
    """Where each sample stands; one timeline follows a recording from its first row to its last."""

    def __init__(self, *, rate_hz: Fraction | None, seconds_per_time: float | None, name: str) -> None:
        self.rate_hz = rate_hz
        self._seconds_per_time = seconds_per_time
        self._name = name
        self._next_index = 0
        self._last_time: float | None = None

    @classmethod
    def of(
        cls,
        times: NDArray[np.float64] | None,
        line_numbers: tuple[int, ...],
        layout: Layout,
        claimed_hz: int | None,
        *,
        name: str,
    ) -> "Timeline":
        """The claimed rate, checked against the times; without a claim, the measured one."""
        rate_hz = None if claimed_hz is None else Fraction(claimed_hz)
        if times is not None:
            _check_order(times, line_numbers, None, name=name)
        if times is not None and layout.seconds_per_time is not None and times.size > 1:
            measured_hz = measured_rate_hz(times * layout.seconds_per_time)
            rate_hz = _agreed(rate_hz, measured_hz, float(np.ptp(times)) * layout.seconds_per_time, name=name)
        return cls(rate_hz=rate_hz, seconds_per_time=layout.seconds_per_time, name=name)

    def cut(
        self, counts_i32: NDArray[np.int32], times: NDArray[np.float64] | None, line_numbers: tuple[int, ...]
    ) -> Iterator[Chunk]:
        """The samples with a Gap wherever the time jumps."""
        breaks = [] if times is None else self._breaks(times, line_numbers)
        start = 0
        for position, n_missing, estimated in breaks:
            if position > start:
                yield self._samples(counts_i32[start:position])
            yield Gap(first_index=self._next_index, n_samples=n_missing, estimated=estimated)
            self._next_index += n_missing
            start = position
        if start < counts_i32.size:
            yield self._samples(counts_i32[start:])

    def _samples(self, counts_i32: NDArray[np.int32]) -> Samples:
        samples = Samples(first_index=self._next_index, counts_i32=counts_i32)
        self._next_index += samples.n_samples
        return samples

    def _breaks(
        self, times: NDArray[np.float64], line_numbers: tuple[int, ...]
    ) -> list[tuple[int, int, bool]]:
        """(position, missing samples, estimated) of every jump."""
        _check_order(times, line_numbers, self._last_time, name=self._name)
        before = times[0] if self._last_time is None else self._last_time
        jumps = np.diff(times, prepend=before)
        if self._last_time is None:
            jumps[0] = 0
        self._last_time = float(times[-1])
        periods = jumps * self._periods_per_time()
        found = []
        for position in np.flatnonzero(periods >= GAP_FROM_PERIODS):
            whole = round(float(periods[position]))
            self._check_gap(whole, line_numbers[position])
            estimated = abs(float(periods[position]) - whole) > CERTAIN_PERIODS
            found.append((int(position), max(1, whole - 1), estimated))
        return found

    def _periods_per_time(self) -> float:
        if self._seconds_per_time is None:
            return 1.0
        if self.rate_hz is None:
            return 0.0  # a single row: nothing to compare it with
        return float(self.rate_hz) * self._seconds_per_time

    def _check_gap(self, n_missing: int, line_number: int) -> None:
        if self.rate_hz is not None and n_missing > MAX_GAP_S * self.rate_hz:
            raise StreamError(
                f"{self._name}:{line_number}: expected a gap of at most {MAX_GAP_S} s, "
                f"got {float(n_missing / self.rate_hz):.0f} s; split the file there"
            )


def measured_rate_hz(times_s: NDArray[np.float64]) -> float:
    """Samples per second over the stretches without a jump."""
    steps_s = np.diff(times_s)
    ordinary = steps_s[steps_s < 3 * np.median(steps_s)]
    return ordinary.size / float(ordinary.sum()) if ordinary.size else 0.0


def _agreed(claimed_hz: Fraction | None, measured_hz: float, seconds: float, *, name: str) -> Fraction:
    _check_unit(measured_hz, name=name)
    near = min(RATES_HZ, key=lambda rate_hz: abs(rate_hz - measured_hz))
    if claimed_hz is not None and abs(float(claimed_hz) - measured_hz) > RATE_TOLERANCE * float(claimed_hz):
        raise StreamError(
            f"{name}: expected {float(claimed_hz):g} Hz from --rate, "
            f"measured {measured_hz:.5g} Hz over {seconds:.3g} s of its time column; "
            "correct or leave out --rate"
        )
    if claimed_hz is not None:
        return claimed_hz
    # 125 and 128 Hz, 250 and 256 Hz lie 2.4 % apart: half the tolerance cannot take one for the other
    return Fraction(near) if abs(near - measured_hz) <= RATE_TOLERANCE * near else Fraction(measured_hz)


def _check_unit(measured_hz: float, *, name: str) -> None:
    """A column in other units than its name says gives a rate no recorder has."""
    if RATES_HZ[0] <= measured_hz * 1000 <= RATES_HZ[-1]:
        raise StreamError(
            f"{name}: expected seconds in its time column, measured {measured_hz:.3g} Hz; "
            "if it counts milliseconds, name it time_ms"
        )
    if not 0 < measured_hz < MAX_RATE_HZ:
        raise StreamError(
            f"{name}: expected at most {MAX_RATE_HZ} Hz in its time column, measured {measured_hz:.3g} Hz; "
            "is its unit the one its name says? (time_s, time_ms, time_us)"
        )


def _check_order(
    times: NDArray[np.float64], line_numbers: tuple[int, ...], before: float | None, *, name: str
) -> None:
    not_finite = np.flatnonzero(~(np.abs(times) < MAX_TIME))
    if not_finite.size:
        first = int(not_finite[0])
        raise ContractError(
            f"{name}:{line_numbers[first]}: time: expected a finite time, got {times[first]:g}"
        )
    steps = np.diff(times, prepend=before) if before is not None else np.diff(times)
    back = np.flatnonzero(steps <= 0)
    if back.size:
        first = int(back[0]) + (0 if before is not None else 1)
        raise StreamError(
            f"{name}:{line_numbers[first]}: time: expected more than the line before, got {times[first]:g}"
        )
