"""The loop that joins a source and the front end, and keeps count."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.frontend import BEAT_HZ, HOP_SAMPLES, ROWS, STREAM_HZ, Columns, Flag, FrontEnd
from device_sim.sources import Chunk, Gap, Samples, Source, split

COLUMN_US = HOP_SAMPLES * 1_000_000 // STREAM_HZ
STRIDE_COLUMNS = STREAM_HZ // HOP_SAMPLES  # one second: how often a verdict is due
PERCENTILES = (5, 50, 95)
CODES = 256  # int8
# Rows that belong together, by what they show; frequencies of the wavelets in Hz.
BANDS: dict[str, tuple[int, ...]] = {
    "hf": (31,),
    "31-61": tuple(range(0, 6)),
    "15-31": tuple(range(6, 12)),
    "8-15": tuple(range(12, 18)),
    "4-8": tuple(range(18, 24)),
    "2-4": tuple(range(24, 30)),
    "lf": (30,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stride:
    """One second of what the device sees; the last one may be shorter."""

    t_us: int  # when the centre of its first column was in the source
    first_index: int
    codes_ts_i8: NDArray[np.int8]  # (n_columns, 32)
    flags_u8: NDArray[np.uint8]
    beat_uv_i16: NDArray[np.int16]

    @property
    def n_columns(self) -> int:
        return int(self.flags_u8.size)

    def flag_columns(self) -> dict[str, int]:
        """How many columns carry each flag; flags of no column are left out."""
        return {name: n for name, n in flag_counts(self.flags_u8).items() if n}

    def level_dbuv(self) -> dict[str, float]:
        """Mean level of each band in dB above 1 uV; a code is a twentieth of an octave."""
        return {band: dbuv_of_code(float(self.codes_ts_i8[:, rows].mean())) for band, rows in BANDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a replay amounted to."""

    name: str
    lead: str
    rate_hz: int
    n_samples: int
    n_gaps: int
    n_gap_samples: int
    n_estimated_gaps: int
    n_columns: int
    n_beat_samples: int
    flag_shares: dict[str, float]
    band_dbuv: dict[str, tuple[float, ...]]  # at PERCENTILES
    elapsed_s: float

    @property
    def seconds(self) -> float:
        return (self.n_samples + self.n_gap_samples) / self.rate_hz

    @property
    def times_real_time(self) -> float:
        return self.seconds / self.elapsed_s if self.elapsed_s > 0 else 0.0


