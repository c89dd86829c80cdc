"""ONNX Runtime on a processor that adds pairs of products in 16 bits: what the runner sets makes it exact."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from device_sim import twin
from device_sim.apart import run_apart
from device_sim.requant import Family
from device_sim.runner import Backend
from export.parity import model_of
from tests.export.nets import example

pytestmark = pytest.mark.heavy
NO_VNNI = "Haswell"  # AVX2 and nothing newer


def test_onnx_runtime_is_exact_on_a_processor_without_vnni(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
    if emulator is None:
        pytest.skip("no qemu-x86_64 on this machine: `apt install qemu-user`")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {emulator} -cpu {NO_VNNI} {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    graph = example("beat_tiny").graph
    (name,) = graph.inputs
    # Codes at both ends: without what the runner sets, 10 of 12 windows come out wrong there.
    ends = np.random.default_rng(1).choice(
        np.array([-128, 127], np.int8), (12, *graph.tensor(name).shape[1:])
    )
    said = run_apart(Backend.ONNX, model_of(graph), {name: ends})
    for output, codes in twin.run(graph, {name: ends}, Family.F4_ORT).items():
        np.testing.assert_array_equal(said[output], codes)
