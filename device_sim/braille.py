"""A curve in characters of two by four dots."""

import itertools

import numpy as np
from numpy.typing import NDArray

DOTS = ((0x40, 0x80), (0x04, 0x20), (0x02, 0x10), (0x01, 0x08))  # of a character, upwards: left, right
BLANK = 0x2800
LEAST_HALF_UV = 25.0  # noise of a few microvolts does not fill the height


def braille(x_uv: NDArray[np.float32], n_columns: int, n_rows: int, n_samples: int) -> list[str]:
    """The newest of n_samples on the right, a line for each row of characters; limits fit the middle 99 %."""
    width, height = 2 * max(n_columns, 1), 4 * n_rows
    dots = np.zeros((height, width), np.bool_)
    there = x_uv[np.isfinite(x_uv)]
    if there.size:
        low, high = np.percentile(there, (0.5, 99.5))
        middle, half = (low + high) / 2, max((high - low) / 2 * 1.1, LEAST_HALF_UV)
        at = np.clip((x_uv - middle) / half, -1, 1) * (height - 1) / 2 + (height - 1) / 2
        edges = np.linspace(x_uv.size - n_samples, x_uv.size, width + 1).astype(np.int64)
        last = None
        for k, (start, end) in enumerate(itertools.pairwise(edges)):
            piece = at[max(start, 0) : max(end, 0)]
            piece = piece[np.isfinite(piece)]
            if not piece.size:
                last = None
                continue
            heights = [*piece, *([last] if last is not None else [])]
            dots[round(min(heights)) : round(max(heights)) + 1, k] = True
            last = piece[-1]
    return [
        "".join(_character(dots[row : row + 4, k : k + 2]) for k in range(0, width, 2))
        for row in range(height - 4, -1, -4)
    ]


def _character(dots: NDArray[np.bool_]) -> str:
    bits = sum(DOTS[y][x] for y in range(4) for x in range(2) if dots[y, x])
    return chr(BLANK + bits)
