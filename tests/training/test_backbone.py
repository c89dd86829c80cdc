"""A file of torchvision's weights is what its digest says, key by key, or nothing is loaded."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from torch import Tensor

from device_sim.contract.errors import ContractError, DigestError, StreamError, WristleadError
from training.backbone import load_backbone, read_manifest
from training.paper_nets import GoogLeNet
from training.pretraining import Start

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """As torchvision's file has it: a thousand classes and two auxiliary heads."""
    torch.manual_seed(5)
    heads = {"aux1.fc1.weight": torch.zeros(4, 4), "aux2.conv.bn.bias": torch.zeros(4)}
    return dict(GoogLeNet(1000).state_dict()) | heads


def saved(path: Path, content: object) -> str:
    torch.save(content, path)
    return sha256(path.read_bytes()).hexdigest()


def test_a_file_in_torchvisions_format_becomes_a_body(state: State, tmp_path: Path) -> None:
    path = tmp_path / "googlenet.pth"
    body = load_backbone("googlenet", path, saved(path, state))
    assert not any(key.startswith(("fc.", "aux")) for key in body)
    net = Start(init="file:0", body=body).net("googlenet", seed=1)
    found = net.state_dict()
    assert torch.equal(found["inception4c.branch2.1.conv.weight"], state["inception4c.branch2.1.conv.weight"])
    assert found["fc.weight"].shape == (2, 1024)


def test_a_file_older_than_counters_is_whole(state: State, tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    body = load_backbone("googlenet", path, saved(path, old))
    assert set(body) == set(read_manifest("googlenet")["tensors"])


def test_the_manifest_is_the_nets() -> None:
    body = {key: value for key, value in GoogLeNet().state_dict().items() if not key.startswith("fc.")}
    assert {key: list(value.shape) for key, value in body.items()} == read_manifest("googlenet")["tensors"]


def without(key: str) -> Callable[[State], object]:
    return lambda state: {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without("conv2.bn.running_var"),
            r"conv2\.bn\.running_var: expected shape \[64\], the tensor is missing",
        ),
        (
            lambda state: state | {"conv1.conv.weight": torch.zeros(64, 3, 5, 5)},
            r"conv1\.conv\.weight: expected shape \[64, 3, 7, 7\], got \[64, 3, 5, 5\]",
        ),
        (
            lambda state: state | {"layer1.0.conv1.weight": torch.zeros(2)},
            r"layer1\.0\.conv1\.weight: unexpected, googlenet has no such tensor",
        ),
        (lambda state: list(state), "expected a table of tensors by name, got list"),
        (lambda state: {"conv1.conv.weight": 3}, "expected a table of tensors by name, got dict"),
        (lambda state: {"net": Path("x")}, "expected tensors and nothing that runs, got: "),
    ],
)
def test_what_does_not_fit_has_its_own_message(
    state: State, tmp_path: Path, change: Callable[[State], object], message: str
) -> None:
    path = tmp_path / "changed.pth"
    digest = saved(path, change(state))
    with pytest.raises(ContractError, match=message) as caught:
        load_backbone("googlenet", path, digest)
    assert "\n" not in str(caught.value)


def test_one_flipped_byte_is_found_before_the_file_is_opened(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flipped.pth"
    digest = saved(path, state)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(torch, "load", lambda *_args, **_kwargs: pytest.fail("it was opened"))
    with pytest.raises(
        DigestError, match=f"expected sha256 {digest}, got [0-9a-f]{{64}}; nothing was opened"
    ):
        load_backbone("googlenet", path, digest)


@pytest.mark.parametrize("digest", ["", "1378be20", "x" * 64, "A" * 64, "0" * 65])
def test_less_than_a_full_digest_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ContractError, match="expected all 64 hexadecimal digits"):
        load_backbone("googlenet", tmp_path / "googlenet-1378be20.pth", digest)


@pytest.mark.parametrize(
    ("content", "name", "kind", "message"),
    [
        (None, "googlenet", StreamError, "expected a file of weights, there is nothing"),
        (b"", "googlenet", ContractError, "expected tensors and nothing that runs"),
        (b"PK\x03\x04 cut short", "googlenet", ContractError, "expected tensors and nothing that runs"),
        (b"", "resnet18", ContractError, "backbone: expected one of googlenet, got resnet18"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(
    tmp_path: Path, content: bytes | None, name: str, kind: type[WristleadError], message: str
) -> None:
    path = tmp_path / "file.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(kind, match=message):
        load_backbone(name, path, sha256(content or b"").hexdigest())
