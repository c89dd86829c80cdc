"""The names of what a network tells apart, in the order of its logits."""

from dataclasses import dataclass

from device_sim.contract.errors import ContractError

MAX_LABELS = 256
MAX_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Labels:
    """Part of the manifest: the order is the order of the logits."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= MAX_LABELS:
            raise ContractError(f"labels: expected 1..{MAX_LABELS} names, got {len(self.names)}")
        for name in self.names:
            if not 1 <= len(name) <= MAX_CHARACTERS or not name.isprintable():
                raise ContractError(
                    f"labels: expected 1..{MAX_CHARACTERS} printable characters, got {name[:80]!r}"
                )
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise ContractError(f"labels: expected different names, got {sorted(twice)[0]!r} twice")

    def __len__(self) -> int:
        return len(self.names)
