"""Text recordings: one number per line, or CSV with named columns and an optional column of time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.recording import ReadAs, Recording, Scale, check_span, counts_of, scale_of
from device_sim.sources import Annotations, Chunk, check_rate
from device_sim.text_layout import Layout, Row, layout_of, row_of
from device_sim.text_time import Timeline

# Longer than any line of numbers a recorder writes; a binary file may have no line end at all.
MAX_LINE_BYTES = 65_536
# Enough rows to tell a rate from times that were rounded to a millisecond.
FIRST_ROWS = 256
NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows of one lead, as columns."""

    values: NDArray[np.float64]
    times: NDArray[np.float64] | None
    line_numbers: tuple[int, ...]


def read_text(path: Path, read_as: ReadAs) -> Recording:
    """A whole text file, checked to its last line."""
    name = str(path)
    with path.open("rb") as stream:
        lines = text_lines(stream, name=name)
        layout, rows = layout_of(lines, read_as, name=name)
        table = _table([row_of(line, layout, name=name) for line in rows])
    read_as = _with_units(read_as, layout, name=name)
    scale = scale_of(read_as, name=name)
    if not table.values.size:
        raise ContractError(f"{name}: expected samples, got an empty file or a header alone")
    counts_i32 = _counts(table, scale, name=name)
    check_span(table.values, read_as, name=name)
    timeline = Timeline.of(table.times, table.line_numbers, layout, read_as.rate_hz, name=name)
    return Recording(
        name=name,
        kind="text",
        lead=layout.lead,
        leads=layout.leads,
        rate_hz=timeline.rate_hz,
        uv_per_count=scale.uv_per_count,
        chunks=tuple(timeline.cut(counts_i32, table.times, table.line_numbers)),
        rails_counts=read_as.rails_counts,
    )


class TextStream:
    """Text as it arrives on a pipe: nothing is known of the end, so each line is checked as it comes."""

    def __init__(self, stream: BinaryIO, read_as: ReadAs, *, name: str = "stdin") -> None:
        lines = text_lines(stream, name=name)
        layout, numbered = layout_of(lines, read_as, name=name)
        read_as = _with_units(read_as, layout, name=name)
        self.name = name
        self.lead = layout.lead
        self.n_samples: int | None = None
        self.annotations: Annotations | None = None
        self.rails_counts = read_as.rails_counts
        self._scale = scale_of(read_as, name=name)
        self.uv_per_count: Fraction = self._scale.uv_per_count
        self._rows = (row_of(line, layout, name=name) for line in numbered)
        self._first = _table(list(islice(self._rows, self._n_first_rows(layout, read_as))))
        if not self._first.values.size:
            raise ContractError(f"{name}: expected samples, got none")
        first = self._first
        self._timeline = Timeline.of(first.times, first.line_numbers, layout, read_as.rate_hz, name=name)
        if self._timeline.rate_hz is None:
            raise ContractError(f"{name}: expected a sampling rate, found none in the text; say --rate HZ")
        self.rate_hz = check_rate(self._timeline.rate_hz, where=name)

    @staticmethod
    def _n_first_rows(layout: Layout, read_as: ReadAs) -> int:
        """A time column is measured before anything is streamed; else one row shows the lead."""
        return 1 if layout.time_column is None or read_as.rate_hz is not None else FIRST_ROWS

    def __iter__(self) -> Iterator[Chunk]:
        table = self._first
        while table.values.size:
            counts_i32 = _counts(table, self._scale, name=self.name)
            yield from self._timeline.cut(counts_i32, table.times, table.line_numbers)
            # a sixteenth of a second: one column, so a live trace does not lag behind its pipe
            table = _table(list(islice(self._rows, max(1, self.rate_hz // 16))))


def text_lines(stream: BinaryIO, *, name: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments; bytes that are no text are refused with their place."""
    blank = 0
    offset_bytes = 0
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES):
        number += 1
        _check_text(raw, number, offset_bytes, name=name)
        offset_bytes += len(raw)
        # A file of the Windows world is Latin-1; only the micro sign of a header depends on it.
        line = _decoded(raw).lstrip("\ufeff").strip()
        if not line:
            blank = blank or number
        elif blank:
            raise ContractError(f"{name}:{blank}: expected a number, got an empty line; delete it")
        elif not line.startswith("#"):
            yield number, line


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _check_text(raw: bytes, number: int, offset_bytes: int, *, name: str) -> None:
    advice = "a binary recording is named .raw (with --dtype), .npz, .hea or .edf"
    found = NO_TEXT.search(raw)
    if found:
        raise ContractError(
            f"{name}:{number}: expected text, got byte 0x{found[0][0]:02x} "
            f"at offset {offset_bytes + found.start()}; {advice}"
        )
    if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
        raise ContractError(
            f"{name}:{number}: expected a line, got {MAX_LINE_BYTES} bytes without an end; {advice}"
        )


def _table(rows: list[Row]) -> Rows:
    has_time = bool(rows) and rows[0].time is not None
    return Rows(
        values=np.array([row.value for row in rows], dtype=np.float64),
        times=np.array([row.time for row in rows], dtype=np.float64) if has_time else None,
        line_numbers=tuple(row.line_number for row in rows),
    )


def _counts(table: Rows, scale: Scale, *, name: str) -> NDArray[np.int32]:
    return counts_of(table.values, scale, lambda index: f"{name}:{table.line_numbers[index]}")


def _with_units(read_as: ReadAs, layout: Layout, *, name: str) -> ReadAs:
    """Units the header names, where the caller does not contradict them."""
    if layout.units is None:
        return read_as
    if read_as.units not in (None, layout.units):
        raise ContractError(
            f"{name}: expected {layout.units} in column '{layout.lead}' by its header, "
            f"got --units {read_as.units}; leave out --units, or correct the header"
        )
    return replace(read_as, units=layout.units)
