"""PhysioNet/CinC Challenge 2017 training set: short single leads with one label each, from the zip."""

import csv
import io
from fractions import Fraction
from pathlib import Path

import numpy as np

from device_sim.contract.errors import ContractError
from training.data.place import Place, find_place
from training.data.record import Record

SOURCE = "cinc2017"
LICENCE = "ODC-BY 1.0"
NAMES = ("training2017.zip", "training2017", "cinc2017")
RATE_HZ = 300
LABELS = {"N": "normal", "A": "af", "O": "other", "~": "noise"}


def find(data: Path) -> Place:
    return find_place(data, source=SOURCE, names=NAMES)


def labels(place: Place) -> dict[str, str]:
    """Recording -> label of REFERENCE.csv (the version the place holds)."""
    rows = csv.reader(io.StringIO(place.read("REFERENCE.csv").decode("ascii")))
    found = {row[0]: row[1] for row in rows if row}
    for name, symbol in found.items():
        if symbol not in LABELS:
            raise ContractError(
                f"{place.path}: REFERENCE.csv: {name}: expected one of {' '.join(LABELS)}, got {symbol}"
            )
    return {name: LABELS[symbol] for name, symbol in found.items()}


def read(place: Place, name: str, *, label: str | None = None) -> Record:
    """Recording `name`, 1 uV per count; `label` comes from `labels`, read once."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    member = f"{name}.mat"
    try:
        val = loadmat(io.BytesIO(place.read(member)))["val"]
    except (MatReadError, ValueError, KeyError, TypeError, EOFError) as fault:
        raise ContractError(
            f"{place.path}: {member}: expected a MATLAB file with `val`, got {fault}"
        ) from fault
    if val.ndim != 2 or val.shape[0] != 1:
        raise ContractError(f"{place.path}: {member}: val: expected shape [1, n], got {list(val.shape)}")
    return Record(
        name=name,
        source=SOURCE,
        rate_hz=RATE_HZ,
        lead="I",
        leads=("I",),
        counts_i32=np.ascontiguousarray(val[0], dtype=np.int32),
        baseline_counts=0,
        uv_per_count=Fraction(1),  # 1000 units per mV
        is_calibrated=True,
        annotations=None,
        label=label,
        licence=LICENCE,
        digest=place.digest([member]),
    )
