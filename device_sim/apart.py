"""A runtime in a process of its own: some of them break when another is loaded beside them."""

import json
import os
import pickle
import selectors
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, WristleadError
from device_sim.contract.graph import Graph
from device_sim.runner import NEEDS, Backend, FileKind, Model, open_runner
from device_sim.twin import check_inputs

TIMEOUT_S = 1800.0
ROOT = Path(__file__).resolve().parent.parent
HEAD = struct.Struct(
    "<qq"
)  # windows and nanoseconds, or -1 and the length of a refusal; before every message
REFUSED = -1
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
I8 = NDArray[np.int8]


class Apart:
    """A backend in a fresh Python, started once and fed through a pipe; close it, or use it in a `with`."""

    def __init__(self, backend: Backend, model: Model, *, timeout_s: float = TIMEOUT_S) -> None:
        self._backend, self._graph, self._timeout_s = backend, model.graph, timeout_s
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - its stderr, as long as it lives
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | ONE_THREAD
        self._process = subprocess.Popen(
            [sys.executable, "-m", "device_sim.apart", backend.value],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
        )
        self.cpu_ns = 0  # of all its threads, for the latest run: nobody else's load is in it
        try:
            raw = pickle.dumps(model)
            self._send(HEAD.pack(len(raw), 0), raw)
            self._receive_head()  # the runtime has opened the file
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, inputs: Mapping[str, I8]) -> dict[str, I8]:
        """The outputs of open_runner(backend, model).run(inputs), computed over there."""
        n_windows = check_inputs(self._graph, inputs)
        codes = [np.ascontiguousarray(inputs[name]).tobytes() for name in self._graph.inputs]
        self._send(HEAD.pack(n_windows, 0), *codes)
        self.cpu_ns = self._receive_head()
        outputs = {}
        for name in self._graph.outputs:
            shape = (n_windows, *self._graph.tensor(name).shape[1:])
            raw = self._receive(int(np.prod(shape)))
            outputs[name] = np.frombuffer(raw, np.int8).reshape(shape)
        return outputs

    def close(self) -> None:
        """Ends the process; what is half done is lost."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._said):
            pipe.close()
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            return  # what it had not read went with it

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, *parts: bytes) -> None:
        assert self._process.stdin is not None
        try:
            for part in parts:
                self._process.stdin.write(part)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ContractError(self._reason()) from None

    def _receive_head(self) -> int:
        n_windows, value = HEAD.unpack(self._receive(HEAD.size))
        if n_windows == REFUSED:
            raise ContractError(str(json.loads(self._receive(value))))
        return int(value)

    def _receive(self, n_bytes: int) -> bytes:
        assert self._process.stdout is not None
        raw, due = bytearray(), time.monotonic() + self._timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while len(raw) < n_bytes:
                if not selector.select(max(0.0, due - time.monotonic())):
                    raise ContractError(
                        f"backend {self._backend}: expected an answer within {self._timeout_s:g} s, got none"
                    )
                more = os.read(self._process.stdout.fileno(), n_bytes - len(raw))
                if not more:
                    raise ContractError(self._reason())
                raw += more
        return bytes(raw)

    def _reason(self) -> str:
        """The last line of what it said before it died."""
        code = self._process.wait()
        self._said.seek(0)
        last = (self._said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        return f"backend {self._backend}: the runtime ended with {code}: {last}"


def run_apart(backend: Backend, model: Model, inputs: Mapping[str, I8]) -> dict[str, I8]:
    """One run of a backend; a public runtime gets a process of its own."""
    if NEEDS[backend].file is FileKind.GRAPH:
        return open_runner(backend, model).run(inputs)
    with Apart(backend, model) as runner:
        return runner.run(inputs)


def main(backend: str) -> int:
    """What the fresh Python does; it opens only what this module's other half sent."""
    # A runtime that prints must not write between our messages.
    reply = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests = sys.stdin.buffer
    try:
        n_bytes, _ = HEAD.unpack(requests.read(HEAD.size))
        model = pickle.loads(requests.read(n_bytes))
        runner = open_runner(Backend(backend), model)
        _write(reply, HEAD.pack(0, 0))
        while head := requests.read(HEAD.size):
            inputs = _inputs(requests, model.graph, HEAD.unpack(head)[0])
            started = time.process_time_ns()
            outputs: Mapping[str, Any] = runner.run(inputs)
            cpu_ns = time.process_time_ns() - started
            codes = [outputs[name].tobytes() for name in model.graph.outputs]
            _write(reply, HEAD.pack(HEAD.unpack(head)[0], cpu_ns), *codes)
    except WristleadError as error:
        refusal = json.dumps(str(error)).encode()
        _write(reply, HEAD.pack(REFUSED, len(refusal)), refusal)
        return 2
    return 0


def _inputs(requests: BinaryIO, graph: Graph, n_windows: int) -> dict[str, I8]:
    found = {}
    for name in graph.inputs:
        shape = (n_windows, *graph.tensor(name).shape[1:])
        found[name] = np.frombuffer(requests.read(int(np.prod(shape))), np.int8).reshape(shape)
    return found


def _write(reply: BinaryIO, *parts: bytes) -> None:
    for part in parts:
        reply.write(part)
    reply.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
