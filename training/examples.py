"""What a net is trained on: windows, labels and weights, as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from device_sim.contract.errors import ContractError


@dataclass(frozen=True, slots=True)
class Examples:
    """Windows with one label each: 0 is normal, anything above is a kind of abnormal."""

    x_bct: Tensor  # float32 [n, channels, length]
    labels: Tensor  # int64 [n]
    weights: Tensor  # float32 [n]

    def __post_init__(self) -> None:
        if not len(self.x_bct) == len(self.labels) == len(self.weights):
            raise ContractError(
                f"examples: expected one label and one weight per window, got {len(self.x_bct)}, "
                f"{len(self.labels)} and {len(self.weights)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "Examples":
        chosen = torch.from_numpy(np.ascontiguousarray(indices))
        return Examples(self.x_bct[chosen], self.labels[chosen], self.weights[chosen])


def examples_of(
    windows: NDArray[np.float32], labels: NDArray[np.integer[Any]], weights: NDArray[np.float32] | None = None
) -> Examples:
    """Rows of `windows` become one-channel windows; without weights all count the same."""
    x_bct = torch.from_numpy(np.array(windows, dtype=np.float32))[:, None]
    known = np.ones(len(labels), dtype=np.float32) if weights is None else np.array(weights, dtype=np.float32)
    return Examples(x_bct, torch.from_numpy(np.array(labels, dtype=np.int64)), torch.from_numpy(known))


def join(parts: Sequence[Examples]) -> Examples:
    return Examples(
        torch.cat([part.x_bct for part in parts]),
        torch.cat([part.labels for part in parts]),
        torch.cat([part.weights for part in parts]),
    )
