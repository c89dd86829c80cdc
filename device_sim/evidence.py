"""What was measured of a bundle and lies outside it: cost by its digest, changed verdicts by its graph."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.fields import Fields, as_text, parse
from device_sim.contract.manifest import graph_sha256
from device_sim.contract.metrics import Metrics, metrics_from_json

T = TypeVar("T")
MAX_BYTES = 1 << 20
LAYER = re.compile(r"(\S+)/layer \d+ (.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreCost:
    """Counted on one emulated core; the same on every machine."""

    core: str
    totals: Mapping[str, int]  # instructions, flash_bytes, ram_bytes, stack_bytes, ...
    layers: Mapping[str, int]  # instructions by operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Verdicts that integers change, on recordings nobody trained on."""

    side: str
    n_windows: int
    n_changed: int
    lost: Mapping[str, float]
    layers: Mapping[str, int]  # where integers and real numbers part first
    widest: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """None where nothing was found."""

    costs: tuple[CoreCost, ...] = ()
    changed: Changed | None = None


def evidence_of(bundle: Bundle, folder: Path, *, cost: Path | None, changed: Path | None) -> Evidence:
    """The files named, which must belong to this bundle; else those of the checkout it lies in, if any do."""
    house = next((parent for parent in folder.resolve().parents if (parent / "budgets").is_dir()), None)
    costs: tuple[CoreCost, ...] = ()
    if cost is not None:
        costs = read_cost(cost, bundle)
    elif house is not None:
        costs = _first(read_cost, [house / "budgets" / f"{bundle.name}.json"], bundle) or ()
    found = read_changed(changed, bundle) if changed is not None else None
    if found is None and house is not None:
        folder = house / "training" / "results" / Path(bundle.provenance.get("recipe", "none")).name
        found = _first(read_changed, sorted(folder.glob("int8-*.json")), bundle)
    return Evidence(costs=costs, changed=found)


def _first(read: Callable[[Path, Bundle], T], paths: Sequence[Path], bundle: Bundle) -> T | None:
    """What is there and belongs to the bundle; a checkout may be ahead of it."""
    for path in paths:
        if path.is_file():
            try:
                return read(path, bundle)
            except DigestError:
                continue
    return None


def read_cost(path: Path, bundle: Bundle) -> tuple[CoreCost, ...]:
    """A baseline of `wristlead gate`, by core."""
    read = _parsed(path, "a baseline of `wristlead gate`")
    _same(path, "digest", bundle.digest, read.text("digest"))
    metrics = read.object("metrics")
    totals: dict[str, dict[str, int]] = {}
    layers: dict[str, dict[str, int]] = {}
    for name in metrics.names():
        value = metrics.number(name)
        core, _, what = name.partition("/")
        if core == "accuracy":
            continue
        layer = LAYER.fullmatch(name)
        if layer:
            layers.setdefault(core, {})[layer[2]] = round(value)
        else:
            totals.setdefault(core, {})[what] = round(value)
    return tuple(CoreCost(core=core, totals=totals[core], layers=layers.get(core, {})) for core in totals)


def read_changed(path: Path, bundle: Bundle) -> Changed:
    """What `wristlead compare` committed."""
    read = _parsed(path, "a result of `wristlead compare`")
    metrics: Metrics = metrics_from_json(read.object("metrics"))
    _same(path, "metrics.graph_sha256", graph_sha256(bundle.graph), metrics.graph_sha256)
    lost, layers = read.object("lost"), read.object("layers")
    return Changed(
        side=read.text("side"),
        n_windows=read.integer("n_windows", 0, 2**53),
        n_changed=read.integer("n_changed", 0, 2**53),
        lost={name: lost.number(name) for name in lost.names()},
        layers={name: layers.integer(name, 0, 2**53) for name in layers.names()},
        widest=read.items("flips", as_text),
    )


def _parsed(path: Path, kind: str) -> Fields:
    try:
        raw = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise ContractError(f"{path}: expected {kind}, found none ({error.strerror})") from None
    return parse(raw, str(path))


def _same(path: Path, field: str, expected: str, found: str) -> None:
    if expected != found:
        raise DigestError(
            f"{path}: {field}: expected this bundle's {expected[:12]}, got {found[:12]}; it measured another"
        )
