"""A curve in dots: high is up, new is right, and a gap is blank."""

import numpy as np

from device_sim.braille import BLANK, braille

EMPTY = chr(BLANK)


def heights(lines: list[str]) -> list[int]:
    """Of each column of characters the highest row that has a dot, from below; -1 for none."""
    rows = list(reversed(lines))
    return [
        max((k for k, row in enumerate(rows) if row[column] != EMPTY), default=-1)
        for column in range(len(lines[0]))
    ]


def test_a_slope_rises_from_corner_to_corner() -> None:
    lines = braille(np.linspace(-500, 500, 400, dtype=np.float32), 20, 5, 400)
    assert [len(line) for line in lines] == [20] * 5
    found = heights(lines)
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, 4)


def test_a_level_is_one_line_of_dots() -> None:
    lines = braille(np.full(400, 7, np.float32), 20, 5, 400)
    assert sum(set(line) != {EMPTY} for line in lines) == 1


def test_a_gap_is_blank_and_what_is_not_there_yet_too() -> None:
    x_uv = np.full(200, 7, np.float32)
    x_uv[100:150] = np.nan
    found = heights(braille(x_uv, 20, 5, 400))
    assert found[:10] == [-1] * 10
    assert found[15:17] == [-1, -1]
    assert min(*found[10:14], *found[18:]) >= 0


def test_nothing_at_all_is_blank() -> None:
    assert set("".join(braille(np.empty(0, np.float32), 4, 2, 100))) == {EMPTY}


def test_a_short_spike_among_many_samples_is_seen() -> None:
    x_uv = np.zeros(4000, np.float32)
    x_uv[::100] = 1000
    assert min(heights(braille(x_uv, 10, 4, 4000))) == 3
