"""What ships, on an ECG that everybody can make again: the obvious is seen, and nothing else is."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim.pipeline import OpenBundle, open_bundle
from device_sim.sources import Samples
from device_sim.synthetic import RAIL_UV, Fault, Noise, Scene, SyntheticSource

MODELS = Path(__file__).resolve().parents[2] / "models"


@cache
def opened(name: str) -> OpenBundle:
    return open_bundle(MODELS / name)


def counts_of(source: SyntheticSource) -> NDArray[np.int32]:
    return np.concatenate([chunk.counts_i32 for chunk in source if isinstance(chunk, Samples)])


def test_quality_tiny_tells_muscle_from_an_ecg() -> None:
    noises = (Noise(kind="white", level_uv=5), Noise(kind="emg", level_uv=600, start_s=60, seconds=60))
    source = SyntheticSource(Scene(seconds=120, noises=noises), seed=1)
    verdicts = opened("quality-tiny").run(counts_of(source), rate_hz=256)
    ends_s = np.array([verdict.t0_us for verdict in verdicts]) / 1e6 + 5
    scores = np.array([verdict.score for verdict in verdicts])
    clean, noisy = scores[ends_s < 60], scores[ends_s > 75]
    assert {verdict.label for verdict in verdicts if verdict.t0_us < 55_000_000} == {"clean"}
    assert {verdict.label for verdict in verdicts if verdict.t0_us > 70_000_000} == {"noisy"}
    assert clean.min() > noisy.max()


def test_quality_tiny_needs_no_network_for_a_rail() -> None:
    source = SyntheticSource(Scene(seconds=30, faults=(Fault(kind="rail", start_s=10, seconds=3),)), seed=1)
    verdicts = opened("quality-tiny").run(counts_of(source), rate_hz=256, rails=(-RAIL_UV, RAIL_UV))
    by_rule = [verdict.window_index for verdict in verdicts if verdict.by_rule]
    assert by_rule == list(range(by_rule[0], by_rule[-1] + 1))
    assert {6, 7, 8, 9, 10, 11, 12} <= set(by_rule)
    assert all(verdict.label == "noisy" for verdict in verdicts if verdict.by_rule)
