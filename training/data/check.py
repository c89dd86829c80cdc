"""What of each set is there, and whether it is whole."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from device_sim.contract.errors import StreamError, WristleadError
from training.data import cinc2017, mitdb, nstdb
from training.data.place import Place, check_zip

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReport:
    """One set: how many recordings are whole, and one line for each that is not."""

    source: str
    path: Path | None  # None: the set is not there
    n_whole: int
    n_expected: int
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return self.path is not None and not self.faults

    def __str__(self) -> str:
        if self.path is None:
            return f"{self.source}: not there; `wristlead data fetch {self.source}` downloads it"
        state = f"{self.source}: {self.path}: {self.n_whole} of {self.n_expected} recordings whole"
        return "\n".join([state, *(f"  {fault}" for fault in self.faults)])


def check(data: Path, tell: Tell = lambda _line: None) -> tuple[SetReport, ...]:
    """Every set under `data`, every byte against its header, checksum or CRC."""
    if not data.is_dir():
        raise StreamError(f"{data}: expected the folder that holds the sets, it is not there")
    return (
        _check_wfdb(mitdb.SOURCE, data, mitdb.find, mitdb.NAMES, mitdb.RECORDS, mitdb.read, tell),
        _check_wfdb(nstdb.SOURCE, data, nstdb.find, nstdb.NAMES, nstdb.RECORDS, nstdb.read, tell),
        _check_cinc2017(data, tell),
    )


def _check_wfdb(
    source: str,
    data: Path,
    find: Callable[[Path], Place],
    names: tuple[str, ...],
    records: tuple[str, ...],
    read: Callable[[Place, str], object],
    tell: Tell,
) -> SetReport:
    place, fault = _find(data, find, names)
    if place is None:
        return _unreadable(source, data, names, fault, len(records))
    faults = []
    for index, name in enumerate(records, start=1):
        try:
            read(place, name)
        except WristleadError as broken:
            faults.append(str(broken))
        tell(f"{source}: {index} of {len(records)}")
    n_whole = len(records) - len(faults)
    return SetReport(
        source=source, path=place.path, n_whole=n_whole, n_expected=len(records), faults=tuple(faults)
    )


def _check_cinc2017(data: Path, tell: Tell) -> SetReport:
    """A zip is checked against its own CRCs; the published set has 8,528 recordings, a part of it is fine."""
    place, fault = _find(data, cinc2017.find, cinc2017.NAMES)
    if place is None:
        return _unreadable(cinc2017.SOURCE, data, cinc2017.NAMES, fault, 0)
    faults = []
    try:
        if place.is_zip:
            check_zip(place.path)
        labels = cinc2017.labels(place)
        missing = [name for name in labels if f"{name}.mat" not in place]
        faults += [f"{place.path}: {name}.mat: in REFERENCE.csv, not there" for name in missing]
        n_expected = len(labels)
    except WristleadError as broken:
        faults, n_expected = [str(broken)], 0
    tell(f"{cinc2017.SOURCE}: {n_expected} recordings")
    n_whole = max(0, n_expected - len(faults))
    return SetReport(
        source=cinc2017.SOURCE, path=place.path, n_whole=n_whole, n_expected=n_expected, faults=tuple(faults)
    )


def _find(data: Path, find: Callable[[Path], Place], names: tuple[str, ...]) -> tuple[Place | None, str]:
    try:
        return find(data), ""
    except WristleadError as fault:
        return None, str(fault)


def _unreadable(source: str, data: Path, names: tuple[str, ...], fault: str, n_expected: int) -> SetReport:
    """Not there at all, or there and not to be opened (half a zip)."""
    there = [data / name for name in names if (data / name).exists()]
    return SetReport(
        source=source,
        path=there[0] if there else None,
        n_whole=0,
        n_expected=n_expected,
        faults=(fault,) if there else (),
    )
