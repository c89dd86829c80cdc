"""Weights from a file into the net they belong to, every name and shape compared."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from device_sim.contract.errors import ContractError
from training.nets import make_net


def content(path: Path) -> bytes:
    if not path.is_file():
        raise ContractError(f"{path}: expected a file, there is none")
    return path.read_bytes()


def sha256_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def checkpoint_of(net: nn.Module) -> bytes:
    """The same weights give the same bytes."""
    return save({name: value.contiguous() for name, value in net.state_dict().items()})


def net_of(weights: bytes, where: Path, name: str) -> nn.Module:
    """The net of training.nets with these weights."""
    try:
        state: Mapping[str, Tensor] = load(weights)
    except SafetensorError as fault:
        raise ContractError(f"{where}: expected a checkpoint (.safetensors), got {fault}") from None
    net = make_net(name, seed=0)
    expected = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    for key in sorted(set(expected) | set(found)):
        if expected.get(key) != found.get(key):
            raise ContractError(
                f"{where}: {key}: expected {expected.get(key, 'nothing')} ({name}), "
                f"got {found.get(key, 'nothing')}"
            )
    net.load_state_dict(state)
    return net
