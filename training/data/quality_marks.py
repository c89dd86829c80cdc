"""Where MIT-BIH's annotators found a lead readable: the `~` marks, lead by lead."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.place import Place

UNREADABLE = -1  # no lead can be read


def readable(place: Place, name: str, column: int, length_samples: int) -> NDArray[np.bool_]:
    """True from each `~` mark that does not accuse lead `column` up to the next; before the first, too."""
    with place.as_folder([f"{name}.atr"]) as folder:
        marks = _read(folder / name)
    is_good = np.ones(length_samples, dtype=np.bool_)
    for at, symbol, subtype in zip(marks.sample, marks.symbol, marks.subtype, strict=True):
        if symbol == "~":
            is_good[at:] = not accuses(int(subtype), column)
    return is_good


def accuses(subtype: int, column: int) -> bool:
    """Bit n of the mark's subtype: lead n is noisy; bit 4 + n: it is lost."""
    return subtype == UNREADABLE or bool(subtype & (0x11 << column))


def _read(stem: Path) -> Any:
    import wfdb

    return wfdb.rdann(str(stem), "atr")
