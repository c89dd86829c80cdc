"""Who and what teaches a quality net, chooses for it and judges it: people, seconds of noise, recordings."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Literal

from training.data import mitdb
from training.splits import person_of

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
# Seconds of every half hour of NSTDB noise; the half minutes between belong to nobody.
NOISE_S: Mapping[Part, tuple[int, int]] = {
    "train": (0, 18 * 60),
    "validation": (18 * 60 + 30, 23 * 60 + 30),
    "test": (24 * 60, 30 * 60),
}
TEST_RECORDS = ("118", "119")  # NSTDB drowns these two in noise
VALIDATION_RECORDS = ("105", "112", "200", "203", "210", "213", "220", "231")  # noisy, clean, AF, block
TRAIN_RECORDS = tuple(name for name in mitdb.RECORDS if name not in TEST_RECORDS + VALIDATION_RECORDS)
RECORDS: Mapping[Part, tuple[str, ...]] = {
    "train": TRAIN_RECORDS,
    "validation": VALIDATION_RECORDS,
    "test": TEST_RECORDS,
}

ExternalSide = Literal["external-dev", "external-test"]
DEV_SHARE = 0.3
# CinC 2017 publishes no patients; these two pairs hold the same samples
IDENTICAL: Mapping[str, str] = {"A01176": "A00227", "A03123": "A02656"}


def part_of_record(name: str) -> Part:
    """Where a person's recordings belong; a person has one part."""
    return next(part for part in PARTS if person_of(name) in RECORDS[part])


def part_of_second(second: float) -> Part | None:
    """Whose noise a second is; None between the parts."""
    for part, (start, stop) in NOISE_S.items():
        if start <= second < stop:
            return part
    return None


def external_side(name: str) -> ExternalSide:
    """30 % of CinC 2017 to choose by, 70 % to judge by: a rule by name, so a larger download splits alike."""
    return "external-dev" if _drawn("wristlead cinc2017", name) < DEV_SHARE else "external-test"


def fold_of(name: str, n_folds: int) -> int:
    """The fold that judges a recording where the others teach (`in_domain`); of either side's recordings."""
    return int(_drawn("wristlead in_domain", name) * n_folds)


def _drawn(purpose: str, name: str) -> float:
    """0 up to below 1, by name; recordings of the same samples have the same."""
    known = IDENTICAL.get(name, name)
    return int.from_bytes(sha256(f"{purpose} {known}".encode()).digest()[:8], "big") / 2**64
