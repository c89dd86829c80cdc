"""`wristlead export`: a checkpoint and its committed calibration give the same bundle every time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from device_sim.__main__ import main
from device_sim.contract.bundle import InputKind, read_bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.labels import Labels
from device_sim.contract.operators import Shape
from device_sim.contract.window import WindowSpec
from export.bias_correction import correct_biases
from export.calibrate import calibrate
from export.calibration import Calibration, InputSpec, bias_steps, from_json, graph_of, to_json
from export.fold import fold
from export.quantize import dequantize, quantize, to_codes
from export.trace import trace
from tests.export.nets import CODE, ours, unsettle, windows
from training.nets import make_net

NETS: dict[str, tuple[str, Shape, bool]] = {
    "beat_tiny": ("x_bct", (2, 128), False),
    "quality_tiny": ("x_bcst", (1, 32, 80), True),
}


def prepared(net_name: str, folder: Path) -> tuple[Path, Path]:
    """A checkpoint of random weights and its calibration, both on disk."""
    argument, shape, time_major = NETS[net_name]
    net = unsettle(make_net(net_name, seed=7))
    floats = fold(trace(net, {argument: shape}, name=net_name, time_major=time_major))
    x_i8 = to_codes(ours(windows({argument: shape}, 64, 71)[argument], time_major=time_major), CODE)
    found = {argument: x_i8}
    real = {argument: x_i8 * CODE.scale}
    ranges = calibrate(floats, real)
    graph = quantize(floats, ranges, {argument: CODE})
    calibration = Calibration(
        net=net_name,
        name=f"{net_name}-0",
        input=InputKind.IMAGE if time_major else InputKind.BEAT,
        window=WindowSpec(rate_hz=256, length_samples=1280, hop_samples=256, uv_per_lsb=1),
        labels=Labels(("suspect",)),
        time_major=time_major,
        inputs={argument: InputSpec(shape=shape, code=CODE)},
        ranges=ranges,
        bias_steps=bias_steps(graph, correct_biases(floats, graph, found)),
    )
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, folder / "w.safetensors")
    (folder / "calibration.json").write_text(to_json(calibration))
    return folder / "w.safetensors", folder / "calibration.json"


@pytest.mark.parametrize("net_name", NETS)
def test_the_same_checkpoint_gives_the_same_digest_and_parity_holds(
    net_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, calibration = prepared(net_name, tmp_path)
    digests = []
    for out in ("a", "b"):
        arguments = [str(checkpoint), "--calibration", str(calibration), "--out", str(tmp_path / out)]
        assert main(["export", *arguments]) == 0
        captured = capsys.readouterr()
        digests.append(captured.out.strip())
        assert "bytes of arena" in captured.err
    assert digests[0] == digests[1] == read_bundle(tmp_path / "a").digest
    backends = ["--backend", "core", "--backend", "litert"]
    assert main(["parity", str(tmp_path / "a"), "--windows", "40", *backends]) == 0


def test_the_committed_bias_correction_is_applied(tmp_path: Path) -> None:
    _, path = prepared("beat_tiny", tmp_path)
    calibration = from_json(path.read_bytes(), "c")
    net = unsettle(make_net("beat_tiny", seed=7))
    graph = graph_of(net, calibration)
    assert calibration.bias_steps
    for name, steps in calibration.bias_steps.items():
        floats = fold(trace(net, {"x_bct": (2, 128)}, name="n"))
        plain = quantize(floats, calibration.ranges, {"x_bct": CODE}).tensor(name)
        np.testing.assert_array_equal(graph.tensor(name).constant, plain.constant + np.array(steps))
    assert dequantize(np.zeros(1, np.int8), graph.tensor("x_bct")).tolist() == [0.0]


def test_c_is_written_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, calibration = prepared("beat_tiny", tmp_path)
    folders = ["--out", str(tmp_path / "bundle"), "--c", str(tmp_path / "c")]
    assert main(["export", str(checkpoint), "--calibration", str(calibration), *folders]) == 0
    assert (tmp_path / "c/src/wl_model.c").is_file()
    assert capsys.readouterr().out.strip()[:12] in (tmp_path / "c/include/wl_model.h").read_text()


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    raw = prepared("quality_tiny", tmp_path)[1].read_bytes()
    assert to_json(from_json(raw, "c")).encode() == raw


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> bytes:
    read = json.loads(path.read_text())
    change(read)
    return json.dumps(read).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("net"), "net: expected the field, found none"),
        (lambda c: c.update(extra=1), "'extra': no field of this format"),
        (lambda c: c.update(input="video"), "input: expected one of image, beat, blind, signal"),
        (lambda c: c.update(time_major=1), "time_major: expected true or false, got 1"),
        (lambda c: c["window"].update(rate_hz=0), "rate_hz: expected a whole number"),
        (lambda c: c["inputs"]["x_bct"].update(shape=[2, -1]), "expected a whole number 1.."),
        (lambda c: c["ranges"].update(head=[0, 1, 2]), "head: expected a low and a high, got 3 numbers"),
        (lambda c: c["ranges"].update(head=[1, 2]), "range: expected finite low <= 0 <= high"),
        (lambda c: c["ranges"].update(head="wide"), "expected a list, got 'wide'"),
        (lambda c: c["ranges"].pop("head"), "'head': expected a calibrated range, got none"),
        (lambda c: c["bias_steps"].update(nowhere=[1]), "'nowhere' is no bias of beat_tiny"),
        (lambda c: c["bias_steps"].update({"head.bias": [1, 2]}), "head.bias: expected 1 numbers, got 2"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    _, path = prepared("beat_tiny", tmp_path)
    with pytest.raises(ContractError, match=message):
        graph_of(make_net("beat_tiny", seed=7), from_json(edited(path, change), "c"))


def test_what_cannot_be_exported_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, calibration = prepared("beat_tiny", tmp_path)
    out = tmp_path / "out"
    other = tmp_path / "other.json"
    other.write_bytes(edited(calibration, lambda c: c.update(net="cardiacnet")))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(checkpoint.read_bytes()[:500])
    cases = [
        ([checkpoint, "--calibration", other, "--out", out], "(cardiacnet), got"),
        ([damaged, "--calibration", calibration, "--out", out], "expected a checkpoint (.safetensors)"),
        ([tmp_path / "none", "--calibration", calibration, "--out", out], "expected a file, there is none"),
        ([checkpoint, "--calibration", calibration, "--out", tmp_path], "nothing was written"),
        ([checkpoint, "--out", out], "--calibration"),
    ]
    for arguments, message in cases:
        assert main(["export", *map(str, arguments)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not out.exists()
