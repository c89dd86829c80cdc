"""Ranges from windows: whole, cut by percentile, or where the squared error is least."""

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from export.calibrate import Method, Range, calibrate, rounded
from tests.export.nets import CODE, N_CALIBRATION, SEED, example, ours, windows


def calibrated(method: Method) -> dict[str, Range]:
    one = example("small_cnn")
    inputs = {name: ours(x) for name, x in windows(one.shapes, N_CALIBRATION, SEED).items()}
    return calibrate(one.floats, inputs, method)


def test_min_max_reaches_the_extremes_of_the_input() -> None:
    whole = calibrated(Method.MIN_MAX)["image"]
    inputs = ours(windows(example("small_cnn").shapes, N_CALIBRATION, SEED)["image"])
    assert (whole.low, whole.high) == (inputs.min(), inputs.max())
    assert whole.high - whole.low > 250 * CODE.scale


def test_every_tensor_has_a_range_with_zero_in_it() -> None:
    ranges = calibrated(Method.MIN_MAX)
    assert set(ranges) == set(example("small_cnn").floats.shapes)
    assert all(one.low <= 0 <= one.high and one.low < one.high for one in ranges.values())


@pytest.mark.parametrize("method", [Method.PERCENTILE, Method.MSE])
def test_a_cut_range_lies_within_the_whole_one(method: Method) -> None:
    whole, cut = calibrated(Method.MIN_MAX), calibrated(method)
    for name, one in cut.items():
        assert whole[name].low * 1.001 <= one.low
        assert one.high <= whole[name].high * 1.001
    assert any(one.high < 0.99 * whole[name].high for name, one in cut.items())


def test_committed_ranges_have_twelve_significant_bits() -> None:
    for value in (0.0, 1.0, -0.1, 3.14159, 1e-9, -12345.678):
        kept = rounded(value)
        assert abs(kept - value) <= abs(value) * 2.0**-12
        assert float(np.float32(kept)) == kept
    assert rounded(1.0 + 2.0**-20) == 1.0


def test_a_net_that_is_not_finite_is_named() -> None:
    one = example("small_cnn")
    inputs = {name: ours(x) for name, x in windows(one.shapes, 2, SEED).items()}
    inputs["image"][0, 0, 0, 0] = np.nan
    with pytest.raises(ContractError, match="calibration: 'image' is not finite"):
        calibrate(one.floats, inputs)
