"""Recordings from a folder and from the zip, and what is refused."""

import shutil
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.errors import ContractError, DigestError, StreamError, WristleadError
from training.data import cinc2017, mitdb, nstdb
from training.data.check import check
from training.data.place import open_place


def test_mlii_goes_by_name_and_not_by_column(real_data: Path) -> None:
    place = mitdb.find(real_data)
    assert mitdb.read(place, "114").lead == "MLII"
    assert mitdb.read(place, "114").leads == ("V5", "MLII")
    assert mitdb.first_lead(place, "114") == "V5"
    assert mitdb.read(place, "102").lead == "V5"


def test_a_record_knows_its_units_and_marks(real_data: Path) -> None:
    record = mitdb.read(mitdb.find(real_data), "100")
    assert (record.rate_hz, record.length_samples, record.baseline_counts) == (360, 650_000, 1024)
    assert record.uv_per_count == Fraction(5)
    assert record.annotations is not None
    assert len(record.annotations.samples) == 2274
    assert record.counts_i32[:3].tolist() == [995, 995, 995]
    assert record.duration_s == pytest.approx(1805.6, abs=0.1)


def test_noise_is_not_calibrated_and_says_so(real_data: Path) -> None:
    place = nstdb.find(real_data)
    assert not nstdb.read(place, "em").is_calibrated
    assert nstdb.read(place, "118e_6").is_calibrated  # format 16
    assert nstdb.noise_in("118e_6") == ("118", -6)


def test_challenge_recordings_come_straight_from_the_zip(real_data: Path) -> None:
    place = cinc2017.find(real_data)
    labels = cinc2017.labels(place)
    record = cinc2017.read(place, "A00001", label=labels["A00001"])
    assert (record.rate_hz, record.label, record.uv_per_count) == (300, "normal", Fraction(1))
    assert record.length_samples == 9000


def test_a_zip_reads_as_its_folder_does(made_up: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mitdb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((made_up / "mitdb").iterdir()):
            archive.write(path, f"mit-bih-arrhythmia-database-1.0.0/{path.name}")
    packed, plain = mitdb.read(mitdb.find(tmp_path), "100"), mitdb.read(mitdb.find(made_up), "100")
    assert packed.digest == plain.digest
    assert np.array_equal(packed.counts_i32, plain.counts_i32)
    assert packed.annotations is not None
    assert plain.annotations is not None
    assert packed.annotations.symbols == plain.annotations.symbols


def test_a_missing_set_names_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=r"mitdb is not there .*wristlead data fetch mitdb"):
        mitdb.find(tmp_path)
    with pytest.raises(StreamError, match="WRISTLEAD_DATA"):
        mitdb.find(tmp_path / "nowhere")


def test_half_a_zip_is_called_half_a_zip(tmp_path: Path) -> None:
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("training2017/A00001.mat", bytes(5000))
    (tmp_path / "training2017.zip").write_bytes(whole.read_bytes()[:2500])
    with pytest.raises(ContractError, match="the download stopped half-way"):
        cinc2017.find(tmp_path)


def test_a_lead_that_is_not_there_is_named(made_up: Path) -> None:
    with pytest.raises(ContractError, match="expected one of MLII, V5, got aVF"):
        mitdb.read(mitdb.find(made_up), "100", lead="aVF")


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[300] ^= 4
    path.write_bytes(bytes(content))


def scribble(path: Path) -> None:
    path.write_bytes(b"no header here\n")


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("100.dat", shorten, r"100\.dat: expected 108000 bytes for 36000 samples, got 107997"),
        ("100.dat", flip_a_bit, r"expected checksum -?\d+ \(its \.hea\), got"),
        ("100.hea", scribble, r"100\.hea: expected a WFDB header"),
    ],
    ids=["short", "bit flipped", "no header"],
)
def test_a_damaged_record_is_refused(
    made_up: Path, tmp_path: Path, name: str, damage: Callable[[Path], None], said: str
) -> None:
    shutil.copytree(made_up / "mitdb", tmp_path / "mitdb")
    damage(tmp_path / "mitdb" / name)
    with pytest.raises((DigestError, ContractError), match=said) as caught:
        mitdb.read(mitdb.find(tmp_path), "100")
    assert isinstance(caught.value, WristleadError)


def test_check_names_each_broken_record(made_up: Path, tmp_path: Path) -> None:
    shutil.copytree(made_up / "mitdb", tmp_path / "mitdb")
    flip_a_bit(tmp_path / "mitdb" / "101.dat")
    (tmp_path / "training2017.zip").write_bytes(b"PK\3\4 half")
    reports = {report.source: report for report in check(tmp_path)}
    assert reports["nstdb"].path is None
    assert not reports["nstdb"].faults
    assert any("101.dat" in fault for fault in reports["mitdb"].faults)
    assert reports["mitdb"].n_whole == 6  # seven made up, one of them damaged
    assert "half-way" in reports["cinc2017"].faults[0]


def test_a_broken_challenge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "training2017").mkdir()
    (tmp_path / "training2017" / "A00001.mat").write_bytes(b"not matlab")
    with pytest.raises(ContractError, match="expected a MATLAB file"):
        cinc2017.read(open_place(tmp_path / "training2017"), "A00001")
