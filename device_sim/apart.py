"""A runtime in a process of its own: some of them break when another is loaded beside them."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, WristleadError
from device_sim.runner import NEEDS, Backend, FileKind, Model, open_runner

TIMEOUT_S = 1800
ROOT = Path(__file__).resolve().parent.parent


def run_apart(
    backend: Backend, model: Model, inputs: Mapping[str, NDArray[np.int8]]
) -> dict[str, NDArray[np.int8]]:
    """The outputs of open_runner(backend, model).run(inputs), computed by a fresh Python."""
    if NEEDS[backend].file is FileKind.GRAPH:
        return open_runner(backend, model).run(inputs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.pickle").write_bytes(pickle.dumps(model))
        np.savez(folder / "inputs.npz", **inputs)
        command = [sys.executable, "-m", "device_sim.apart", backend.value, str(folder)]
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment)
        if done.returncode != 0:
            raise ContractError(_reason(backend, folder, done.stderr, done.returncode))
        with np.load(folder / "outputs.npz") as outputs:
            return {name: outputs[name] for name in model.graph.outputs}


def _reason(backend: Backend, folder: Path, stderr: str, code: int) -> str:
    """Its own refusal, or the last line of what it said before it died."""
    refusal = folder / "refusal.json"
    if refusal.is_file():
        return str(json.loads(refusal.read_text()))
    last = (stderr.strip().splitlines() or ["it said nothing"])[-1]
    return f"backend {backend}: the runtime ended with {code}: {last}"


def main(backend: str, folder: Path) -> int:
    """What the fresh Python does; it opens only what this module's other half wrote."""
    model = pickle.loads((folder / "model.pickle").read_bytes())
    with np.load(folder / "inputs.npz") as stored:
        inputs = {name: stored[name] for name in stored.files}
    try:
        outputs = open_runner(Backend(backend), model).run(inputs)
    except WristleadError as error:
        (folder / "refusal.json").write_text(json.dumps(str(error)))
        return 2
    np.savez(folder / "outputs.npz", **outputs)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
