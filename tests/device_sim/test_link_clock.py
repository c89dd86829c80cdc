"""A rate against the clock: jitter and stalls are forgiven, a lie is not, a drift is told."""

import numpy as np
import pytest

from device_sim.contract.errors import StreamError
from device_sim.link_clock import RateMeter


def metered(
    real_hz: float, seconds: float, *, jitter_s: float = 0.0, stalls: tuple[float, ...] = ()
) -> RateMeter:
    """A meter that expected 256 Hz; arrivals 16 times a second, late by chance, stalled for 3 s."""
    meter = RateMeter(256, name="port", said_by="HELLO")
    late = np.random.default_rng(1).exponential(jitter_s, int(seconds * 16) + 1)
    now_s = 0.0
    for k in range(1, int(seconds * 16)):
        taken_s = k / 16
        stalled = [stall + 3 for stall in stalls if stall <= taken_s < stall + 3]
        now_s = max(now_s, *stalled, taken_s + late[k])
        meter.arrived(round(taken_s * real_hz), now_s)
    return meter


def test_a_true_rate_has_no_drift_to_speak_of() -> None:
    drift = metered(256, 60, jitter_s=0.02).drift_ppm
    assert drift is not None
    assert abs(drift) < 100  # the least of 80 delays of 20 ms on average is below 2 ms, over 50 s


def test_a_drift_is_told_in_ppm() -> None:
    drift = metered(256 * 1.0005, 600, jitter_s=0.02).drift_ppm
    assert drift == pytest.approx(500, abs=10)


@pytest.mark.parametrize("real_hz", [250, 262, 128, 25_600])
def test_a_rate_two_percent_off_is_an_error_with_both_numbers(real_hz: float) -> None:
    with pytest.raises(StreamError, match=r"^port: expected 256 Hz from HELLO, measured (\d+) Hz") as refused:
        metered(real_hz, 20, jitter_s=0.005)
    measured_hz = int(str(refused.value).split("measured ")[1].split()[0])
    assert measured_hz == pytest.approx(real_hz, rel=0.01)


def test_a_rate_below_two_percent_off_is_none() -> None:
    assert metered(256 * 1.019, 60, jitter_s=0.005).drift_ppm == pytest.approx(19_000, abs=200)


def test_stalls_are_not_taken_for_another_rate() -> None:
    drift = metered(256, 60, jitter_s=0.005, stalls=(3.5, 9.5, 14.2, 30.0)).drift_ppm
    assert drift is not None
    assert abs(drift) < 300


def test_nothing_is_said_before_there_is_enough() -> None:
    meter = metered(250, 8)
    assert meter.drift_ppm is None


def test_an_outage_begins_the_measurement_again() -> None:
    meter = metered(256, 30)
    meter.restart()
    assert (meter.drift_ppm, meter.seconds) == (None, 0.0)
    meter.arrived(10**6, 1000.0)  # what the clock did meanwhile is no rate
