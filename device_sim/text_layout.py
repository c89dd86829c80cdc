"""How a text recording lays out its columns: delimiter, header, which is the lead and which is time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from device_sim.contract.errors import ContractError
from device_sim.recording import ReadAs, Units, pick_lead

Line = tuple[int, str]
TIME_NAMES = re.compile(
    r"^(t|time|timestamp|elapsed time|seconds)?[ _]?[(\[]?(s|sec|seconds|ms|us|µs)?[)\]]?$", re.I
)
INDEX_NAMES = frozenset({"sample", "samples", "sample #", "index", "sample_index"})
SECONDS = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6}  # anything else counts seconds
UNITS_IN_NAME = re.compile(r"(?:^|[ _(\[])(uv|µv|mv)[)\]]?$", re.I)
SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the first line says about all others."""

    delimiter: str | None
    n_fields: int
    lead_column: int
    lead: str
    leads: tuple[str, ...]
    time_column: int | None
    seconds_per_time: float | None  # None: the column counts samples
    units: Units | None

    @property
    def decimal_comma(self) -> bool:
        """Where `;` or a tab parts the fields, a comma is a decimal point."""
        return self.delimiter in (";", "\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of one lead."""

    line_number: int
    value: float
    time: float | None


def layout_of(lines: Iterator[Line], read_as: ReadAs, *, name: str) -> tuple[Layout, Iterator[Line]]:
    """The layout, and the lines that hold samples."""
    first = next(lines, None)
    if first is None:
        raise ContractError(f"{name}: expected samples, got an empty file")
    number, text = first
    delimiter = next((mark for mark in ";\t," if mark in text), None)
    fields = [field.strip().strip("'\"").strip() for field in text.split(delimiter)]
    if all(_is_number(field, delimiter) for field in fields):
        return _without_header(fields, delimiter, read_as, name=name), chain([first], lines)
    if any(_is_number(field, delimiter) for field in fields):
        raise ContractError(f"{name}:{number}: expected names or numbers, got both: {_shown(text)}")
    if len(fields) > 1 and delimiter is None:
        # words without a delimiter: one name, or prose, which the next line will tell
        fields = [text.strip("'\"")]
    return _with_header(fields, delimiter, read_as, name=name), lines


def row_of(line: Line, layout: Layout, *, name: str) -> Row:
    """One line as numbers."""
    number, text = line
    fields = text.split(layout.delimiter) if layout.n_fields > 1 or layout.delimiter else [text]
    if len(fields) != layout.n_fields:
        raise ContractError(
            f"{name}:{number}: expected {layout.n_fields} fields, got {len(fields)}: {_shown(text)}"
        )
    time = None
    if layout.time_column is not None:
        time = _number(fields[layout.time_column], layout, f"{name}:{number}: time")
    return Row(
        line_number=number, value=_number(fields[layout.lead_column], layout, f"{name}:{number}"), time=time
    )


def _without_header(fields: list[str], delimiter: str | None, read_as: ReadAs, *, name: str) -> Layout:
    leads = tuple(str(column + 1) for column in range(len(fields)))
    lead = pick_lead(read_as.lead, leads, "1" if len(fields) == 1 else None, name=name)
    return Layout(
        delimiter=delimiter,
        n_fields=len(fields),
        lead_column=leads.index(lead),
        lead=lead,
        leads=leads,
        time_column=None,
        seconds_per_time=None,
        units=None,
    )


def _with_header(fields: list[str], delimiter: str | None, read_as: ReadAs, *, name: str) -> Layout:
    if len(set(fields)) != len(fields):
        raise ContractError(f"{name}: expected column names to differ, got {', '.join(fields)}")
    time_column = next((column for column, field in enumerate(fields) if _is_time(field)), None)
    leads = tuple(field for field in fields if not _is_time(field))
    lead = pick_lead(read_as.lead, leads, leads[0] if len(leads) == 1 else None, name=name)
    units = UNITS_IN_NAME.search(lead)
    return Layout(
        delimiter=delimiter,
        n_fields=len(fields),
        lead_column=fields.index(lead),
        lead=lead,
        leads=leads,
        time_column=time_column,
        seconds_per_time=None if time_column is None else _seconds_per(fields[time_column]),
        units=None if units is None else ("mV" if units.group(1).lower() == "mv" else "uV"),
    )


def _is_time(field: str) -> bool:
    return bool(field) and (field.lower() in INDEX_NAMES or TIME_NAMES.match(field) is not None)


def _seconds_per(field: str) -> float | None:
    if field.lower() in INDEX_NAMES:
        return None
    unit = re.search(r"(ms|us|µs)[)\]]?$", field, re.I)
    return SECONDS[unit.group(1).lower()] if unit else 1.0


def _number(field: str, layout: Layout, where: str) -> float:
    text = field.strip()
    try:
        return float(text.replace(",", ".") if layout.decimal_comma else text)
    except ValueError:
        raise ContractError(f"{where}: expected a number, got {_shown(text)}") from None


def _is_number(field: str, delimiter: str | None) -> bool:
    try:
        float(field.replace(",", ".") if delimiter in (";", "\t") else field)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + ".."
    return repr(cut)
