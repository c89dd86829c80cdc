"""Bundles for images: every golden network in one graph, and single layers."""

from dataclasses import replace
from typing import Any

from device_sim.contract.bundle import Bundle
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.contract.operators import Concat, Operator
from device_sim.contract.window import WindowSpec
from tests.golden.networks import graphs


def bundle_of(graph: Graph) -> Bundle:
    return Bundle(
        name=graph.name.replace("_", "-"),
        input=InputKind.BEAT,
        window=WindowSpec(rate_hz=128, length_samples=128, hop_samples=128, uv_per_lsb=32),
        labels=Labels(("normal", "other")),
        graph=graph,
    )


def every_network() -> Graph:
    """The golden networks side by side: one image runs every kernel."""
    apart = [_renamed(graph, name) for name, (_, graph) in graphs().items()]
    return Graph(
        name="every",
        tensors=tuple(tensor for graph in apart for tensor in graph.tensors),
        operators=tuple(operator for graph in apart for operator in graph.operators),
        inputs=tuple(name for graph in apart for name in graph.inputs),
        outputs=tuple(name for graph in apart for name in graph.outputs),
    )


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
