"""An integer graph and what is known of it become a bundle, with every form a runtime reads."""

from collections.abc import Mapping

from device_sim.contract.budget import Budget
from device_sim.contract.bundle import Bundle
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.contract.metrics import Metrics
from device_sim.contract.painting import Painting
from device_sim.contract.verdict import VerdictSpec
from device_sim.contract.window import WindowSpec
from device_sim.plan import plan
from device_sim.vectors import FILE, vectors_of
from export.to_onnx import to_onnx
from export.to_tflite import to_tflite

TFLITE, ONNX, PLAN = "model.tflite", "model.onnx", "plan.json"
LABELS_METADATA, FRONTEND_METADATA = "wristlead.labels", "wristlead.frontend_sha256"


def pack(
    graph: Graph,
    *,
    input_kind: InputKind,
    window: WindowSpec,
    labels: Labels,
    provenance: Mapping[str, str],
    card: str,
    verdict: VerdictSpec | None = None,
    frontend_sha256: str = "",
    painting: Painting | None = None,
    budget: Budget | None = None,
    metrics: Metrics | None = None,
    pictures: Mapping[str, bytes] | None = None,
) -> Bundle:
    """The bundle, not yet on disk."""
    metadata = {LABELS_METADATA: "\n".join(labels.names).encode()}
    if frontend_sha256:
        metadata[FRONTEND_METADATA] = frontend_sha256.encode()
    return Bundle(
        name=graph.name,
        input=input_kind,
        window=window,
        labels=labels,
        graph=graph,
        verdict=verdict,
        frontend_sha256=frontend_sha256,
        painting=painting,
        budget=budget,
        metrics=metrics,
        provenance=provenance,
        files={
            TFLITE: to_tflite(graph, metadata),
            ONNX: to_onnx(graph),
            PLAN: plan(graph).to_json().encode(),
            FILE: vectors_of(graph),
            "MODEL_CARD.md": card.encode(),
            **(pictures or {}),
        },
    )
