"""Instructions a multiply-accumulate of eight layers on a Cortex-M4, beside the figures to beat."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.frontend import Limit
from benchmarks.mcu import model, qemu
from benchmarks.mcu.image import ZIG
from benchmarks.mcu.targets import M0PLUS, M4, M55, Target
from benchmarks.sheet import sheet
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.contract.operators import (
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Linear,
    Pads,
    output_shape,
)
from device_sim.contract.tensor import DType, Tensor, float32
from device_sim.contract.window import WindowSpec
from device_sim.plan import plan
from device_sim.program import program

SEED = 20261201
X_SCALE, X_ZERO = 0.05, -3
REFERENCE = "CMSIS-NN of 2026-07-15, gcc 12.2 -O2"
REFERENCE_M55 = dict(zip("ABCDEFGH", (0.253, 0.620, 0.269, 4.401, 1.039, 2.691, 3.297, 0.537), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A layer with an input offset of 3, real padding and a scale for every channel."""

    name: str
    title: str
    x: tuple[int, ...]
    n_out: int = 32
    kernel: tuple[int, int] = (1, 1)
    kind: type[Linear] = Conv2d
    reference: float  # instructions a MAC on the M4


MAP, ROW, THREE, FIVE = (28, 28), (1, 128), (3, 3), (1, 5)
SHAPES = (
    Shape(name="A", title="conv 3x3, 28x28, 32 to 32", x=(*MAP, 32), kernel=THREE, reference=1.926),
    Shape(name="B", title="conv 1x1, 28x28, 32 to 32", x=(*MAP, 32), reference=2.693),
    Shape(name="C", title="conv k5, 128, 32 to 32", x=(*ROW, 32), kernel=FIVE, reference=2.061),
    Shape(name="D", title="conv k5, 128, 1 to 32", x=(*ROW, 1), kernel=FIVE, reference=13.015),
    Shape(name="E", title="conv 3x3, 28x28, 3 to 32", x=(*MAP, 3), kernel=THREE, reference=4.094),
    Shape(
        name="F", title="depthwise 3x3, 28x28, 32", x=(*MAP, 32), kernel=THREE, kind=DepthwiseConv2d,
        reference=8.173,
    ),
    Shape(
        name="G", title="depthwise k5, 128, 32", x=(*ROW, 32), kernel=FIVE, kind=DepthwiseConv2d,
        reference=17.440,
    ),
    Shape(name="H", title="dense 256 to 32", x=(256,), kind=FullyConnected, reference=2.085),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCost:
    shape: Shape
    target: str
    compiler: str
    macs: int
    instructions: float
    stack_bytes: int | None = None  # None: QEMU does not paint it

    @property
    def reference(self) -> float:
        return REFERENCE_M55[self.shape.name] if self.target == M55.name else self.shape.reference

    @property
    def is_kept(self) -> bool:
        return self.limit is None or self.limit.kept

    @property
    def per_mac(self) -> float:
        return self.instructions / self.macs

    @property
    def limit(self) -> Limit | None:
        """The reference's figure, the M4's or the M55's; it has none for a core without such instructions."""
        if self.target == M0PLUS.name:
            return None
        return Limit(
            name=self.shape.name,
            measured=self.per_mac,
            allowed=self.reference,
            unit="instructions a MAC",
        )


def measure(target: Target = M4, compiler: str = ZIG, shapes: tuple[Shape, ...] = SHAPES) -> list[KernelCost]:
    """Build and run every shape; a layer that does not give this machine's bytes has no cost."""
    return [_measure(shape, target, compiler) for shape in shapes]


def _measure(shape: Shape, target: Target, compiler: str) -> KernelCost:
    bundle = bundle_of(shape)
    if target.unicorn_cpu is None:
        return _measure_in_qemu(shape, bundle, target, compiler)
    with tempfile.TemporaryDirectory() as folder:
        said = model.run(model.build(bundle, Path(folder), target, compiler=compiler), bundle.graph)
    if said.n_wrong or said.hash != model.hash_here(bundle.graph, model.windows_of(bundle)):
        raise ContractError(f"{shape.title}: {target.name} and this machine give different bytes")
    return KernelCost(
        shape=shape,
        target=target.name,
        compiler=compiler,
        macs=said.macs,
        instructions=said.instructions,
        stack_bytes=said.stack_bytes,
    )


def _measure_in_qemu(shape: Shape, bundle: Bundle, target: Target, compiler: str) -> KernelCost:
    """It counts whole runs: a second time for every operator tells what one costs."""
    windows = model.windows_of(bundle)
    counts = []
    for times in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            built = model.build(
                bundle,
                Path(folder),
                target,
                compiler=compiler,
                windows=windows,
                defines=(f"WL_TIMES={times}",),
            )
            said = qemu.run(built)
        status, n_windows, n_wrong, fnv = said.words[:4]
        if (status, n_windows, n_wrong, fnv) != (0, windows.n, 0, model.hash_here(bundle.graph, windows)):
            raise ContractError(f"{shape.title}: {target.name} and this machine give different bytes")
        counts.append(said.instructions)
    return KernelCost(
        shape=shape,
        target=target.name,
        compiler=compiler,
        macs=sum(model.macs_of(op) for op in program(bundle.graph, plan(bundle.graph))),
        instructions=(counts[1] - counts[0]) / windows.n,
    )


def alone(graph: Graph) -> Bundle:
    """A graph that is counted, not fed: its input says nothing."""
    return Bundle(
        name=graph.name,
        input=InputKind.BEAT,
        window=WindowSpec(rate_hz=128, length_samples=128, hop_samples=128, uv_per_lsb=32),
        labels=Labels(("normal", "other")),
        graph=graph,
    )


def bundle_of(shape: Shape) -> Bundle:
    """The layer alone, its weights seeded; padded so that a map keeps its size."""
    rng = np.random.default_rng(SEED)
    weight_shape = {
        Conv2d: (shape.n_out, *shape.kernel, shape.x[-1]),
        DepthwiseConv2d: (1, *shape.kernel, shape.n_out),
        FullyConnected: (shape.n_out, shape.x[-1]),
    }[shape.kind]
    scales = tuple(map(float32, rng.uniform(0.002, 0.01, shape.n_out)))
    weight = rng.integers(-127, 128, weight_shape, np.int8)
    bias = rng.integers(-3000, 3001, shape.n_out).astype("<i4")
    ends: dict[str, Any] = {"name": "layer", "x": "x", "weight": "weight", "bias": "bias", "output": "y"}
    if shape.kind is not FullyConnected:
        top, left = shape.kernel[0] // 2, shape.kernel[1] // 2
        ends["pads"] = Pads(top, left, top, left)
    operator = shape.kind(**ends)
    n_terms = weight.size // shape.n_out
    y_scale = float32(73 * 73 * np.sqrt(n_terms) * X_SCALE * 0.006 / 50)  # a usual sum fills its range
    graph = Graph(
        name=f"shape-{shape.name.lower()}",
        tensors=(
            Tensor(name="x", shape=(1, *shape.x), scales=(float32(X_SCALE),), zero_point=X_ZERO),
            Tensor(
                name="weight",
                shape=weight_shape,
                scales=scales,
                axis=3 if shape.kind is DepthwiseConv2d else 0,
                values=weight,
            ),
            Tensor(
                name="bias",
                shape=(shape.n_out,),
                scales=tuple(float32(float32(X_SCALE) * scale) for scale in scales),
                dtype=DType.I32,
                axis=0,
                values=bias,
            ),
            Tensor(
                name="y",
                shape=output_shape(operator, [(1, *shape.x)], weight_shape),
                scales=(y_scale,),
                zero_point=5,
            ),
        ),
        operators=(operator,),
        inputs=("x",),
        outputs=("y",),
    )
    return alone(graph)


def numbers(costs: list[KernelCost]) -> dict[str, Any]:
    of = costs[0]
    layers = [
        {
            "name": cost.shape.name, "title": cost.shape.title, "macs": cost.macs,
            "instructions": cost.instructions, "per_mac": round(cost.per_mac, 4),
            "reference": cost.reference, "stack_bytes": cost.stack_bytes,
            "digest": bundle_of(cost.shape).digest,
        }
        for cost in costs
    ]  # fmt: skip
    return {"target": of.target, "compiler": of.compiler, "layers": layers}


def text(costs: list[KernelCost]) -> str:
    rows = [
        (
            f"{cost.shape.name}  {cost.shape.title}",
            f"{cost.macs:,}",
            f"{cost.per_mac:.3f}",
            f"{cost.reference:.3f}",
            f"{cost.reference / cost.per_mac:.2f}",
            "-" if cost.stack_bytes is None else f"{cost.stack_bytes:,}",
            "-" if cost.limit is None else "kept" if cost.limit.kept else "BROKEN",
        )
        for cost in costs
    ]
    of = costs[0]
    return sheet(
        f"{of.target}, {of.compiler}: instructions a MAC, padding counted; beside {REFERENCE}",
        ("layer", "MAC", "ours", "reference", "times less", "stack", ""),
        rows,
    )
