"""`wristlead export`: a checkpoint and its committed calibration give the same bundle every time."""

import json
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save

from device_sim.__main__ import main
from device_sim.contract.bundle import read_bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind
from device_sim.fingerprint import frontend_sha256
from export.bias_correction import correct_biases
from export.calibrate import Method, calibrate
from export.calibration import Calibration, Question, bias_steps, floats_of, from_json, graph_of, to_json
from export.equalise import equalised, exponents_of
from export.quantize import quantize, to_codes
from export.shipped import KINDS, Rhythm
from tests.export.nets import ours, unsettle, windows
from training.nets import make_net

NETS = {"beat_tiny": InputKind.BEAT, "quality_tiny": InputKind.IMAGE}
RHYTHM = Rhythm(weights=tuple(0.1 * k for k in range(-5, 5)), bias=-0.5)


def prepared(net_name: str, folder: Path) -> tuple[Path, Path]:
    """A checkpoint of random weights and its calibration, both on disk."""
    kind = NETS[net_name]
    net = unsettle(make_net(net_name, seed=7))
    rhythm = RHYTHM if kind is InputKind.BEAT else None
    specs = KINDS[kind].inputs
    floats = floats_of(net, name=f"{net_name}-0", kind=kind, rhythm=rhythm)
    torch_windows = windows({name: one.shape for name, one in specs.items()}, 64, 71)
    codes = {
        name: to_codes(ours(x, time_major=kind is InputKind.IMAGE), specs[name].code)
        for name, x in torch_windows.items()
    }
    real = {name: specs[name].worth(x) for name, x in codes.items()}
    equalisation = exponents_of(floats, real)
    floats = equalised(floats, equalisation)
    ranges = calibrate(floats, real)
    graph = quantize(floats, ranges, {name: one.code for name, one in specs.items()})
    weights = save({key: value.contiguous() for key, value in net.state_dict().items()})
    calibration = Calibration(
        name=f"{net_name}-0",
        net=net_name,
        weights_sha256=sha256(weights).hexdigest(),
        input=kind,
        frontend_sha256=frontend_sha256(kind),
        questions={name: Question(threshold=0.25, temperature=0.5) for name in floats.outputs},
        rhythm=rhythm,
        method=Method.MIN_MAX,
        equalisation=equalisation,
        ranges=ranges,
        bias_steps=bias_steps(graph, correct_biases(floats, graph, codes)),
    )
    (folder / "w.safetensors").write_bytes(weights)
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


def test_the_committed_corrections_are_applied(tmp_path: Path) -> None:
    _, path = prepared("beat_tiny", tmp_path)
    calibration = from_json(path.read_bytes(), "c")
    net = unsettle(make_net("beat_tiny", seed=7))
    graph = graph_of(net, calibration)
    assert calibration.bias_steps
    assert calibration.equalisation
    codes = {name: one.code for name, one in calibration.kind.inputs.items()}
    floats = floats_of(net, name="n", kind=InputKind.BEAT, rhythm=RHYTHM)
    plain = quantize(equalised(floats, calibration.equalisation), calibration.ranges, codes)
    for name, steps in calibration.bias_steps.items():
        wanted = plain.tensor(name).constant + np.array(steps)
        np.testing.assert_array_equal(graph.tensor(name).constant, wanted)


def test_a_bundle_says_what_its_logits_decide(tmp_path: Path) -> None:
    checkpoint, path = prepared("beat_tiny", tmp_path)
    arguments = [str(checkpoint), "--calibration", str(path), "--out", str(tmp_path / "b")]
    assert main(["export", *arguments]) == 0
    bundle = read_bundle(tmp_path / "b")
    assert bundle.labels.names == ("normal", "ventricular", "early")
    assert bundle.verdict is not None
    assert [one.output for one in bundle.verdict.questions] == ["morphology", "rhythm"]
    for one in bundle.verdict.questions:
        tensor = bundle.graph.tensor(one.output)
        worth = [tensor.scale * (code - tensor.zero_point) for code in range(-128, 128)]
        says_yes = [256 * code >= one.accept_q8 for code in range(-128, 128)]
        assert says_yes == [real > 0.25 for real in worth]
        scores = np.array(one.score_q15) / 32768
        np.testing.assert_allclose(scores, 1 / (1 + np.exp(-np.array(worth) / 0.5)), atol=2e-5)
    assert bundle.frontend_sha256 == frontend_sha256(InputKind.BEAT)


