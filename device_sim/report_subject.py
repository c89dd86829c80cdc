"""What a page is about: one network or several, the memory they share, and what was measured of each."""

from dataclasses import dataclass
from pathlib import Path

from device_sim.contract.budget import Budget
from device_sim.contract.bundle import Bundle
from device_sim.evidence import Evidence, evidence_of
from device_sim.memory import Memory, memory_of
from device_sim.show_bundle import facts, weight_bytes

Fact = tuple[str, str]  # a name, or nothing where the line above goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One network."""

    bundle: Bundle
    memory: Memory  # as if it were alone
    evidence: Evidence
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """All that runs on the device together."""

    name: str
    digest: str
    budget: Budget | None
    memory: Memory
    parts: tuple[Part, ...]

    @property
    def weight_bytes(self) -> int:
        return sum(weight_bytes(part.bundle) for part in self.parts)

    def budget_line(self) -> str:
        """What is known of the budget without a device."""
        assert self.budget is not None
        return (
            f"budget: RAM {self.memory.total_bytes:,} of {self.budget.ram_bytes:,} bytes beside the stack, "
            f"weights {self.weight_bytes:,} of {self.budget.flash_bytes:,} bytes of flash"
        )


def subject_of(bundle: Bundle, folder: Path, *, cost: Path | None, changed: Path | None) -> Subject:
    """A bundle in its folder; files that are named must have measured this very one."""
    memory = memory_of(bundle)
    part = Part(
        bundle=bundle,
        memory=memory,
        evidence=evidence_of(bundle, folder, cost=cost, changed=changed),
        facts=tuple(facts(bundle, memory)),
    )
    return Subject(name=bundle.name, digest=bundle.digest, budget=bundle.budget, memory=memory, parts=(part,))
