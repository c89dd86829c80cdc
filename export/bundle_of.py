"""Committed files become a bundle: weights, calibration, what was measured, where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from device_sim.contract.budget import Budget
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.inputs import InputKind
from device_sim.fingerprint import frontend_sha256
from export.calibration import Calibration, from_json, graph_of
from export.card import Facts, card_of
from export.checkpoint import content, net_of, sha256_of
from export.compare import from_json as comparison_from_json
from export.judged import labels_of, verdict_of
from export.pack import pack
from export.shipping_list import Shipment
from training.evaluate import painting

PICTURE = "roc.png"
RUN = "run.json"  # beside the weights: what training wrote of itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files a bundle is made of."""

    weights: Path
    calibration: Path
    comparison: Path | None = None
    budget: Budget | None = None
    picture: Path | None = None
    use: str = ""
    failures: tuple[str, ...] = ()

    @classmethod
    def of(cls, shipment: Shipment) -> "Sources":
        return cls(
            weights=shipment.weights,
            calibration=shipment.calibration,
            comparison=shipment.comparison,
            budget=shipment.budget,
            picture=shipment.picture if shipment.picture.is_file() else None,
            use=shipment.use,
            failures=shipment.failures,
        )


def bundle_of(sources: Sources) -> Bundle:
    """The bundle, not yet on disk; files that do not belong together are refused."""
    weights, committed = content(sources.weights), content(sources.calibration)
    calibration = from_json(committed, str(sources.calibration))
    net = net_of(weights, sources.weights, calibration.net)
    calibration.check_weights(weights, sources.weights)
    _check_frontend(calibration, sources.calibration)
    graph = graph_of(net, calibration)
    comparison = None
    if sources.comparison is not None:
        comparison = comparison_from_json(content(sources.comparison), str(sources.comparison))
    run = _run(sources.weights.parent / RUN)
    return pack(
        graph,
        input_kind=calibration.input,
        window=calibration.kind.window,
        labels=labels_of(calibration),
        verdict=verdict_of(calibration, graph),
        frontend_sha256=calibration.frontend_sha256,
        painting=painting() if calibration.input is InputKind.PICTURE else None,
        budget=sources.budget,
        metrics=comparison.metrics if comparison else None,
        provenance=_provenance(weights, committed, run),
        card=card_of(
            Facts(
                calibration=calibration,
                graph=graph,
                comparison=comparison,
                run=run,
                use=sources.use,
                failures=sources.failures,
                picture=PICTURE if sources.picture else None,
            )
        ),
        pictures={PICTURE: content(sources.picture)} if sources.picture else {},
    )


def _check_frontend(calibration: Calibration, where: Path) -> None:
    found = frontend_sha256(calibration.input)
    if found != calibration.frontend_sha256:
        raise DigestError(
            f"{where}: frontend_sha256: expected {found[:12]}.. (this core), "
            f"got {calibration.frontend_sha256[:12]}..; train and calibrate behind this front end"
        )


def _run(path: Path) -> Mapping[str, Any]:
    """What training wrote of itself; a checkpoint may stand alone."""
    if not path.is_file():
        return {}
    try:
        run = json.loads(path.read_bytes())
    except json.JSONDecodeError as fault:
        raise ContractError(f"{path}: expected JSON, got {fault}") from None
    if not isinstance(run, dict):
        raise ContractError(f"{path}: expected a JSON object, got {type(run).__name__}")
    return run


def _provenance(weights: bytes, committed: bytes, run: Mapping[str, Any]) -> dict[str, str]:
    found = {
        "weights_sha256": sha256_of(weights),
        "calibration_sha256": sha256_of(committed),
        "torch": version("torch"),
    }
    if run:
        found |= {name: str(run[name]) for name in ("recipe", "recipe_sha256", "protocol", "init", "commit")}
        found["licences"] = ", ".join(f"{name} {licence}" for name, licence in run["licences"].items())
    return found