def test_weights_that_were_not_calibrated_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, path = prepared("beat_tiny", tmp_path)
    other = make_net("beat_tiny", seed=8).state_dict()
    checkpoint.write_bytes(save({key: value.contiguous() for key, value in other.items()}))
    assert main(["export", str(checkpoint), "--calibration", str(path), "--out", str(tmp_path / "b")]) == 2
    assert "calibrate again: wristlead calibrate" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_another_front_end_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, path = prepared("beat_tiny", tmp_path)
    path.write_bytes(edited(path, lambda c: c.update(frontend_sha256="0" * 64)))
    assert main(["export", str(checkpoint), "--calibration", str(path), "--out", str(tmp_path / "b")]) == 2
    assert "train and calibrate behind this front end" in capsys.readouterr().err


def test_c_is_written_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, calibration = prepared("beat_tiny", tmp_path)
    folders = ["--out", str(tmp_path / "bundle"), "--c", str(tmp_path / "c")]
    assert main(["export", str(checkpoint), "--calibration", str(calibration), *folders]) == 0
    assert (tmp_path / "c/src/wl_model.c").is_file()
    assert capsys.readouterr().out.strip()[:12] in (tmp_path / "c/src/wl_model.h").read_text()


def test_a_finished_bundle_becomes_c_without_torch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "export.bundle_of"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["export", "models/quality-tiny", "--c", str(tmp_path / "c")]) == 0
    assert "wl_graph wl_model" in (tmp_path / "c/src/wl_model.c").read_text()
    assert main(["export", "models/quality-tiny", "--c", str(tmp_path / "c")]) == 2
    assert "expected no such folder yet" in capsys.readouterr().err
    assert main(["export", "models/quality-tiny"]) == 2
    assert "a bundle: expected --c DIR with it" in capsys.readouterr().err


def test_what_is_no_checkpoint_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.toml").touch()
    (tmp_path / "rnd.tflite").write_bytes(bytes(3000))
    for arguments, message in (
        (
            [tmp_path / "none", "--out", "b"],
            "none: expected weights, an int8 network or a bundle, found none",
        ),
        ([tmp_path, "--c", "c"], "expected a file of weights or a bundle, got another folder"),
        (["--list", tmp_path / "empty.toml"], "empty.toml: expected a table for each bundle, found none"),
        (
            [tmp_path / "rnd.tflite", "--out", "b"],
            "expected a TensorFlow Lite file (TFL3), got something else",
        ),
    ):
        assert main(["export", *map(str, arguments)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_weights_without_torch_name_the_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("export.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "w.safetensors").touch()
    arguments = ["--calibration", "c.json", "--out", str(tmp_path / "b")]
    assert main(["export", str(tmp_path / "w.safetensors"), *arguments]) == 2
    assert "-e '.[export]'" in capsys.readouterr().err


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
        (
            lambda c: c.update(input="video"),
            "input: expected one of image, picture, beat, blind, got 'video'",
        ),
        (lambda c: c.update(weights_sha256="ab"), "weights_sha256: expected a SHA-256"),
        (lambda c: c.update(method="luck"), "method: expected one of min-max, percentile, mse"),
        (lambda c: c["questions"].pop("rhythm"), "questions: expected morphology, rhythm, got 'morphology'"),
        (lambda c: c["questions"]["rhythm"].update(temperature=0), "temperature: expected more than 0"),
        (lambda c: c.pop("rhythm"), "beat with a rhythm model"),
        (lambda c: c["rhythm"].update(weights=[]), "weights: expected 1.."),
        (lambda c: c["equalisation"].update(nowhere=[1]), "'nowhere' is no layer that can be equalised"),
        (lambda c: c["equalisation"].update(net_encoder_0=[1]), "net_encoder_0: expected 16 numbers, got 1"),
        (lambda c: c["ranges"].update(head=[0, 1, 2]), "head: expected a low and a high, got 3 numbers"),
        (lambda c: c["ranges"].update(head=[1, 2]), "range: expected finite low <= 0 <= high"),
        (lambda c: c["ranges"].update(head="wide"), "expected a list, got 'wide'"),
        (lambda c: c["ranges"].pop("rhythm"), "'rhythm': expected a calibrated range, got none"),
        (lambda c: c["bias_steps"].update(nowhere=[1]), "'nowhere' is no bias of beat_tiny"),
        (lambda c: c["bias_steps"].update({"rhythm.bias": [1, 2]}), "rhythm.bias: expected 1 numbers, got 2"),
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
        (
            [tmp_path / "none", "--calibration", calibration, "--out", out],
            "none: expected weights, an int8 network",
        ),
        ([checkpoint, "--calibration", calibration, "--out", tmp_path], "nothing was written"),
        ([checkpoint, "--out", out], "--calibration"),
        ([checkpoint, "--calibration", calibration, "--out", out, "--c", out], "expected a folder apart"),
        ([checkpoint, "--calibration", calibration, "--out", out, "--c", out / "c"], "nothing was written"),
        ([checkpoint, "--calibration", calibration, "--out", other / "out"], "got: File exists"),
    ]
    for arguments, message in cases:
        assert main(["export", *map(str, arguments)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not out.exists()
