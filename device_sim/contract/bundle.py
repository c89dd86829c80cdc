"""The bundle: the one object that goes from training through export to the device. Reader and writer."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from device_sim.contract.budget import Budget, budget_from_json
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.fields import Fields, as_text, parse
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind, check_window, parts_of
from device_sim.contract.labels import Labels
from device_sim.contract.manifest import graph_from_json, graph_sha256, graph_to_json
from device_sim.contract.metrics import Metrics, check_sha256, metrics_from_json, metrics_to_json
from device_sim.contract.verdict import VerdictSpec, verdict_from_json, verdict_to_json
from device_sim.contract.window import WindowSpec

FORMAT = 1
MANIFEST, WEIGHTS = "manifest.json", "weights.bin"
MAX_MANIFEST_BYTES = 16 << 20
MAX_FILE_BYTES = 128 << 20
MAX_FILES = 32
MAX_FILES_BYTES = 256 << 20  # of all of them together
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """A network, what it is fed, what its outputs mean, and where it comes from."""

    name: str
    input: InputKind
    window: WindowSpec
    labels: Labels
    graph: Graph
    verdict: VerdictSpec | None = None  # None: a network that gives numbers and judges nothing
    frontend_sha256: str = ""  # device_sim.fingerprint of the front end it was trained behind
    budget: Budget | None = None
    metrics: Metrics | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)  # model.tflite, vectors.npz, MODEL_CARD.md

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ContractError(f"bundle.name: expected a-z, 0-9, - and _, got {self.name[:80]!r}")
        for name in self.files:
            _check_file_name(name)
        if self.frontend_sha256:
            check_sha256(self.frontend_sha256, "bundle.frontend_sha256")
        if self.verdict is not None:
            self._check_verdict(self.verdict)
        if self.metrics is not None:
            self._check_metrics(self.metrics)

    def _check_verdict(self, verdict: VerdictSpec) -> None:
        if len(self.labels) != 1 + len(verdict.questions):
            raise ContractError(
                f"verdict.questions: expected one for each label but the first, {len(self.labels) - 1}, "
                f"got {len(verdict.questions)}"
            )
        for question in verdict.questions:
            if question.output not in self.graph.outputs or self.graph.tensor(question.output).n_bytes != 1:
                raise ContractError(
                    f"verdict.questions: expected an output of one code "
                    f"({', '.join(self.graph.outputs)}), got {question.output[:80]!r}"
                )
        if not self.frontend_sha256:
            raise ContractError("bundle.frontend_sha256: expected it beside a verdict, found none")
        check_window(self.input, self.window)
        parts_of(self.input, self.graph)

    def _check_metrics(self, metrics: Metrics) -> None:
        found = graph_sha256(self.graph)
        if metrics.graph_sha256 != found:
            raise DigestError(
                f"metrics.graph_sha256: expected {found[:12]}.. (this graph), "
                f"got {metrics.graph_sha256[:12]}..; these figures belong to another network"
            )

    @property
    def digest(self) -> str:
        """Of everything: the same bytes on any machine."""
        return _digest(_manifest(self)[0])


def _check_file_name(name: str) -> None:
    if not FILE_NAME.fullmatch(name) or name in (MANIFEST, WEIGHTS):
        raise ContractError(f"bundle.files: expected a plain file name, got {name[:80]!r}")


def _manifest(bundle: Bundle) -> tuple[dict[str, Any], bytes]:
    """All but the digest, and weights.bin."""
    graph, weights = graph_to_json(bundle.graph)
    made: dict[str, Any] = {
        "format": FORMAT,
        "name": bundle.name,
        "input": bundle.input.value,
        "window": asdict(bundle.window),
        "labels": list(bundle.labels.names),
        "provenance": dict(bundle.provenance),
        "files": {name: hashlib.sha256(raw).hexdigest() for name, raw in bundle.files.items()},
        **graph,
    }
    if bundle.verdict is not None:
        made["verdict"] = verdict_to_json(bundle.verdict)
    if bundle.frontend_sha256:
        made["frontend_sha256"] = bundle.frontend_sha256
    if bundle.budget is not None:
        made["budget"] = asdict(bundle.budget)
    if bundle.metrics is not None:
        made["metrics"] = metrics_to_json(bundle.metrics)
    return made, weights


def _digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of the manifest: keys sorted, no spaces, the digest itself left out."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def write_bundle(bundle: Bundle, folder: Path) -> str:
    """Write the folder, whole or not at all, and give its digest."""
    if folder.exists():
        raise ContractError(f"{folder}: expected no such folder yet; a bundle is not written over another")
    manifest, weights = _manifest(bundle)
    manifest["digest"] = _digest(manifest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        fresh = Path(name) / folder.name
        fresh.mkdir()
        (fresh / MANIFEST).write_text(json.dumps(manifest, sort_keys=True, indent=1) + "\n")
        (fresh / WEIGHTS).write_bytes(weights)
        for file, raw in bundle.files.items():
            (fresh / file).write_bytes(raw)
        os.replace(fresh, folder)
    return str(manifest["digest"])


def read_bundle(folder: Path) -> Bundle:
    """The bundle, every digest checked before a byte is used."""
    raw = _read(folder, MANIFEST, MAX_MANIFEST_BYTES)
    where = f"{folder / MANIFEST}"
    fields = parse(raw, where)
    found_format = fields.take("format")
    if type(found_format) is not int or found_format != FORMAT:
        raise ContractError(
            f"{where}: format: expected {FORMAT}, got {str(found_format)[:40]}; "
            "written by a newer `wristlead export`"
        )
    stated, found = fields.text("digest"), _digest(json.loads(raw))
    if stated != found:
        raise DigestError(
            f"{where}: digest: expected {stated[:12]!r}.., got {found[:12]}..; "
            "the bundle was edited after export"
        )
    try:
        return _bundle(fields, folder)
    except (ContractError, DigestError) as error:
        if str(error).startswith(str(folder)):
            raise
        raise type(error)(f"{where}: {error}") from None


def _bundle(fields: Fields, folder: Path) -> Bundle:
    name = fields.text("name")
    kind = fields.text("input")
    if kind not in tuple(InputKind):
        raise ContractError(f"input: expected one of {', '.join(InputKind)}, got {kind[:40]!r}")
    window = fields.object("window")
    rates = {one: window.integer(one, 1, 2**31 - 1) for one in WindowSpec.__dataclass_fields__}
    window.done()
    labels = Labels(fields.items("labels", as_text))
    provenance = fields.object("provenance")
    origin = {one: provenance.text(one) for one in provenance.names()}
    files = _files(fields.object("files"), folder)
    graph = graph_from_json(fields, _read(folder, WEIGHTS, MAX_FILE_BYTES), name)
    verdict = verdict_from_json(fields.object("verdict")) if fields.has("verdict") else None
    frontend = fields.text("frontend_sha256") if fields.has("frontend_sha256") else ""
    budget = budget_from_json(fields.object("budget")) if fields.has("budget") else None
    metrics = metrics_from_json(fields.object("metrics")) if fields.has("metrics") else None
    fields.done()
    return Bundle(
        name=name,
        input=InputKind(kind),
        window=WindowSpec(**rates),
        labels=labels,
        graph=graph,
        verdict=verdict,
        frontend_sha256=frontend,
        budget=budget,
        metrics=metrics,
        provenance=origin,
        files=files,
    )


def _files(listed: Fields, folder: Path) -> dict[str, bytes]:
    names = tuple(listed.names())
    if len(names) > MAX_FILES:
        raise ContractError(f"{listed.where}: expected at most {MAX_FILES} files, got {len(names)}")
    files: dict[str, bytes] = {}
    for name in names:
        _check_file_name(name)
        room_bytes = MAX_FILES_BYTES - sum(map(len, files.values()))
        stated, raw = listed.text(name), _read(folder, name, min(MAX_FILE_BYTES, room_bytes))
        found = hashlib.sha256(raw).hexdigest()
        if found != stated:
            raise DigestError(f"{folder / name}: expected sha256 {stated[:12]!r}.., got {found[:12]}..")
        files[name] = raw
    return files


def _read(folder: Path, name: str, limit_bytes: int) -> bytes:
    """A plain file of the folder, not larger than it may be."""
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise ContractError(
            f"{path}: expected a file of the bundle, found none; written by `wristlead export`"
        )
    n_bytes = path.stat().st_size
    if n_bytes > limit_bytes:
        raise ContractError(f"{path}: expected at most {limit_bytes} bytes, got {n_bytes}")
    return path.read_bytes()
