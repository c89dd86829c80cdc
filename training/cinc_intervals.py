"""CinC 2017 for paper 000: each window of `cinc_windows` as the signal its picture is made of."""

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.cinc_windows import CincWindows
from training.data import cinc2017
from training.data.place import open_place
from training.interval_set import VERSION, at_picture_rate, intervals_of
from training.quality_splits import ExternalSide
from training.workshop import Workshop


def read_signals(workshop: Workshop, side: ExternalSide, windows: CincWindows) -> NDArray[np.float32]:
    """[n, 640] at 128 Hz, window for window."""
    place = cinc2017.find(workshop.data)
    counts = [(windows.names[at], len(list(group))) for at, group in groupby(windows.recording.tolist())]

    def make() -> NDArray[Any]:
        found = []
        with place.as_folder([f"{name}.mat" for name, _ in counts]) as folder:
            local = open_place(folder)
            for done, (name, n) in enumerate(counts, start=1):
                record = cinc2017.read(local, name)
                found.append(intervals_of(at_picture_rate(record.counts_i32, record.rate_hz), n))
                workshop.tell(f"CinC 2017 as signals: {done} of {len(counts)} recordings")
        return np.concatenate(found)

    signals: NDArray[np.float32] = workshop.cache.array(
        f"cinc2017-signals-{side}", VERSION, place.fingerprint(), " ".join(windows.names), make=make
    )
    return signals
