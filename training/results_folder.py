"""A results folder: the recipe that made it, what it stood on, what it found, and its weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from device_sim.contract.errors import ContractError, DigestError, StreamError
from training.data.cache import copy_whole, write_whole
from training.protocols.external_report import ExternalMetrics
from training.protocols.external_report import render as render_external
from training.protocols.gating_report import GatingMetrics
from training.protocols.gating_report import render as render_gating
from training.protocols.integers_report import PROTOCOL as INTEGERS
from training.protocols.integers_report import IntegerMetrics
from training.protocols.integers_report import render as render_integers
from training.protocols.nst_report import NstMetrics
from training.protocols.nst_report import render as render_nst
from training.protocols.paper_report import PaperMetrics
from training.protocols.paper_report import render as render_paper
from training.protocols.personal_report import PersonalMetrics
from training.protocols.personal_report import render as render_personal
from training.protocols.strangers_report import StrangerMetrics
from training.protocols.strangers_report import render as render_strangers
from training.provenance import RunRecord, commit, digest_of_file, machine, versions, write_json
from training.recipe import Recipe
from training.tables import build

RECIPE, RUN, METRICS, VERDICT = "recipe.toml", "run.json", "metrics.json", "verdict.json"
ADAPTED_VERDICT = "verdict-adapted.json"  # thresholds of P4
RESULTS = Path(__file__).parent / "results"
EXTERNAL_TEST = "external-test.json"  # written once per final net
IN_DOMAIN, IN_DOMAIN_DEV, NST = "in-domain.json", "in-domain-dev.json", "nst.json"
GATING_DS2 = "gating-ds2.json"
OPENINGS = "openings.jsonl"  # beside the results folders: every look at a test side, once per final net
Metrics = (
    PersonalMetrics
    | StrangerMetrics
    | ExternalMetrics
    | IntegerMetrics
    | NstMetrics
    | PaperMetrics
    | GatingMetrics
)


def check_folder(folder: Path) -> None:
    """What is written at the end of a long work is refused at its beginning."""
    if folder.exists() and not folder.is_dir():
        raise ContractError(f"{folder}: expected a folder for results, got a file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Where a run's results go; refused when another recipe's are there."""

    folder: Path
    recipe_toml: bytes

    def claim(self) -> None:
        """Before the first hour of training, not after it."""
        check_folder(self.folder)
        there = self.folder / RECIPE
        if there.exists() and there.read_bytes() != self.recipe_toml:
            raise ContractError(
                f"{self.folder}: expected no results or those of the same recipe, got another's; "
                "choose another --out, nothing was overwritten"
            )

    def write(
        self,
        recipe: Recipe,
        metrics: Metrics,
        *,
        data: Mapping[str, str],
        licences: Mapping[str, str],
        splits: Mapping[str, Any],
        weights: Mapping[str, Path],
        init: str = "scratch",
    ) -> None:
        """Recipe and weights first, the record of the run last: a folder with `run.json` is complete."""
        self.claim()
        write_whole(self.folder / RECIPE, lambda stream: stream.write(self.recipe_toml))
        for name, path in weights.items():
            copy_whole(path, self.folder / name)
        write_json(self.folder / METRICS, metrics)
        run = RunRecord(
            recipe=recipe.name,
            recipe_sha256=sha256(self.recipe_toml).hexdigest(),
            protocol=recipe.protocol,
            init=init,
            data=dict(data),
            licences=dict(licences),
            splits=dict(splits),
            seeds=list(recipe.seeds),
            weights_sha256={name: digest_of_file(self.folder / name) for name in weights},
            versions=versions(),
            machine=machine(),
            commit=commit(),
        )
        write_json(self.folder / RUN, run)


def read_metrics(path: Path) -> Metrics:
    table = read_json(path)
    if table.get("protocol") == "P1":
        return build(PersonalMetrics, without_nulls(table), where=str(path))
    if table.get("protocol") == "paper-000":
        return build(PaperMetrics, without_nulls(table), where=str(path))
    if table.get("protocol") == INTEGERS:
        return build(IntegerMetrics, without_nulls(table), where=str(path))
    if table.get("protocol") == "nst":
        return build(NstMetrics, without_nulls(table), where=str(path))
    if table.get("protocol") == "gating":
        return build(GatingMetrics, without_nulls(table), where=str(path))
    if table.get("protocol") in ("external", "in_domain"):
        return build(ExternalMetrics, without_nulls(table), where=str(path))
    return build(StrangerMetrics, without_nulls(table), where=str(path))


def tables_of(folder: Path) -> str:
    """Every table of a results folder, from what is written there."""
    once = (METRICS, EXTERNAL_TEST, IN_DOMAIN_DEV, IN_DOMAIN, NST, GATING_DS2)
    others = (
        path
        for pattern in ("external-test-int8-s*.json", "p?-*.json")
        for path in sorted(folder.glob(pattern))
    )
    named = (*(folder / name for name in once), *others)
    files = [path for path in named if path.exists()]
    if not files:
        raise StreamError(f"{folder}: expected {METRICS}, there is nothing; `wristlead train` writes it")
    return "\n\n".join(render(read_metrics(path)) for path in files)


def render(metrics: Metrics) -> str:
    if isinstance(metrics, PersonalMetrics):
        return render_personal(metrics)
    if isinstance(metrics, PaperMetrics):
        return render_paper(metrics)
    if isinstance(metrics, NstMetrics):
        return render_nst(metrics)
    if isinstance(metrics, GatingMetrics):
        return render_gating(metrics)
    if isinstance(metrics, IntegerMetrics):
        return render_integers(metrics)
    return render_external(metrics) if isinstance(metrics, ExternalMetrics) else render_strangers(metrics)


def check_weights(folder: Path, names: Sequence[str]) -> None:
    """The weights are those the run wrote down, or nothing is judged."""
    expected = read_json(folder / RUN).get("weights_sha256", {})
    for name in names:
        if name not in expected:
            raise ContractError(f"{folder}/{RUN}: weights_sha256: expected {name}, it is not there")
        got = digest_of_file(folder / name)
        if got != expected[name]:
            raise DigestError(
                f"{folder}/{name}: expected sha256 {expected[name][:12]}.. (run.json), got {got[:12]}.."
            )


def log_opening(
    path: Path, *, recipe: str, protocol: str, weights_sha256: Sequence[str], rule: Path | None = None
) -> None:
    """One line per look at the test side; looking twice at the same nets and the same rule adds none."""
    line: dict[str, Any] = {"recipe": recipe, "protocol": protocol, "weights_sha256": sorted(weights_sha256)}
    if rule is not None:
        line["rule_sha256"] = sha256(rule.read_bytes()).hexdigest()
    before = path.read_text().splitlines() if path.exists() else []
    if any({key: json.loads(old).get(key) for key in line} == line for old in before):
        return
    dated = {**line, "date": datetime.now(UTC).date().isoformat()}
    text = "\n".join([*before, json.dumps(dated, sort_keys=True)]) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))


def read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise StreamError(f"{path}: expected a results file, there is nothing")
    try:
        table = json.loads(path.read_bytes())
    except json.JSONDecodeError as fault:
        raise ContractError(f"{path}: expected JSON, got {fault}") from fault
    if not isinstance(table, dict):
        raise ContractError(f"{path}: expected a JSON object, got {type(table).__name__}")
    return table


def without_nulls(value: Any) -> Any:
    """`None` is a field's default, and a table leaves it out."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
