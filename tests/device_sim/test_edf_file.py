"""EDF+: digital counts with the gain of the header."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from device_sim.files import read_recording
from device_sim.recording import ReadAs
from device_sim.sources import Samples

pyedflib = pytest.importorskip("pyedflib", reason="the `records` extra is not installed")

SECONDS = 4


def edf(path: Path, *, unit: str = "uV", labels: tuple[str, ...] = ("ECG II",), rate_hz: int = 256) -> Path:
    """A ramp of whole counts, 2 uV each, with a mark after one second."""
    with pyedflib.EdfWriter(str(path), len(labels), file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
        for column, label in enumerate(labels):
            facts = {
                "label": label,
                "dimension": unit,
                "sample_frequency": rate_hz,
                "transducer": "",
                "prefilter": "",
            }
            scale = {"physical_min": -4096, "physical_max": 4094, "digital_min": -2048, "digital_max": 2047}
            writer.setSignalHeader(column, facts | scale)
        ramp = np.arange(rate_hz * SECONDS, dtype=np.int32) % 1000
        writer.writeSamples([ramp.copy() for _ in labels], digital=True)
        writer.writeAnnotation(1.0, -1, "R")
    return path


def test_digital_counts_keep_their_gain(tmp_path: Path) -> None:
    recording = read_recording(edf(tmp_path / "a.edf"))
    (chunk,) = recording.chunks
    assert isinstance(chunk, Samples)
    assert chunk.counts_i32.tolist() == [count % 1000 for count in range(1024)]
    assert (recording.rate_hz, recording.uv_per_count) == (Fraction(256), Fraction(2))
    assert recording.rails_counts == (-2048, 2047)
    assert recording.annotations is not None
    assert recording.annotations.indices_i64.tolist() == [256]


def test_the_signal_that_calls_itself_an_ecg_is_taken(tmp_path: Path) -> None:
    assert read_recording(edf(tmp_path / "a.edf", labels=("Resp", "EKG"))).lead == "EKG"


def test_several_unknown_signals_need_one_named(tmp_path: Path) -> None:
    path = edf(tmp_path / "a.edf", labels=("Fp1", "Fp2"))
    with pytest.raises(ContractError, match="expected one lead, got 2: Fp1, Fp2; say --lead NAME"):
        read_recording(path)
    assert read_recording(path, ReadAs(lead="Fp2")).lead == "Fp2"


def test_a_signal_without_volts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="expected units of uV, mV or V, got 'mmHg'"):
        read_recording(edf(tmp_path / "a.edf", unit="mmHg"))


@pytest.mark.parametrize("n_bytes", [0, 100, 256, 700])
def test_a_file_cut_short_is_refused(tmp_path: Path, n_bytes: int) -> None:
    path = edf(tmp_path / "a.edf")
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(ContractError, match="expected"):
        read_recording(path)


def test_a_missing_record_is_counted_in_bytes(tmp_path: Path) -> None:
    path = edf(tmp_path / "a.edf")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(
        ContractError, match=rf"expected {len(whole)} bytes \(.* data records\), got {len(whole) - 100}"
    ):
        read_recording(path)
