"""How a stream of samples is cut into windows."""

from dataclasses import dataclass

from device_sim.contract.errors import ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec:
    """Part of the manifest: change a field and the bundle's digest changes."""

    rate_hz: int
    length_samples: int
    hop_samples: int
    uv_per_lsb: int  # the signal path counts microvolts: 1 on the device

    def __post_init__(self) -> None:
        if self.rate_hz < 1:
            raise ContractError(f"window.rate_hz: expected a positive rate, got {self.rate_hz}")
        if not 1 <= self.hop_samples <= self.length_samples:
            raise ContractError(
                f"window.hop_samples: expected 1..{self.length_samples} "
                f"(length_samples), got {self.hop_samples}"
            )
        if self.uv_per_lsb < 1:
            raise ContractError(f"window.uv_per_lsb: expected 1 or more, got {self.uv_per_lsb}")

    @property
    def hop_us(self) -> int:
        """The time a verdict may take before the next window is due."""
        return self.hop_samples * 1_000_000 // self.rate_hz
