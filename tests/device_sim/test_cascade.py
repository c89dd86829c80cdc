"""A cascade on disk: two bundles by digest and a gate; whoever lies about them is refused in one line."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.__main__ import main
from device_sim.contract.bundle import read_bundle, write_bundle
from device_sim.contract.cascade import read_application, read_cascade, write_cascade
from device_sim.contract.errors import ContractError, WristleadError
from device_sim.contract.inputs import InputKind
from device_sim.pipeline import open_bundle
from tests.device_sim.bundles import bundle_of, cascade_of
from tests.device_sim.test_hostile import FEW, HOSTILE, places, put, sign


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cascade") / "c"
    write_cascade(cascade_of(), path)
    return path


@contextmanager
def restored(folder: Path) -> Iterator[dict[str, Any]]:
    """Gives the cascade's own manifest to change; afterwards it is what it was."""
    raw = (folder / "manifest.json").read_bytes()
    try:
        yield json.loads(raw)
    finally:
        (folder / "manifest.json").write_bytes(raw)


def refusal(folder: Path) -> str:
    """The refusal, or nothing; anything but one line about this folder is a failure."""
    try:
        open_bundle(folder).close()
    except WristleadError as error:
        said = str(error)
        assert said.startswith(str(folder))
        assert "\n" not in said
        assert len(said) < 1000
        return said
    return ""


def test_what_was_written_is_what_is_read(folder: Path) -> None:
    read = read_cascade(folder)
    assert read.digest == cascade_of().digest == read_application(folder).digest
    assert read.gate == cascade_of().gate
    assert (read.quality.digest, read.beat.digest) == (cascade_of().quality.digest, cascade_of().beat.digest)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("MODEL_CARD.md", "beat", "manifest.json", "quality")
    ]


def test_any_change_of_the_gate_is_another_digest() -> None:
    gate = cascade_of().gate
    others = [
        replace(gate, windows=4),
        replace(gate, accept_q8=gate.accept_q8 + 1),
        replace(gate, protects=True),
    ]
    digests = {replace(cascade_of(), gate=one).digest for one in (gate, *others)}
    assert len(digests) == 4


def test_it_opens_like_a_bundle_on_every_exact_backend(folder: Path) -> None:
    for backend in ("core", "twin"):
        with open_bundle(folder, backend) as opened:
            assert opened.n_vectors == 16
            assert [bundle.name for bundle in opened.bundles] == ["test-image", "test-beat"]
            with pytest.raises(ContractError, match="test-cascade: expected a single bundle, got a cascade"):
                assert opened.bundle


@FEW
@given(st.data())
def test_any_value_in_any_place_of_a_signed_manifest(folder: Path, data: st.DataObject) -> None:
    with restored(folder) as manifest:
        ways = [way for way in places(manifest) if way]
        way, value = data.draw(st.sampled_from(ways)), deepcopy(data.draw(st.sampled_from(HOSTILE)))
        put(manifest, way, value)
        sign(folder, manifest)
        refusal(folder)


@FEW
@given(st.data())
def test_fields_that_vanish_or_appear_in_a_signed_manifest(folder: Path, data: st.DataObject) -> None:
    with restored(folder) as manifest:
        way = data.draw(st.sampled_from([way for way in places(manifest) if way]))
        parent = manifest
        for key in way[:-1]:
            parent = parent[key]
        if data.draw(st.booleans()):
            del parent[way[-1]]
        else:
            parent["surprise"] = 1
        sign(folder, manifest)
        said = refusal(folder)
    assert said or way[0] in ("budget", "provenance", "files", "digest")


