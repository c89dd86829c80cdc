"""A device asked in words ending in %, in the style of MLPerf Tiny; nothing it says is a result of that."""

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.bundle import Bundle
from device_sim.contract.graph import Graph
from device_sim.contract.tensor import Tensor
from device_sim.executor import Executor
from device_sim.link import LinkClosed
from device_sim.link_serve import Stand

END, LINE = b"%", "\r\n"
MAX_COMMAND = 80  # characters
MAX_RUNS = 1_000_000
LOOK_S = 0.1
BOOT = ("m-timestamp-mode-performance", "m-init-done", "m-ready")


class Dut:
    """The core with one network: bytes of its inputs in, one after the other, then runs and results."""

    def __init__(self, bundle: Bundle, *, clock_us: Callable[[], int] | None = None) -> None:
        self._bundle, self._graph = bundle, bundle.graph
        self._clock_us = clock_us or (lambda: time.monotonic_ns() // 1000)
        self._executor = Executor(bundle.graph)
        self._n_input = sum(self._graph.tensor(name).n_bytes for name in self._graph.inputs)
        self._loaded = bytes(self._n_input)
        self._coming: bytearray | None = None  # of an input, and how much of it
        self._n_coming = 0
        self._outputs: dict[str, NDArray[np.int8]] = {}
        self._heard = b""

    def asked(self, received: bytes) -> bytes:
        """The answers to the commands that these bytes complete."""
        *commands, self._heard = (self._heard + received).split(END)
        self._heard = self._heard[-MAX_COMMAND - 1 :]
        lines = [line for command in commands for line in self._answered(command)]
        return "".join(line + LINE for line in lines).encode()

    def _answered(self, command: bytes) -> Iterator[str]:
        text = command.decode("ascii", errors="replace").strip()
        if len(text) > MAX_COMMAND:
            yield f"e-[A command has at most {MAX_COMMAND} characters]"
        else:
            yield from self._said(text.split())
        yield "m-ready"

    def _said(self, words: list[str]) -> Iterator[str]:
        match words:
            case ["name"]:
                yield "m-name-dut-[wristlead]"
            case ["profile"]:
                yield "m-profile-[wristlead simulated device]"
                yield f"m-model-[{self._bundle.name}]"
            case ["timestamp"]:
                yield self._lap()
            case ["db", "load", n_bytes]:
                yield from self._load(n_bytes)
            case ["db", codes] if self._coming is not None:
                yield from self._more(codes)
            case ["infer", *counts] if 1 <= len(counts) <= 2 and all(map(_is_count, counts)):
                yield from self._infer(*map(int, counts))
            case ["results"]:
                yield f"m-results-[{','.join(self._results())}]"
            case _:
                yield f"e-[Unknown command: {' '.join(words)[:40]}]"

    def _lap(self) -> str:
        return f"m-lap-us-{self._clock_us()}"

    def _load(self, n_bytes: str) -> Iterator[str]:
        if n_bytes != str(self._n_input):
            yield f"e-[Expected {self._n_input} bytes of input, got {n_bytes[:20]}]"
            return
        self._coming = bytearray()
        yield f"m-[Expecting {self._n_input} bytes]"

    def _more(self, codes: str) -> Iterator[str]:
        assert self._coming is not None
        try:
            self._coming += bytes.fromhex(codes)
        except ValueError:
            yield "e-[Expected pairs of hexadecimal digits]"
            return
        if len(self._coming) > self._n_input:
            yield f"e-[Expected {self._n_input} bytes, got more]"
            self._coming = None
        elif len(self._coming) == self._n_input:
            self._loaded, self._coming = bytes(self._coming), None
            yield "m-load-done"

    def _infer(self, n_runs: int, n_warm_up: int = 0) -> Iterator[str]:
        inputs = dict(_inputs(self._graph, self._loaded))
        for what, n in (("warmup", n_warm_up), ("infer", n_runs)):
            yield f"m-{what}-start-{n}"
            yield from [self._lap()] if what == "infer" else []
            for _ in range(n):
                self._outputs = self._executor.run(inputs)
            yield from [self._lap()] if what == "infer" else []
            yield f"m-{what}-done"

    def _results(self) -> Iterator[str]:
        for name in self._graph.outputs:
            if name in self._outputs:
                yield from (f"{value:.4f}" for value in _real(self._graph.tensor(name), self._outputs[name]))


def serve(dut: Dut, stand: Stand) -> None:
    """Host after host, until ctrl-C."""
    boot = "".join(line + LINE for line in BOOT).encode()
    while True:
        link = stand.host(LOOK_S)
        if link is None:
            continue
        try:
            link.write(boot)
            while True:
                link.write(dut.asked(link.read(LOOK_S)))
        except LinkClosed:
            link.close()


def _inputs(graph: Graph, raw: bytes) -> Iterator[tuple[str, NDArray[np.int8]]]:
    at = 0
    for name in graph.inputs:
        tensor = graph.tensor(name)
        codes = np.frombuffer(raw[at : at + tensor.n_bytes], np.int8)
        yield name, codes.reshape(tensor.shape)
        at += tensor.n_bytes


def _real(tensor: Tensor, codes: NDArray[np.int8]) -> list[float]:
    values: list[float] = (tensor.scale * (codes.astype(np.float64) - tensor.zero_point)).ravel().tolist()
    return values


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) <= MAX_RUNS
