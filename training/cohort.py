"""The recordings of an inter-patient run, as windows a job can map."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.beats import Beats, annotated_beats, detected_beats
from training.data import mitdb, nstdb
from training.data.record import Record
from training.recipe import BeatRecipe
from training.streams import beat_codes, beat_stream, in_net_units
from training.workshop import Workshop

LABEL_OF = {"N": 0, "S": 1, "V": 1, "F": 1, "-": 0, "Q": -1}  # a false detection is nothing abnormal
NOISES = ("em", "ma")
NOISE_TRAIN_S = 18 * 60  # later minutes of the noise recordings are for validation and test


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One recording's beats, labelled, beside their windows in a file."""

    name: str
    windows: Path  # float32 [n, 2, 128] in the net's units
    beats: Beats
    weights: NDArray[np.float64]  # per beat, what it counts in training
    digest: str

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.array([LABEL_OF[kind] for kind in self.beats.classes], dtype=np.int64)

    def known(self) -> NDArray[np.int64]:
        """Indices of beats with a label: unclassifiable ones teach and count nothing."""
        return np.flatnonzero(self.labels >= 0)


def members_of(recipe: BeatRecipe, records: Sequence[str], workshop: Workshop) -> tuple[Member, ...]:
    place = mitdb.find(workshop.data)
    found = []
    for index, name in enumerate(records, start=1):
        found.append(_member(mitdb.read(place, name), recipe, workshop))
        workshop.tell(f"beats: {index} of {len(records)} recordings")
    return tuple(found)


def _member(record: Record, recipe: BeatRecipe, workshop: Workshop) -> Member:
    beats = _beats(record, recipe)
    content = beats.shapes_ct_i8.tobytes() + "".join(beats.classes).encode()  # what the net learns from
    digest = sha256(content).hexdigest()
    windows = workshop.cache.array(
        f"beat-shapes-{record.source}-{record.name}",
        digest,
        make=lambda: in_net_units(beats.shapes_ct_i8),
    )
    return Member(
        name=record.name,
        windows=Path(str(windows.filename)),  # type: ignore[attr-defined]
        beats=beats,
        weights=np.select(
            [beats.classes == "F", beats.classes == "S"], [recipe.fusion_weight, recipe.early_weight], 1.0
        ),
        digest=f"{digest}:{recipe.fusion_weight}:{recipe.early_weight}",
    )


def _beats(record: Record, recipe: BeatRecipe) -> Beats:
    assert record.annotations is not None
    beats_of = detected_beats if recipe.peaks == "detected" else annotated_beats
    return beats_of(record.name, beat_stream(record), record.annotations, rate_hz=record.rate_hz)


def training_noise(workshop: Workshop) -> NDArray[np.float32]:
    """Electrode motion and muscle noise of NSTDB as the device streams it: 18 minutes, first lead."""
    place = nstdb.find(workshop.data)
    records = [nstdb.read(place, name) for name in NOISES]
    return np.concatenate([in_net_units(beat_codes(record)[: NOISE_TRAIN_S * 128]) for record in records])
