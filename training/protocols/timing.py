"""How long a net takes for one interval: all nets in turns, the least of each; others use the machine too."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

WARM_UP = 3


def least_ms(nets: Sequence[tuple[nn.Module, tuple[int, int, int]]], turns: int) -> list[float]:
    """Processor time of one image at a time, one thread: waiting for the processor does not count."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    images = [
        torch.rand(1, *shape).contiguous(memory_format=torch.channels_last) for _, shape in nets
    ]  # as they are trained and judged
    for net, _ in nets:
        net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    taken = np.zeros((WARM_UP + turns, len(nets)))
    try:
        with torch.inference_mode():
            for turn in taken:
                for at, ((net, _), image) in enumerate(zip(nets, images, strict=True)):
                    before_s = time.thread_time()
                    net(image)
                    turn[at] = 1000 * (time.thread_time() - before_s)
    finally:
        torch.set_num_threads(n_threads)
    least: list[float] = taken[WARM_UP:].min(axis=0).tolist()
    return least
