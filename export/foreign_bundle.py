"""Somebody's int8 network as a bundle: numbers in, numbers out; what they mean its owner knows."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import MAX_LABELS, Labels
from device_sim.contract.window import WindowSpec
from export.facts import facts
from export.foreign import graph_name
from export.from_onnx import from_onnx
from export.from_tflite import from_tflite
from export.pack import pack

READERS: Mapping[str, Callable[[bytes, str], Graph]] = {".tflite": from_tflite, ".onnx": from_onnx}
# Nothing cuts its windows; where cost is given for a second, it is that of one window.
ONE_A_SECOND = WindowSpec(rate_hz=1, length_samples=1, hop_samples=1, uv_per_lsb=1)


def foreign_bundle(path: Path) -> Bundle:
    """The bundle, not yet on disk; a fault names the file and the layer."""
    if not path.is_file():
        raise ContractError(f"{path}: expected a file, there is none")
    raw = path.read_bytes()
    try:
        graph = READERS[path.suffix.lower()](raw, graph_name(path.stem))
        return pack(
            graph,
            input_kind=InputKind.CODES,
            window=ONE_A_SECOND,
            labels=_labels(graph),
            provenance={"file": path.name, "file_sha256": sha256(raw).hexdigest(), "onnx": version("onnx")},
            card=_card(path, graph),
        )
    except ContractError as fault:
        raise ContractError(f"{path}: {fault}") from None


def _labels(graph: Graph) -> Labels:
    """Classes by number where one output has them, else the outputs' names."""
    n_codes = graph.tensor(graph.outputs[0]).n_bytes
    if len(graph.outputs) == 1 and n_codes <= MAX_LABELS:
        return Labels(tuple(str(k) for k in range(n_codes)))
    return Labels(tuple(f"{k} {name}"[-60:] for k, name in enumerate(graph.outputs)))


def _card(path: Path, graph: Graph) -> str:
    ends = [
        f"| {kind} | `{name}` | {' x '.join(map(str, one.shape[1:]))} | {one.scale:g} | {one.zero_point} |"
        for kind, names in (("in", graph.inputs), ("out", graph.outputs))
        for name, one in ((name, graph.tensor(name)) for name in names)
    ]
    lines = [
        f"# {graph.name}",
        "",
        f"Read from `{path.name}`, somebody else's network: nothing is known of its data and its accuracy.",
        f"{facts(graph)}.",
        "",
        "| | name | shape, channels last | scale | zero point |",
        "|---|---|---|---|---|",
        *ends,
        "",
        "Not a medical device.",
    ]
    return "\n".join(lines) + "\n"
