"""Weights as safetensors, with the name of the net they belong to; refused by any other."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from device_sim.contract.errors import ContractError, StreamError
from training.data.cache import write_whole
from training.nets import make_net


def write_checkpoint(
    path: Path, net_name: str, state: Mapping[str, Tensor], *, init: str | None = None
) -> str:
    """The file's SHA-256; the same weights give the same bytes. `init`: where the weights began."""
    said = {"net": net_name} if init is None else {"net": net_name, "init": init}
    content = save({name: value.contiguous() for name, value in state.items()}, metadata=said)
    write_whole(path, lambda stream: stream.write(content))
    return sha256(content).hexdigest()


def read_checkpoint(path: Path, net_name: str) -> nn.Module:
    """The net with these weights, every name and shape compared first."""
    state = _state(path)
    net = make_net(net_name, seed=0)
    expected = net.state_dict()
    for name in sorted(set(expected) | set(state)):
        if name not in state or name not in expected:
            where = "is missing" if name not in state else f"has no place in {net_name}"
            raise ContractError(f"{path}: expected the weights of {net_name}, {name} {where}; {_named(path)}")
        if expected[name].shape != state[name].shape:
            raise ContractError(
                f"{path}: {name}: expected shape {list(expected[name].shape)} ({net_name}), "
                f"got {list(state[name].shape)}; {_named(path)}"
            )
    net.load_state_dict(state)
    return net


def net_of(path: Path) -> str | None:
    """The name written into the file."""
    return _said(path).get("net")


def init_of(path: Path) -> str | None:
    """Where the weights began, if the file says so."""
    return _said(path).get("init")


def read_state(path: Path) -> tuple[dict[str, Tensor], str]:
    """Every tensor, whatever net they are of, and the file's SHA-256."""
    return _state(path), sha256(path.read_bytes()).hexdigest()


def _said(path: Path) -> dict[str, str]:
    _state(path)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    said: dict[str, str] = header.get("__metadata__", {})
    return said


def _named(path: Path) -> str:
    return f"the file says it holds {net_of(path) or 'a net without a name'}"


def _state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise StreamError(f"{path}: expected a checkpoint (.safetensors), there is nothing")
    try:
        return dict(load(path.read_bytes()))
    except SafetensorError as fault:
        raise ContractError(f"{path}: expected a checkpoint (.safetensors), got {fault}") from fault
