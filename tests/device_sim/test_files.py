"""The ending of a name picks the reader."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device_sim.contract.errors import ContractError, StreamError, WristleadError
from device_sim.files import READERS, read_recording
from device_sim.recording import ReadAs


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="expected a file, got a directory"):
        read_recording(tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=r"none\.csv: expected a recording, found no such file"):
        read_recording(tmp_path / "none.csv")


def test_an_unknown_ending_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.docx").touch()
    with pytest.raises(ContractError, match=r"expected a name ending in .*\.csv .*\.npz.*, got '\.docx'"):
        read_recording(tmp_path / "a.docx")


def test_signals_without_their_header_say_which_is_missing(tmp_path: Path) -> None:
    (tmp_path / "100.dat").touch()
    with pytest.raises(StreamError, match=r"expected its WFDB header 100\.hea beside it, found none"):
        read_recording(tmp_path / "100.dat")


def test_a_sample_type_is_for_raw_files_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1\n")
    with pytest.raises(ContractError, match="--dtype: expected a raw file"):
        read_recording(tmp_path / "a.csv", ReadAs(dtype="int16"))


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("1\n")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StreamError, match=r"a\.csv: expected a readable file, got: Permission denied"):
        read_recording(tmp_path / "a.csv")


def test_capitals_in_the_ending_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "A.TXT").write_text("1\n2\n")
    assert read_recording(tmp_path / "A.TXT").n_samples == 2


def valid(ending: str) -> bytes:
    """A small file of this kind, to be damaged."""
    x = np.arange(20, dtype=np.int16)
    stream = io.BytesIO()
    if ending == ".npz":
        np.savez(stream, x=x, rate_hz=250)
    elif ending == ".npy":
        np.save(stream, x)
    elif ending == ".mat":
        stream.write(np.array([30, 1, 20, 0, 2], dtype="<i4").tobytes() + b"x\0" + x.tobytes())
    elif ending == ".hea":
        stream.write(b"a 1 360 20\na.dat 16 200(3)/mV 11 0 0 0 0 II\n# note\n")
    elif ending in (".i16", ".i32", ".raw", ".bin"):
        stream.write(x.astype("<i4" if ending == ".i32" else "<i2").tobytes())
    elif ending == ".edf":
        fields = [
            "0".ljust(168),
            "01.01.2000.00.00",
            "512".ljust(8),
            "".ljust(44),
            "1".ljust(8),
            "1".ljust(8),
            "1   ",
        ]
        signal = [
            "ECG".ljust(16),
            "".ljust(80),
            "uV".ljust(8),
            "-100".ljust(8),
            "100".ljust(8),
            "-100".ljust(8),
        ]
        tail = ["100".ljust(8), "".ljust(80), "20".ljust(8), "".ljust(32)]
        stream.write("".join(fields + signal + tail).encode() + x.tobytes())
    else:
        stream.write(b"time,ecg_mv\n" + b"".join(b"%.3f,%.3f\n" % (n / 250, n / 1000) for n in range(20)))
    return stream.getvalue()


def test_the_undamaged_files_are_read(tmp_path: Path) -> None:
    pytest.importorskip("wfdb", reason="the `records` extra is not installed")
    for ending in READERS:
        path = tmp_path / f"a{ending}"
        if ending == ".hea":
            (tmp_path / "a.dat").write_bytes(bytes(40))
        if ending not in (".raw", ".bin"):
            path.write_bytes(valid(ending))
            if ending != ".mat":  # beside a.hea it is a part of that record
                assert read_recording(path).n_samples >= 20


@settings(max_examples=200, deadline=None)
@given(
    ending=st.sampled_from(sorted(READERS)),
    where=st.floats(0, 1),
    damage=st.binary(max_size=40),
    keep=st.booleans(),
)
@example(ending=".csv", where=1.0, damage=b"1e300,1e300\n", keep=True)
@example(ending=".csv", where=1.0, damage=b"-1e300,1e308\n", keep=True)
def test_no_damage_is_met_with_anything_but_a_refusal(
    ending: str, where: float, damage: bytes, keep: bool
) -> None:
    pytest.importorskip("wfdb", reason="the `records` extra is not installed")
    whole = valid(ending)
    cut = round(where * len(whole))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{ending}"
        path.write_bytes(whole[:cut] + damage + (whole[cut + len(damage) :] if keep else b""))
        if ending == ".hea":
            (Path(folder) / "a.dat").write_bytes(bytes(40))
        read_as = ReadAs(dtype="int16") if ending in (".raw", ".bin") else ReadAs()
        with contextlib.suppress(WristleadError):
            read_recording(path, read_as)
