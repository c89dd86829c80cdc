"""TensorFlow's own converter on the same float nets and windows: ours keeps as much of every layer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.requant import Code
from export.bias_correction import correct_biases
from export.calibrate import calibrate
from export.float_graph import F64, FloatGraph, every_tensor
from export.quantize import quantize, to_codes
from export.sqnr import sqnr_db
from tests.export import shipped_nets
from tests.export.nets import CODE, MAKERS, N_CALIBRATION, SEED, example, ours, windows
from tests.export.shipped_nets import SHIPMENTS
from tests.export.tensorflow_int8 import layers_of

pytestmark = pytest.mark.heavy
N_WINDOWS = 200
JUDGED_SEED = 77
MOST_BEHIND_DB = 0.5
NETS = (*MAKERS, *SHIPMENTS)
I8 = NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One float net, the worth of its input codes, and the windows that both converters get."""

    floats: FloatGraph
    codes: Mapping[str, Code]
    calibration: Mapping[str, I8]
    judged: Mapping[str, I8]

    def real(self, windows_i8: Mapping[str, I8]) -> dict[str, F64]:
        return {
            name: self.codes[name].scale * (x.astype(np.float64) - self.codes[name].zero_point)
            for name, x in windows_i8.items()
        }


def case(name: str) -> Case:
    """Random weights on noise; a net that ships on synthetic ECG."""
    if name in MAKERS:
        one = example(name)

        def cut(n: int, seed: int) -> dict[str, I8]:
            made = windows(one.shapes, n, seed)
            return {key: to_codes(ours(x, time_major=one.time_major), CODE) for key, x in made.items()}

        codes = dict.fromkeys(one.floats.inputs, CODE)
        return Case(
            floats=one.floats,
            codes=codes,
            calibration=cut(N_CALIBRATION, SEED),
            judged=cut(N_WINDOWS, JUDGED_SEED),
        )
    bundle = shipped_nets.bundle_named(name)
    tensors = {key: bundle.graph.tensor(key) for key in bundle.graph.inputs}
    return Case(
        floats=shipped_nets.floats_named(name),
        codes={key: Code(one.scale, one.zero_point) for key, one in tensors.items()},
        calibration=shipped_nets.windows(bundle, N_CALIBRATION, SEED),
        judged=shipped_nets.windows(bundle, N_WINDOWS, JUDGED_SEED),
    )


@cache
def ratios(name: str) -> dict[str, tuple[float, float]]:
    """For each layer: decibels of ours, ranges and biases from the same windows, and of TensorFlow's."""
    one = case(name)
    plain = quantize(one.floats, calibrate(one.floats, one.real(one.calibration)), one.codes)
    mine = sqnr_db(one.floats, correct_biases(one.floats, plain, one.calibration), one.judged)
    (exact,) = every_tensor(one.floats, one.real(one.judged))
    theirs = layers_of(one.floats, one.real(one.calibration), one.real(one.judged))
    return {layer: (mine[layer], _ratio_db(exact[layer], y)) for layer, y in theirs.items()}


def _ratio_db(exact: F64, said: F64) -> float:
    return float(10 * np.log10((exact**2).sum() / ((exact - said) ** 2).sum()))


def table() -> Iterator[str]:
    yield f"{'net':16}{'layer':24}{'ours':>7}{'TensorFlow':>12}{'ahead':>8}  dB"
    for name in NETS:
        for layer, (mine, theirs) in ratios(name).items():
            yield f"{name:16}{layer:24}{mine:7.1f}{theirs:12.1f}{mine - theirs:+8.1f}"


@pytest.mark.parametrize("name", NETS)
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
    ahead = [mine > theirs for name in NETS for mine, theirs in ratios(name).values()]
    assert sum(ahead) > len(ahead) / 2
