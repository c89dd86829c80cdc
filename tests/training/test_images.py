"""A picture is a wavelet transform in colours: pywavelets and sines say what it has to be."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.images import (
    BAND_HZ,
    INTERVAL_SAMPLES,
    OMEGA,
    RATE_HZ,
    colour_table,
    magnitudes,
    pictures,
    pictures_of_codes,
    row_frequencies_hz,
)

SIDE = 64


def sine(hz: float, uv: float = 100.0) -> NDArray[np.float32]:
    x_uv = uv * np.sin(2 * np.pi * hz * np.arange(INTERVAL_SAMPLES) / RATE_HZ)
    exact: NDArray[np.float32] = x_uv.astype(np.float32)
    return exact


def test_rows_run_evenly_from_high_to_low() -> None:
    found = row_frequencies_hz(SIDE)
    assert found[0] == pytest.approx(BAND_HZ[1])
    assert found[-1] == pytest.approx(BAND_HZ[0])
    assert np.ptp(np.diff(np.log(found))) < 1e-9


@pytest.mark.parametrize("hz", [2.0, 8.0, 30.0])
def test_a_sine_has_its_amplitude_in_its_own_row(hz: float) -> None:
    middle = magnitudes(sine(hz)[None], SIDE)[0, :, INTERVAL_SAMPLES // 2]
    own = int(np.argmax(middle))
    assert own == int(np.argmin(np.abs(np.log(row_frequencies_hz(SIDE) / hz))))
    assert middle[own] == pytest.approx(
        100, rel=0.06
    )  # half a row off is 5 %: exp(-(6 * 0.036)^2 / 2) = 0.977


def test_the_transform_is_pywavelets_complex_morlet() -> None:
    """`cmorB-C` with C = 1 has a standard deviation of sqrt(B / 2) cycles; ours has 6 radians to one."""
    import pywt

    x = np.random.default_rng(0).standard_normal(INTERVAL_SAMPLES).cumsum().astype(np.float32)
    x = (x - x.mean()) * np.hanning(INTERVAL_SAMPLES).astype(np.float32)  # both see the same ends: none
    wavelet = pywt.ContinuousWavelet(f"cmor{2 * (OMEGA / (2 * np.pi)) ** 2}-1.0")
    rows = slice(12, 40)  # above, pywt's wavelet has four samples a cycle; below 2.5 Hz the ends differ
    scales = RATE_HZ / row_frequencies_hz(SIDE)[rows]
    expected, _ = pywt.cwt(x - x.mean(), scales, wavelet)
    found = magnitudes(x[None], SIDE)[0, rows]
    # pywt norms each scale to energy, ours to amplitude: one factor a row
    scaled = np.abs(expected) * (2 / np.sqrt(scales))[:, None]
    for ours, theirs in zip(found, scaled, strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.995
        assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(theirs), rel=0.05)


def test_the_colours_are_jets() -> None:
    import matplotlib

    expected = matplotlib.colormaps["jet"](np.linspace(0, 1, 256))[:, :3]
    table = colour_table()
    assert table[0].tolist() == [0, 0, 128]
    assert table[255].tolist() == [128, 0, 0]
    assert len({tuple(colour) for colour in table.tolist()}) == 256
    # matplotlib's green ends at 0.91 instead of 0.875, and a byte is rounded
    assert np.abs(table / 255 - expected).max() < 0.035 / 0.27 + 0.5 / 255 + 1e-3


def test_gain_and_baseline_change_nothing() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, INTERVAL_SAMPLES)).astype(np.float32) * 100
    assert np.array_equal(pictures(x, SIDE), pictures(8 * x, SIDE))
    assert np.abs(pictures(x, SIDE).astype(int) - pictures(x + 500, SIDE)).max() <= 1


def test_a_flat_line_is_darkest_everywhere() -> None:
    found = pictures(np.full((1, INTERVAL_SAMPLES), 7, np.float32), SIDE)
    assert set(map(tuple, found[0].reshape(3, -1).T.tolist())) == {(0, 0, 128)}


def test_a_picture_does_not_depend_on_its_neighbours() -> None:
    x = np.random.default_rng(2).standard_normal((5, INTERVAL_SAMPLES)).astype(np.float32)
    assert np.array_equal(pictures(x, 30)[3:4], pictures(x[3:4], 30))


def test_a_late_burst_stands_on_the_right() -> None:
    x = sine(20.0)
    x[: INTERVAL_SAMPLES * 3 // 4] = 0
    red = pictures(x[None], SIDE)[0, 0].astype(int)
    assert red[:, 52:].sum() > 20 * red[:, :40].sum()


def test_the_devices_image_is_painted_by_nearest_neighbour() -> None:
    codes = np.arange(32 * 80).reshape(1, 32, 80) % 256 - 128
    found = pictures_of_codes(codes.astype(np.int8), SIDE)
    table = colour_table()
    for row, column in ((0, 0), (63, 63), (10, 50)):
        code = int(codes[0, (2 * row + 1) * 32 // 128, (2 * column + 1) * 80 // 128])
        assert found[0, :, row, column].tolist() == table[code + 128].tolist()
