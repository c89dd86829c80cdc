"""From executed instructions to modelled cycles: a histogram of classes, an interval for each core."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from benchmarks.mcu.emulator import Emulator, decoder
from device_sim.contract.board import Flash
from device_sim.contract.errors import ContractError


class Class(StrEnum):
    """What an instruction keeps busy."""

    PLAIN = "plain"  # arithmetic, multiplication, everything of one cycle
    LOAD = "load"
    LOAD_NEXT = "load after load or store"
    STORE = "store"
    MANY = "multiple, words"  # LDM, STM, PUSH, POP, LDRD, STRD: counted by registers
    MANY_START = "multiple"
    BRANCH = "branch"
    DIVIDE = "divide"
    MULTIPLY = "multiply"  # apart on a core where it takes longer than other arithmetic
    VECTOR = "vector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    low: float
    high: float

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(low=self.low + other.low, high=self.high + other.high)

    def times(self, factor: float) -> "Interval":
        return Interval(low=self.low * factor, high=self.high * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """What one region executed."""

    classes: Mapping[Class, int]
    n_taken: int  # blocks that were not entered from the instruction before them
    code_bytes: int  # fetched

    @property
    def instructions(self) -> int:
        return sum(n for kind, n in self.classes.items() if kind is not Class.MANY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Cycles of each class at zero wait states, lowest and highest; taken: what a taken branch adds."""

    cycles: Mapping[Class, tuple[float, float]]
    taken: tuple[float, float]
    scale: tuple[float, float] = (1, 1)
    is_bound: bool = False  # the core does what it likes in between; nothing is said of caches or of Linux


VECTOR_REGISTER = re.compile(r"\b[vqdshb]\d")
A64_BRANCHES = ("bl", "br", "cb", "tb", "ret")
A64_MULTIPLIES = ("madd", "msub", "mneg", "smaddl", "umaddl", "smsubl", "umsubl", "smnegl", "umnegl")
IN_ORDER: Mapping[Class, tuple[float, float]] = {
    Class.PLAIN: (1, 1),
    Class.LOAD: (2, 2),
    Class.LOAD_NEXT: (1, 2),
    Class.STORE: (1, 1),
    Class.MANY: (1, 1),
    Class.MANY_START: (1, 1),
    Class.BRANCH: (1, 1),
    Class.DIVIDE: (2, 12),
}
MODELS: dict[str, Model] = {
    "cortex-m0plus": Model(cycles={**IN_ORDER, Class.LOAD_NEXT: (2, 2), Class.STORE: (2, 2)}, taken=(1, 2)),
    "cortex-m4": Model(cycles=IN_ORDER, taken=(1, 3)),
    "cortex-m33": Model(cycles={**IN_ORDER, Class.LOAD: (1, 2)}, taken=(1, 3)),
    # Two issues a cycle and branches predicted: between half a cycle and one for each instruction.
    "cortex-m7": Model(
        cycles={**dict.fromkeys(Class, (1, 1)), Class.DIVIDE: (2, 12)}, taken=(0, 0), scale=(0.5, 1)
    ),
}


def _computer(width: int, longest: Mapping[Class, float], mispredicted: float) -> Model:
    """Bounds and no more: as many at once as the core takes in a cycle, or one after the other in full,
    no jump foreseen; either way everything lies in the first cache and nobody else runs."""
    return Model(
        cycles={kind: (1 / width, cycles) for kind, cycles in longest.items()},
        taken=(0, mispredicted),
        is_bound=True,
    )


# Widths and latencies as LLVM's schedules have them (AArch64SchedA53, A57 for the A72, NeoverseN1 for the
# A76, which decodes four in a cycle); a class has the longest of its instructions.
MODELS |= {
    "cortex-a53": _computer(
        2,
        {
            Class.PLAIN: 3, Class.MULTIPLY: 4, Class.LOAD: 8, Class.STORE: 6, Class.BRANCH: 1,
            Class.DIVIDE: 35, Class.VECTOR: 8,
        },
        9,
    ),
    "cortex-a72": _computer(
        3,
        {
            Class.PLAIN: 3, Class.MULTIPLY: 6, Class.LOAD: 11, Class.STORE: 4, Class.BRANCH: 2,
            Class.DIVIDE: 35, Class.VECTOR: 8,
        },
        14,
    ),
    "cortex-a76": _computer(
        4,
        {
            Class.PLAIN: 3, Class.MULTIPLY: 5, Class.LOAD: 10, Class.STORE: 4, Class.BRANCH: 1,
            Class.DIVIDE: 20, Class.VECTOR: 8,
        },
        11,
    ),
}  # fmt: skip


