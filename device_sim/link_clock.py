"""The rate of a stream against the clock: a lie is an error, a drift is a figure."""

from device_sim.contract.errors import StreamError

WINDOW_S = 5.0  # one look at the clock: its least delayed arrival counts
CHECK_FROM_S = 8.0  # 10 ms of jitter are 0.1 % then
TOLERANCE = 0.02


class RateMeter:
    """Watches arrivals: samples may come late and in bursts, but never before they were taken.

    So the lag of the least delayed arrival in a window is free of what the line and the system add;
    from one window to another it changes only by the rates of the two clocks.
    """

    def __init__(self, rate_hz: int, *, name: str, said_by: str) -> None:
        self._rate_hz = rate_hz
        self._name = name
        self._said_by = said_by
        self._windows: list[tuple[float, float]] = []  # (time, least lag) of the first and the latest
        self._open: tuple[float, float] | None = None
        self._opened_s = 0.0
        self._offset = 0

    def restart(self) -> None:
        """After an outage: what came before says nothing about the clock now."""
        self._windows = []
        self._open = None

    def arrived(self, n_samples: int, at_s: float) -> None:
        """n_samples were there by then, gaps included."""
        lag_s = at_s - n_samples / self._rate_hz
        if self._open is None:
            self._open, self._opened_s = (at_s, lag_s), at_s
        elif at_s - self._opened_s >= WINDOW_S:
            # the first window and the newest are enough for a line
            self._windows = [*self._windows[:1], self._open]
            self._open, self._opened_s = (at_s, lag_s), at_s
            self._check()
        elif lag_s < self._open[1]:
            self._open = (at_s, lag_s)

    @property
    def seconds(self) -> float:
        """How long it has been measured."""
        return self._windows[-1][0] - self._windows[0][0] if len(self._windows) == 2 else 0.0

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than its nominal rate the stream comes; None before there is enough to tell."""
        measured = self._measured_hz() if self.seconds >= CHECK_FROM_S else None
        return None if measured is None else (measured / self._rate_hz - 1) * 1e6

    def _measured_hz(self) -> float | None:
        if len(self._windows) < 2:
            return None
        (first_s, first_lag), (last_s, last_lag) = self._windows
        passed_s = last_s - first_s
        return self._rate_hz * (passed_s - (last_lag - first_lag)) / passed_s

    def _check(self) -> None:
        measured_hz = self._measured_hz()
        if measured_hz is None or self.seconds < CHECK_FROM_S:
            return
        if abs(measured_hz / self._rate_hz - 1) > TOLERANCE:
            raise StreamError(
                f"{self._name}: expected {self._rate_hz} Hz from {self._said_by}, "
                f"measured {measured_hz:.0f} Hz over {self.seconds:.0f} s; "
                "correct the rate, or say --unpaced where a recording is played at another speed"
            )
