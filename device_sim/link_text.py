"""Lines of numbers from a sketch that prints: one sample a line, what is no number a Gap of one."""

import re

import numpy as np

from device_sim.contract.errors import ContractError, StreamError
from device_sim.frontend import RATES_HZ
from device_sim.recording import ReadAs, scale_of
from device_sim.sources import MAX_UV, Gap, Samples, check_rate
from device_sim.text_layout import Layout, layout_of, row_of
from device_sim.text_time import GAP_FROM_PERIODS

LOOKS_NUMERIC = re.compile(rb"^[ \t]*[-+]?[\d.][-+\d.eE,;\t ]*$")
NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f-\xff]")
LONGEST_LINE_BYTES = 1024
PATIENCE_LINES = 256  # so many that are no numbers, one after the other, are no accident
LONGEST_LEAP_S = 3600.0


def is_text(received: bytes, *, is_whole: bool) -> bool:
    """Whether these bytes are lines of numbers, by the last two that are whole."""
    if NO_TEXT.search(received):
        return False
    lines = [line.strip(b"\r") for line in received.split(b"\n")]
    whole = [line for line in (lines if is_whole else lines[1:-1]) if line.strip()]
    return len(whole) >= (1 if is_whole else 2) and all(LOOKS_NUMERIC.match(line) for line in whole[-2:])


class LineReceiver:
    """One device's text: feed it bytes in any portions, with the time they came."""

    def __init__(self, name: str, read_as: ReadAs, *, is_live: bool) -> None:
        if read_as.rate_hz is None:
            rates = ", ".join(map(str, RATES_HZ))
            raise ContractError(
                f"{name}: expected a sampling rate, lines of text have none; say --rate HZ ({rates})"
            )
        self.rate_hz = check_rate(read_as.rate_hz, where=name)
        self.scale = scale_of(read_as, name=name)
        self.layout: Layout | None = None
        self.n_bad = 0  # lines that were no sample
        self.n_lines = 0
        self._name = name
        self._read_as = read_as
        self._rest = b""
        self._is_torn = is_live  # a line that is joined may begin in the middle of a number
        self._is_reopened = False
        self._n_bad_running = 0
        self._time: float | None = None
        self._last_s = 0.0
        self._n_out = 0
        self._run: list[int] = []

    @property
    def n_out(self) -> int:
        """Samples so far, those of gaps included."""
        return self._n_out + len(self._run)

    def reopened(self) -> None:
        """The line was down: what was half read is lost, and the clock says how much more."""
        self._rest, self._is_torn, self._is_reopened = b"", True, True

    def feed(self, received: bytes, at_s: float) -> list[Samples | Gap]:
        """Every line these bytes complete."""
        chunks: list[Samples | Gap] = []
        *lines, self._rest = (self._rest + received).split(b"\n")
        for raw in lines:
            self._line(raw, at_s, chunks)
        if len(self._rest) > LONGEST_LINE_BYTES:
            self._rest, self._is_torn = b"", True
            self._bad(chunks)
        self._flush(chunks)
        return chunks

    def finish(self) -> list[Samples | Gap]:
        """The last line of a file need not end."""
        return self.feed(b"\n", self._last_s) if self._rest else []

    def _line(self, raw: bytes, at_s: float, chunks: list[Samples | Gap]) -> None:
        text = raw.decode("latin-1").strip()
        if not text or text.startswith("#"):
            self._is_torn = False
            return
        if self._is_torn:
            self._is_torn = False
            return
        self.n_lines += 1
        try:
            row = self._row(text)
        except ContractError:
            self._bad(chunks)
            return
        if row is None:
            return
        count, time = row
        if self._is_reopened:
            self._is_reopened = False
            self._gap(round((at_s - self._last_s) * self.rate_hz), chunks, estimated=True)
        elif time is not None:
            self._leap(time, chunks)
        self._time, self._last_s, self._n_bad_running = time, at_s, 0
        self._run.append(count)

    def _row(self, text: str) -> tuple[int, float | None] | None:
        """Count and time of a line; None for the header."""
        line = (self.n_lines, text)
        if self.layout is None:
            self.layout, samples = layout_of(iter([line]), self._read_as, name=self._name)
            if next(samples, None) is None:
                return None
        row = row_of(line, self.layout, name=self._name)
        count = row.value * self.scale.factor
        if not abs(count * float(self.scale.uv_per_count)) <= MAX_UV:
            raise ContractError(f"{self._name}: {count} is beyond what an electrode can give")
        return round(count), row.time

    def _leap(self, time: float, chunks: list[Samples | Gap]) -> None:
        """A column of time or index shows the lines that are missing."""
        assert self.layout is not None
        seconds = self.layout.seconds_per_time
        periods = 0.0 if self._time is None else time - self._time
        periods *= 1.0 if seconds is None else seconds * self.rate_hz
        if GAP_FROM_PERIODS <= periods <= LONGEST_LEAP_S * self.rate_hz:
            self._gap(round(periods) - 1, chunks, estimated=seconds is not None)

    def _bad(self, chunks: list[Samples | Gap]) -> None:
        self.n_bad += 1
        self._n_bad_running += 1
        if self._n_bad_running > PATIENCE_LINES:
            raise StreamError(
                f"{self._name}: expected a number a line, got {PATIENCE_LINES} lines in a row without; "
                "does the sketch print something else now?"
            )
        self._gap(1, chunks, estimated=True)

    def _gap(self, n_samples: int, chunks: list[Samples | Gap], *, estimated: bool) -> None:
        self._flush(chunks)
        chunks.append(Gap(first_index=self._n_out, n_samples=max(1, n_samples), estimated=estimated))
        self._n_out += max(1, n_samples)

    def _flush(self, chunks: list[Samples | Gap]) -> None:
        if self._run:
            chunks.append(Samples(first_index=self._n_out, counts_i32=np.array(self._run, np.int32)))
            self._n_out += len(self._run)
            self._run = []
