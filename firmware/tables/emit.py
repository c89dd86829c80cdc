"""Writes the designed tables as C headers and proves that no accumulator can overflow."""

from collections.abc import Iterable

from firmware.tables import halfband, log2, lowpass, morlet, resampler

ACCUMULATOR_LIMIT = int(0.67 * 2**31)


class Overflow(ArithmeticError):
    """A table whose worst case does not fit the accumulator it is meant for."""


def headers() -> dict[str, str]:
    """File name -> text, for every generated header."""
    _prove("half-band", halfband.worst_sum(morlet.STREAM_LIMIT))
    _prove("beat low-pass", lowpass.worst_sum(morlet.STREAM_LIMIT))
    for voice in range(morlet.N_VOICES):
        _prove(f"wavelet voice {voice}", morlet.worst_sum(voice))
    return {
        "table_halfband.h": _halfband(),
        "table_morlet.h": _morlet(),
        "table_morlet_wide.h": _morlet_wide(),
        "table_log2.h": _log2(),
        "table_lowpass.h": _lowpass(),
        "table_resample.h": _resample(),
    }


def _prove(what: str, worst: int) -> None:
    if worst > ACCUMULATOR_LIMIT:
        raise Overflow(f"{what}: worst sum {worst / 2**31:.3f} * 2^31, allowed 0.67 * 2^31")


def _halfband() -> str:
    worst = halfband.worst_sum(morlet.STREAM_LIMIT) / 2**31
    return _header(
        "halfband",
        f"Pairs at offsets 1, 3 .. {halfband.HALF_LENGTH}; the centre is 1/2. Worst sum {worst:.3f} * 2^31.",
        [
            f"#define WL_HALFBAND_PAIRS {halfband.N_PAIRS}",
            f"#define WL_HALFBAND_HALF {halfband.HALF_LENGTH}",
            "",
            _array("int16_t", "wl_halfband_q14", [halfband.pairs_q14()], "[WL_HALFBAND_PAIRS]"),
        ],
    )


def _morlet() -> str:
    voices = range(morlet.N_VOICES)
    worst = max(morlet.worst_sum(v) for v in voices) / 2**31
    real = [morlet.taps_q15(v)[0] for v in voices]
    imaginary = [morlet.taps_q15(v)[1] for v in voices]
    starts = [sum(len(row) for row in real[:v]) for v in voices]
    return _header(
        "morlet",
        f"Analytic Morlet, w0 = 6, six voices an octave, taps 0..half. Worst sum {worst:.3f} * 2^31.",
        [
            f"#define WL_MORLET_MAX_HALF {morlet.MAX_HALF}",
            f"#define WL_MORLET_TAPS {sum(map(len, real))}",
            "",
            _array("uint8_t", "wl_morlet_half", [[morlet.half_length(v) for v in voices]], "[WL_VOICES]"),
            _array("uint8_t", "wl_morlet_start", [starts], "[WL_VOICES]"),
            _array("int16_t", "wl_morlet_re_q15", real, "[WL_MORLET_TAPS]"),
            _array("int16_t", "wl_morlet_im_q15", imaginary, "[WL_MORLET_TAPS]"),
        ],
    )


def _morlet_wide() -> str:
    """The same taps unfolded, re and im of each voice, for machines that multiply eight at once."""
    length = 2 * (morlet.MAX_HALF + 1)
    rows = []
    for voice in range(morlet.N_VOICES):
        margin = [0] * (morlet.MAX_HALF - morlet.half_length(voice))
        for taps, sign in zip(morlet.taps_q15(voice), (1, -1), strict=True):
            mirrored = [sign * tap for tap in taps[:0:-1]]
            rows.append([*margin, *mirrored, *taps, *margin, 0])
            assert len(rows[-1]) == length
    return _header(
        "morlet_wide",
        "The taps of table_morlet.h, -27..27 and a zero: re and im of every voice.",
        [
            f"#define WL_MORLET_WIDE {length}",
            "",
            _array("int16_t", "wl_morlet_wide_q15", rows, "[2 * WL_VOICES * WL_MORLET_WIDE]"),
        ],
    )


def _log2() -> str:
    return _header(
        "log2",
        "log2 of the mantissa, 64 steps, Q12.",
        [_array("uint16_t", "wl_log2_q12", [log2.mantissa_q12()], f"[{(1 << log2.INDEX_BITS) + 1}]")],
    )


def _lowpass() -> str:
    worst = lowpass.worst_sum(morlet.STREAM_LIMIT) / 2**31
    return _header(
        "lowpass",
        f"30 Hz low-pass: centre tap and the taps beside it. Worst sum {worst:.3f} * 2^31.",
        [
            f"#define WL_LOWPASS_HALF {lowpass.HALF_LENGTH}",
            "",
            _array("int16_t", "wl_lowpass_q14", [lowpass.taps_q14()], "[WL_LOWPASS_HALF + 1]"),
        ],
    )


def _resample() -> str:
    """One table a rate; a board that names its rate (WL_RATE_HZ) carries only its own."""
    parts = [f"#define WL_RESAMPLE_MAX_TAPS {max(resampler.TAPS_PER_PHASE.values())}", ""]
    rows = []
    for rate_hz, n_taps in resampler.TAPS_PER_PHASE.items():
        up, down = resampler.ratio(rate_hz)
        guard = f"#if !defined(WL_RATE_HZ) || WL_RATE_HZ == {rate_hz}"
        name = f"wl_resample_{rate_hz}_q15"
        parts += [
            guard,
            _array(
                "int16_t",
                name,
                resampler.phases_q15(rate_hz),
                f"[{resampler.n_stored_phases(rate_hz) * n_taps}]",
            ),
            "#endif",
        ]
        rows += [guard, f"    {{{rate_hz}, {up}, {down}, {n_taps}, {name}}},", "#endif"]
    parts += ["", "static const struct wl_resample_design wl_resample_designs[] = {", *rows]
    parts += ["    {256, 1, 1, 0, 0},", "};"]
    return _header("resample", "Polyphase filters to 256 Hz; phase p backwards is phase up-1-p.", parts)


def _header(name: str, says: str, lines: Iterable[str]) -> str:
    guard = f"WL_TABLE_{name.upper()}_H"
    top = f"/* Written by firmware.tables.{name}: do not edit.\n * {says} */"
    return "\n".join([top, f"#ifndef {guard}", f"#define {guard}", "", *lines, "", "#endif", ""])


def _array(ctype: str, name: str, rows: Iterable[Iterable[int]], size: str) -> str:
    text = ",\n".join(_wrap([str(v) for v in row]) for row in rows)
    return f"static const {ctype} {name}{size} = {{\n{text}\n}};"


def _wrap(words: list[str], width: int = 100) -> str:
    lines, line = [], "   "
    for i, word in enumerate(words):
        piece = f" {word}" + ("," if i + 1 < len(words) else "")
        if len(line) + len(piece) > width:
            lines.append(line)
            line = "   "
        line += piece
    return "\n".join([*lines, line])
