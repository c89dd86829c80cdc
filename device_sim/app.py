"""Bundles as the constant table of the core: what C compiles in, and what ctypes hands over."""

from dataclasses import dataclass

from device_sim import binding
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import BEAT, QUALITY, Cascade, bundles_of, gate_of
from device_sim.contract.errors import ContractError
from device_sim.contract.gate import Gate
from device_sim.contract.inputs import HOP_SAMPLES, IMAGES, InputKind, Part, parts_of
from device_sim.contract.verdict import FLAGS, Question, VerdictSpec
from device_sim.plan import Plan, plan

STREAMED = (InputKind.IMAGE, InputKind.BEAT, InputKind.BLIND, InputKind.PICTURE)  # enum wl_input_kind
NOWHERE = -1
NETS = (QUALITY, BEAT)  # of a cascade


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """struct wl_network, field by field."""

    net: str  # of a cascade: quality or beat
    bundle: Bundle
    memory: Plan
    spec: VerdictSpec
    input: int
    at: int
    at_rr: int
    hop: int
    outputs: tuple[tuple[int, int], ...]  # at, n_bytes
    flag_limits: tuple[int, ...]

    @property
    def unusable_score_q15(self) -> int:
        """A quality network's word for what is unusable is its own first one: a chance of nothing."""
        return 0 if self.spec.unusable == self.bundle.labels.names[0] else -1

    @property
    def judge_bytes(self) -> int:
        """wl_judge_bytes of judge.c."""
        past = (self.spec.mean_windows - 1) * self.spec.mean_hops
        return len(self.spec.questions) + past * (1 + len(self.spec.questions))

    def at_of(self, question: Question) -> int:
        return self.memory.offset_bytes(question.output)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class App:
    """struct wl_app: one network, or a cascade of two."""

    networks: tuple[Network, ...]
    gate: Gate | None = None

    @property
    def arena_bytes(self) -> int:
        return max(one.memory.arena_bytes for one in self.networks)

    @property
    def memory_bytes(self) -> int:
        return self.arena_bytes + sum(one.judge_bytes for one in self.networks)

    @property
    def gate_question(self) -> int:
        """Which question of the first network the gate looks at."""
        assert self.gate is not None
        outputs = [one.output for one in self.networks[0].spec.questions]
        return outputs.index(self.gate.output)


def is_streamed(application: Bundle | Cascade) -> bool:
    """Whether the core's stream can run it: somebody judges its numbers, and the core cuts its windows."""
    return all(one.verdict is not None and one.input in STREAMED for one in bundles_of(application))


def app_of(application: Bundle | Cascade) -> App:
    """The table; what the core has no room for is refused in one line."""
    nets = NETS if isinstance(application, Cascade) else ("",)
    networks = map(network_of, bundles_of(application), nets)
    return App(networks=tuple(networks), gate=gate_of(application))


def network_of(bundle: Bundle, net: str = "") -> Network:
    """Where everything lies, and in which unit a window moves on."""
    spec, graph = bundle.verdict, bundle.graph
    if bundle.input not in STREAMED:
        raise ContractError(
            f"{bundle.name}: input: expected one of {', '.join(STREAMED)}, got {bundle.input}; "
            "the stream in C feeds no other"
        )
    if spec is None:
        raise ContractError(
            f"{bundle.name}: verdict: expected thresholds and scores, found none; "
            "this network gives numbers that nobody has calibrated"
        )
    memory = plan(graph)
    outputs = tuple((memory.offset_bytes(name), graph.tensor(name).n_bytes) for name in graph.outputs)
    n_logits = sum(n_bytes for _at, n_bytes in outputs)
    if n_logits > binding.LOGITS:
        raise ContractError(
            f"{bundle.name}: outputs: expected at most {binding.LOGITS} codes together, got {n_logits}; "
            "an event of the core holds no more"
        )
    places = {part: memory.offset_bytes(name) for name, part in parts_of(bundle.input, graph).items()}
    step = HOP_SAMPLES if bundle.input in IMAGES else 1
    return Network(
        net=net,
        bundle=bundle,
        memory=memory,
        spec=spec,
        input=STREAMED.index(bundle.input),
        at=next(at for part, at in places.items() if part is not Part.RR),
        at_rr=places.get(Part.RR, NOWHERE),
        hop=bundle.window.hop_samples // step,
        outputs=outputs,
        flag_limits=tuple(spec.flag_limits.get(flag, binding.NO_LIMIT) for flag in FLAGS),
    )
