"""Everything exact about an application on a core: instructions by layer, flash, RAM, arena, stack."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import peers
from benchmarks.mcu import device, model
from benchmarks.mcu.device import Application
from benchmarks.mcu.image import ZIG
from benchmarks.mcu.targets import Target
from device_sim.app import NETS
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of
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
    """An application on one core; the device is None where nobody judges its numbers."""

    target: str
    networks: Mapping[str, model.Run]  # by what stands before its metrics: "", or "quality/" and "beat/"
    arena_bytes: int
    sizes: device.Sizes | None = None
    stream: device.Stream | None = None
    device_instructions: int = 0  # a second, every window and every beat judged
    tools: Mapping[str, str] = field(default_factory=dict)

    def metrics(self) -> tuple[Metric, ...]:
        found = [
            *(
                Metric(
                    name=f"{before}instructions",
                    value=round(of.instructions),
                    unit="instructions",
                    about="a window",
                )
                for before, of in self.networks.items()
            ),
            Metric(name="arena_bytes", value=self.arena_bytes, unit="bytes"),
            Metric(name="stack_bytes", value=self.stack_bytes, unit="bytes"),
        ]
        if self.sizes is not None:
            found += [
                Metric(name="flash_bytes", value=self.sizes.flash_bytes, unit="bytes"),
                Metric(name="ram_bytes", value=self.sizes.ram_bytes, unit="bytes"),
                Metric(
                    name="device_instructions",
                    value=self.device_instructions,
                    unit="instructions",
                    about=f"a second of the whole device at {HEART_RATE_BPM:.0f} beats a minute",
                ),
            ]
        return (*found, *self._layers())

    def _layers(self) -> Iterator[Metric]:
        for before, of in self.networks.items():
            for k, layer in enumerate(of.layers):
                yield Metric(
                    name=f"{before}layer {k:02d} {layer.name}",
                    value=round(layer.instructions),
                    unit="instructions",
                    about=f"kernel {layer.kind}, layer {layer.name}",
                )

    @property
    def stack_bytes(self) -> int:
        """The deepest of the runs."""
        runs = [of.stack_bytes for of in self.networks.values()]
        return max(*runs, self.stream.stack_bytes if self.stream else 0)


def named(application: Application) -> dict[str, Bundle]:
    """Networks by what stands before their metrics."""
    nets = [f"{net}/" for net in NETS] if isinstance(application, Cascade) else [""]
    return dict(zip(nets, bundles_of(application), strict=True))


def windows_a_second(bundle: Bundle, heart_rate_bpm: float) -> float:
    if bundle.input is InputKind.BEAT:
        return heart_rate_bpm / 60
    return bundle.window.rate_hz / bundle.window.hop_samples


def measure(application: Application, target: Target, *, compiler: str = ZIG) -> BundleCost:
    """Build, run, compare with this machine's bytes; other bytes have no cost."""
    networks = {before: _run(bundle, target, compiler) for before, bundle in named(application).items()}
    sizes = stream = None
    a_second = 0.0
    if device.is_whole(application):
        with tempfile.TemporaryDirectory() as folder:
            built = device.build(application, Path(folder), target, compiler=compiler)
            stream = device.run(built, application, device.ecg(STREAM_S, HEART_RATE_BPM))
        sizes = device.sizes_of(built, max(stream.stack_bytes, *(of.stack_bytes for of in networks.values())))
        a_second = instructions_a_second(application, stream)
    return BundleCost(
        target=target.name,
        networks=networks,
        arena_bytes=max(plan(bundle.graph).arena_bytes for bundle in bundles_of(application)),
        sizes=sizes,
        stream=stream,
        device_instructions=round(a_second),
        tools={tool: peers.version_of(tool) for tool in TOOLS} | {"compiler": compiler},
    )


def instructions_a_second(application: Application, stream: device.Stream) -> float:
    """As in the long run: networks by window, the first seconds of a recording have none."""
    spent = dict(stream.by_stage)
    networks = 0.0
    for one in bundles_of(application):
        a_window = spent.pop(one.name) / max(stream.n_windows[one.name], 1)
        networks += a_window * windows_a_second(one, HEART_RATE_BPM)
    return sum(spent.values()) / stream.seconds + networks


def _run(bundle: Bundle, target: Target, compiler: str) -> model.Run:
    windows = model.windows_of(bundle)
    with tempfile.TemporaryDirectory() as folder:
        built = model.build(bundle, Path(folder), target, compiler=compiler, windows=windows)
        said = model.run(built, bundle.graph)
    if said.n_wrong or said.hash != model.hash_here(bundle.graph, windows):
        raise ContractError(
            f"{bundle.name}: {target.name}: {said.n_wrong} bytes differ from the bundle's vectors; "
            "this core does not compute what the bundle was exported with"
        )
    return said
