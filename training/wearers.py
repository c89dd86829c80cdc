"""One recording cut into blind windows and labelled, in a file any worker can map."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.data import mitdb
from training.data.place import Place
from training.examples import Examples, examples_of
from training.jobs import described
from training.recipe import Stream
from training.splits import Parts, split_record
from training.streams import VERSION, device_windows, paper_windows
from training.windows import RULES, LabelRule, is_kept, label_windows
from training.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Wearer:
    """One recording, ready to be cut: windows in a file any worker can map."""

    name: str
    windows: Path
    labels: tuple[int, ...]
    digest: str

    def parts(self, split_seed: int, seed: int) -> Parts:
        return split_record(self._labels(), split_seed=split_seed, seed=seed)

    def examples(self, indices: NDArray[np.int64]) -> Examples:
        windows = np.load(self.windows, mmap_mode="r")
        return examples_of(windows[indices], self._labels()[indices])

    def _labels(self) -> NDArray[np.int8]:
        return np.array(self.labels, dtype=np.int8)


def wearers_of(
    workshop: Workshop, *, stream: Stream, rule: str, records: Sequence[str] | None
) -> tuple[Wearer, ...]:
    """The recordings named, or all that the paper's exclusion keeps."""
    place = mitdb.find(workshop.data)
    names = tuple(records) if records is not None else _kept(place, RULES[rule])
    found = []
    for index, name in enumerate(names, start=1):
        found.append(_wearer(place, name, workshop, stream, RULES[rule]))
        workshop.tell(f"windows: {index} of {len(names)} recordings")
    return tuple(found)


def _kept(place: Place, rule: LabelRule) -> tuple[str, ...]:
    return tuple(
        name for name in mitdb.RECORDS if name in _there(place) and is_kept(_labels(place, name, rule))
    )


def _there(place: Place) -> frozenset[str]:
    there = frozenset(name.removesuffix(".atr") for name in place.members if name.endswith(".atr"))
    missing = [name for name in mitdb.RECORDS if name not in there]
    if missing:
        raise ContractError(
            f"{place.path}: expected {len(mitdb.RECORDS)} recordings, missing {', '.join(missing)}"
        )
    return there


def _labels(place: Place, name: str, rule: LabelRule) -> NDArray[np.int8]:
    marks = mitdb.annotations(place, name)
    return label_windows(marks, rule, length_samples=mitdb.LENGTH_SAMPLES, window_samples=mitdb.RATE_HZ)


def _wearer(place: Place, name: str, workshop: Workshop, stream: Stream, rule: LabelRule) -> Wearer:
    lead = mitdb.first_lead(place, name) if stream == "paper-first-column" else None
    record = mitdb.read(place, name, lead=lead)
    windows = (device_windows if stream == "device" else paper_windows)(record, workshop.cache)
    assert record.annotations is not None
    labels = label_windows(
        record.annotations, rule, length_samples=record.length_samples, window_samples=record.rate_hz
    )
    # The paper's windows follow from the recording; the device's follow from its front end as well.
    source = sha256(windows.tobytes()).hexdigest() if stream == "device" else record.digest
    return Wearer(
        name=name,
        windows=Path(str(windows.filename)),  # type: ignore[attr-defined]
        labels=tuple(labels.tolist()),
        digest=f"{source}:{record.lead}:{stream}:{VERSION}:{described(rule)}",
    )
