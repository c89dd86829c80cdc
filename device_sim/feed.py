"""Columns and the beat stream become what a network sees: images, beats or blind seconds, and flags."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from device_sim.beats import PATIENCE_SAMPLES, REACH_SAMPLES, WINDOW_SAMPLES, BeatMaker
from device_sim.contract.bundle import Bundle
from device_sim.contract.inputs import COLUMNS, InputKind, Part, parts_of
from device_sim.contract.verdict import FLAGS
from device_sim.frontend import BEAT_HZ, HOP_SAMPLES, STREAM_HZ, Columns
from device_sim.gate import Gatekeeper
from device_sim.rpeaks import RPeaks
from device_sim.verdict import Answer

SAMPLES_A_COLUMN = BEAT_HZ * HOP_SAMPLES // STREAM_HZ  # of the beat stream
SETTLED_SAMPLES = 160  # a peak is known 1.1 s after it happened at the latest
CODE_SHIFT = 5  # 32 uV a code
BREAKS = [FLAGS.index("lead_off"), FLAGS.index("gap")]  # nobody knows which beats were there meanwhile
Parts = Mapping[Part, NDArray[np.int8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Windows in order: what each part of the input sees, how flagged it is, when it begins."""

    parts: Parts  # [n, ...]
    flag_columns: NDArray[np.int64]  # [n, flags]
    t0_us: NDArray[np.int64]  # [n], the resampler's delay not yet taken off
    signal: NDArray[np.int64] | None = None  # [n], Answer of the gate; None: there is none

    @property
    def n_windows(self) -> int:
        return int(self.t0_us.size)

    def part(self, start: int, stop: int) -> "Windows":
        return Windows(
            parts={name: x[start:stop] for name, x in self.parts.items()},
            flag_columns=self.flag_columns[start:stop],
            t0_us=self.t0_us[start:stop],
            signal=None if self.signal is None else self.signal[start:stop],
        )


class Feed(Protocol):
    """Takes columns in any portions and gives the windows they complete."""

    def push(self, columns: Columns) -> Windows: ...
    def finish(self) -> Windows: ...