class Replay:
    """One source through one front end: iterate for the columns, then ask for the report."""

    def __init__(
        self,
        source: Source,
        *,
        seconds: float | None = None,
        on_chunk: Callable[[Samples | Gap], None] | None = None,
        front_end: FrontEnd | None = None,
        portion_samples: int | None = None,
        clock: Callable[[], float] = time.process_time,
    ) -> None:
        if seconds is not None and seconds <= 0:
            raise ContractError(f"seconds: expected more than 0, got {seconds:g}")
        self._source = source
        self._front_end = front_end or FrontEnd(
            rate_hz=source.rate_hz, uv_per_count=source.uv_per_count, rails_counts=source.rails_counts
        )
        self._limit = None if seconds is None else max(1, round(seconds * source.rate_hz))
        self._on_chunk, self._portion_samples = on_chunk, portion_samples
        self._clock = clock
        self._n_samples = self._n_gaps = self._n_gap_samples = self._n_estimated_gaps = 0
        self._n_columns = self._n_beats = 0
        self._flag_columns = dict.fromkeys(flag_counts(np.empty(0, np.uint8)), 0)
        self._histogram = np.zeros((ROWS, CODES), dtype=np.int64)
        self._last_count: int | None = None
        self._elapsed_s = 0.0

    @property
    def delay_us(self) -> int:
        return self._front_end.delay_us

    def __iter__(self) -> Iterator[Columns]:
        """Columns in order; the last ones are those whose centre the source still holds."""
        leading: list[Gap] = []
        for chunk in self._portions():
            if self._on_chunk is not None:
                self._on_chunk(chunk)
            if isinstance(chunk, Gap) and self._last_count is None:
                leading.append(chunk)  # held at the first sample there is, as an electrode that is put on
                continue
            if isinstance(chunk, Samples) and self._last_count is None:
                self._last_count = int(chunk.counts_i32[0])
                for gap in leading:
                    yield from self._pushed(gap)
            yield from self._pushed(chunk)
        if self._last_count is None:
            raise ContractError(f"{self._source.name}: expected samples, got none")
        yield self._counted(self._timed(self._front_end.flush), self._n_columns_due, self._n_beats_due)

    def _portions(self) -> Iterator[Chunk]:
        """What the source gives, up to the limit; in no larger pieces than were asked for."""
        for chunk in limited(self._source, self._limit):
            if isinstance(chunk, Samples) and self._portion_samples is not None:
                yield from split(chunk, self._portion_samples)
            else:
                yield chunk

    def report(self) -> Report:
        """Counts and shares so far."""
        n_columns = max(1, self._n_columns)
        return Report(
            name=self._source.name,
            lead=self._source.lead,
            rate_hz=self._source.rate_hz,
            n_samples=self._n_samples,
            n_gaps=self._n_gaps,
            n_gap_samples=self._n_gap_samples,
            n_estimated_gaps=self._n_estimated_gaps,
            n_columns=self._n_columns,
            n_beat_samples=self._n_beats,
            flag_shares={name: n / n_columns for name, n in self._flag_columns.items()},
            band_dbuv={band: self._percentiles(rows) for band, rows in BANDS.items()},
            elapsed_s=self._elapsed_s,
        )

    @property
    def _n_pushed(self) -> int:
        return self._n_samples + self._n_gap_samples

    @property
    def _n_columns_due(self) -> int:
        return -(-self._n_pushed * STREAM_HZ // (self._source.rate_hz * HOP_SAMPLES))

    @property
    def _n_beats_due(self) -> int:
        return -(-self._n_pushed * BEAT_HZ // self._source.rate_hz)

    def _pushed(self, chunk: Chunk) -> Iterator[Columns]:
        if isinstance(chunk, Samples):
            line = Flag.LEAD_OFF if chunk.lead_off else Flag(0)
            self._n_samples += chunk.n_samples
            self._last_count = int(chunk.counts_i32[-1])
            yield self._push(chunk.counts_i32, line)
            return
        self._n_gaps += 1
        self._n_estimated_gaps += chunk.estimated
        # A second at a time: a long gap needs no memory.
        for start in range(0, chunk.n_samples, self._source.rate_hz):
            n_held = min(self._source.rate_hz, chunk.n_samples - start)
            self._n_gap_samples += n_held
            yield self._push(np.full(n_held, self._last_count, np.int32), Flag.GAP)

    def _push(self, counts_i32: NDArray[np.int32], line: Flag) -> Columns:
        return self._counted(self._timed(lambda: self._front_end.push(counts_i32, line=line)), None, None)

    def _timed(self, push: Callable[[], Columns]) -> Columns:
        before = self._clock()
        columns = push()
        self._elapsed_s += self._clock() - before
        return columns

    def _counted(self, columns: Columns, n_columns_max: int | None, n_beats_max: int | None) -> Columns:
        """Add to the statistics, after cutting what lies behind the end of the source."""
        if n_columns_max is not None and n_beats_max is not None:
            columns = _first(
                columns, n_columns_max - columns.first_index, n_beats_max - columns.first_beat_index
            )
        self._n_columns += int(columns.flags_u8.size)
        self._n_beats += int(columns.beat_uv_i16.size)
        for name, n in flag_counts(columns.flags_u8).items():
            self._flag_columns[name] += n
        cells = columns.codes_ts_i8.astype(np.int64) + (np.arange(ROWS) * CODES + CODES // 2)
        self._histogram += np.bincount(cells.ravel(), minlength=ROWS * CODES).reshape(ROWS, CODES)
        return columns

    def _percentiles(self, rows: tuple[int, ...]) -> tuple[float, ...]:
        histogram = self._histogram[list(rows)].sum(axis=0)
        cumulative = np.cumsum(histogram)
        ranks = [np.searchsorted(cumulative, cumulative[-1] * percent / 100) for percent in PERCENTILES]
        return tuple(dbuv_of_code(min(int(rank), 255) - 128) for rank in ranks)


def limited(chunks: Iterable[Chunk], n_samples: int | None) -> Iterator[Chunk]:
    """The chunks up to a number of samples, the last one cut to fit."""
    for chunk in chunks:
        room = None if n_samples is None else n_samples - chunk.first_index
        if room is None or chunk.n_samples < room:
            yield chunk
            continue
        if room > 0:
            yield _cut(chunk, room)
        return


def strides(replay: Iterable[Columns], delay_us: int) -> Iterator[Stride]:
    """Columns gathered into seconds, each with its stretch of the beat stream."""
    codes: NDArray[np.int8] = np.empty((0, ROWS), np.int8)
    flags: NDArray[np.uint8] = np.empty(0, np.uint8)
    beats: NDArray[np.int16] = np.empty(0, np.int16)
    first = 0
    for columns in replay:
        codes = np.concatenate([codes, columns.codes_ts_i8])
        flags = np.concatenate([flags, columns.flags_u8])
        beats = np.concatenate([beats, columns.beat_uv_i16])
        while flags.size >= STRIDE_COLUMNS:
            yield _stride(delay_us, first, codes[:STRIDE_COLUMNS], flags[:STRIDE_COLUMNS], beats[:BEAT_HZ])
            codes, flags, beats = codes[STRIDE_COLUMNS:], flags[STRIDE_COLUMNS:], beats[BEAT_HZ:]
            first += STRIDE_COLUMNS
    if flags.size:
        yield _stride(delay_us, first, codes, flags, beats)


def by_the_second(columns: Columns) -> Iterator[Columns]:
    """The same columns in portions of at most a second, each with its stretch of the beat stream."""
    n, beats_a_column = int(columns.flags_u8.size), BEAT_HZ * HOP_SAMPLES // STREAM_HZ
    for start in range(0, max(n, 1), STRIDE_COLUMNS):
        end = start + STRIDE_COLUMNS
        is_last = end >= n
        first = start * beats_a_column
        yield Columns(
            first_index=columns.first_index + start,
            codes_ts_i8=columns.codes_ts_i8[start:end],
            flags_u8=columns.flags_u8[start:end],
            first_beat_index=columns.first_beat_index + min(first, columns.beat_uv_i16.size),
            beat_uv_i16=columns.beat_uv_i16[first : None if is_last else end * beats_a_column],
        )


def time_of_column_us(column: int, delay_us: int) -> int:
    """When the centre of a column was in the source: the resampler hands it on that much later."""
    return column * COLUMN_US - delay_us


def dbuv_of_code(code: float) -> float:
    """Level in dB above 1 uV: codes are 20 log2(uV) - 128."""
    return round((code + 128) * float(np.log10(2)), 1)


def flag_counts(flags_u8: NDArray[np.uint8]) -> dict[str, int]:
    """Columns per flag, by the flag's name."""
    return {str(flag.name).lower(): int(np.count_nonzero(flags_u8 & flag.value)) for flag in Flag}


def flag_names(flags: int) -> list[str]:
    """The names of the flags of one column."""
    return [str(flag.name).lower() for flag in Flag(flags)]


def _stride(
    delay_us: int,
    first: int,
    codes: NDArray[np.int8],
    flags: NDArray[np.uint8],
    beats: NDArray[np.int16],
) -> Stride:
    return Stride(
        t_us=time_of_column_us(first, delay_us),
        first_index=first,
        codes_ts_i8=codes,
        flags_u8=flags,
        beat_uv_i16=beats,
    )


def _first(columns: Columns, n_columns: int, n_beats: int) -> Columns:
    return Columns(
        first_index=columns.first_index,
        codes_ts_i8=columns.codes_ts_i8[: max(0, n_columns)],
        flags_u8=columns.flags_u8[: max(0, n_columns)],
        first_beat_index=columns.first_beat_index,
        beat_uv_i16=columns.beat_uv_i16[: max(0, n_beats)],
    )


def _cut(chunk: Chunk, n_samples: int) -> Chunk:
    if isinstance(chunk, Gap):
        return Gap(
            first_index=chunk.first_index,
            n_samples=min(n_samples, chunk.n_samples),
            estimated=chunk.estimated,
        )
    return Samples(
        first_index=chunk.first_index, counts_i32=chunk.counts_i32[:n_samples], lead_off=chunk.lead_off
    )
