"""The decision-flip report: which windows, by how little, from which layer on."""

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim import twin
from device_sim.contract.graph import Graph
from device_sim.contract.tensor import Tensor
from export.calibrate import Range, calibrate
from export.calibration import Question
from export.flips import Answers, answers, flip_report, real_logits
from export.judged import Asked, asked, classes_of_codes, classes_of_real
from export.quantize import dequantize, quantize
from export.shipped import InputSpec
from tests.export.nets import CODE, Example, codes, example

Windows = dict[str, NDArray[np.int8]]


def answered(one: Example, graph: Graph, windows: Windows, thresholds: dict[str, float]) -> Answers:
    specs = {name: InputSpec(shape=shape, code=CODE) for name, shape in one.shapes.items()}
    return answers(
        real_logits(one.floats, specs, windows), graph, windows, [Asked(*one) for one in thresholds.items()]
    )


def test_the_first_question_that_says_yes_names_the_class() -> None:
    logits = {"a": np.array([-1.0, 0.6, 0.6, -1.0]), "b": np.array([0.0, 0.0, 3.0, 3.0])}
    found, margin = classes_of_real(logits, [Asked("a", 0.5), Asked("b", 1.0)])
    assert found.tolist() == [0, 1, 1, 2]
    np.testing.assert_allclose(margin, [1.0, 0.1, 0.1, 1.5])


def test_a_shape_that_is_no_clear_v_is_asked_for_last() -> None:
    questions = {
        "morphology": Question(threshold=-0.75, temperature=1.0, named_from=1.25),
        "rhythm": Question(threshold=0.5, temperature=1.0),
    }
    logits = {"morphology": np.array([2.0, 0.0, 0.0, -1.0]), "rhythm": np.array([1.0, 1.0, 0.0, 0.0])}
    found, _ = classes_of_real(logits, asked(questions))
    assert found.tolist() == [1, 2, 3, 0]


@pytest.mark.parametrize("threshold", [-3.0, -0.75, 0.0, 0.0001, 0.61, 3.2])
def test_integers_are_asked_the_same_question(threshold: float) -> None:
    tensor = Tensor(name="y", shape=(1, 1), scales=(0.03125,), zero_point=-17)
    every = np.arange(-128, 128).astype(np.int8)
    real, _ = classes_of_real({"y": dequantize(every, tensor)}, [Asked("y", threshold)])
    integer = classes_of_codes({"y": every}, [Asked("y", threshold)], {"y": tensor})
    np.testing.assert_array_equal(real, integer)


def test_the_windows_that_flip_are_the_ones_nearest_to_the_border() -> None:
    one, windows = example("cardiacnet"), codes("cardiacnet", 400, seed=61)
    output = one.graph.outputs[0]
    said = twin.run(one.graph, windows)[output]
    threshold = float(np.median(dequantize(said, one.graph.tensor(output)))) + 1e-6  # in the middle of all
    found = answered(one, one.graph, windows, {output: threshold})
    report = flip_report(one.floats, one.graph, windows, found)
    assert report.n_windows == 400
    assert 0.9 < found.agreement < 1.0
    assert [flip.window for flip in report.flips] == found.changed.tolist()
    assert all(flip.margin < 5 * one.graph.tensor(output).scale for flip in report.flips)


def test_a_report_names_the_window_and_the_layer() -> None:
    """A range that cuts the first layer to a tenth: everything behind it is off."""
    one, windows = example("beat_tiny"), codes("beat_tiny", 300, seed=62)
    real = {name: dequantize(x, one.graph.tensor(name)) for name, x in windows.items()}
    ranges = calibrate(one.floats, real)
    first = one.floats.operators[0].output
    narrow = {**ranges, first: Range(0.0, ranges[first].high / 10)}
    spoilt = quantize(one.floats, narrow, {"x_bct": CODE})
    output = spoilt.outputs[0]
    threshold = float(np.median(dequantize(twin.run(one.graph, windows)[output], spoilt.tensor(output))))
    report = flip_report(one.floats, spoilt, windows, answered(one, spoilt, windows, {output: threshold}))
    assert report.flips
    assert report.layers() == {first: len(report.flips)}
    lines = str(report).splitlines()
    assert lines[0] == f"{len(report.flips)} of 300 windows are called something else"
    assert lines[1].startswith(f"window {report.flips[0].window}: ")
    assert lines[1].endswith(f"off: {first}")


def test_windows_are_numbered_across_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    one, windows = example("beat_tiny"), codes("beat_tiny", 600, seed=63)
    found = answered(one, one.graph, windows, {one.graph.outputs[0]: 0.0})
    whole = flip_report(one.floats, one.graph, windows, found)
    monkeypatch.setattr("export.flips.PORTION", 7)
    assert flip_report(one.floats, one.graph, windows, found) == whole
