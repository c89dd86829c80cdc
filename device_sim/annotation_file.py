"""Marks in time as WFDB keeps them: the MIT format, which every reader of WFDB knows."""

from dataclasses import dataclass

SYMBOLS = {"N": 1, "V": 5, "F": 6, "S": 9, "Q": 13, "~": 14, "|": 16, '"': 22}
SKIP, SUBTYPE, AUX = 59, 61, 63
MOST_DIFFERENCE = 1023  # ten bits; beyond them a SKIP carries 32
END = b"\0\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One annotation; samples count at the recording's own rate."""

    sample: int
    symbol: str
    subtype: int = 0
    aux: str = ""


def beginning(rate_hz: int) -> bytes:
    """What says, inside the file, how long a sample is."""
    note = Mark(sample=0, symbol='"', aux=f"## time resolution: {rate_hz}")
    return encoded(note, before=0)


def encoded(mark: Mark, *, before: int) -> bytes:
    """One mark after another at sample `before`."""
    difference, words = mark.sample - before, []
    if not 0 <= difference <= MOST_DIFFERENCE:
        skip = difference & 0xFFFFFFFF
        words += [SKIP << 10, skip >> 16, skip & 0xFFFF]  # the high half first
        difference = 0
    words.append(SYMBOLS[mark.symbol] << 10 | difference)
    if mark.subtype:
        words.append(SUBTYPE << 10 | mark.subtype & 0xFF)
    aux = mark.aux.encode("ascii", "replace")[:255]
    if aux:
        words.append(AUX << 10 | len(aux))
    return b"".join(word.to_bytes(2, "little") for word in words) + aux + b"\0" * (len(aux) % 2)
