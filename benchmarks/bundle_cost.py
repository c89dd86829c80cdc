"""Everything exact about a bundle on a core: instructions by layer, flash, RAM, arena, stack."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import peers
from benchmarks.mcu import device, model
from benchmarks.mcu.image import ZIG
from benchmarks.mcu.targets import Target
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind
from device_sim.plan import plan

STREAM_S, HEART_RATE_BPM = 30.0, 200.0  # the most beats a detector has to find
TOOLS = ("ziglang", "unicorn", "pyelftools")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One exact number, smaller is better."""

    name: str
    value: int
    unit: str
    about: str = ""  # for a message: which layer, which kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCost:
    """One bundle on one core; the device is None for an input that no front end feeds."""

    target: str
    network: model.Run
    arena_bytes: int
    sizes: device.Sizes | None = None
    stream: device.Stream | None = None
    tools: Mapping[str, str] = field(default_factory=dict)

    def metrics(self) -> tuple[Metric, ...]:
        of = self.network
        found = [
            Metric(name="instructions", value=round(of.instructions), unit="instructions", about="a window"),
            Metric(name="arena_bytes", value=self.arena_bytes, unit="bytes"),
            Metric(name="stack_bytes", value=self.stack_bytes, unit="bytes"),
        ]
        if self.sizes is not None and self.stream is not None:
            found += [
                Metric(name="flash_bytes", value=self.sizes.flash_bytes, unit="bytes"),
                Metric(name="ram_bytes", value=self.sizes.ram_bytes, unit="bytes"),
                Metric(
                    name="device_instructions",
                    value=round(self.stream.per_second),
                    unit="instructions",
                    about=f"a second of the whole device at {HEART_RATE_BPM:.0f} beats a minute",
                ),
            ]
        for k, layer in enumerate(of.layers):
            found.append(
                Metric(
                    name=f"layer {k:02d} {layer.name}",
                    value=round(layer.instructions),
                    unit="instructions",
                    about=f"kernel {layer.kind}, layer {layer.name}",
                )
            )
        return tuple(found)

    @property
    def stack_bytes(self) -> int:
        """The deepest of the runs."""
        return max(self.network.stack_bytes, self.stream.stack_bytes if self.stream else 0)


def measure(bundle: Bundle, target: Target, *, compiler: str = ZIG) -> BundleCost:
    """Build, run, compare with this machine's bytes; other bytes have no cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        windows = model.windows_of(bundle)
        said = model.run(
            model.build(bundle, folder, target, compiler=compiler, windows=windows), bundle.graph
        )
        if said.n_wrong or said.hash != model.hash_here(bundle.graph, windows):
            raise ContractError(
                f"{bundle.name}: {target.name}: {said.n_wrong} bytes differ from the bundle's vectors; "
                "this core does not compute what the bundle was exported with"
            )
        sizes = stream = None
        if bundle.input in (InputKind.IMAGE, InputKind.BEAT, InputKind.BLIND):
            built = device.build(bundle, folder, target, compiler=compiler)
            stream = device.run(built, device.ecg(STREAM_S, HEART_RATE_BPM))
            sizes = device.sizes_of(built, max(stream.stack_bytes, said.stack_bytes))
    return BundleCost(
        target=target.name,
        network=said,
        arena_bytes=plan(bundle.graph).arena_bytes,
        sizes=sizes,
        stream=stream,
        tools={tool: peers.version_of(tool) for tool in TOOLS} | {"compiler": compiler},
    )
