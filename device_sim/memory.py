"""RAM of the whole application by lifetime: what is always there, and the arena that all else shares."""

import ctypes
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from device_sim import binding
from device_sim.contract.bundle import Bundle
from device_sim.contract.inputs import InputKind
from device_sim.plan import Life, Plan, live_bytes, plan

ALIGN_BYTES = 8
WORD_BYTES = 4  # a count, and a pointer of the device
HOST_POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)
FRAME_SAMPLES = (binding.WIRE_PAYLOAD - 8) // 2  # 16 bits each: as many as a frame holds
UNGATED_RING_BYTES = 512 * 2  # WL_BEAT_SAMPLES of a device whose beats wait for nothing
FRONT_END_POINTERS = 3  # of struct wl_frontend
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


def memory_of(bundle: Bundle) -> Memory:
    """The plan: one loop that receives, cuts a window, runs the network, judges and sends."""
    if bundle.input is InputKind.CODES:  # its caller has the rest
        names = (operator.name for operator in bundle.graph.operators)
        return Memory(regions=(), arena=plan(bundle.graph), steps=tuple(names))
    judge = len(bundle.graph.operators)
    beside = [
        Life(name="frame in", n_bytes=_aligned(ctypes.sizeof(binding.Frame)), **_at(RECEIVE)),
        Life(name="counts", n_bytes=_aligned(FRAME_SAMPLES * WORD_BYTES), **_at(RECEIVE)),
        Life(name="frame out", n_bytes=_aligned(ctypes.sizeof(binding.Frame)), **_at(judge + 1)),
        Life(name="wire out", n_bytes=_aligned(binding.WIRE_BYTES), **_at(judge + 1)),
    ]
    if bundle.input is InputKind.BEAT:
        beside.append(Life(name="beat", n_bytes=_aligned(ctypes.sizeof(binding.Beat)), **_at(WINDOW)))
    names = (operator.name for operator in bundle.graph.operators)
    return Memory(
        regions=tuple(_regions(bundle)),
        arena=plan(bundle.graph, beside),
        steps=("receive", "window", *names, "judge", "send"),
    )


def _at(step: int) -> dict[str, int]:
    return {"first_step": step, "last_step": step}


def _regions(bundle: Bundle) -> Iterator[Region]:
    core, sizeof = binding.core(), ctypes.sizeof
    pointers_bytes = FRONT_END_POINTERS * (HOST_POINTER_BYTES - WORD_BYTES)  # the device's are shorter
    sizes = {
        "front end": core.wl_sizeof_frontend() - pointers_bytes,
        "image ring": sizeof(binding.Image),
        "beat ring": UNGATED_RING_BYTES,
    }
    if bundle.input is InputKind.BEAT:
        sizes |= {"R-peak detector": core.wl_sizeof_qrs(), "usual beat": core.wl_sizeof_beat_maker()}
    if bundle.verdict is not None:
        past = (bundle.verdict.mean_windows - 1) * bundle.verdict.mean_hops
        # An int8 for each window that is averaged, a bit's byte beside it, and the last answer.
        sizes["judge"] = len(bundle.verdict.questions) * (2 * past + WORD_BYTES)
    sizes["receiver"] = sizeof(binding.Wire)
    for name, n_bytes in sizes.items():
        yield Region(name=name, n_bytes=_aligned(n_bytes))


def _aligned(n_bytes: int) -> int:
    return -(-n_bytes // ALIGN_BYTES) * ALIGN_BYTES
