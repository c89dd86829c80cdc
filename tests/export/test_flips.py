"""The decision-flip report: which windows, by how little, from which layer on."""

import dataclasses

import numpy as np
import pytest

from device_sim import twin
from device_sim.contract.errors import ContractError
from export.calibrate import Range, calibrate
from export.flips import flip_report, verdicts
from export.quantize import dequantize, quantize
from tests.export.nets import CODE, codes, example


def test_one_logit_meets_its_threshold_and_several_meet_each_other() -> None:
    found, margin = verdicts(np.array([[0.4], [0.6], [-2.0]]), threshold=0.5)
    assert found.tolist() == [0, 1, 0]
    np.testing.assert_allclose(margin, [0.1, 0.1, 2.5])
    found, margin = verdicts(np.array([[1.0, 3.0, 2.5], [9.0, 1.0, 0.0]]), threshold=0.0)
    assert found.tolist() == [1, 0]
    np.testing.assert_allclose(margin, [0.5, 8.0])
    with pytest.raises(ContractError, match="one row for each window"):
        verdicts(np.zeros(3), threshold=0.0)


def test_the_windows_that_flip_are_the_ones_nearest_to_the_border() -> None:
    one, windows = example("cardiacnet"), codes("cardiacnet", 400, seed=61)
    output = one.graph.outputs[0]
    said = twin.run(one.graph, windows)[output]
    threshold = float(np.median(dequantize(said, one.graph.tensor(output)))) + 1e-6  # in the middle of all
    report = flip_report(one.floats, one.graph, windows, output=output, threshold=threshold)
    assert report.n_windows == 400
    assert 0.9 < report.agreement < 1.0
    assert all(flip.margin < 5 * one.graph.tensor(output).scale for flip in report.flips)


def test_a_report_names_the_window_and_the_layer() -> None:
    """A range that cuts the first layer to a tenth: everything behind it is off."""
    one, windows = example("small_cnn"), codes("small_cnn", 120, seed=62)
    real = {name: dequantize(x, one.graph.tensor(name)) for name, x in windows.items()}
    ranges = calibrate(one.floats, real)
    first = one.floats.operators[0].output
    narrow = {**ranges, first: Range(0.0, ranges[first].high / 10)}
    groups = [operator.output for operator in one.floats.operators[:2]]
    narrow |= {name: narrow[first] for name in groups}
    spoilt = quantize(one.floats, narrow, {"image": CODE})
    report = flip_report(one.floats, spoilt, windows, output=spoilt.outputs[0])
    assert report.flips
    assert {flip.first_diverging for flip in report.flips} == {first}
    lines = str(report).splitlines()
    assert lines[0] == f"{len(report.flips)} of 120 windows are called something else"
    assert lines[1].startswith(f"window {report.flips[0].window}: ")
    assert lines[1].endswith(f"off: {first}")


def test_windows_are_numbered_across_portions() -> None:
    one, windows = example("beat_tiny"), codes("beat_tiny", 600, seed=63)
    output = one.graph.outputs[0]
    whole = flip_report(one.floats, one.graph, windows, output=output)
    late = flip_report(one.floats, one.graph, {"x_bct": windows["x_bct"][300:]}, output=output)
    assert [flip.window for flip in whole.flips if flip.window >= 300] == [
        flip.window + 300 for flip in late.flips
    ]
    assert dataclasses.replace(whole, flips=()).agreement == 1.0
