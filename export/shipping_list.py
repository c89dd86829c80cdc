"""The list of what ships: for each bundle where its training stands, which of its nets, and its budget."""

import argparse
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from device_sim.contract.budget import Budget, budget_from_json
from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields, as_text
from device_sim.contract.gate import Gate, gate_from_json

MAX_SEED = 2**31 - 1
MAX_EPOCHS = 100
LIST = Path("models/models.toml")


def add_list(parser: argparse.ArgumentParser) -> None:
    """Options of every command that goes through the list."""
    parser.add_argument("name", nargs="*", help="bundles of the list (default: all)")
    parser.add_argument("--list", type=Path, default=LIST, metavar="FILE", help=f"default: {LIST}")
    parser.add_argument("--stale", action="store_true", help="only what is absent or of other weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One bundle and everything it is made of; all of it committed."""

    name: str
    results: Path  # folder of `wristlead train`
    seed: int
    budget: Budget
    file: str | None = None  # of the weights, where training gave it a name of its own
    tune_epochs: int = 0  # quantisation-aware ones, where ranges alone lose too much
    use: str = ""  # what it is for, in the card
    failures: tuple[str, ...] = ()  # what it is known to get wrong, in the card

    @property
    def weights(self) -> Path:
        """Those that ship."""
        if self.file is not None:
            return self.results / self.file
        tuned = "-int8" if self.tune_epochs else ""
        return self.results / f"weights-s{self.seed}{tuned}.safetensors"

    @property
    def calibration(self) -> Path:
        return self.results / f"calibration-s{self.seed}.json"

    @property
    def picture(self) -> Path:
        """ROC of both networks on the judging side."""
        return self.results / f"roc-int8-s{self.seed}.png"

    @property
    def comparison(self) -> Path:
        return self.results / f"int8-s{self.seed}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeShipment:
    """Two bundles of the list and the gate between them."""

    name: str
    quality: str
    beat: str
    gate: Gate
    found: str  # how the gate's numbers were found
    budget: Budget


def read_list(path: Path) -> tuple[Shipment, ...]:
    """The bundles of a TOML file, in its order; paths in it start where it stands."""
    return tuple(
        _shipment(name, Fields(table, f"{path}: {name}"), path)
        for name, table in _tables(path).items()
        if not _is_cascade(table)
    )


def read_cascades(path: Path) -> tuple[CascadeShipment, ...]:
    """The cascades of the same file: tables that name a quality bundle."""
    made = tuple(
        _cascade(name, Fields(table, f"{path}: {name}"))
        for name, table in _tables(path).items()
        if _is_cascade(table)
    )
    known = [one.name for one in read_list(path)]
    for cascade in made:
        for part in (cascade.quality, cascade.beat):
            if part not in known:
                raise ContractError(
                    f"{path}: {cascade.name}: expected bundles of {', '.join(known)}, got {part[:80]!r}"
                )
    return made


def _tables(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise ContractError(f"{path}: expected the list of bundles (TOML), there is nothing")
    try:
        tables = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ContractError(f"{path}: expected TOML, got {fault}") from None
    if not tables:
        raise ContractError(f"{path}: expected a table for each bundle, found none")
    return tables


def _is_cascade(table: object) -> bool:
    return isinstance(table, dict) and "quality" in table


def _cascade(name: str, read: Fields) -> CascadeShipment:
    made = CascadeShipment(
        name=name,
        quality=read.text("quality"),
        beat=read.text("beat"),
        gate=gate_from_json(read.object("gate")),
        found=read.text("found"),
        budget=budget_from_json(read.object("budget")),
    )
    read.done()
    return made


def _shipment(name: str, read: Fields, path: Path) -> Shipment:
    made = Shipment(
        name=name,
        results=Path(os.path.normpath(path.parent / read.text("results"))),
        seed=read.integer("seed", 0, MAX_SEED),
        budget=budget_from_json(read.object("budget")),
        tune_epochs=read.integer("tune_epochs", 0, MAX_EPOCHS) if read.has("tune_epochs") else 0,
        file=read.text("file") if read.has("file") else None,
        use=read.text("use") if read.has("use") else "",
        failures=read.items("failures", as_text) if read.has("failures") else (),
    )
    read.done()
    return made


def chosen(path: Path, names: list[str]) -> tuple[Shipment, ...]:
    """Those bundles that were named, or all."""
    listed = read_list(path)
    known = [one.name for one in listed]
    for name in names:
        if name not in known:
            raise ContractError(f"{path}: expected one of {', '.join(known)}, got {name[:80]!r}")
    return tuple(one for one in listed if not names or one.name in names)
