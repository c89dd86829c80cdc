"""Loads a file of torchvision's weights by its full SHA-256: hashed, opened, checked key by key.

What must be in the file stands in a committed manifest. The dense layer and the auxiliary heads answer the
thousand classes of ImageNet and are left behind; anything else the manifest does not know is an error.
"""

import io
import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from device_sim.contract.errors import ContractError, DigestError, StreamError

MANIFESTS = Path(__file__).parent / "backbones"
COUNTED = ".num_batches_tracked"  # counted, not learnt: older files are without


def load_backbone(name: str, path: Path, weights_sha256: str) -> dict[str, Tensor]:
    """The body's tensors under torchvision's names."""
    content = _verified(path, weights_sha256)
    manifest = read_manifest(name)
    state = _unpickled(content, path)
    dropped = tuple(manifest["dropped"])
    expected: Mapping[str, list[int]] = manifest["tensors"]
    for key in state:
        if key not in expected and not key.startswith(dropped):
            raise ContractError(
                f"{path}: {key}: unexpected, {name} has no such tensor; is this another net's file?"
            )
    body = {key: value for key, value in state.items() if not key.startswith(dropped)}
    for key, shape in expected.items():
        if key not in body and not key.endswith(COUNTED):
            raise ContractError(f"{path}: {key}: expected shape {shape}, the tensor is missing")
        if key in body and list(body[key].shape) != shape:
            raise ContractError(f"{path}: {key}: expected shape {shape}, got {list(body[key].shape)}")
    return {key: torch.zeros((), dtype=torch.int64) for key in expected if key.endswith(COUNTED)} | body


def read_manifest(name: str) -> dict[str, dict[str, list[int]]]:
    """What a file of `name` holds: `tensors` with their shapes, and the beginnings of what is dropped."""
    known = sorted(file.stem for file in MANIFESTS.glob("*.json"))
    if name not in known:
        raise ContractError(f"backbone: expected one of {', '.join(known)}, got {name}")
    manifest: dict[str, dict[str, list[int]]] = json.loads((MANIFESTS / f"{name}.json").read_text())
    return manifest


def _verified(path: Path, weights_sha256: str) -> bytes:
    """The file's bytes, or nothing: no byte is interpreted before the whole is known."""
    if not re.fullmatch(r"[0-9a-f]{64}", weights_sha256):
        raise ContractError(
            f"{path}: weights_sha256: expected all 64 hexadecimal digits, got {weights_sha256!r}; "
            "a name's first eight are no proof"
        )
    if not path.is_file():
        raise StreamError(f"{path}: expected a file of weights, there is nothing")
    content = path.read_bytes()
    got = sha256(content).hexdigest()
    if got != weights_sha256:
        raise DigestError(f"{path}: expected sha256 {weights_sha256}, got {got}; nothing was opened")
    return content


def _unpickled(content: bytes, path: Path) -> Mapping[str, Tensor]:
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError, ValueError, KeyError, AttributeError) as fault:
        reason = next(iter(str(fault).splitlines()), "an end too early")
        raise ContractError(f"{path}: expected tensors and nothing that runs, got: {reason}") from fault
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ContractError(f"{path}: expected a table of tensors by name, got {type(state).__name__}")
    return state
