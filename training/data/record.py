"""One lead of one recording, with the marks of its annotators."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Marks in time order: beats and everything else an annotator writes."""

    samples: NDArray[np.int64]
    symbols: tuple[str, ...]
    aux: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.samples) == len(self.symbols) == len(self.aux):
            raise ContractError(
                f"annotations: expected one symbol and one aux per sample, got {len(self.samples)}, "
                f"{len(self.symbols)} and {len(self.aux)}"
            )

    def only(self, symbols: str) -> "Annotations":
        """The marks whose symbol is one of these."""
        kept = [i for i, symbol in enumerate(self.symbols) if symbol in symbols]
        return Annotations(
            samples=self.samples[kept],
            symbols=tuple(self.symbols[i] for i in kept),
            aux=tuple(self.aux[i] for i in kept),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Counts as stored; `(counts - baseline_counts) * uv_per_count` is microvolts."""

    name: str
    source: str  # the set it belongs to, such as "mitdb"
    rate_hz: int
    lead: str
    leads: tuple[str, ...]  # what else the recording holds
    counts_i32: NDArray[np.int32]
    baseline_counts: int
    uv_per_count: Fraction
    is_calibrated: bool  # False: the header gives no gain, uv_per_count is a default
    annotations: Annotations | None
    label: str | None  # where the set labels whole recordings
    licence: str
    digest: str  # SHA-256 over the recording's files, names included

    @property
    def length_samples(self) -> int:
        return len(self.counts_i32)

    @property
    def duration_s(self) -> float:
        return self.length_samples / self.rate_hz


def pick_lead(leads: Sequence[str], wanted: str | None, *, where: str) -> int:
    """Index of the lead called `wanted`; the first lead where nothing is wanted."""
    if wanted is None:
        return 0
    if wanted not in leads:
        raise ContractError(f"{where}: lead: expected one of {', '.join(leads)}, got {wanted}")
    return list(leads).index(wanted)
