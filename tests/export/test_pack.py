"""A packed bundle holds every form, survives the disk, and each backend reproduces its vectors from there."""

import dataclasses
import importlib.util
import io
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.apart import run_apart
from device_sim.contract.bundle import Bundle, read_bundle, write_bundle
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.contract.window import WindowSpec
from device_sim.executor import Executor
from device_sim.requant import Family
from device_sim.runner import NEEDS, Backend, Model, TwinRunner, model_in
from device_sim.vectors import FILE, N_WINDOWS, check_vectors
from export.pack import pack
from tests.export.nets import example


def packed(name: str = "cardiacnet") -> Bundle:
    graph = example(name).graph
    return pack(
        dataclasses.replace(graph, name=name),
        input_kind=InputKind.BEAT,
        window=WindowSpec(rate_hz=128, length_samples=128, hop_samples=128, uv_per_lsb=32),
        labels=Labels(("abnormal",)),
        provenance={"weights": "random"},
        card="# Random weights\n",
    )


@dataclasses.dataclass(frozen=True)
class Apart:
    """A backend in a process of its own."""

    backend: Backend
    model: Model

    def run(self, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, NDArray[np.int8]]:
        return run_apart(self.backend, self.model, inputs)


def test_the_same_graph_gives_the_same_digest() -> None:
    assert packed().digest == packed().digest


@pytest.mark.parametrize("backend", Backend)
def test_a_backend_reproduces_the_vectors_of_a_bundle_on_disk(backend: Backend, tmp_path: Path) -> None:
    package = NEEDS[backend].package
    if package and sys.version_info[:2] != (3, 11) and importlib.util.find_spec(package) is None:
        pytest.skip(f"no wheel of {package} for this Python")
    write_bundle(packed(), tmp_path / "b")
    bundle = read_bundle(tmp_path / "b")
    assert (
        check_vectors(bundle, Apart(backend, model_in(bundle, backend)), NEEDS[backend].family) == N_WINDOWS
    )


@pytest.mark.parametrize("family", Family)
def test_the_twin_reproduces_every_family(family: Family) -> None:
    bundle = packed("separable")
    assert check_vectors(bundle, TwinRunner(bundle.graph, family), family) == N_WINDOWS


def test_a_backend_of_another_family_does_not_start() -> None:
    bundle = packed("small_cnn")
    with pytest.raises(DigestError, match=r"vectors.npz: window \d, output 'head': expected .* \(f4\), got"):
        check_vectors(bundle, Executor(bundle.graph), Family.F4)


def with_vectors(bundle: Bundle, raw: bytes) -> Bundle:
    return dataclasses.replace(bundle, files={**bundle.files, FILE: raw})


def stored(**arrays: NDArray[np.generic]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def test_damaged_or_hostile_vectors_are_refused() -> None:
    bundle = packed("beat_tiny")
    shape = bundle.graph.tensor("x_bct").shape[1:]
    x, y = np.zeros((2, *shape), np.int8), np.zeros((3, 1), np.int8)
    pickled = np.empty(2, object)
    cases = {
        b"": "expected an array",
        b"PK\x03\x04 and so on": "expected an array",
        stored(): "expected an array",
        stored(**{"in/x_bct": x.astype(np.int16)}): "expected int8 windows of shape",
        stored(**{"in/x_bct": x[:, :, 1:]}): "expected int8 windows of shape",
        stored(**{"in/x_bct": pickled}): "expected an array",
        stored(**{"in/x_bct": x, "f1/head": y}): "expected as many windows everywhere",
        bundle.files[FILE][:-200]: "expected an array",
    }
    for raw, message in cases.items():
        with pytest.raises(ContractError, match=f"vectors.npz: .*{message}|vectors.npz: {message}"):
            check_vectors(with_vectors(bundle, raw), Executor(bundle.graph), Family.F1)


def test_what_a_bundle_lacks_is_named() -> None:
    bundle = dataclasses.replace(packed("beat_tiny"), files={})
    with pytest.raises(ContractError, match=r"vectors.npz: expected the bundle's vectors, found none"):
        check_vectors(bundle, Executor(bundle.graph), Family.F1)
    with pytest.raises(
        ContractError, match=r"model.tflite: expected the file for backend tflite, found none"
    ):
        model_in(bundle, Backend.TFLITE)
