"""`wristlead run BUNDLE` as a person and a script see it."""

import io
import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.__main__ import main
from device_sim.contract.bundle import write_bundle
from device_sim.contract.inputs import InputKind
from device_sim.frontend import columns_of
from device_sim.meter import Meter
from device_sim.pipeline import OpenBundle, open_bundle
from device_sim.runner import NEEDS, Backend
from device_sim.sources import Samples
from device_sim.synthetic import RAIL_UV, SyntheticSource, example_scene
from device_sim.verdict_lines import VerdictLines
from export.to_onnx import to_onnx
from export.to_tflite import to_tflite
from tests.device_sim.bundles import WINDOWS, bundle_of
from tests.device_sim.conftest import Command


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one bundle of each kind, every form in it."""
    folder = tmp_path_factory.mktemp("bundles")
    for kind in WINDOWS:
        bundle = bundle_of(kind)
        forms = {"model.tflite": to_tflite(bundle.graph), "model.onnx": to_onnx(bundle.graph)}
        write_bundle(replace(bundle, files={**bundle.files, **forms}), folder / kind)
    return folder


def example(seconds: float) -> NDArray[np.int32]:
    """The beginning of what --synthetic plays: nothing is lost in it."""
    chunks = SyntheticSource(example_scene(seconds=seconds))
    return np.concatenate([chunk.counts_i32 for chunk in chunks if isinstance(chunk, Samples)])


@pytest.mark.parametrize("kind", WINDOWS)
def test_lines_are_what_the_api_gives(
    kind: InputKind, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(bundles / kind), "--synthetic", "--seconds", "12"]) == 0
    out, said = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    with open_bundle(bundles / kind) as opened:
        verdicts = opened.run(example(12), rate_hz=256, rails=(-RAIL_UV, RAIL_UV))
    assert lines == [verdict.to_json() for verdict in verdicts]
    assert len(lines) >= 8
    digest = lines[0]["bundle"]
    assert f"test-{kind} {digest} on core: 8 vectors reproduced (f1)\nverdicts: {len(lines)}: " in said
    assert re.search(
        r"the core's stream: [\d,]+ x real time; all of it [\d,]+ x real time, by the proc", said
    )


def test_stats_time_every_verdict_and_change_none(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(bundles / "beat"), "--synthetic", "--seconds", "12"]
    assert main(arguments) == 0
    plain = capsys.readouterr()
    assert main([*arguments, "--stats"]) == 0
    timed = capsys.readouterr()
    assert timed.out == plain.out
    latency, clock = timed.err.splitlines()[-2:]
    found = re.fullmatch(
        r"latency of test-beat, from samples to verdict: "
        r"(\d+) verdicts, p50 ([\d.]+), p99 [\d.]+, max ([\d.]+) ms",
        latency,
    )
    assert found
    assert int(found[1]) == len(plain.out.splitlines())
    assert 0 < float(found[2]) <= float(found[3])
    assert re.fullmatch(
        r"clock: [\d.]+ s for 12.0 s of signal, [\d,]+ x real time; memory \d+ MiB at most", clock
    )


def test_a_verdict_takes_from_its_samples_to_its_line() -> None:
    """A clock that is told: the second verdict is said a quarter of a second after the first."""
    times_s = iter([0.0, 10.0, 10.5, 10.75, 20.0])
    meter = Meter([bundle_of(InputKind.BEAT), bundle_of(InputKind.IMAGE)], clock=lambda: next(times_s))
    with OpenBundle(bundle_of(InputKind.BEAT)) as opened:
        one, two, *_ = opened.run(example(12), rate_hz=256)
    meter.arrived()
    meter.said([one])
    meter.said([two])
    beat, image, clock = meter.lines(60.0)
    assert beat.endswith("2 verdicts, p50 375.000, p99 497.500, max 500.000 ms")
    assert image == "latency of test-image: no verdict"
    assert clock.startswith("clock: 20.00 s for 60.0 s of signal, 3 x real time; memory ")


@pytest.mark.parametrize("backend", [backend for backend in Backend if not backend.endswith(("ref", "ruy"))])
def test_every_backend_takes_the_same_stream(backend: Backend, bundles: Path, wristlead: Command) -> None:
    package = NEEDS[backend].package
    if package and find_spec(package) is None:
        pytest.skip(f"no wheel of {package} for this Python")
    done = wristlead("run", bundles / "beat", "--synthetic", "--seconds", "8", "--backend", backend)
    assert done.returncode == 0, done.stderr
    assert f"on {backend}: 8 vectors reproduced ({NEEDS[backend].family})" in done.stderr
    timing = (
        r"front end: [\d,]+ x real time; network [\d,]+ us a window, [\d,]+ us at most; all of it [\d,]+ x"
    )
    assert backend is Backend.CORE or re.search(timing, done.stderr)
    assert len(done.stdout.splitlines()) > 6


def test_a_stream_on_stdin_is_judged_as_it_comes(bundles: Path, wristlead: Command) -> None:
    x = example(10)
    text = b"".join(b"%d\n" % count for count in x.tolist())
    piped = wristlead("run", bundles / "image", "-", "--rate", "256", stdin=text)
    assert piped.returncode == 0, piped.stderr
    assert [json.loads(line)["window"] for line in piped.stdout.splitlines()] == list(range(6))


def test_what_does_not_reproduce_its_vectors_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_of(InputKind.IMAGE)
    with np.load(io.BytesIO(bundle.files["vectors.npz"])) as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    arrays[f"f1/{bundle.graph.outputs[0]}"][5] ^= 1
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    write_bundle(replace(bundle, files={"vectors.npz": stream.getvalue()}), tmp_path / "b")
    assert main(["run", str(tmp_path / "b"), "--synthetic"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "vectors.npz: window 5, output 'op2.out': expected" in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--synthetic"], "nowhere: expected a folder written by `wristlead export`, found none"),
        (["README.md", "--synthetic"], "found a file; name a recording with --file"),
        (["tests", "--synthetic"], "manifest.json: expected a file of the bundle, found none"),
        (["--synthetic", "--stats"], "--stats: expected a bundle, whose verdicts it is about"),
        (["--synthetic", "--backend", "core"], "--backend: expected a bundle beside it, got none"),
        (["{image}", "--synthetic", "--columns"], "--columns: means nothing beside a bundle"),
        (["{image}"], "expected one of --synthetic, --file FILE"),
        (["{image}", "--synthetic", "--backend", "abacus"], "--backend: invalid choice: 'abacus'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments: list[str], message: str, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *(one.format(image=bundles / "image") for one in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("kind", [InputKind.IMAGE, InputKind.BEAT])
def test_verdicts_are_drawn_where_they_were_said(kind: InputKind, bundles: Path) -> None:
    with open_bundle(bundles / kind) as opened:
        lines = VerdictLines(opened, opened.pipeline(delay_us=0), write=lambda line: None, keep=True)
        lines.push(columns_of(example(12), rate_hz=256))
        lines.finish()
    (lane,) = lines.lanes()
    assert len({lane.colour(word) for word in lane.words}) == len(lane.words)
    if kind is InputKind.BEAT:
        peaks_s = np.array([one.start_s + lane.seconds / 2 for one in lane.said])
        marks = SyntheticSource(example_scene(seconds=12)).annotations
        assert marks is not None
        beats_s = marks.indices_i64 / 256
        assert np.abs(peaks_s[:, None] - beats_s).min(axis=1).max() < 0.03
        assert (lane.wanted, lane.are_beats) == ("N", True)
    else:
        assert [one.start_s for one in lane.said] == [2.0 + k for k in range(8)]
        assert lane.seconds == 1.0
        assert (lane.wanted, lane.are_beats) == ("clean", False)


def test_a_picture_has_a_lane_of_verdicts(bundles: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the `report` extra is not installed")
    path = tmp_path / "a.svg"
    arguments = ["run", bundles / "beat", "--synthetic", "--seconds", "8", "--picture", path]
    assert main([str(one) for one in arguments]) == 0
    assert "<!-- beats -->" in path.read_text()
