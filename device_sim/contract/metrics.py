"""Figures that were measured with one integer graph, and with no other."""

import re
from dataclasses import dataclass
from typing import Any

from device_sim.contract.errors import ContractError
from device_sim.contract.fields import Fields

SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number, before and after quantisation."""

    name: str  # such as "AUC"
    on: str  # what it was measured on, such as "external-dev, 5 s"
    float_value: float
    int8_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Part of the manifest; refused beside any graph but the one that was measured."""

    graph_sha256: str
    figures: tuple[Figure, ...]

    def __post_init__(self) -> None:
        check_sha256(self.graph_sha256, "metrics.graph_sha256")


def check_sha256(text: str, where: str) -> str:
    """64 lower-case hexadecimal digits, or one line."""
    if not SHA256.fullmatch(text):
        raise ContractError(f"{where}: expected a SHA-256 (64 hexadecimal digits), got {text[:80]!r}")
    return text


def metrics_to_json(metrics: Metrics) -> dict[str, Any]:
    """As a manifest holds it."""
    return {
        "graph_sha256": metrics.graph_sha256,
        "figures": [
            {"name": one.name, "on": one.on, "float": one.float_value, "int8": one.int8_value}
            for one in metrics.figures
        ],
    }


def metrics_from_json(read: Fields) -> Metrics:
    """Reads what metrics_to_json wrote."""
    metrics = Metrics(
        graph_sha256=read.text("graph_sha256"),
        figures=read.items("figures", _figure),
    )
    read.done()
    return metrics


def _figure(item: object, where: str) -> Figure:
    read = Fields(item, where)
    figure = Figure(
        name=read.text("name"),
        on=read.text("on"),
        float_value=read.number("float"),
        int8_value=read.number("int8"),
    )
    read.done()
    return figure
