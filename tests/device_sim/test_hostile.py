"""A bundle, signed or not, is opened or refused in one line; nothing crashes, hangs or fills the memory."""

import hashlib
import json
import math
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_sim.__main__ import main
from device_sim.contract.bundle import write_bundle
from device_sim.contract.errors import WristleadError
from device_sim.contract.inputs import InputKind
from device_sim.contract.signed import digest_of
from device_sim.pipeline import open_bundle
from tests.device_sim.bundles import bundle_of

BYTES = {"i8": 1, "i32": 4}
MOST_BYTES = 64 << 20  # a bundle of 40 KB must not cost more, whatever it claims
HOSTILE: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        7,
        127,
        128,
        255,
        256,
        4096,
        65_536,
        2**26,
        2**31,
        2**63,
        -(2**63),
        10**30,
    ),
    *(
        0.0,
        -1.5,
        1e-45,
        1e-30,
        1e30,
        1e300,
        "",
        "x",
        "../../etc/passwd",
        "/etc/passwd",
        "\ud800",
        "a" * 5000,
        "\n",
    ),
    *([], {}, [[]], [1] * 300, {"a": {"b": {}}}),
]
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "b"
    write_bundle(bundle_of(InputKind.BEAT), path)
    return path


@contextmanager
def restored(folder: Path) -> Iterator[dict[str, Any]]:
    """Gives the manifest to change; afterwards every file is what it was."""
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    try:
        yield json.loads(kept[folder / "manifest.json"])
    finally:
        for path, raw in kept.items():
            path.write_bytes(raw)


@pytest.fixture
def pristine(folder: Path) -> Iterator[Path]:
    """The bundle, as it was again after every test."""
    with restored(folder):
        yield folder


