"""The picture is drawn for short, long, flat and broken recordings alike."""

from pathlib import Path

import numpy as np
import pytest

from device_sim.picture import draw, stretches
from device_sim.replay import Replay, strides
from device_sim.sources import Source
from device_sim.synthetic import Fault, Scene, SyntheticSource, example_scene
from device_sim.trace import Trace

pytest.importorskip("matplotlib", reason="the `report` extra is not installed")


def drawn(source: Source, path: Path) -> bytes:
    trace: Trace

    replay = Replay(source, on_chunk=lambda chunk: trace.add_chunk(chunk))
    trace = Trace(source, delay_us=replay.delay_us, keep_samples=True)
    for stride in strides(replay, replay.delay_us):
        trace.add_stride(stride)
    draw(trace, path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "scene",
    [
        example_scene(),
        Scene(seconds=0.1),
        Scene(seconds=200, rate_hz=1000),
        Scene(seconds=4, faults=(Fault(kind="flat", start_s=0, seconds=4),)),
        Scene(seconds=4, faults=(Fault(kind="gap", start_s=0, seconds=3),)),
    ],
    ids=["example", "short", "long", "flat", "gap"],
)
def test_any_scene_can_be_drawn(scene: Scene, tmp_path: Path) -> None:
    assert drawn(SyntheticSource(scene), tmp_path / "a.png").startswith(b"\x89PNG")


def test_the_ending_says_which_kind(tmp_path: Path) -> None:
    assert drawn(SyntheticSource(Scene(seconds=3)), tmp_path / "a.pdf").startswith(b"%PDF")
    assert b"<svg" in drawn(SyntheticSource(Scene(seconds=3)), tmp_path / "a.svg")


def test_stretches_are_the_runs_of_true() -> None:
    assert stretches(np.array([1, 1, 0, 1, 0, 0, 1], dtype=np.bool_)) == [(0, 2), (3, 4), (6, 7)]
    assert stretches(np.zeros(3, dtype=np.bool_)) == []
