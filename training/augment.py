"""What happens to a training window on its way into the net; every draw comes from the epoch's generator."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.recipe import AugmentSpec


@dataclass(frozen=True, slots=True)
class Augment:
    """Gain, shift, wander, white noise and recorded noise, each with its own size."""

    spec: AugmentSpec
    noise_t: Tensor | None = (
        None  # recorded noise at the stream's rate, in the net's units; None: none is added
    )

    def __call__(self, x_bct: Tensor, generator: torch.Generator) -> Tensor:
        spec = self.spec
        n = len(x_bct)
        if spec.shift_samples:
            x_bct = _shifted(x_bct, spec.shift_samples, generator)
        if self.noise_t is not None and spec.noise_chance:
            x_bct = x_bct + self._noise(x_bct, generator)
        if spec.wander:
            x_bct = x_bct + _wander(x_bct, spec.wander, generator)
        if spec.jitter:
            x_bct = x_bct + spec.jitter * torch.randn(x_bct.shape, generator=generator)
        if spec.gain_octaves:
            octaves = (torch.rand((n, 1, 1), generator=generator) * 2 - 1) * spec.gain_octaves
            x_bct = x_bct * torch.exp2(octaves)
        return x_bct

    def _noise(self, x_bct: Tensor, generator: torch.Generator) -> Tensor:
        """A stretch of noise per window, scaled to an SNR drawn evenly in decibels."""
        assert self.noise_t is not None
        n, _, length = x_bct.shape
        starts = torch.randint(len(self.noise_t) - length, (n, 1), generator=generator)
        noise = self.noise_t[starts + torch.arange(length)][:, None]
        noise = noise - noise.mean(dim=2, keepdim=True)
        is_noisy = torch.rand((n, 1, 1), generator=generator) < self.spec.noise_chance
        rms = noise.square().mean(dim=2, keepdim=True).sqrt().clamp_min(1e-6)
        if self.spec.noise_rms_max:
            wanted = torch.rand((n, 1, 1), generator=generator) * self.spec.noise_rms_max
            return noise / rms * wanted * is_noisy
        low, high = self.spec.noise_snr_db_min, self.spec.noise_snr_db_max
        snr_db = torch.rand((n, 1, 1), generator=generator) * (high - low) + low
        # SNR as `nst` has it: a QRS of peak-to-peak p stands for a sine of power p^2 / 8
        swing = x_bct.amax(dim=2, keepdim=True) - x_bct.amin(dim=2, keepdim=True)
        wanted = swing / (8**0.5 * torch.pow(10.0, snr_db / 20))
        return noise / rms * wanted * is_noisy


def _shifted(x_bct: Tensor, largest: int, generator: torch.Generator) -> Tensor:
    """Moved in time; the edge value fills what comes in."""
    n, n_channels, length = x_bct.shape
    moves = torch.randint(-largest, largest + 1, (n, 1), generator=generator)
    places = (torch.arange(length) + moves).clamp(0, length - 1)
    return x_bct.gather(2, places[:, None].expand(-1, n_channels, -1))  # channels move together


def _wander(x_bct: Tensor, largest: float, generator: torch.Generator) -> Tensor:
    """Under one cycle per second, as breathing and electrodes do."""
    n, _, length = x_bct.shape
    draws = torch.rand((n, 3), generator=generator)
    time = torch.arange(length) / length
    phase = 2 * math.pi * (draws[:, :1] * time + draws[:, 1:2])
    return (largest * draws[:, 2:] * torch.sin(phase))[:, None]
