"""Bundles for images: every golden network in one graph, and single layers."""

from dataclasses import replace
from typing import Any

from device_sim.contract.bundle import Bundle
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.contract.operators import Activation, Concat, Operator
from device_sim.contract.verdict import Question, VerdictSpec
from device_sim.contract.window import WindowSpec
from device_sim.fingerprint import frontend_sha256
from tests.golden.networks import Sketch, graphs


def bundle_of(graph: Graph) -> Bundle:
    return Bundle(
        name=graph.name.replace("_", "-"),
        input=InputKind.BEAT,
        window=WindowSpec(rate_hz=128, length_samples=128, hop_samples=128, uv_per_lsb=32),
        labels=Labels(("normal", "other")),
        graph=graph,
    )


def judged(bundle: Bundle) -> Bundle:
    """With a threshold for its one output: then there is a device to build."""
    question = Question(
        output=bundle.graph.outputs[0], accept_q8=1, reject_q8=0, score_q15=tuple(range(0, 32768, 128))
    )
    verdict = VerdictSpec(questions=(question,), undecided="unsure", unusable="unusable")
    return replace(bundle, verdict=verdict, frontend_sha256=frontend_sha256(bundle.input))


def every_network() -> Graph:
    """The golden networks side by side: one image runs every kernel."""
    apart = [_renamed(graph, name) for name, (_, graph) in graphs().items()]
    apart.append(_renamed(_corners(), "corners"))
    return Graph(
        name="every",
        tensors=tuple(tensor for graph in apart for tensor in graph.tensors),
        operators=tuple(operator for graph in apart for operator in graph.operators),
        inputs=tuple(name for graph in apart for name in graph.inputs),
        outputs=tuple(name for graph in apart for name in graph.outputs),
    )


def _corners() -> Graph:
    """What the short ways leave over: long windows, odd channels, coarse shifts, cut ranges."""
    s = Sketch("corners", 7)
    x = s.input("x", 6, 7, 15, zero_point=-3)
    long_window = s.conv(x, 3, (6, 6), pads=(1, 1, 1, 1))  # 540 codes
    one_channel = s.conv(x, 1, (1, 3))
    ten = s.conv(x, 10, (3, 3), stride=(2, 1), pads=(0, 1, 2, 0), activation=Activation.RELU)
    left_over = s.conv(ten, 10, (3, 3), pads=(1, 1, 1, 1), depthwise=True)
    seven = s.conv(x, 7, (2, 3), pads=(1, 1, 0, 1))
    fifteen = s.conv(x, 15, (3, 2), stride=(1, 2), pads=(1, 1, 1, 0), depthwise=True)
    one = s.dense(s.input("y", 9, zero_point=127), 1)
    coarse = s.conv(s.input("z", 3, 3, 2, scale=0.5), 3, (1, 1))
    s.tensors[coarse] = replace(s.tensors[coarse], scales=(0.0078125,))  # multipliers around one half
    cut = s.conv(s.input("v", 3, 5, 4), 4, (3, 3), pads=(1, 1, 1, 1), activation=Activation.RELU)
    s.tensors[cut] = replace(s.tensors[cut], zero_point=-20)
    return s.graph(long_window, one_channel, left_over, seven, fifteen, one, coarse, cut)


def _renamed(graph: Graph, prefix: str) -> Graph:
    """Every name of a graph with a prefix."""

    def new(name: str) -> str:
        return f"{prefix}/{name}"

    def operator(one: Operator) -> Operator:
        names: dict[str, Any] = {
            field: new(getattr(one, field))
            for field in ("name", "x", "y", "weight", "bias", "output")
            if hasattr(one, field)
        }
        if isinstance(one, Concat):
            return replace(one, **names, xs=tuple(map(new, one.xs)))
        return replace(one, **names)

    return Graph(
        name=graph.name,
        tensors=tuple(replace(tensor, name=new(tensor.name)) for tensor in graph.tensors),
        operators=tuple(map(operator, graph.operators)),
        inputs=tuple(map(new, graph.inputs)),
        outputs=tuple(map(new, graph.outputs)),
    )
