"""Sigmoid and softmax by table: what the core reads where it may not compute an exponential."""

import math

import numpy as np
from numpy.typing import NDArray

SOFTMAX_BITS = 23  # 256 exponentials of at most 2^23 sum to 2^31 at most


def sigmoid_table_i8(scale: float, zero_point: int) -> NDArray[np.int8]:
    """Entry code + 128: sigmoid in steps of 1/256 from -128 up, rounded to nearest."""
    codes = []
    for code in range(-128, 128):
        real = scale * (code - zero_point)
        value = 1.0 / (1.0 + math.exp(-real)) if real >= 0 else math.exp(real) / (1.0 + math.exp(real))
        codes.append(min(math.floor(256.0 * value + 0.5), 255) - 128)
    return np.array(codes, np.int8)


def softmax_table_q23(scale: float) -> NDArray[np.int32]:
    """Entry d: exp(-scale * d), for a code d below the largest of its row."""
    entries = [math.floor(math.exp(-scale * d) * (1 << SOFTMAX_BITS) + 0.5) for d in range(256)]
    return np.array(entries, np.int32)


def score_table_q15(scale: float, zero_point: int, temperature: float) -> tuple[int, ...]:
    """Entry code + 128: sigmoid(logit / temperature) in Q15, the calibrated chance of a yes."""
    table = []
    for code in range(-128, 128):
        real = max(-700.0, min(700.0, scale * (code - zero_point) / temperature))
        table.append(math.floor((1 << 15) / (1.0 + math.exp(-real)) + 0.5))
    return tuple(table)
