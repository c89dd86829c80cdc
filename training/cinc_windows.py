"""CinC 2017 as the device sees it: whole recordings through the front end, cut into five-second windows.

A recording begins where the front end begins: the first 2.5 s of columns still see the time before
the first sample. They are kept, since the paper counts every five seconds; figures also stand without each
first window.
A window inherits the label of its recording; what is left over at the end belongs to no window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.frontend import columns_of
from training.data import cinc2017
from training.data.place import Place, open_place
from training.quality_set import COLUMNS, STRIDE, QualitySet
from training.quality_splits import ExternalSide, external_side
from training.workshop import Workshop

VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CincColumns:
    """Recordings end to end, column by column."""

    codes_ts_i8: NDArray[np.int8]
    lengths: NDArray[np.int64]  # columns of each
    names: tuple[str, ...]
    labels: tuple[str, ...]  # normal, af, other, noise

    def windows(self) -> "CincWindows":
        return cut(self.codes_ts_i8, self.lengths, self.names, self.labels)

    def lessons(self) -> QualitySet:
        """A window every second of each recording, as clean as its recording is said to be."""
        offsets = self._offsets()
        found = [offset + beginnings(length) for offset, length in zip(offsets, self.lengths, strict=True)]
        is_clean = np.array([label != "noise" for label in self.labels], np.float32)
        return QualitySet(
            codes_ts_i8=self.codes_ts_i8,
            starts=np.concatenate(found),
            clean=np.repeat(is_clean, [len(starts) for starts in found]),
            digest=sha256(self.codes_ts_i8.tobytes() + " ".join(self.names).encode()).hexdigest(),
        )

    def recordings_at(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which recording each of these columns belongs to."""
        found: NDArray[np.int64] = np.searchsorted(self._offsets(), starts, side="right") - 1
        return found

    def _offsets(self) -> NDArray[np.int64]:
        offsets: NDArray[np.int64] = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        return offsets


@dataclass(frozen=True, slots=True, kw_only=True)
class CincWindows:
    """Windows of one side, recording by recording, in time order."""

    codes_st_i8: NDArray[np.int8]  # [n, 32, 80]
    recording: NDArray[np.int64]  # index into `names`
    position: NDArray[np.int64]  # within the recording: 0 is the one that begins with it
    names: tuple[str, ...]
    labels: tuple[str, ...]  # of recordings: normal, af, other, noise

    def __len__(self) -> int:
        return len(self.recording)

    @property
    def window_labels(self) -> NDArray[np.str_]:
        return np.array(self.labels)[self.recording]

    @property
    def is_clean(self) -> NDArray[np.bool_]:
        is_clean: NDArray[np.bool_] = self.window_labels != "noise"
        return is_clean


def read_windows(workshop: Workshop, side: ExternalSide) -> CincWindows:
    """Every window of the recordings on one side; nothing of the other is opened."""
    return read_columns(workshop, side).windows()


def read_columns(workshop: Workshop, side: ExternalSide) -> CincColumns:
    """The recordings on one side; nothing of the other is opened."""
    place = cinc2017.find(workshop.data)
    labels = cinc2017.labels(place)
    names = tuple(name for name in labels if external_side(name) == side)
    made: dict[str, NDArray[Any]] = {}

    def kept(which: str) -> NDArray[Any]:
        def make() -> NDArray[Any]:
            if not made:
                made.update(zip(("codes", "lengths"), _columns_of_all(place, names, workshop), strict=True))
            return made[which]

        return workshop.cache.array(
            f"cinc2017-{which}-{side}", VERSION, place.fingerprint(), " ".join(names), make=make
        )

    return CincColumns(
        codes_ts_i8=kept("codes"),
        lengths=kept("lengths"),
        names=names,
        labels=tuple(labels[name] for name in names),
    )


def join(sides: Sequence[CincColumns]) -> CincColumns:
    """One after the other."""
    return CincColumns(
        codes_ts_i8=np.concatenate([one.codes_ts_i8 for one in sides]),
        lengths=np.concatenate([one.lengths for one in sides]),
        names=tuple(name for one in sides for name in one.names),
        labels=tuple(label for one in sides for label in one.labels),
    )


def beginnings(length: int) -> NDArray[np.int64]:
    """Where the windows that teach begin; the first counts as often as where it is judged."""
    starts = np.arange(0, length - COLUMNS + 1, STRIDE)
    return np.repeat(starts, np.where(starts == 0, COLUMNS // STRIDE, 1))


def cut(
    codes_ts_i8: NDArray[np.int8], lengths: NDArray[np.int64], names: Sequence[str], labels: Sequence[str]
) -> CincWindows:
    """Recordings end to end into windows that do not overlap and never cross into the next recording."""
    counts = lengths // COLUMNS
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    recording = np.repeat(np.arange(len(names)), counts)
    position = np.arange(counts.sum()) - np.repeat(np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    starts = offsets[recording] + position * COLUMNS
    whole = np.lib.stride_tricks.sliding_window_view(codes_ts_i8, COLUMNS, axis=0)
    return CincWindows(
        codes_st_i8=whole[starts],
        recording=recording,
        position=position,
        names=tuple(names),
        labels=tuple(labels),
    )


def recording_codes(place: Place, name: str) -> NDArray[np.int8]:
    """Columns of a whole recording at its 300 Hz, 1 uV per count."""
    record = cinc2017.read(place, name)
    return columns_of(record.counts_i32, rate_hz=record.rate_hz, uv_per_count=record.uv_per_count).codes_ts_i8


def _columns_of_all(
    place: Place, names: Sequence[str], workshop: Workshop
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Recordings end to end, and how many columns each has."""
    found = []
    with place.as_folder([f"{name}.mat" for name in names]) as folder:
        local = open_place(folder)
        for done, name in enumerate(names, start=1):
            found.append(recording_codes(local, name))
            workshop.tell(f"CinC 2017: {done} of {len(names)} recordings")
    return np.concatenate(found), np.array([len(codes) for codes in found])
