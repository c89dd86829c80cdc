"""Where every tensor lies in the arena, and when: graph -> plan."""

import json
import random
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.operators import (
    Add,
    Operator,
    Pool,
    Reshape,
    Sigmoid,
    Softmax,
    activations_of,
)

ALIGN_BYTES = 4  # a Cortex-M loads four codes at once
SHUFFLES = 200  # orders tried where the usual ones leave holes
PATIENCE = 20_000  # fewer orders for a net with many tensors
MAX_ARENA_BYTES = 1 << 24  # far past any microcontroller
SEED = 20261120


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A tensor, or anything else in the arena, before it has a place."""

    name: str
    n_bytes: int
    first_step: int
    last_step: int

    def meets(self, other: "Life") -> bool:
        return self.first_step <= other.last_step and other.first_step <= self.last_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One tensor: bytes offset..offset + n_bytes, from the operator that writes it to its last reader."""

    name: str
    offset_bytes: int
    n_bytes: int
    first_step: int  # -1: the caller wrote it
    last_step: int  # the number of operators: an output, kept until the caller has read it
    written_over: str | None = None  # the tensor it takes the place of


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole arena."""

    places: tuple[Place, ...]
    arena_bytes: int
    largest_live_bytes: int  # no plan can be smaller: what one operator needs at the same time

    def offset_bytes(self, name: str) -> int:
        return next(place.offset_bytes for place in self.places if place.name == name)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def plan(graph: Graph, beside: Sequence[Life] = ()) -> Plan:
    """The smallest arena that a few orders of first fit find; they stop at the largest live set.

    beside          What else may lie in the arena while no tensor needs the room
    """
    lives = _lives(graph) | {life.name: life for life in beside}
    over = _written_over(graph, lives)
    chains = _chains(lives, over)
    least = max(live_bytes(lives.values(), over).values())
    best: dict[str, int] = {}
    arena = None
    for order in _orders(chains):
        offsets = _first_fit(order)
        needed = max(offsets[name] + life.n_bytes for name, life in lives.items())
        if arena is None or needed < arena:
            best, arena = offsets, needed
        if arena <= least:
            break
    assert arena is not None
    if arena > MAX_ARENA_BYTES:
        raise ContractError(f"graph: expected at most {MAX_ARENA_BYTES} bytes of arena, got {arena}")
    places = tuple(
        Place(
            name=life.name,
            offset_bytes=best[life.name],
            n_bytes=life.n_bytes,
            first_step=life.first_step,
            last_step=life.last_step,
            written_over=over.get(life.name),
        )
        for life in lives.values()
    )
    return Plan(places=places, arena_bytes=arena, largest_live_bytes=least)


def _aligned(n_bytes: int) -> int:
    return -(-n_bytes // ALIGN_BYTES) * ALIGN_BYTES


def _lives(graph: Graph) -> dict[str, Life]:
    first = dict.fromkeys(graph.inputs, -1)
    last = dict.fromkeys(graph.inputs, -1)
    for step, operator in enumerate(graph.operators):
        first[operator.output] = step
        last[operator.output] = step
        for name in activations_of(operator):
            last[name] = step
    for name in graph.outputs:
        last[name] = len(graph.operators)
    return {
        name: Life(
            name=name,
            n_bytes=_aligned(graph.tensor(name).n_bytes),
            first_step=first[name],
            last_step=last[name],
        )
        for name in first
    }


def _candidates(operator: Operator) -> tuple[str, ...]:
    """The inputs an operator's kernel may write over (firmware/src: pool.c, elementwise.c)."""
    match operator:
        case Add():
            return operator.x, operator.y
        case Pool():
            return () if operator.pads else (operator.x,)
        case Reshape() | Sigmoid() | Softmax():
            return (operator.x,)
        case _:
            return ()


def _written_over(graph: Graph, lives: dict[str, Life]) -> dict[str, str]:
    """Output -> the input whose place it takes: one that nobody reads later and that is large enough."""
    over = {}
    for step, operator in enumerate(graph.operators):
        for name in _candidates(operator):
            ends_here = lives[name].last_step == step
            if ends_here and lives[name].n_bytes >= lives[operator.output].n_bytes:
                over[operator.output] = name
                break
    return over


def _chains(lives: dict[str, Life], over: dict[str, str]) -> list[tuple[Life, ...]]:
    """Tensors that share an offset, because each is written over the one before."""
    chains: dict[str, list[Life]] = {}
    head: dict[str, str] = {}
    for name, life in lives.items():
        head[name] = head[over[name]] if name in over else name
        chains.setdefault(head[name], []).append(life)
    return [tuple(chain) for chain in chains.values()]


def live_bytes(lives: Iterable[Life | Place], over: Container[str]) -> dict[int, int]:
    """What must be there at the same time, step by step; `over` names what lies in its input."""
    lives = tuple(lives)
    steps = range(min(life.first_step for life in lives), max(life.last_step for life in lives) + 1)
    found = {}
    for step in steps:
        there = (life for life in lives if life.first_step <= step <= life.last_step)
        # While it is being written over its input, the input is counted already.
        found[step] = sum(life.n_bytes for life in there if life.name not in over or life.first_step < step)
    return found


def _orders(chains: Sequence[tuple[Life, ...]]) -> Iterable[list[tuple[Life, ...]]]:
    """Largest first is usually best; then others, the same on every machine."""

    def size(chain: tuple[Life, ...]) -> int:
        return max(life.n_bytes for life in chain)

    def duration(chain: tuple[Life, ...]) -> int:
        return chain[-1].last_step - chain[0].first_step

    yield sorted(chains, key=lambda chain: (-size(chain), chain[0].first_step))
    yield sorted(chains, key=lambda chain: (-duration(chain), -size(chain)))
    yield sorted(chains, key=lambda chain: -size(chain) * (1 + duration(chain)))
    rng = random.Random(SEED)
    for _ in range(min(SHUFFLES, PATIENCE // len(chains))):
        shuffled = list(chains)
        rng.shuffle(shuffled)
        yield shuffled


def _first_fit(order: Sequence[tuple[Life, ...]]) -> dict[str, int]:
    """The lowest offset at which a chain meets nothing that is there at the same time."""
    placed: list[tuple[Life, int]] = []
    for chain in order:
        # Where it may not begin: each tensor that is there meanwhile bars the open interval around it.
        barred = sorted(
            (offset - life.n_bytes, offset + other.n_bytes)
            for other, offset in placed
            for life in chain
            if life.meets(other)
        )
        start = 0
        for low, high in barred:
            if start <= low:
                break
            start = max(start, high)
        placed += [(life, start) for life in chain]
    return {life.name: offset for life, offset in placed}
