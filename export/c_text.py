"""Text of C: a note above every table, arrays, tables of structures, strings."""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

NUMBERS_A_LINE = 16


class Signed(Protocol):
    """What C is written from: a bundle, or a cascade of two."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...


def c_note(source: Signed, what: str) -> str:
    """What wrote it, and from what."""
    return f"/* Written by export.to_c from bundle {source.digest[:12]}: {what}. Do not edit. */\n"


def c_array(kind: str, name: str, values: NDArray[Any]) -> str:
    """An array of numbers."""
    numbers = values.ravel().tolist()
    rows = (numbers[at : at + NUMBERS_A_LINE] for at in range(0, len(numbers), NUMBERS_A_LINE))
    body = ",\n".join("    " + ", ".join(map(str, row)) for row in rows)
    return f"{kind} {name}[{len(numbers)}] = {{\n{body}\n}};\n"


def c_quoted(text: str) -> str:
    """A C string; whatever is not plain goes in as octal bytes."""
    plain = set(map(ord, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+.,:()"))
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def c_table(kind: str, name: str, rows: Sequence[str]) -> str:
    """An array of structures, a row each."""
    body = ",\n    ".join(rows)
    return f"static const struct {kind} {name}[{len(rows)}] = {{\n    {body}\n}};\n"