@pytest.mark.parametrize(
    ("way", "value", "message"),
    [
        ("kind", "tower", "kind: expected 'cascade', got 'tower'"),
        ("format", 2, "format: expected 1, got 2"),
        ("name", "../up", "cascade.name: expected a-z, 0-9, - and _"),
        ("gate", [], "gate: expected an object, got list of 0"),
        ("gate.output", "quality", "gate.output: expected an output that the quality network's questions"),
        ("gate.windows", 0, "gate: windows: expected a whole number 1..16, got 0"),
        ("gate.windows", 2.5, "gate: windows: expected a whole number 1..16, got 2.5"),
        ("gate.accept_q8", -33024, "gate: expected reject_q8 < accept_q8 within"),
        ("gate.hold_q8", 10**9, "gate: hold_q8: expected a whole number 0..33024, got 1000000000"),
        ("gate.protects", 1, "gate: protects: expected true or false, got 1"),
        ("gate.surprise", 1, "'surprise': no field of this format"),
        ("quality", "quality-tiny", "quality: expected an object, got 'quality-tiny'"),
        ("quality.digest", 64 * "0", "another bundle was put in its place"),
        ("beat.name", "quality-tiny", "another bundle was put in its place"),
        ("files.quality", 64 * "0", "cascade.files: expected a plain file name, got 'quality'"),
        ("budget.ram_bytes", 0, "budget: ram_bytes: expected a whole number 1.."),
    ],
)
def test_a_signed_lie_is_refused_with_its_field(folder: Path, way: str, value: Any, message: str) -> None:
    with restored(folder) as manifest:
        put(manifest, tuple(way.split(".")), value)
        sign(folder, manifest)
        assert message in refusal(folder)


def test_an_edited_gate_is_noticed(folder: Path) -> None:
    with restored(folder) as manifest:
        manifest["gate"]["accept_q8"] -= 1
        (folder / "manifest.json").write_text(json.dumps(manifest))
        assert "the bundle was edited after export" in refusal(folder)


def test_another_bundle_in_its_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "c"
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "beat")
    assert f"{copy / 'beat'}: expected the folder of a bundle, found none" in refusal(copy)
    write_bundle(replace(bundle_of(InputKind.BEAT), provenance={}), copy / "beat")
    assert "another bundle was put in its place" in refusal(copy)
    shutil.rmtree(copy / "beat")
    (copy / "beat").symlink_to(folder / "beat")
    assert f"{copy / 'beat'}: expected the folder of a bundle, found none" in refusal(copy)
    (copy / "beat").unlink()
    shutil.copytree(folder / "beat", copy / "beat")
    weights = copy / "beat" / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert f"{copy / 'beat'}" in refusal(copy)


def test_a_cascade_is_no_single_bundle(folder: Path) -> None:
    with pytest.raises(ContractError, match="expected a single bundle, got 'cascade'; name one of its own"):
        read_bundle(folder)


def test_a_single_bundle_is_no_cascade(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="kind: expected 'cascade', found none; it is a single bundle"):
        read_cascade(folder / "quality")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda one: replace(one, quality=one.beat), "quality: input: expected image or picture, got beat"),
        (lambda one: replace(one, beat=bundle_of(InputKind.BLIND)), "beat: input: expected beat, got blind"),
        (
            lambda one: replace(one, beat=replace(one.beat, verdict=None)),
            "beat: verdict: expected thresholds",
        ),
        (
            lambda one: replace(
                one,
                quality=replace(one.quality, window=replace(one.quality.window, hop_samples=1280)),
            ),
            "quality: window.hop_samples: expected at most 1024, got 1280",
        ),
        (lambda one: replace(one, files={"beat": b""}), "cascade.files: expected a plain file name"),
        (
            lambda one: replace(one, gate=replace(one.gate, windows=17)),
            "gate.windows: expected 1..16, got 17",
        ),
        (lambda one: replace(one, gate=replace(one.gate, hold_q8=-1)), "gate.hold_q8: expected 0.."),
    ],
)
def test_what_cannot_be_a_cascade_is_refused(made: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message.replace(".", r"\.")):
        made(cascade_of())


@pytest.mark.parametrize("command", ["run", "show"])
def test_a_command_refuses_in_one_line(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with restored(folder) as manifest:
        manifest["gate"]["windows"] = 17
        sign(folder, manifest)
        assert main([command, str(folder), *(["--synthetic"] if command == "run" else [])]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (f"{folder}/manifest.json: gate: windows: expected a whole number 1..16, got 17\n")


def test_a_run_says_a_line_for_every_window_and_every_beat(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(folder), "--synthetic", "--seconds", "20"]) == 0
    out, said = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["net"] for line in lines} == {"quality", "beat"}
    assert [line["window"] for line in lines if line["net"] == "quality"] == list(range(16))
    assert {line["by"] for line in lines} <= {"network", "rule", "gate"}
    beats = [line for line in lines if line["net"] == "beat"]
    assert [line["window"] for line in beats] == list(range(len(beats)))
    assert f"test-cascade {cascade_of().digest[:12]} on core: 16 vectors reproduced (f1)" in said
    assert f"verdicts of test-beat: {len(beats)}: " in said
