"""Write a trained checkpoint once as integers: a bundle with TensorFlow Lite and ONNX, and C on request."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from device_sim.contract.bundle import write_bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph, count_macs
from device_sim.executor import Executor
from device_sim.options import OneLineParser
from device_sim.plan import plan
from device_sim.requant import Family
from device_sim.vectors import check_vectors
from export.calibration import Calibration, from_json, graph_of
from export.pack import pack
from export.to_c import to_c
from training.nets import make_net


def main(argv: Sequence[str]) -> int:
    """0 when the bundle is written and the core reproduces its vectors."""
    parser = OneLineParser(prog="wristlead export", description=__doc__, allow_abbrev=False)
    parser.add_argument("checkpoint", type=Path, help="weights (.safetensors) that `wristlead train` wrote")
    parser.add_argument("--calibration", type=Path, required=True, metavar="FILE", help="committed ranges")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="bundle; must not exist yet")
    parser.add_argument("--c", type=Path, metavar="DIR", help="also C99; must not exist yet")
    args = parser.parse_args(argv)
    for folder in filter(None, (args.out, args.c)):
        if folder.exists():
            raise ContractError(f"{folder}: expected no such folder yet; nothing was written")

    weights, committed = _content(args.checkpoint), _content(args.calibration)
    calibration = from_json(committed, str(args.calibration))
    graph = graph_of(_net(weights, args.checkpoint, calibration.net), calibration)
    bundle = pack(
        graph,
        input_kind=calibration.input,
        window=calibration.window,
        labels=calibration.labels,
        provenance=_provenance(weights, committed),
        card=_card(calibration, graph),
    )
    check_vectors(bundle, Executor(bundle.graph), Family.F1)
    digest = write_bundle(bundle, args.out)
    print(digest)
    print(f"wrote {args.out}: {_facts(graph)}", file=sys.stderr)
    if args.c:
        to_c(bundle, args.c)
        print(f"wrote {args.c}", file=sys.stderr)
    return 0


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise ContractError(f"{path}: expected a file, there is none")
    return path.read_bytes()


def _net(weights: bytes, path: Path, name: str) -> nn.Module:
    """The net with the weights of the file, every name and shape compared."""
    try:
        state: Mapping[str, Tensor] = load(weights)
    except SafetensorError as fault:
        raise ContractError(f"{path}: expected a checkpoint (.safetensors), got {fault}") from None
    net = make_net(name, seed=0)
    expected = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    for key in sorted(set(expected) | set(found)):
        if expected.get(key) != found.get(key):
            raise ContractError(
                f"{path}: {key}: expected {expected.get(key, 'nothing')} ({name}), "
                f"got {found.get(key, 'nothing')}"
            )
    net.load_state_dict(state)
    return net


def _provenance(weights: bytes, committed: bytes) -> dict[str, str]:
    return {
        "checkpoint_sha256": hashlib.sha256(weights).hexdigest(),
        "calibration_sha256": hashlib.sha256(committed).hexdigest(),
        "torch": version("torch"),
    }


def _facts(graph: Graph) -> str:
    constant_bytes = sum(tensor.n_bytes for tensor in graph.constants)
    return (
        f"{count_macs(graph)} multiplications a window, {constant_bytes} bytes of weights, "
        f"{plan(graph).arena_bytes} bytes of arena"
    )


def _card(calibration: Calibration, graph: Graph) -> str:
    labels = ", ".join(calibration.labels.names)
    return (
        f"# {calibration.name}\n\n"
        f"Net `{calibration.net}`, input {calibration.input.value}, labels {labels}.\n"
        f"{_facts(graph)}.\n\nNot measured on recordings yet. Not a medical device.\n"
    )
