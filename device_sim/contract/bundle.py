"""The bundle: the one object that goes from training through export to the device. Reader and writer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from device_sim.contract.budget import Budget, budget_from_json
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.fields import Fields, as_text
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind, check_window, parts_of
from device_sim.contract.labels import Labels
from device_sim.contract.manifest import graph_from_json, graph_sha256, graph_to_json
from device_sim.contract.metrics import Metrics, check_sha256, metrics_from_json, metrics_to_json
from device_sim.contract.painting import Painting, painting_from_json, painting_to_json
from device_sim.contract.signed import (
    FORMAT,
    MANIFEST,
    MAX_FILE_BYTES,
    check_file_name,
    check_name,
    digest_of,
    listed,
    read_file,
    read_files,
    read_signed,
    write_signed,
)
from device_sim.contract.verdict import VerdictSpec, verdict_from_json, verdict_to_json
from device_sim.contract.window import WindowSpec

WEIGHTS = "weights.bin"
TAKEN = (MANIFEST, WEIGHTS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """A network, what it is fed, what its outputs mean, and where it comes from."""

    name: str
    input: InputKind
    window: WindowSpec
    labels: Labels
    graph: Graph
    verdict: VerdictSpec | None = None  # None: a network that gives numbers and judges nothing
    frontend_sha256: str = ""  # device_sim.fingerprint of the front end it was trained behind
    painting: Painting | None = None  # of a picture: its colours
    budget: Budget | None = None
    metrics: Metrics | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)  # model.tflite, vectors.npz, MODEL_CARD.md

    def __post_init__(self) -> None:
        check_name(self.name, "bundle")
        for name in self.files:
            check_file_name(name, "bundle", TAKEN)
        if self.frontend_sha256:
            check_sha256(self.frontend_sha256, "bundle.frontend_sha256")
        if (self.painting is None) == (self.input is InputKind.PICTURE):
            raise ContractError("bundle.painting: expected it with input picture, and only there")
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

    @cached_property
    def digest(self) -> str:
        """Of everything: the same bytes on any machine."""
        return digest_of(_manifest(self)[0])


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
        "files": listed(bundle.files),
        **graph,
    }
    if bundle.verdict is not None:
        made["verdict"] = verdict_to_json(bundle.verdict)
    if bundle.frontend_sha256:
        made["frontend_sha256"] = bundle.frontend_sha256
    if bundle.painting is not None:
        made["painting"] = painting_to_json(bundle.painting)
    if bundle.budget is not None:
        made["budget"] = asdict(bundle.budget)
    if bundle.metrics is not None:
        made["metrics"] = metrics_to_json(bundle.metrics)
    return made, weights


def write_bundle(bundle: Bundle, folder: Path) -> str:
    """Write the folder, whole or not at all, and give its digest."""
    manifest, weights = _manifest(bundle)

    def fill(fresh: Path) -> None:
        (fresh / WEIGHTS).write_bytes(weights)
        for file, raw in bundle.files.items():
            (fresh / file).write_bytes(raw)

    return write_signed(folder, manifest, fill)


def read_bundle(folder: Path) -> Bundle:
    """The bundle, every digest checked before a byte is used."""
    fields = read_signed(folder)
    if fields.has("kind"):
        raise ContractError(
            f"{folder / MANIFEST}: kind: expected a single bundle, got {fields.text('kind')[:40]!r}; "
            f"name one of its own, such as {folder / 'quality'}"
        )
    try:
        return _bundle(fields, folder)
    except (ContractError, DigestError) as error:
        if str(error).startswith(str(folder)):
            raise
        raise type(error)(f"{folder / MANIFEST}: {error}") from None


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
    files = read_files(fields.object("files"), folder, "bundle", TAKEN)
    graph = graph_from_json(fields, read_file(folder, WEIGHTS, MAX_FILE_BYTES), name)
    verdict = verdict_from_json(fields.object("verdict")) if fields.has("verdict") else None
    frontend = fields.text("frontend_sha256") if fields.has("frontend_sha256") else ""
    painting = painting_from_json(fields.object("painting")) if fields.has("painting") else None
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
        painting=painting,
        budget=budget,
        metrics=metrics,
        provenance=origin,
        files=files,
    )
