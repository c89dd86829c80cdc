"""Bare arrays: NPZ, NPY, raw, MATLAB level 4."""

import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.array_file import read_mat4, read_npy, read_npz, read_raw
from device_sim.contract.errors import ContractError
from device_sim.recording import ReadAs, Recording
from device_sim.sources import Samples

X = np.array([-5, 0, 7, 1200], dtype=np.int16)


def counts(recording: Recording) -> list[int]:
    return [
        int(count) for chunk in recording.chunks if isinstance(chunk, Samples) for count in chunk.counts_i32
    ]


def npz(path: Path, **arrays: NDArray[np.generic] | int | float) -> Path:
    np.savez(path, **arrays)
    return path


def test_an_npz_brings_its_own_rate_and_gain(tmp_path: Path) -> None:
    recording = read_npz(npz(tmp_path / "a.npz", x=X, rate_hz=360, uv_per_count=2.5), ReadAs())
    assert counts(recording) == X.tolist()
    assert (recording.rate_hz, recording.uv_per_count) == (Fraction(360), Fraction(5, 2))


def test_floats_in_millivolts_become_microvolts(tmp_path: Path) -> None:
    recording = read_npz(npz(tmp_path / "a.npz", ecg=np.array([0.25, -1.0])), ReadAs(units="mV", rate_hz=250))
    assert counts(recording) == [250, -1000]


def test_a_row_or_a_column_is_one_lead(tmp_path: Path) -> None:
    recording = read_npz(npz(tmp_path / "a.npz", a=X.reshape(1, -1), b=X.reshape(-1, 1)), ReadAs(lead="b"))
    assert counts(recording) == X.tolist()


@pytest.mark.parametrize(
    ("arrays", "read_as", "message"),
    [
        ({"a": X, "b": X}, ReadAs(), "expected one lead, got 2: a, b"),
        ({"x": X}, ReadAs(lead="II"), r"expected a lead of this file (x), got --lead II"),
        ({"x": X.reshape(2, 2)}, ReadAs(), "array 'x': expected one dimension, got shape (2, 2)"),
        ({"x": np.array([1.0, np.nan])}, ReadAs(), "sample 1: expected a finite number, got nan"),
        ({"x": np.array([], dtype=np.int16)}, ReadAs(), "expected samples, got none"),
        ({"x": np.array(["a"])}, ReadAs(), "expected integers or floats"),
        ({"x": X, "rate_hz": 250}, ReadAs(rate_hz=256), "expected 256 Hz from --rate, got 250 Hz"),
        ({"x": X, "uv_per_count": 2}, ReadAs(units="uV"), "the file has uv_per_count"),
        ({"x": X, "uv_per_count": 0}, ReadAs(), "uv_per_count: expected more than 0, got 0"),
        ({"x": X, "rate_hz": np.array([1, 2])}, ReadAs(), "rate_hz: expected one number"),
    ],
)
def test_an_npz_that_makes_no_sense_is_refused(
    tmp_path: Path, arrays: dict[str, NDArray[np.generic]], read_as: ReadAs, message: str
) -> None:
    with pytest.raises(ContractError) as caught:
        read_npz(npz(tmp_path / "a.npz", **arrays), read_as)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and nothing more", b"\x93NUMPY", b"words"])
def test_what_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(ContractError, match="expected an NPZ file of plain arrays"):
        read_npz(path, ReadAs())


def test_an_npz_with_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00\x10\x00{broken")
    with pytest.raises(ContractError, match="expected an NPZ file of plain arrays"):
        read_npz(path, ReadAs())


def test_pickled_objects_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ContractError, match="expected an NPY file"):
        read_npy(tmp_path / "a.npy", ReadAs())


@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_raw_integers_are_little_endian(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(X.astype(np.dtype(dtype).newbyteorder("<")).tobytes())
    assert counts(read_raw(path, ReadAs(dtype=dtype, rate_hz=250))) == X.tolist()


def test_raw_needs_to_know_its_type_and_a_whole_number_of_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(b"123")
    with pytest.raises(ContractError, match="say --dtype int16 or --dtype int32"):
        read_raw(path, ReadAs())
    with pytest.raises(ContractError, match=r"expected a multiple of 2 bytes \(int16\), got 3"):
        read_raw(path, ReadAs(dtype="int16"))
    path.rename(tmp_path / "a.i16")
    with pytest.raises(ContractError, match="expected int16 by the file's ending, got --dtype int32"):
        read_raw(tmp_path / "a.i16", ReadAs(dtype="int32"))


def mat4(path: Path, x: NDArray[np.int16], *, n_claimed: int) -> Path:
    header = np.array([30, 1, n_claimed, 0, 4], dtype="<i4").tobytes()
    path.write_bytes(header + b"val\0" + x.astype("<i2").tobytes())
    return path


def test_a_matlab_row_is_read_and_a_short_one_refused(tmp_path: Path) -> None:
    assert counts(read_mat4(mat4(tmp_path / "a.mat", X, n_claimed=4), ReadAs())) == X.tolist()
    with pytest.raises(ContractError, match=r"expected 9 samples \(18 bytes\), got 8 bytes"):
        read_mat4(mat4(tmp_path / "a.mat", X, n_claimed=9), ReadAs())


def test_a_newer_matlab_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file, Platform: GLNXA64")
    with pytest.raises(ContractError, match="expected one row of real numbers in MATLAB level 4"):
        read_mat4(tmp_path / "a.mat", ReadAs())


def test_a_real_cinc_recording_is_read(tmp_path: Path, recordings: Path) -> None:
    with zipfile.ZipFile(recordings / "training2017.zip") as archive:
        archive.extract("training2017/A00001.mat", tmp_path)
    options = ReadAs(rate_hz=300, units="adc", gain_per_mv=Fraction(1000))
    recording = read_mat4(tmp_path / "training2017" / "A00001.mat", options)
    assert (recording.n_samples, recording.uv_per_count) == (9000, Fraction(1))
