"""Bundles survive the disk, and every damaged, re-signed or hostile one is refused with its field."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim import twin
from device_sim.contract.bundle import Bundle, read_bundle, write_bundle
from device_sim.contract.errors import ContractError, DigestError, WristleadError
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.contract.signed import MAX_FILE_BYTES, digest_of
from device_sim.contract.window import WindowSpec
from tests.golden.networks import graphs, random_inputs

Json = dict[str, Any]


def bundle(name: str = "joined") -> Bundle:
    return Bundle(
        name="test-net-1",
        input=InputKind.IMAGE,
        window=WindowSpec(rate_hz=256, length_samples=1280, hop_samples=256, uv_per_lsb=1),
        labels=Labels(("good", "bad", "noise")),
        graph=graphs()[name][1],
        provenance={"commit": "0123abc", "seed": "7"},
        files={"MODEL_CARD.md": b"# a card\n", "model.tflite": b"TFL3"},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "test-net-1"
    write_bundle(bundle(), path)
    return path


def resign(folder: Path, change: Callable[[Json], None]) -> None:
    """Edit the manifest and give it the digest that its new contents have."""
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    manifest["digest"] = digest_of(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", graphs())
def test_a_bundle_survives_the_disk(name: str, tmp_path: Path) -> None:
    one = bundle(name)
    digest = write_bundle(one, tmp_path / "b")
    read = read_bundle(tmp_path / "b")
    assert read.digest == one.digest == digest
    assert (read.name, read.input, read.window, read.labels) == (one.name, one.input, one.window, one.labels)
    assert read.graph.operators == one.graph.operators
    assert read.provenance == one.provenance
    assert read.files == one.files
    inputs = random_inputs(one.graph, 10, seed=1)
    for output, codes in twin.run(one.graph, inputs).items():
        np.testing.assert_array_equal(twin.run(read.graph, inputs)[output], codes)


def test_the_same_bundle_gives_the_same_bytes(tmp_path: Path) -> None:
    write_bundle(bundle(), tmp_path / "a")
    write_bundle(bundle(), tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_every_tensor_starts_on_sixteen_bytes(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    offsets = [one["offset_bytes"] for one in manifest["tensors"] if "offset_bytes" in one]
    assert len(offsets) == 10
    assert all(offset % 16 == 0 for offset in offsets)


def test_changing_anything_changes_thedigest_of() -> None:
    one = bundle()
    changed = [
        dataclasses.replace(one, name="test-net-2"),
        dataclasses.replace(one, input=InputKind.BEAT),
        dataclasses.replace(one, labels=Labels(("bad", "good", "noise"))),
        dataclasses.replace(one, graph=graphs()["dense"][1]),
        dataclasses.replace(one, provenance={"commit": "0123abd", "seed": "7"}),
        dataclasses.replace(one, files={"MODEL_CARD.md": b"# another card\n"}),
    ]
    assert len({one.digest, *(other.digest for other in changed)}) == 1 + len(changed)


def test_a_bundle_is_not_written_over_another(folder: Path) -> None:
    with pytest.raises(ContractError, match="a bundle is not written over another"):
        write_bundle(bundle(), folder)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_flipped_bit_goes_unnoticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("flip") / "b"
    write_bundle(bundle(), folder)
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    before = json.loads((folder / "manifest.json").read_text())
    path.write_bytes(raw)
    refusal, digest = reading(folder)
    if refusal is None:  # white space between two fields says nothing
        assert json.loads((folder / "manifest.json").read_text()) == before
        assert digest == before["digest"]
    else:
        assert refusal.startswith(str(folder))
        assert "\n" not in refusal


def reading(folder: Path) -> tuple[str | None, str]:
    """What a reader says: a refusal, or nothing and the digest."""
    try:
        return None, read_bundle(folder).digest
    except WristleadError as error:
        return str(error), ""


@pytest.mark.parametrize("name", ["manifest.json", "weights.bin", "model.tflite"])
@pytest.mark.parametrize("kept", [0, 1, 0.5, 0.999])
def test_a_truncated_file_is_refused(folder: Path, name: str, kept: float) -> None:
    path = folder / name
    raw = path.read_bytes()
    path.write_bytes(raw[: int(kept if kept == 1 else kept * len(raw))])
    with pytest.raises(WristleadError, match=str(folder)):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["manifest.json", "weights.bin", "model.tflite"])
def test_an_absent_file_or_a_link_is_refused(folder: Path, name: str) -> None:
    (folder / name).rename(folder / "elsewhere")
    with pytest.raises(ContractError, match=f"{name}: expected a file of the bundle"):
        read_bundle(folder)
    (folder / name).symlink_to(folder / "elsewhere")
    with pytest.raises(ContractError, match=f"{name}: expected a file of the bundle"):
        read_bundle(folder)


def tensor(manifest: Json, name: str) -> Json:
    return next(one for one in manifest["tensors"] if one["name"] == name)


def field(path: str, value: Any) -> Callable[[Json], None]:
    """Sets one field: names and numbers between dots."""

    def change(manifest: Json) -> None:
        *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
        place: Any = manifest
        for step in way:
            place = place[step]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (field("format", 2), "format: expected 1, got 2; written by a newer"),
        (field("format", True), "format: expected 1, got True"),
        (field("format", "1"), "format: expected 1"),
        (field("name", "../../etc"), "bundle.name: expected a-z"),
        (field("name", 3), "name: expected a text, got 3"),
        (
            field("input", "video"),
            "input: expected one of image, beat, blind, signal, picture, codes, got 'video'",
        ),
        (field("labels", []), "labels: expected 1..256 names"),
        (field("labels", [1]), "expected a text, got 1"),
        (field("window.rate_hz", -1), "rate_hz: expected a whole number 1.., got -1|rate_hz: expected"),
        (field("window.rate_hz", 1.5), "rate_hz: expected a whole number"),
        (field("window.hop_samples", 10**30), "hop_samples: expected a whole number"),
        (field("extra", 1), "'extra': no field of this format"),
        (field("window.extra", 1), "'extra': no field of this format"),
        (field("tensors", {}), "tensors: expected a list, got dict of 0"),
        (field("tensors.0.shape", [1, -12, 10, 1]), "shape\\[1\\]: expected a whole number"),
        (field("tensors.0.shape", [1, 2**60, 10, 1]), "shape\\[1\\]: expected a whole number"),
        (field("tensors.0.shape", [1, 2**26, 2**26, 2**26]), "shape: expected positive dimensions"),
        (field("tensors.0.shape", []), "shape: expected 1..4 dimensions"),
        (field("tensors.0.scale", [0]), "scale: expected a positive float32"),
        (field("tensors.0.scale", ["1"]), "scale\\[0\\]: expected a number"),
        (field("tensors.0.zero_point", 300), "zero_point: expected a whole number -128..127"),
        (field("tensors.0.dtype", "f32"), "dtype: expected one of i8, i32, got 'f32'"),
        (field("tensors.1.offset_bytes", -16), "offset_bytes: expected a whole number"),
        (field("tensors.1.offset_bytes", 1 << 40), "offset_bytes: expected a whole number"),
        (field("tensors.2.offset_bytes", 0), "offset_bytes: expected 80 and 32 bytes"),
        (field("tensors.1.shape", [8, 3, 3, 10_000]), "offset_bytes: expected 0 and 720000 bytes"),
        (field("tensors.1.sha256", "00"), "expected sha256 '00'"),
        (field("graph.0.op", "attention"), "op: expected one of conv2d, .*, got 'attention'"),
        (field("graph.0.stride", [0, 1]), "stride: expected a whole number 1..4096, got 0"),
        (field("graph.0.stride", [1]), "stride: expected 2 numbers, got 1"),
        (field("graph.0.pads", [1, 1, 1, 4096]), "pads: expected less than the kernel"),
        (field("graph.0.activation", "gelu"), "activation: expected one of none, relu, relu6, got 'gelu'"),
        (field("graph.0.x", "nowhere"), "reads 'nowhere' before anything has written it"),
        (field("graph.0.multipliers.0", [5, 0]), "multipliers: expected those that its scales give"),
        (field("graph.0.multipliers.0", [-5, 0]), "expected a whole number 0.."),
        (field("graph.0.extra", 1), "'extra': no field of this format"),
        (field("outputs", ["image"]), "output 'image': expected a tensor that an operator writes"),
        (field("inputs", []), "at least one input|before anything has written it"),
        (field("files", {"../weights.bin": "00"}), "bundle.files: expected a plain file name"),
        (field("files", {"/etc/passwd": "00"}), "bundle.files: expected a plain file name"),
        (field("files", {"manifest.json": "00"}), "bundle.files: expected a plain file name"),
        (field("files", {f"f{k}": "00" for k in range(33)}), "expected at most 32 files, got 33"),
        (field("provenance.seed", 7), "seed: expected a text, got 7"),
    ],
)
def test_a_hostile_manifest_is_refused_though_it_is_signed(
    folder: Path, change: Callable[[Json], None], message: str
) -> None:
    resign(folder, change)
    with pytest.raises((ContractError, DigestError), match=message) as caught:
        read_bundle(folder)
    assert str(caught.value).startswith(str(folder))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"3",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": 1, "format": 2}',
        b'{"format": NaN}',
        b'{"format": 1e999}',
        b'{"format": ' + b"9" * 10_000 + b"}",
    ],
    ids=["empty", "list", "number", "encoding", "deep_list", "deep", "twice", "nan", "infinite", "digits"],
)
def test_what_is_no_manifest_is_refused(folder: Path, raw: bytes) -> None:
    (folder / "manifest.json").write_bytes(raw)
    with pytest.raises(ContractError, match=r"manifest.json: expected"):
        read_bundle(folder)


def test_a_file_without_end_is_not_read(folder: Path) -> None:
    with (folder / "weights.bin").open("r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # sparse: takes no room
    with pytest.raises(ContractError, match=f"expected at most {MAX_FILE_BYTES} bytes"):
        read_bundle(folder)


def test_bytes_between_tensors_are_zero(folder: Path) -> None:
    raw = bytearray((folder / "weights.bin").read_bytes())
    raw[72] = 1  # eight channels of 3 x 3 end there, the next tensor begins at 80
    (folder / "weights.bin").write_bytes(raw)
    with pytest.raises(DigestError, match="the bundle was edited after export"):
        read_bundle(folder)
    (folder / "weights.bin").write_bytes(bytes(raw[:72]) + b"\0" + bytes(raw[73:]) + b"more")
    with pytest.raises(ContractError, match=r"weights.bin: expected \d+ bytes \(tensors\)"):
        read_bundle(folder)
