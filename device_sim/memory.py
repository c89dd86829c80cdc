"""RAM of the whole application by lifetime: what is always there, and the arena that all else shares."""

import ctypes
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from device_sim import binding
from device_sim.app import NETS, network_of
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of, gate_of
from device_sim.contract.inputs import InputKind
from device_sim.plan import Life, Place, Plan, live_bytes, plan

ALIGN_BYTES = 8
WORD_BYTES = 4  # a count, and a pointer of the device
HOST_POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)
FRAME_SAMPLES = (binding.WIRE_PAYLOAD - 8) // 2  # 16 bits each: as many as a frame holds
UNGATED_RING_BYTES = 512 * 2  # WL_BEAT_SAMPLES of a device whose beats wait for nothing
FRONT_END_POINTERS = 3  # of struct wl_frontend
STREAM_POINTERS = 2 + 2 * binding.NETWORKS  # of struct wl_stream beside it
FRAMES = ("frame in", "counts", "beat", "frame out", "wire out")  # what shares the arena with tensors
RECEIVE, WINDOW = -2, -1  # steps before the first operator; judge and send follow the last


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Memory that is never given back."""

    name: str
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Addresses of the regions first, the arena behind them; the stack is measured, not planned."""

    regions: tuple[Region, ...]
    arena: Plan
    steps: tuple[str, ...]  # from RECEIVE on

    @property
    def fixed_bytes(self) -> int:
        return sum(region.n_bytes for region in self.regions)

    @property
    def total_bytes(self) -> int:
        return self.fixed_bytes + self.arena.arena_bytes

    @property
    def largest_live_bytes(self) -> int:
        return self.fixed_bytes + self.arena.largest_live_bytes

    @property
    def waste(self) -> float:
        """What is lost to holes, of the largest live set."""
        return self.total_bytes / self.largest_live_bytes - 1

    def live_bytes(self) -> list[int]:
        """In use at each step."""
        over = {place.name for place in self.arena.places if place.written_over}
        live = live_bytes(self.arena.places, over)
        return [self.fixed_bytes + live.get(step, 0) for step in range(RECEIVE, RECEIVE + len(self.steps))]

    def why(self) -> str:
        """Where the holes come from; nothing where there are none."""
        if self.total_bytes == self.largest_live_bytes:
            return ""
        live = self.live_bytes()
        worst = self.steps[live.index(max(live))]
        return (
            f"{self.total_bytes - self.largest_live_bytes} bytes of holes: tensors alive around {worst} "
            "do not fit each other's gaps in any order tried"
        )

    def to_json(self) -> str:
        made = {
            "regions": [asdict(region) for region in self.regions],
            "arena": asdict(self.arena),
            "steps": [
                {"step": RECEIVE + k, "name": name, "live_bytes": n_bytes}
                for k, (name, n_bytes) in enumerate(zip(self.steps, self.live_bytes(), strict=True))
            ],
            "total_bytes": self.total_bytes,
            "largest_live_bytes": self.largest_live_bytes,
            "holes": self.why(),
        }
        return json.dumps(made, indent=1, sort_keys=True) + "\n"


def memory_of(application: Bundle | Cascade) -> Memory:
    """The plan: one loop that receives, and for each network cuts a window, runs it, judges and sends."""
    if isinstance(application, Bundle) and application.input is InputKind.CODES:
        # Whoever hands in the codes has the rest.
        operators = tuple(operator.name for operator in application.graph.operators)
        return Memory(regions=(), arena=plan(application.graph), steps=operators)
    bundles = bundles_of(application)
    places: list[Place] = []
    steps: tuple[str, ...] = ("receive",)
    plans = []
    for n, bundle in enumerate(bundles):
        planned = plan(bundle.graph, _beside(bundle, receives=n == 0))
        prefix = f"{NETS[n]} " if len(bundles) > 1 else ""
        places += _moved(planned.places, len(steps) - 1, prefix)
        names = (operator.name for operator in bundle.graph.operators)
        steps += tuple(f"{prefix}{name}" for name in ("window", *names, "judge", "send"))
        plans.append(planned)
    arena = Plan(
        places=tuple(places),
        arena_bytes=max(one.arena_bytes for one in plans),
        largest_live_bytes=max(one.largest_live_bytes for one in plans),
    )
    return Memory(regions=tuple(_regions(application)), arena=arena, steps=steps)


def _beside(bundle: Bundle, *, receives: bool) -> list[Life]:
    """What shares the arena with the tensors of a network."""
    judge = len(bundle.graph.operators)
    lives = [
        Life(name="frame out", n_bytes=_aligned(ctypes.sizeof(binding.Frame)), **_at(judge + 1)),
        Life(name="wire out", n_bytes=_aligned(binding.WIRE_BYTES), **_at(judge + 1)),
    ]
    if receives:
        lives = [
            Life(name="frame in", n_bytes=_aligned(ctypes.sizeof(binding.Frame)), **_at(RECEIVE)),
            Life(name="counts", n_bytes=_aligned(FRAME_SAMPLES * WORD_BYTES), **_at(RECEIVE)),
            *lives,
        ]
    if bundle.input is InputKind.BEAT:
        lives.append(Life(name="beat", n_bytes=_aligned(ctypes.sizeof(binding.Beat)), **_at(WINDOW)))
    return lives


def _moved(places: Iterable[Place], by: int, prefix: str) -> Iterator[Place]:
    """The places of one network among the steps of all."""
    for place in places:
        yield replace(
            place,
            name=place.name if place.name in FRAMES else f"{prefix}{place.name}",
            first_step=place.first_step + by,
            last_step=place.last_step + by,
            written_over=place.written_over and f"{prefix}{place.written_over}",
        )


def _at(step: int) -> dict[str, int]:
    return {"first_step": step, "last_step": step}


def _regions(application: Bundle | Cascade) -> Iterator[Region]:
    """struct wl_stream part by part, what its judges remember, and the receiver of frames."""
    core, sizeof = binding.core(), ctypes.sizeof
    shorter = HOST_POINTER_BYTES - WORD_BYTES  # the device's pointers are
    parts = {
        "front end": core.wl_sizeof_frontend() - FRONT_END_POINTERS * shorter,
        "image ring": sizeof(binding.Image),
        "beat ring": sizeof(binding.BeatRing),
        "R-peak detector": core.wl_sizeof_qrs(),
        "usual beat": core.wl_sizeof_beat_maker(),
    }
    whole = core.wl_sizeof_stream() - (FRONT_END_POINTERS + STREAM_POINTERS) * shorter
    rest = whole - sum(parts.values())
    if gate_of(application) is None:
        parts["beat ring"] = UNGATED_RING_BYTES
    parts["beats that wait"] = rest
    judged = [bundle for bundle in bundles_of(application) if bundle.verdict is not None]
    if judged:
        parts["judges"] = sum(network_of(bundle).judge_bytes for bundle in judged)
    parts["receiver"] = sizeof(binding.Wire)
    for name, n_bytes in parts.items():
        yield Region(name=name, n_bytes=_aligned(n_bytes))


def _aligned(n_bytes: int) -> int:
    return -(-n_bytes // ALIGN_BYTES) * ALIGN_BYTES