def places(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a JSON tree; long lists are entered at both ends."""
    yield way
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    chosen = list(children)
    for key, child in chosen if len(chosen) <= 40 else [*chosen[:2], *chosen[-2:]]:
        yield from places(child, (*way, key))


def put(tree: Any, way: tuple[Any, ...], value: Any) -> None:
    for key in way[:-1]:
        tree = tree[key]
    tree[way[-1]] = value


def sign(folder: Path, manifest: dict[str, Any]) -> None:
    """As somebody would who wants it to be read: every digest fits."""
    manifest["digest"] = digest_of(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def opened_or_refused(folder: Path) -> str:
    """The refusal, or nothing; anything but one line about this folder is a failure."""
    tracemalloc.start()
    try:
        open_bundle(folder).close()
        said = ""
    except WristleadError as error:
        said = str(error)
        assert said.startswith(str(folder))
        assert "\n" not in said
        assert len(said) < 1000
        assert "expected" in said or ": no field of this format" in said or "graph: " in said
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < MOST_BYTES
    return said


def test_the_bundle_itself_opens(pristine: Path) -> None:
    assert opened_or_refused(pristine) == ""


@FEW
@given(st.data())
def test_any_value_in_any_place_of_a_signed_manifest(folder: Path, data: st.DataObject) -> None:
    with restored(folder) as manifest:
        ways = [way for way in places(manifest) if way]
        for _ in range(data.draw(st.integers(1, 3))):
            way, value = data.draw(st.sampled_from(ways)), deepcopy(data.draw(st.sampled_from(HOSTILE)))
            try:
                put(manifest, way, value)
            except (KeyError, IndexError, TypeError):
                continue  # an earlier change took that place away
        sign(folder, manifest)
        opened_or_refused(folder)


@FEW
@given(st.data())
def test_fields_that_vanish_or_appear_in_a_signed_manifest(folder: Path, data: st.DataObject) -> None:
    with restored(folder) as manifest:
        way = data.draw(
            st.sampled_from([way for way in places(manifest) if way and isinstance(way[-1], str)])
        )
        parent = manifest
        for key in way[:-1]:
            parent = parent[key]
        if data.draw(st.booleans()):
            del parent[way[-1]]
        else:
            parent["surprise"] = 1
        sign(folder, manifest)
        said = opened_or_refused(folder)
    # What a bundle may lack: all that only informs, a limit, and an axis where one channel has one scale.
    spare = ("budget", "metrics", "provenance", "files", "digest")
    assert said or way[0] in spare or "flag_limits" in way or way[-1] == "axis"


@FEW
@given(st.data())
def test_weights_that_somebody_signed_again(folder: Path, data: st.DataObject) -> None:
    with restored(folder) as manifest:
        weights = bytearray((folder / "weights.bin").read_bytes())
        for _ in range(data.draw(st.integers(1, 20))):
            at = data.draw(st.integers(0, len(weights) - 1))
            weights[at] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
        for tensor in manifest["tensors"]:
            if "offset_bytes" in tensor:
                start, n_bytes = (
                    tensor["offset_bytes"],
                    math.prod(tensor["shape"], start=BYTES[tensor["dtype"]]),
                )
                tensor["sha256"] = hashlib.sha256(weights[start : start + n_bytes]).hexdigest()
        del manifest["metrics"]
        (folder / "weights.bin").write_bytes(weights)
        sign(folder, manifest)
        opened_or_refused(folder)


@FEW
@given(st.sampled_from(["manifest.json", "weights.bin", "vectors.npz"]), st.data())
def test_bytes_that_nobody_signed(folder: Path, name: str, data: st.DataObject) -> None:
    with restored(folder):
        path = folder / name
        raw = path.read_bytes()
        at = data.draw(st.integers(0, len(raw) - 1))
        junk = data.draw(st.binary(max_size=40))
        path.write_bytes(raw[:at] + junk + raw[at + data.draw(st.integers(0, 40)) :])
        changed = path.read_bytes() != raw
        said = opened_or_refused(folder)
    assert said or not changed or name == "manifest.json"  # white space between two fields says nothing


@pytest.mark.parametrize(
    ("way", "value", "message"),
    [
        (
            "frontend_sha256",
            "xyz",
            "bundle.frontend_sha256: expected a SHA-256 (64 hexadecimal digits), got 'xyz'",
        ),
        ("frontend_sha256", "", "bundle.frontend_sha256: expected it beside a verdict, found none"),
        ("frontend_sha256", 64 * "0", "test-beat: frontend_sha256: expected "),
        ("labels", ["N", "V"], "verdict.questions: expected one for each label but the first, 1, got 2"),
        ("window.rate_hz", 256, "window.rate_hz: expected 128 (input beat), got 256"),
        ("window.uv_per_lsb", 1, "window.uv_per_lsb: expected 32 (input beat), got 1"),
        ("input", "image", "window.rate_hz: expected 256 (input image), got 128"),
        (
            "input",
            "blind",
            "graph: input 'shape': expected a shape of (1, 1, 128, 1) or (1, 128) (input blind)",
        ),
        (
            "input",
            "signal",
            "input: expected one of image, beat, blind, picture, got signal: nothing feeds it yet",
        ),
        ("verdict", [], "verdict: expected an object, got list of 0"),
        ("verdict.undecided", "", "verdict.undecided: expected 1..64 printable characters, got ''"),
        ("verdict.unusable", 7, "verdict: unusable: expected a text, got 7"),
        ("verdict.unusable_score_q15", 1 << 30, "verdict: 'unusable_score_q15': no field of this format"),
        ("verdict.mean_windows", 0, "verdict: mean_windows: expected a whole number 1..16, got 0"),
        ("verdict.mean_hops", 1.5, "verdict: mean_hops: expected a whole number 1..64, got 1.5"),
        ("verdict.flag_limits.wander", 3, "verdict.flag_limits: expected rail, flat, lead_off"),
        ("verdict.flag_limits.rail", -1, "flag_limits: rail: expected a whole number 0..4096, got -1"),
        ("verdict.questions", [], "verdict.questions: expected at least one, got none"),
        ("verdict.questions.0.output", "op0.out", "verdict.questions: expected an output of one code"),
        ("verdict.questions.0.accept_q8", 10**9, "accept_q8: expected a whole number -33024..33024"),
        ("verdict.questions.0.accept_q8", -512, "expected reject_q8 < accept_q8"),
        ("verdict.questions.1.hold_q8", True, "hold_q8: expected a whole number 0..33024, got True"),
        ("verdict.questions.1.score_q15", [0] * 255, "score_q15: expected 256 entries, got 255"),
        ("verdict.questions.1.score_q15.0", 32768, "score_q15: expected 0..32768, never falling"),
        ("verdict.questions.1.surprise", 1, "'surprise': no field of this format"),
        ("budget.window_us", 0, "budget: window_us: expected a whole number 1..2147483647, got 0"),
        ("budget.price", 3, "'price': no field of this format"),
        ("metrics.graph_sha256", 64 * "a", "these figures belong to another network"),
        ("metrics.figures.0.int8", "good", "int8: expected a number, got 'good'"),
        ("metrics.figures.0.on", None, "on: expected a text, got None"),
    ],
)
def test_a_signed_lie_about_verdicts_is_refused_with_its_field(
    folder: Path, way: str, value: Any, message: str
) -> None:
    with restored(folder) as manifest:
        put(manifest, tuple(int(key) if key.isdigit() else key for key in way.split(".")), value)
        sign(folder, manifest)
        said = opened_or_refused(folder)
    assert message in said


@pytest.mark.parametrize("command", ["run", "show", "parity"])
def test_a_command_refuses_in_one_line_with_exit_code_two(
    command: str, pristine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((pristine / "manifest.json").read_text())
    put(manifest, ("tensors", 0, "shape"), [1, 2**26, 2**26, 2])
    sign(pristine, manifest)
    arguments = {"run": ["--synthetic"], "show": [], "parity": []}[command]
    assert main([command, str(pristine), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "manifest.json: " in captured.err
    assert "shape: expected" in captured.err
    assert captured.err.count("\n") == 1


def pool_of(height: int, kernel: int, pads: int) -> dict[str, Any]:
    """A pool that reads little and turns its loop for days."""
    side = height + 2 * pads - kernel + 1
    ends = [{"name": name, "shape": [1, size, size, 1]} for name, size in (("x", height), ("y", side))]
    return {
        "tensors": [{**one, "dtype": "i8", "layout": "nhwc", "scale": [1], "zero_point": 0} for one in ends],
        "graph": [
            {"op": "pool", "name": "p", "x": "x", "output": "y", "kind": "max", "activation": "none"}
            | {"kernel": [kernel, kernel], "stride": [1, 1], "pads": [pads] * 4}
        ],
        "inputs": ["x"],
        "outputs": ["y"],
    }


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (pool_of(3000, 2000, 1900), "graph: expected at most 4294967296 steps a window"),
        (pool_of(6000, 1, 0), "graph: expected at most 16777216 bytes of arena"),
        (pool_of(8192, 1, 0), "graph: expected at most 16777216 bytes of arena"),
    ],
)
def test_a_graph_that_would_take_days_or_fill_the_memory_is_refused(
    graph: dict[str, Any], message: str, pristine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((pristine / "manifest.json").read_text())
    for name in ("verdict", "metrics"):
        del manifest[name]
    manifest |= graph | {"input": "signal"}
    (pristine / "weights.bin").write_bytes(b"")
    sign(pristine, manifest)
    opened_or_refused(pristine)
    assert main(["show", str(pristine)]) == 2
    assert message in capsys.readouterr().err
