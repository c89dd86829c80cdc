"""Print what a cascade holds: its gate, its two bundles, the memory they share."""

from collections.abc import Iterator

from device_sim.contract.cascade import Cascade, bundles_of
from device_sim.contract.graph import count_macs
from device_sim.memory import Memory


def cascade_facts(cascade: Cascade, memory: Memory) -> Iterator[tuple[str, str]]:
    """Name and value of everything worth a line."""
    yield "cascade", f"{cascade.name} {cascade.digest}"
    yield from _gate_facts(cascade)
    for role, bundle in zip(("quality", "beat"), bundles_of(cascade), strict=True):
        yield role, f"{bundle.name} {bundle.digest}, {count_macs(bundle.graph):,} MAC a window"
    parts = ", ".join(f"{one.name} {one.n_bytes}" for one in memory.regions)
    yield "RAM", f"{memory.total_bytes:,} bytes beside the stack: arena {memory.arena.arena_bytes}, {parts}"
    yield "", f"largest live set {memory.largest_live_bytes:,} bytes; {memory.why() or 'no holes'}"
    yield "budget", _budget(cascade, memory)
    for n, (name, text) in enumerate(cascade.provenance.items()):
        yield "" if n else "provenance", f"{name}: {text}"
    for n, (name, raw) in enumerate(cascade.files.items()):
        yield "" if n else "files", f"{name}, {len(raw):,} bytes"


def _gate_facts(cascade: Cascade) -> Iterator[tuple[str, str]]:
    gate = cascade.gate
    has_band = gate.accept_q8 - gate.reject_q8 > 1
    band = f", refused up to {gate.reject_q8 / 256:.4g}" if has_band else ""
    hold = f", kept for {gate.hold_q8 / 256:.4g} more" if gate.hold_q8 else ""
    yield (
        "gate",
        f"a beat is judged from code {gate.accept_q8 / 256:.4g} of {gate.output} on{band}{hold}: "
        f"the mean of the first {gate.windows} windows that contain it",
    )
    yield (
        "",
        f"a beat that is not judged is {'not remembered' if gate.protects else 'remembered all the same'}",
    )


def _budget(cascade: Cascade, memory: Memory) -> str:
    budget = cascade.budget
    if budget is None:
        return "none"
    return (
        f"window {budget.window_us:,} us; flash {budget.flash_bytes:,} bytes; "
        f"RAM {budget.ram_bytes:,} bytes, the plan takes {memory.total_bytes / budget.ram_bytes:.0%}"
    )
