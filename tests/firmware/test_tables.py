"""The designed tables: what they promise, and that the committed headers are theirs."""

from pathlib import Path

import numpy as np
import pytest

from firmware.tables import emit, halfband, log2, lowpass, morlet, resampler
from firmware.tables.__main__ import main

SOURCE = Path(__file__).resolve().parents[2] / "firmware" / "src"


def test_the_committed_headers_are_the_designed_ones() -> None:
    assert main(["--check"]) == 0
    for name, text in emit.headers().items():
        assert (SOURCE / name).read_text(encoding="ascii") == text


def test_no_accumulator_can_use_more_than_two_thirds_of_its_32_bits() -> None:
    limit = 0.67 * 2**31
    assert halfband.worst_sum(morlet.STREAM_LIMIT) <= limit
    assert lowpass.worst_sum(morlet.STREAM_LIMIT) <= limit
    assert all(morlet.worst_sum(voice) <= limit for voice in range(6))


def test_a_table_that_could_overflow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(morlet, "STREAM_LIMIT", 34_000)
    with pytest.raises(emit.Overflow, match="wavelet voice"):
        emit.headers()


def test_the_half_band_keeps_the_pass_band_and_rejects_what_would_fold() -> None:
    omega = np.linspace(0, np.pi, 4000)
    gain = halfband.response(omega)
    rate = omega / (2 * np.pi)
    assert np.abs(gain[rate <= 0.17] - 1).max() < 10 ** (-70 / 20)
    assert np.abs(gain[rate >= 0.33]).max() < 10 ** (-70 / 20)
    assert 8192 + 2 * sum(halfband.pairs_q14()) == 16384


def test_no_wavelet_sees_a_constant() -> None:
    for voice in range(6):
        real, imaginary = morlet.taps_q15(voice)
        assert real[0] + 2 * sum(real[1:]) == 0
        assert imaginary[0] == 0


def test_the_wavelets_are_as_long_as_their_envelope() -> None:
    assert [morlet.half_length(voice) for voice in range(6)] == [15, 17, 19, 22, 24, 27]


@pytest.mark.parametrize("rate_hz", resampler.TAPS_PER_PHASE)
def test_a_resampler_keeps_the_band_and_its_phases_agree_on_a_constant(rate_hz: int) -> None:
    up, down = resampler.ratio(rate_hz)
    assert rate_hz * up == 256 * down
    stored = [np.array(taps) for taps in resampler.phases_q15(rate_hz)]
    phases = stored + [taps[::-1] for taps in stored[: up // 2][::-1]] if up > 1 else stored
    assert len(phases) == up
    assert all(int(taps.sum()) == 32768 for taps in phases)
    prototype = np.array(phases).T.ravel() / 32768 / up
    frequency_hz = np.linspace(0, rate_hz * up / 2, 40_001)
    response = np.abs(np.fft.rfft(prototype, 80_000))
    edge_hz = {125: 42, 128: 45, 200: 78}.get(rate_hz, 90)
    lower = min(rate_hz, 256)
    assert np.abs(response[frequency_hz <= edge_hz] - 1).max() < 0.001
    assert response[frequency_hz >= lower - edge_hz].max() < 10 ** (-65 / 20)


def test_the_logarithm_table_is_the_logarithm() -> None:
    table = log2.mantissa_q12()
    assert table[0] == 0
    assert table[-1] == 4096
    assert all(abs(entry - 4096 * np.log2(1 + i / 64)) <= 0.5 for i, entry in enumerate(table))
