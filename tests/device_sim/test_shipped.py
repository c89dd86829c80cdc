"""What ships, on an ECG that everybody can make again: the obvious is seen, and nothing else is."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.pipeline import OpenBundle, open_bundle
from device_sim.sources import Samples
from device_sim.synthetic import Noise, Scene, SyntheticSource

MODELS = Path(__file__).resolve().parents[2] / "models"


@cache
def opened(name: str) -> OpenBundle:
    return open_bundle(MODELS / name)


def counts_of(source: SyntheticSource) -> NDArray[np.int32]:
    return np.concatenate([chunk.counts_i32 for chunk in source if isinstance(chunk, Samples)])


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("rate_hz", [250, 360])
def test_beat_tiny_finds_the_ectopic_beats(seed: int, rate_hz: int) -> None:
    scene = Scene(seconds=120, rate_hz=rate_hz, morphology="pvc", noises=(Noise(kind="white", level_uv=5),))
    source = SyntheticSource(scene, seed=seed)
    verdicts = opened("beat-tiny").run(counts_of(source), rate_hz=rate_hz)
    marks = source.annotations
    assert marks is not None
    marks_s, is_ectopic = marks.indices_i64 / rate_hz, np.array(marks.symbols) == "V"
    peaks_s = np.array([verdict.t0_us for verdict in verdicts]) / 1e6 + 0.5
    nearest = np.abs(peaks_s[:, None] - marks_s).argmin(axis=1)
    said = np.array([verdict.label for verdict in verdicts]) == "ventricular"
    learned = peaks_s > 15  # until then nobody knows the usual beat
    truth = is_ectopic[nearest]
    assert (said & truth & learned).sum() >= 0.95 * (truth & learned).sum() > 10
    assert (said & ~truth & learned).sum() <= 0.03 * (~truth & learned).sum()
