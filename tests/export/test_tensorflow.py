"""TensorFlow's own converter on the same float nets and windows: ours keeps as much of every layer."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from export.bias_correction import correct_biases
from export.float_graph import F64, every_tensor
from export.quantize import to_codes
from export.sqnr import sqnr_db
from tests.export.nets import CODE, MAKERS, N_CALIBRATION, SEED, Example, example, ours, windows
from tests.export.tensorflow_int8 import layers_of

pytestmark = pytest.mark.heavy
N_WINDOWS = 200
MOST_BEHIND_DB = 0.5


def inputs(one: Example, n: int, seed: int) -> dict[str, F64]:
    return {name: ours(x, time_major=one.time_major) for name, x in windows(one.shapes, n, seed).items()}


@cache
def ratios(name: str) -> dict[str, tuple[float, float]]:
    """For each layer: decibels of ours, as it is exported, and of TensorFlow's."""
    one = example(name)
    calibration, judged = inputs(one, N_CALIBRATION, SEED), inputs(one, N_WINDOWS, 77)
    codes = {key: to_codes(x, CODE) for key, x in judged.items()}
    known = {key: to_codes(x, CODE) for key, x in calibration.items()}
    mine = sqnr_db(one.floats, correct_biases(one.floats, one.graph, known), codes)
    (exact,) = every_tensor(one.floats, judged)
    return {
        layer: (
            mine[layer],
            float(10 * np.log10((exact[layer] ** 2).sum() / ((exact[layer] - y) ** 2).sum())),
        )
        for layer, y in layers_of(one.floats, calibration, judged).items()
    }


def table() -> Iterator[str]:
    yield f"{'net':14}{'layer':24}{'ours':>7}{'TensorFlow':>12}{'ahead':>8}  dB"
    for name in MAKERS:
        for layer, (mine, theirs) in ratios(name).items():
            yield f"{name:14}{layer:24}{mine:7.1f}{theirs:12.1f}{mine - theirs:+8.1f}"


@pytest.mark.parametrize("name", MAKERS)
def test_no_layer_is_behind_tensorflow(name: str) -> None:
    behind = {
        layer: (mine, theirs)
        for layer, (mine, theirs) in ratios(name).items()
        if mine < theirs - MOST_BEHIND_DB
    }
    assert behind == {}


def test_most_layers_are_ahead_of_tensorflow(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("\n" + "\n".join(table()))
    ahead = [mine > theirs for name in MAKERS for mine, theirs in ratios(name).values()]
    assert sum(ahead) > len(ahead) / 2
