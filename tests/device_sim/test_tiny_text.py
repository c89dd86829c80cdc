"""The device that is asked in words: its results are the core's, whatever is asked in whatever portions."""

import re
from pathlib import Path

import numpy as np
import pytest
import serial

from device_sim import twin
from device_sim.__main__ import main
from device_sim.contract.bundle import write_bundle
from device_sim.contract.inputs import InputKind
from device_sim.tiny_text import Dut
from tests.device_sim.bundles import bundle_of
from tests.device_sim.terminals import address_of, terminal

BUNDLE = bundle_of(InputKind.BEAT)
RAW = np.random.default_rng(3).bytes(266)  # 128 x 2 of the shape, ten ratios


def dut() -> Dut:
    times = iter(range(0, 10**9, 250))
    return Dut(BUNDLE, clock_us=lambda: next(times))


def said(one: Dut, *commands: str) -> list[str]:
    """Lines, without the `m-ready` behind each command."""
    lines = one.asked("".join(command + "%" for command in commands).encode()).decode().split("\r\n")
    assert lines.pop() == ""
    assert lines.count("m-ready") == len(commands)
    return [line for line in lines if line != "m-ready"]


def loaded(one: Dut) -> list[str]:
    parts = [RAW[at : at + 31].hex() for at in range(0, len(RAW), 31)]
    return said(one, f"db load {len(RAW)}", *(f"db {part}" for part in parts))


def test_it_says_who_it_is() -> None:
    assert said(dut(), "name", "profile", "timestamp") == [
        "m-name-dut-[wristlead]",
        "m-profile-[wristlead simulated device]",
        f"m-model-[{BUNDLE.name}]",
        "m-lap-us-0",
    ]


def test_results_are_those_of_the_twin() -> None:
    one, graph = dut(), BUNDLE.graph
    assert said(one, "results") == ["m-results-[]"]
    assert loaded(one) == ["m-[Expecting 266 bytes]", "m-load-done"]
    assert said(one, "infer 2 1") == [
        *("m-warmup-start-1", "m-warmup-done"),
        *("m-infer-start-2", "m-lap-us-0", "m-lap-us-250", "m-infer-done"),
    ]
    inputs = {
        "shape": np.frombuffer(RAW[:256], np.int8).reshape(1, 1, 128, 2),
        "rr": np.frombuffer(RAW[256:], np.int8).reshape(1, 10),
    }
    outputs = twin.run(graph, inputs)
    real = [
        graph.tensor(name).scale * (int(code) - graph.tensor(name).zero_point)
        for name in graph.outputs
        for code in outputs[name].ravel()
    ]
    (line,) = said(one, "results")
    found = re.fullmatch(r"m-results-\[(.+)\]", line)
    assert found
    np.testing.assert_allclose([float(value) for value in found[1].split(",")], real, atol=5e-5)


def test_portions_change_nothing() -> None:
    whole = b"name%profile%db load 3%results%"
    one = dut()
    assert b"".join(one.asked(whole[at : at + 1]) for at in range(len(whole))) == dut().asked(whole)


def test_a_runner_on_a_pty_hears_it(tmp_path: Path) -> None:
    write_bundle(BUNDLE, tmp_path / "bundle")
    with (
        terminal("simulate-device", tmp_path / "bundle", "--tiny-text", "--port", "pty") as device,
        serial.serial_for_url(address_of(device), timeout=20) as port,
    ):
        assert port.read_until(b"m-ready\r\n").splitlines()[0] == b"m-timestamp-mode-performance"
        port.write(b"name%")
        assert port.read_until(b"m-ready\r\n") == b"m-name-dut-[wristlead]\r\nm-ready\r\n"


def test_words_without_a_network_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate-device", "--tiny-text", "--port", "pty"]) == 2
    assert main(["simulate-device", "x", "--tiny-text", "--seed", "3", "--port", "pty"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "--tiny-text: expected a BUNDLE" in first
    assert "--seed: means nothing to --tiny-text" in second


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        (["db load 3"], "e-[Expected 266 bytes of input, got 3]"),
        (["db 00"], "e-[Unknown command: db 00]"),
        (["db load 266", "db 0g"], "e-[Expected pairs of hexadecimal digits]"),
        (["db load 266", *["db " + "00" * 30] * 9], "e-[Expected 266 bytes, got more]"),
        (["infer"], "e-[Unknown command: infer]"),
        (["infer -1"], "e-[Unknown command: infer -1]"),
        (["infer 99999999"], "e-[Unknown command: infer 99999999]"),
        ([""], "e-[Unknown command: ]"),
        (["x" * 5000], "e-[A command has at most 80 characters]"),
    ],
)
def test_what_makes_no_sense_is_an_error_and_no_end(commands: list[str], words: str) -> None:
    one = dut()
    assert said(one, *commands)[-1] == words
    assert said(one, "name") == ["m-name-dut-[wristlead]"]
