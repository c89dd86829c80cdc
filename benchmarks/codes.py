"""Instructions a code of the layers that multiply nothing: pools and additions."""

import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from benchmarks.kernels import alone
from benchmarks.mcu import model
from benchmarks.mcu.image import ZIG
from benchmarks.mcu.targets import M4, Target
from benchmarks.sheet import sheet
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.operators import Add, Operator, Pool, PoolKind, output_shape
from device_sim.contract.tensor import Tensor, float32

X_SCALE, Y_SCALE = 0.05, 0.07
MAP = (28, 28, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    title: str
    x: tuple[int, int, int]
    kind: PoolKind | None = None  # None: an addition of two maps
    kernel: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)


LAYERS = (
    Layer(title="maximum 2x2, 28x28, 32", x=MAP, kind=PoolKind.MAX),
    Layer(title="maximum of 3, 128, 32", x=(1, 128, 32), kind=PoolKind.MAX, kernel=(1, 3), stride=(1, 2)),
    Layer(title="mean 2x2, 28x28, 32", x=MAP, kind=PoolKind.AVERAGE),
    Layer(title="global mean, 20x8, 32", x=(20, 8, 32), kind=PoolKind.AVERAGE, kernel=(20, 8), stride=(1, 1)),
    Layer(title="addition, 28x28, 32", x=MAP),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCost:
    """One layer; instructions by what it reads and by what it writes."""

    title: str
    target: str
    compiler: str
    instructions: float
    n_read: int
    n_written: int
    digest: str


def measure(target: Target = M4, compiler: str = ZIG) -> list[CodeCost]:
    """Every layer; one that does not give this machine's bytes has no cost."""
    return [_measure(layer, target, compiler) for layer in LAYERS]


def _measure(layer: Layer, target: Target, compiler: str) -> CodeCost:
    bundle = bundle_of(layer)
    graph = bundle.graph
    with tempfile.TemporaryDirectory() as folder:
        said = model.run(model.build(bundle, Path(folder), target, compiler=compiler), graph)
    if said.n_wrong or said.hash != model.hash_here(graph, model.windows_of(bundle)):
        raise ContractError(f"{layer.title}: {target.name} and this machine give different bytes")
    return CodeCost(
        title=layer.title,
        target=target.name,
        compiler=compiler,
        instructions=said.instructions,
        n_read=sum(prod(graph.tensor(name).shape) for name in graph.inputs),
        n_written=prod(graph.tensor("out").shape),
        digest=bundle.digest,
    )


def bundle_of(layer: Layer) -> Bundle:
    """The layer alone."""
    shape = (1, *layer.x)
    inputs = ("x",) if layer.kind else ("x", "y")
    operator: Operator
    if layer.kind is not None:
        operator = Pool(
            name="layer", x="x", output="out", kind=layer.kind, kernel=layer.kernel, stride=layer.stride
        )
    else:
        operator = Add(name="layer", x="x", y="y", output="out")
    out_scale = X_SCALE if layer.kind else Y_SCALE  # a pool keeps the worth of a code
    out_shape = output_shape(operator, [shape] * len(inputs), ())
    graph = Graph(
        name="-".join(layer.title.replace(",", "").split()),
        tensors=(
            *(Tensor(name=name, shape=shape, scales=(float32(X_SCALE),), zero_point=0) for name in inputs),
            Tensor(name="out", shape=out_shape, scales=(float32(out_scale),), zero_point=0),
        ),
        operators=(operator,),
        inputs=inputs,
        outputs=("out",),
    )
    return alone(graph)


def numbers(costs: list[CodeCost]) -> dict[str, Any]:
    of = costs[0]
    layers = [
        {
            "name": cost.title, "instructions": cost.instructions, "n_read": cost.n_read,
            "n_written": cost.n_written, "digest": cost.digest,
        }
        for cost in costs
    ]  # fmt: skip
    return {"target": of.target, "compiler": of.compiler, "layers": layers}


def text(costs: list[CodeCost]) -> str:
    rows = [
        (
            cost.title,
            f"{cost.instructions:,.0f}",
            f"{cost.instructions / cost.n_read:.2f}",
            f"{cost.instructions / cost.n_written:.2f}",
        )
        for cost in costs
    ]
    of = costs[0]
    return sheet(
        f"{of.target}, {of.compiler}: layers that multiply nothing",
        ("layer", "instructions", "a code read", "a code written"),
        rows,
    )
