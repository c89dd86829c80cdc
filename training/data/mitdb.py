"""MIT-BIH Arrhythmia Database: 48 half hours, two leads, 360 Hz, beat by beat."""

from pathlib import Path

from training.data.place import Place, find_place
from training.data.record import Annotations, Record
from training.data.wfdb_record import lead_names, read_annotations, read_wfdb

SOURCE = "mitdb"
LICENCE = "ODC-BY 1.0"
NAMES = ("mitdb", "mit-bih-arrhythmia-database-1.0.0", "mit-bih-arrhythmia-database-1.0.0.zip", "mitdb.zip")
# fmt: off
RECORDS = (
    "100", "101", "102", "103", "104", "105", "106", "107", "108", "109", "111", "112",
    "113", "114", "115", "116", "117", "118", "119", "121", "122", "123", "124", "200",
    "201", "202", "203", "205", "207", "208", "209", "210", "212", "213", "214", "215",
    "217", "219", "220", "221", "222", "223", "228", "230", "231", "232", "233", "234",
)
# fmt: on
RATE_HZ = 360
LENGTH_SAMPLES = 650_000


def find(data: Path) -> Place:
    return find_place(data, source=SOURCE, names=NAMES)


def read(place: Place, name: str, *, lead: str | None = None) -> Record:
    """Recording `name`; without `lead`, MLII where it exists and the first lead in 102 and 104.

    In 114 MLII is the second signal: the lead goes by name, never by column.
    """
    wanted = lead or preferred_lead(place, name)
    return read_wfdb(place, name, source=SOURCE, licence=LICENCE, lead=wanted, annotator="atr")


def annotations(place: Place, name: str) -> Annotations:
    return read_annotations(place, name)


def preferred_lead(place: Place, name: str) -> str:
    leads = lead_names(place, name)
    return "MLII" if "MLII" in leads else leads[0]


def first_lead(place: Place, name: str) -> str:
    """What code that takes column 0 sees: V5 instead of MLII in 114."""
    return lead_names(place, name)[0]
