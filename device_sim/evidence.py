"""What was measured of a bundle and lies outside it: cost by its digest, changed verdicts by its graph."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from device_sim.app import NETS
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.fields import Fields, as_text, parse
from device_sim.contract.manifest import graph_sha256
from device_sim.contract.metrics import Metrics, metrics_from_json

T = TypeVar("T")
MAX_BYTES = 1 << 20
METRIC = re.compile(rf"([^/]+)/(?:({'|'.join(NETS)})/)?(?:layer \d+ (.+)|(.+))")


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
    """What was found, and nothing of what was not."""

    costs: Mapping[str, tuple[CoreCost, ...]]  # by network of a cascade; "" is all together
    changed: Mapping[str, Changed]  # by the digest of a bundle


def evidence_of(
    application: Bundle | Cascade, folder: Path, *, cost: Path | None, changed: Path | None
) -> Evidence:
    """The files that are named, which must have measured this; else those of the checkout it lies in."""
    house = next((parent for parent in folder.resolve().parents if (parent / "budgets").is_dir()), None)
    bundles = bundles_of(application)
    costs: Mapping[str, tuple[CoreCost, ...]] = {}
    if cost is not None:
        costs = read_cost(cost, application)
    elif house is not None:
        baseline = house / "budgets" / f"{application.name}.json"
        costs = _first(partial(read_cost, application=application), [baseline]) or {}
    found: dict[str, Changed] = {}
    if changed is not None:
        bundle, compared = read_changed(changed, bundles)
        found[bundle.digest] = compared
    elif house is not None:
        for bundle in bundles:
            recipe = Path(bundle.provenance.get("recipe", "none")).name
            paths = sorted((house / "training" / "results" / recipe).glob("int8-*.json"))
            known = _first(partial(read_changed, bundles=[bundle]), paths)
            found |= {bundle.digest: known[1]} if known else {}
    return Evidence(costs=costs, changed=found)


def _first(read: Callable[[Path], T], paths: Sequence[Path]) -> T | None:
    """The first that is there and measured this; a checkout may be ahead of a bundle."""
    for path in paths:
        if path.is_file():
            try:
                return read(path)
            except DigestError:
                continue
    return None


def read_cost(path: Path, application: Bundle | Cascade) -> dict[str, tuple[CoreCost, ...]]:
    """A baseline of `wristlead gate`: by network, then by core."""
    read = _parsed(path, "a baseline of `wristlead gate`")
    _same(path, "digest", [application.digest], read.text("digest"))
    metrics = read.object("metrics")
    counted: dict[str, dict[str, CoreCost]] = {}
    for name in metrics.names():
        value, found = round(metrics.number(name)), METRIC.fullmatch(name)
        if found is None or found[1] == "accuracy":
            continue
        core, net, layer, total = found[1], found[2] or "", found[3], found[4]
        of = counted.setdefault(net, {}).setdefault(core, CoreCost(core=core, totals={}, layers={}))
        where = dict(of.layers if layer else of.totals) | {layer or total: value}
        counted[net][core] = replace(of, layers=where) if layer else replace(of, totals=where)
    return {net: tuple(by_core.values()) for net, by_core in counted.items()}


def read_changed(path: Path, bundles: Sequence[Bundle]) -> tuple[Bundle, Changed]:
    """What `wristlead compare` committed, and which of the bundles it measured."""
    read = _parsed(path, "a result of `wristlead compare`")
    metrics: Metrics = metrics_from_json(read.object("metrics"))
    graphs = [graph_sha256(bundle.graph) for bundle in bundles]
    _same(path, "metrics.graph_sha256", graphs, metrics.graph_sha256)
    lost, layers = read.object("lost"), read.object("layers")
    changed = Changed(
        side=read.text("side"),
        n_windows=read.integer("n_windows", 0, 2**53),
        n_changed=read.integer("n_changed", 0, 2**53),
        lost={name: lost.number(name) for name in lost.names()},
        layers={name: layers.integer(name, 0, 2**53) for name in layers.names()},
        widest=read.items("flips", as_text),
    )
    return bundles[graphs.index(metrics.graph_sha256)], changed


def _parsed(path: Path, kind: str) -> Fields:
    try:
        raw = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise ContractError(f"{path}: expected {kind}, found none ({error.strerror})") from None
    return parse(raw, str(path))


def _same(path: Path, field: str, expected: Sequence[str], found: str) -> None:
    if found not in expected:
        ours = " or ".join(one[:12] for one in expected)
        raise DigestError(
            f"{path}: {field}: expected {ours} (this bundle's), got {found[:12]}; it measured another"
        )
