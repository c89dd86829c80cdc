"""The ending of a name picks the reader."""

from pathlib import Path

import pytest

from device_sim.contract.errors import ContractError, StreamError
from device_sim.files import read_recording
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
