"""How long a net takes for one interval, all nets in turns: on a busy machine ratios hold, times do not."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

TURNS = 60
WARM_UP = 3


def median_ms(nets: Sequence[tuple[nn.Module, tuple[int, int, int]]], turns: int) -> list[float]:
    """Median over the turns, one image at a time, one thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    images = [torch.zeros(1, *shape) for _, shape in nets]
    taken = np.zeros((WARM_UP + turns, len(nets)))
    try:
        with torch.inference_mode():
            for turn in taken:
                for at, ((net, _), image) in enumerate(zip(nets, images, strict=True)):
                    net.eval()
                    before_s = time.perf_counter()
                    net(image)
                    turn[at] = 1000 * (time.perf_counter() - before_s)
    finally:
        torch.set_num_threads(n_threads)
    medians: list[float] = np.median(taken[WARM_UP:], axis=0).tolist()
    return medians
