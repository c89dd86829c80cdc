"""MIT-BIH Noise Stress Test Database: three half hours of noise, and two recordings drowned in one."""

from pathlib import Path

from training.data.place import Place, find_place
from training.data.record import Record
from training.data.wfdb_record import read_wfdb

SOURCE = "nstdb"
LICENCE = "ODC-BY 1.0"
NAMES = (
    "nstdb",
    "mit-bih-noise-stress-test-database-1.0.0",
    "mit-bih-noise-stress-test-database-1.0.0.zip",
    "nstdb.zip",
)
NOISES = ("bw", "em", "ma")
SNR_DB = {"24": 24, "18": 18, "12": 12, "06": 6, "00": 0, "_6": -6}
NOISY = tuple(f"{record}e{snr}" for record in ("118", "119") for snr in SNR_DB)
RECORDS = NOISES + NOISY


def find(data: Path) -> Place:
    return find_place(data, source=SOURCE, names=NAMES)


def read(place: Place, name: str, *, lead: str | None = None) -> Record:
    """A noise (leads `noise1`, `noise2`; not calibrated, so scale it by SNR) or a noisy recording."""
    annotator = None if name in NOISES else "atr"
    return read_wfdb(place, name, source=SOURCE, licence=LICENCE, lead=lead, annotator=annotator)


def noise_in(name: str) -> tuple[str, int]:
    """Clean recording behind a noisy one and its SNR: `118e_6` is 118 at -6 dB."""
    record, _, snr = name.partition("e")
    return record, SNR_DB[snr]
