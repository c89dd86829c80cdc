"""What a network costs, in a line."""

from device_sim.contract.graph import Graph, count_macs
from device_sim.plan import plan


def facts(graph: Graph) -> str:
    """What a window costs, in a line."""
    constant_bytes = sum(tensor.n_bytes for tensor in graph.constants)
    return (
        f"{count_macs(graph)} multiplications a window, {constant_bytes} bytes of weights, "
        f"{plan(graph).arena_bytes} bytes of arena"
    )
