"""What a window may cost: time and memory."""

from dataclasses import asdict, dataclass

from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields

LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Part of the manifest; a caller may ask for less."""

    window_us: int  # from a window's last sample to its verdict
    flash_bytes: int
    ram_bytes: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 1 <= value <= LARGEST:
                raise ContractError(f"budget.{name}: expected 1..{LARGEST}, got {value}")


def budget_from_json(read: Fields) -> Budget:
    """Reads what dataclasses.asdict wrote."""
    budget = Budget(**{name: read.integer(name, 1, LARGEST) for name in Budget.__dataclass_fields__})
    read.done()
    return budget
