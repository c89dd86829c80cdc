"""What must be said of the signal before a beat is judged: one more question, to the windows around it."""

from dataclasses import asdict, dataclass
from typing import Any

from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields
from device_sim.contract.verdict import MAX_CODE_Q8

MAX_WINDOWS = 16
MAX_HOP_COLUMNS = 64  # of the quality network: then every beat lies in a whole window


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A beat is judged from `accept_q8` on and refused up to `reject_q8`; between, nothing is said of it.

    What is compared is the mean code of `output`, in Q8, over the first `windows` of the windows that contain
    the beat, those that are usable. An answer is kept from beat to beat until the mean has gone back past its
    threshold by more than `hold_q8`.
    """

    output: str  # of the quality network: one int8
    windows: int
    accept_q8: int
    reject_q8: int
    hold_q8: int
    protects: bool  # a beat that is not judged changes neither the usual beat nor the usual interval

    def __post_init__(self) -> None:
        if not 1 <= self.windows <= MAX_WINDOWS:
            raise ContractError(f"gate.windows: expected 1..{MAX_WINDOWS}, got {self.windows}")
        if not -MAX_CODE_Q8 <= self.reject_q8 < self.accept_q8 <= MAX_CODE_Q8:
            raise ContractError(
                f"gate: expected reject_q8 < accept_q8 within +-{MAX_CODE_Q8}, "
                f"got {self.reject_q8} and {self.accept_q8}"
            )
        if not 0 <= self.hold_q8 <= MAX_CODE_Q8:
            raise ContractError(f"gate.hold_q8: expected 0..{MAX_CODE_Q8}, got {self.hold_q8}")


def gate_to_json(gate: Gate) -> dict[str, Any]:
    """As a manifest holds it."""
    return asdict(gate)


def gate_from_json(read: Fields) -> Gate:
    """Reads what gate_to_json wrote; anything else is refused with its field."""
    gate = Gate(
        output=read.text("output"),
        windows=read.integer("windows", 1, MAX_WINDOWS),
        accept_q8=read.integer("accept_q8", -MAX_CODE_Q8, MAX_CODE_Q8),
        reject_q8=read.integer("reject_q8", -MAX_CODE_Q8, MAX_CODE_Q8),
        hold_q8=read.integer("hold_q8", 0, MAX_CODE_Q8),
        protects=read.truth("protects"),
    )
    read.done()
    return gate
