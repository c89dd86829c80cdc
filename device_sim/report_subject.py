"""What a page is about: one network or several, the memory they share, and what was measured of each."""

from dataclasses import dataclass
from pathlib import Path

from device_sim.app import NETS
from device_sim.contract.budget import Budget
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of
from device_sim.evidence import Changed, CoreCost, evidence_of
from device_sim.memory import Memory, memory_of
from device_sim.show_bundle import facts, weight_bytes
from device_sim.show_cascade import cascade_facts

Fact = tuple[str, str]  # a name, or nothing where the line above goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One network."""

    bundle: Bundle
    memory: Memory  # as if it were alone
    facts: tuple[Fact, ...]
    costs: tuple[CoreCost, ...]
    changed: Changed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """All that runs on the device together."""

    name: str
    digest: str
    budget: Budget | None
    memory: Memory
    parts: tuple[Part, ...]
    facts: tuple[Fact, ...]  # of a cascade; a single bundle's are its part's
    costs: tuple[CoreCost, ...]  # of the whole device

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


def subject_of(
    application: Bundle | Cascade, folder: Path, *, cost: Path | None, changed: Path | None
) -> Subject:
    """What lies in a folder, with what was measured of it."""
    evidence = evidence_of(application, folder, cost=cost, changed=changed)
    memory = memory_of(application)
    is_cascade = isinstance(application, Cascade)

    def part_of(bundle: Bundle, net: str) -> Part:
        alone = memory_of(bundle) if is_cascade else memory
        return Part(
            bundle=bundle,
            memory=alone,
            facts=tuple(facts(bundle, alone)),
            costs=evidence.costs.get(net, ()),
            changed=evidence.changed.get(bundle.digest),
        )

    return Subject(
        name=application.name,
        digest=application.digest,
        budget=application.budget,
        memory=memory,
        parts=tuple(map(part_of, bundles_of(application), NETS if is_cascade else ("",))),
        facts=tuple(cascade_facts(application, memory)) if isinstance(application, Cascade) else (),
        costs=evidence.costs.get("", ()),
    )
