"""A bundle's own vectors: seeded windows and what every rounding family says of them."""

import io
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.graph import Graph
from device_sim.requant import Family
from device_sim.runner import Runner

FILE = "vectors.npz"
N_WINDOWS = 8
SEED = 20261124
MAX_BYTES = 16 << 20
MAX_WINDOWS = 64
I8 = NDArray[np.int8]


def vectors_of(graph: Graph) -> bytes:
    """The file: inputs, and the outputs of each family; never cut from a recording."""
    rng = np.random.default_rng(SEED)
    inputs = {
        name: rng.integers(-128, 128, (N_WINDOWS, *graph.tensor(name).shape[1:]), np.int8)
        for name in graph.inputs
    }
    arrays: dict[str, I8] = {f"in/{name}": x for name, x in inputs.items()}
    for family in Family:
        said = twin.run(graph, inputs, family)
        arrays |= {f"{family}/{name}": y for name, y in said.items()}
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # uncompressed, dated 1980: the same bytes every time
    return stream.getvalue()


def check_vectors(bundle: Bundle, runner: Runner, family: Family) -> int:
    """How many windows a runner reproduced, all of them; one that does not must not start."""
    inputs, expected = read_vectors(bundle, family)
    said = runner.run(inputs)
    for name, codes in expected.items():
        wrong = np.flatnonzero((said[name] != codes).reshape(len(codes), -1).any(axis=1))
        if wrong.size:
            one = int(wrong[0])
            wanted, found = (array[one].ravel()[:4].tolist() for array in (codes, said[name]))
            raise DigestError(
                f"{FILE}: window {one}, output {name!r}: expected {wanted} ({family}), got {found}; "
                "this backend does not compute what the bundle was exported with"
            )
    return len(next(iter(inputs.values())))


def read_vectors(bundle: Bundle, family: Family) -> tuple[Mapping[str, I8], Mapping[str, I8]]:
    """Inputs and expected outputs, their shapes compared with the graph's."""
    if FILE not in bundle.files:
        raise ContractError(
            f"{bundle.name}: {FILE}: expected the bundle's vectors, found none; export it again"
        )
    raw = bundle.files[FILE]
    graph = bundle.graph
    inputs = {name: _array(raw, f"in/{name}", graph.tensor(name).shape) for name in graph.inputs}
    outputs = {name: _array(raw, f"{family}/{name}", graph.tensor(name).shape) for name in graph.outputs}
    counts = {len(codes) for codes in (*inputs.values(), *outputs.values())}
    if len(counts) != 1 or not 1 <= max(counts) <= MAX_WINDOWS:
        raise ContractError(
            f"{FILE}: expected as many windows everywhere, 1..{MAX_WINDOWS}, got {sorted(counts)}"
        )
    return inputs, outputs


def _array(raw: bytes, name: str, shape: tuple[int, ...]) -> I8:
    """One array; nothing in the file can be code, or larger than it says."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if archive.getinfo(f"{name}.npy").file_size > MAX_BYTES:
                raise ValueError(f"larger than {MAX_BYTES} bytes")
            content = archive.read(f"{name}.npy")
        codes = np.load(io.BytesIO(content), allow_pickle=False)
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ContractError(f"{FILE}: {name}: expected an array: {str(error)[:120]}") from None
    if not isinstance(codes, np.ndarray) or codes.dtype != np.int8 or codes.shape[1:] != shape[1:]:
        raise ContractError(f"{FILE}: {name}: expected int8 windows of shape {shape[1:]}")
    return codes
