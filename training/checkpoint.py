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


def write_checkpoint(path: Path, net_name: str, state: Mapping[str, Tensor]) -> str:
    """The file's SHA-256; the same weights give the same bytes."""
    content = save({name: value.contiguous() for name, value in state.items()}, metadata={"net": net_name})
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
    _state(path)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    name: str | None = header.get("__metadata__", {}).get("net")
    return name


def _named(path: Path) -> str:
    return f"the file says it holds {net_of(path) or 'a net without a name'}"


def _state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise StreamError(f"{path}: expected a checkpoint (.safetensors), there is nothing")
    try:
        return dict(load(path.read_bytes()))
    except SafetensorError as fault:
        raise ContractError(f"{path}: expected a checkpoint (.safetensors), got {fault}") from fault