def feed_of(bundle: Bundle) -> Feed:
    """The feed that the bundle's input asks for."""
    makers: Mapping[InputKind, Callable[[], Feed]] = {
        InputKind.IMAGE: lambda: ImageFeed(bundle.window.hop_samples // HOP_SAMPLES),
        InputKind.PICTURE: lambda: ImageFeed(bundle.window.hop_samples // HOP_SAMPLES),
        InputKind.BLIND: lambda: BlindFeed(bundle.window.hop_samples),
        InputKind.BEAT: BeatFeed,
    }
    return makers[bundle.input]()


def inputs_of(bundle: Bundle, parts: Parts) -> dict[str, NDArray[np.int8]]:
    """The parts under the names and in the shapes of the graph; overlapping images stay views."""
    graph = bundle.graph
    if bundle.painting is not None:
        parts = {Part.PICTURE: bundle.painting.picture(parts[Part.IMAGE])}
    return {
        name: parts[part].reshape(len(parts[part]), *graph.tensor(name).shape[1:])
        for name, part in parts_of(bundle.input, graph).items()
    }


class FlagHistory:
    """Flags of the columns that windows may still ask for, as counts from the start."""

    def __init__(self) -> None:
        self._first = 0
        self._sums = np.zeros((1, len(FLAGS)), np.int64)  # entry k: flagged columns before column first + k

    @property
    def n_columns(self) -> int:
        return self._first + len(self._sums) - 1

    def push(self, flags_u8: NDArray[np.uint8]) -> None:
        bits = (flags_u8[:, None] >> np.arange(len(FLAGS), dtype=np.uint8)) & 1
        self._sums = np.concatenate([self._sums, self._sums[-1] + np.cumsum(bits, axis=0, dtype=np.int64)])

    def count(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        """[n, flags]: columns start..stop-1 that carry each; columns outside the recording carry none."""
        low, high = (np.clip(at, 0, self.n_columns) - self._first for at in (starts, stops))
        counts: NDArray[np.int64] = self._sums[high] - self._sums[low]
        return counts

    def forget_before(self, column: int) -> None:
        drop = min(max(column - self._first, 0), len(self._sums) - 1)
        self._first, self._sums = self._first + drop, self._sums[drop:]


class ImageFeed:
    """80 columns every hop."""

    def __init__(self, hop_columns: int) -> None:
        self._hop = hop_columns
        self._codes = np.empty((0, 32), np.int8)
        self._first = 0  # column of the next window's beginning
        self._flags = FlagHistory()

    def push(self, columns: Columns) -> Windows:
        self._codes = np.concatenate([self._codes, columns.codes_ts_i8])
        self._flags.push(columns.flags_u8)
        n = max(0, (len(self._codes) - COLUMNS) // self._hop + 1)
        starts = self._first + self._hop * np.arange(n)
        if n:
            images = sliding_window_view(self._codes, COLUMNS, axis=0).swapaxes(1, 2)[:: self._hop][:n]
        else:
            images = np.empty((0, COLUMNS, 32), np.int8)
        made = Windows(
            parts={Part.IMAGE: images},
            flag_columns=self._flags.count(starts, starts + COLUMNS),
            t0_us=starts * (HOP_SAMPLES * 1_000_000 // STREAM_HZ),
        )
        self._first += n * self._hop
        self._codes = self._codes[n * self._hop :]
        self._flags.forget_before(self._first)
        return made

    def finish(self) -> Windows:
        return self.push(NO_COLUMNS)  # an image that is not whole is none


class BlindFeed:
    """A second of the beat stream every hop; it waits for the flags of its columns."""

    def __init__(self, hop_samples: int) -> None:
        self._hop = hop_samples
        self._codes = np.empty(0, np.int8)
        self._first = 0
        self._flags = FlagHistory()

    def push(self, columns: Columns) -> Windows:
        self._codes = np.concatenate([self._codes, codes_of(columns.beat_uv_i16)])
        self._flags.push(columns.flags_u8)
        return self._taken(min(len(self._codes), self._flags.n_columns * SAMPLES_A_COLUMN - self._first))

    def finish(self) -> Windows:
        return self._taken(len(self._codes))

    def _taken(self, n_samples: int) -> Windows:
        n = max(0, (n_samples - WINDOW_SAMPLES) // self._hop + 1)
        starts = self._first + self._hop * np.arange(n)
        at = self._hop * np.arange(n)[:, None] + np.arange(WINDOW_SAMPLES)
        made = Windows(
            parts={Part.ROW: self._codes[at]},
            flag_columns=_flags_around(self._flags, starts),
            t0_us=beat_sample_us(starts),
        )
        self._first += n * self._hop
        self._codes = self._codes[n * self._hop :]
        self._flags.forget_before(self._first // SAMPLES_A_COLUMN)
        return made


class BeatFeed:
    """The second around every R peak, once its next beat and the flags of its columns are known.

    Behind a gate also once what is said of its signal is known; a beat that nobody will judge is then
    left out of what is remembered of the wearer, if the gate protects that.
    """

    def __init__(
        self,
        gatekeeper: Gatekeeper | None = None,
        *,
        usable: Callable[[NDArray[np.int64]], NDArray[np.bool_]] | None = None,
    ) -> None:
        self._gatekeeper, self._usable = gatekeeper, usable
        self._detector = RPeaks()
        self._maker = BeatMaker()
        self._uv = np.empty(0, np.int16)
        self._first = 0  # beat sample at which _uv begins
        self._peaks: list[int] = []
        self._flags = FlagHistory()
        self._watched = 0  # columns whose line has been looked at
        self._is_broken = False  # samples are missing since the last peak

    def push(self, columns: Columns) -> Windows:
        self._uv = np.concatenate([self._uv, columns.beat_uv_i16])
        self._flags.push(columns.flags_u8)
        self._peaks += self._detector.push(columns.beat_uv_i16).tolist()
        flagged_to = self._flags.n_columns * SAMPLES_A_COLUMN
        return self._taken(self._n_ready(SETTLED_SAMPLES, flagged_to, is_over=False))

    def finish(self) -> Windows:
        """Nothing will follow; the last beat, whose next one nobody saw, is not judged."""
        return self._taken(self._n_ready(0, self._first + len(self._uv), is_over=True))

    def _n_ready(self, settled_samples: int, flagged_to: int, *, is_over: bool) -> int:
        """Beats from the oldest on of which all is known: what follows, the window, its flags, its signal."""
        seen = self._first + len(self._uv)
        for n, peak in enumerate(self._peaks):
            is_last = n + 1 == len(self._peaks)
            known_to = peak + PATIENCE_SAMPLES + settled_samples if is_last else peak + REACH_SAMPLES
            if seen < known_to or flagged_to < peak + WINDOW_SAMPLES // 2:
                return n
            if self._gatekeeper and not is_over and not self._gatekeeper.knows(*_columns_around(peak)):
                return n
        return len(self._peaks)

    def _taken(self, n: int) -> Windows:
        shapes = np.zeros((n, WINDOW_SAMPLES, 2), np.int8)
        ratios = np.zeros((n, 10), np.int8)
        starts = np.array(self._peaks[:n], np.int64) - WINDOW_SAMPLES // 2
        flag_columns = _flags_around(self._flags, starts)
        signal = np.full(n, Answer.YES.value)
        for i, peak in enumerate(self._peaks[:n]):
            if self._watch(peak // SAMPLES_A_COLUMN + 1):
                self._maker.break_off()
            self._is_broken = False
            if self._gatekeeper:
                is_usable = self._usable is None or bool(self._usable(flag_columns[i : i + 1])[0])
                if is_usable:
                    signal[i] = self._gatekeeper.answer(*_columns_around(peak)).value
                if self._gatekeeper.gate.protects and not (is_usable and signal[i] == Answer.YES.value):
                    self._maker.break_off()
                    continue
            late = peak + PATIENCE_SAMPLES
            following = min(self._peaks[i + 1], late) if i + 1 < len(self._peaks) else late
            shapes[i], ratios[i] = self._maker.make(self._uv, self._first, peak, following)
        self._peaks = self._peaks[n:]
        self._forget()
        return Windows(
            parts={Part.SHAPE: shapes, Part.RR: ratios},
            flag_columns=flag_columns,
            t0_us=beat_sample_us(starts),
            signal=signal,
        )

    def _watch(self, column: int) -> bool:
        """Whether an electrode was off, or samples missing, since the last peak and before a column."""
        span = np.array([self._watched]), np.array([column])
        self._is_broken |= bool(self._flags.count(*span)[0, BREAKS].any())
        self._watched = max(self._watched, column)
        return self._is_broken

    def _forget(self) -> None:
        """What lies behind the oldest peak that waits, or that the detector may still find."""
        seen = self._first + len(self._uv)
        needed = min([*self._peaks[:1], seen - SETTLED_SAMPLES]) - REACH_SAMPLES
        drop = max(0, needed - self._first)
        self._uv, self._first = self._uv[drop:], self._first + drop
        column = min(self._first // SAMPLES_A_COLUMN, self._flags.n_columns)
        self._watch(column)
        self._flags.forget_before(column)


def _columns_around(peak: int) -> tuple[int, int]:
    """First column of the second around a peak, and the one behind it."""
    start = peak - WINDOW_SAMPLES // 2
    return max(0, start // SAMPLES_A_COLUMN), -(-(start + WINDOW_SAMPLES) // SAMPLES_A_COLUMN)


def codes_of(beat_uv: NDArray[np.int16]) -> NDArray[np.int8]:
    """32 uV a code, rounded half up as everything in the signal path, saturated."""
    codes = beat_uv.astype(np.int32) + (1 << (CODE_SHIFT - 1)) >> CODE_SHIFT
    return np.clip(codes, -128, 127).astype(np.int8)


def beat_sample_us(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """When a sample of the beat stream is centred, to the microsecond below."""
    return np.asarray(samples * 1_000_000 // BEAT_HZ)


def _flags_around(flags: FlagHistory, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Flags of the columns that a second of the beat stream touches."""
    return flags.count(starts // SAMPLES_A_COLUMN, -(-(starts + WINDOW_SAMPLES) // SAMPLES_A_COLUMN))


NO_COLUMNS = Columns(
    first_index=0,
    codes_ts_i8=np.empty((0, 32), np.int8),
    flags_u8=np.empty(0, np.uint8),
    first_beat_index=0,
    beat_uv_i16=np.empty(0, np.int16),
)