def model_of(core: str, board: str = "") -> Model:
    if core not in MODELS:
        raise ContractError(f"{core or board}: expected a core with a model ({', '.join(MODELS)})")
    return MODELS[core]


def cycles(histogram: Histogram, model: Model) -> Interval:
    """At zero wait states."""
    low, high = (
        sum(n * model.cycles[kind][side] for kind, n in histogram.classes.items())
        + histogram.n_taken * model.taken[side]
        for side in (0, 1)
    )
    return Interval(low=low * model.scale[0], high=high * model.scale[1])


def stalls(histogram: Histogram, flash: Flash | None) -> Interval:
    """What flash adds: nothing where a cache holds it all; every line, and every load as a constant, else."""
    if flash is None or flash.wait_states == 0:
        return Interval(low=0, high=0)
    n_loads = histogram.classes.get(Class.LOAD, 0) + histogram.classes.get(Class.LOAD_NEXT, 0)
    lines = histogram.code_bytes / flash.line_bytes
    if flash.has_cache:
        # Loops fit a cache; constants that are read once do not: a miss for each line of them at most.
        return Interval(low=0, high=flash.wait_states * n_loads * 4 / flash.line_bytes)
    return Interval(low=flash.wait_states * lines, high=flash.wait_states * (lines + n_loads))


def histograms(emulator: Emulator) -> Mapping[int, Histogram]:
    """By region."""
    classes: dict[int, Counter[Class]] = {}
    taken: Counter[int] = Counter()
    fetched: Counter[int] = Counter()
    of_code = _classes_a64 if emulator.image.target.is_a64 else _classes
    for place, times, code in emulator.blocks():
        of = classes.setdefault(place.region, Counter())
        for kind, n in of_code(code).items():
            of[kind] += n * times.entered
        taken[place.region] += times.jumped
        fetched[place.region] += len(code) * times.entered
    return {
        region: Histogram(classes=of, n_taken=taken[region], code_bytes=fetched[region])
        for region, of in classes.items()
    }


@cache
def _classes(code: bytes) -> Counter[Class]:
    """A block's instructions."""
    found: Counter[Class] = Counter()
    before_was_memory = False
    for _, _, mnemonic, operands in decoder().disasm_lite(code, 0):
        name = mnemonic.split(".")[0]
        is_memory = False
        if name.startswith(("push", "pop", "ldm", "stm", "vpush", "vpop", "vldm", "vstm")):
            found[Class.MANY_START] += 1
            found[Class.MANY] += _registers(operands)
        elif name.startswith(("ldrd", "strd")):
            found[Class.MANY_START] += 1
            found[Class.MANY] += 2
        elif name.startswith(("ldr", "vldr")):
            found[Class.LOAD_NEXT if before_was_memory else Class.LOAD] += 1
            is_memory = True
        elif name.startswith(("str", "vstr")):
            found[Class.STORE] += 1
            is_memory = True
        elif name.startswith(("sdiv", "udiv")):
            found[Class.DIVIDE] += 1
        elif name.startswith(("cbz", "cbnz", "tbb", "tbh", "bl", "bx")) or _is_branch(name):
            found[Class.BRANCH] += 1
        else:
            found[Class.PLAIN] += 1
        before_was_memory = is_memory
    return found


@cache
def _classes_a64(code: bytes) -> Counter[Class]:
    """A block's instructions, of 64-bit cores."""
    found: Counter[Class] = Counter()
    for _, _, mnemonic, operands in decoder(is_a64=True).disasm_lite(code, 0):
        if mnemonic.startswith(("ld", "st")):
            found[Class.LOAD if mnemonic.startswith("ld") else Class.STORE] += 1
        elif mnemonic.startswith(A64_BRANCHES) or mnemonic.split(".")[0] == "b":
            found[Class.BRANCH] += 1
        elif VECTOR_REGISTER.search(operands):
            found[Class.VECTOR] += 1
        elif mnemonic in ("sdiv", "udiv"):
            found[Class.DIVIDE] += 1
        elif "mul" in mnemonic or mnemonic in A64_MULTIPLIES:
            found[Class.MULTIPLY] += 1
        else:
            found[Class.PLAIN] += 1
    return found


def _is_branch(name: str) -> bool:
    conditions = ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al")
    return name == "b" or (name.startswith("b") and name[1:] in conditions)


def _registers(operands: str) -> int:
    """Of a list such as {r4-r6, lr}, which capstone writes out one by one."""
    return operands[operands.index("{") :].count(",") + 1
