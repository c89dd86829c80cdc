"""WFDB records: counts, gain, baseline, gaps, and headers that promise too much."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from device_sim.files import read_recording
from device_sim.recording import ReadAs, Recording
from device_sim.sources import Gap, Samples

pytest.importorskip("wfdb", reason="the `records` extra is not installed")

HEADER = "r 2 360 {n}\nr.dat 16 200(10)/mV 11 0 0 0 0 MLII\nr.dat 16 {gain}/mV 11 0 0 0 0 V5\n"


def record(
    folder: Path, x: NDArray[np.int64], *, header: str = HEADER, n: int | None = None, gain: str = "0"
) -> Path:
    """x: (n_samples, 2) counts."""
    (folder / "r.hea").write_text(header.format(n=len(x) if n is None else n, gain=gain))
    (folder / "r.dat").write_bytes(x.astype("<i2").tobytes())
    return folder / "r.hea"


def ramp() -> NDArray[np.int64]:
    return np.stack([np.arange(100), -np.arange(100)], axis=1)


def counts(recording: Recording) -> list[int]:
    return [
        int(count) for chunk in recording.chunks if isinstance(chunk, Samples) for count in chunk.counts_i32
    ]


def test_counts_lose_their_baseline_and_keep_their_gain(tmp_path: Path) -> None:
    recording = read_recording(record(tmp_path, ramp()))
    assert counts(recording) == [count - 10 for count in range(100)]
    assert recording.leads == ("MLII", "V5")
    assert (recording.rate_hz, recording.uv_per_count) == (Fraction(360), Fraction(5))
    assert recording.rails_counts == (-1034, 1013)


def test_a_gain_of_zero_means_200_counts_per_millivolt(tmp_path: Path) -> None:
    recording = read_recording(record(tmp_path, ramp()), ReadAs(lead="V5"))
    assert recording.uv_per_count == 5
    assert counts(recording)[-1] == -99


def test_the_data_file_stands_for_its_header(tmp_path: Path) -> None:
    path = record(tmp_path, ramp())
    assert counts(read_recording(path.with_suffix(".dat"))) == counts(read_recording(path))


def test_samples_marked_as_missing_become_a_gap(tmp_path: Path) -> None:
    x = ramp()
    x[40:45, 0] = -32768
    recording = read_recording(record(tmp_path, x))
    assert recording.chunks[1] == Gap(first_index=40, n_samples=5, estimated=False)
    assert recording.n_samples == 100


def test_rails_that_the_samples_exceed_are_not_believed(tmp_path: Path) -> None:
    x = ramp()
    x[7, 0] = 3000
    assert read_recording(record(tmp_path, x)).rails_counts is None


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "expected a WFDB header, got an empty file"),
        ("\x7fELF garbage\n", "expected"),
        ("r 0 360 100\n", "expected at least one signal, got 0"),
        ("r 1 360 0\nr.dat 16 200 11 0 0 0 0 II\n", "expected samples, got a header that says 0"),
        ("r 1 360 100\nother.dat 16 200 11 0 0 0 0 II\n", "expected its signal file other.dat beside it"),
        ("r 1 360 100\nr.dat 16 200/mmHg 11 0 0 0 0 ABP\n", "expected one lead, got 1: ABP"),
        ("r/2 1 360 100\na 50\nb 50\n", "expected one segment, got 2; name one, such as a.hea"),
        ("r 1 360 201\nr.dat 16 200 11 0 0 0 0 II\n", "r.dat: expected 402 bytes (201 samples of 1 signals"),
        (
            "r 1 360 100\nr.dat 16 0.001 11 0 0 0 0 II\n",
            "sample 2: expected at most 500 mV either way, got 1000 mV; is the header's gain right?",
        ),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path: Path, header: str, message: str) -> None:
    path = record(tmp_path, ramp(), header=header)
    with pytest.raises(ContractError) as caught:
        read_recording(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("read_as", "message"),
    [
        (ReadAs(lead="aVR"), r"expected a lead of this file \(MLII, V5\), got --lead aVR"),
        (ReadAs(units="mV"), "--units: expected none, a WFDB header carries its own"),
        (ReadAs(rate_hz=250), "expected 250 Hz from --rate, got 360 Hz in the file"),
    ],
)
def test_what_contradicts_the_header_is_refused(tmp_path: Path, read_as: ReadAs, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        read_recording(record(tmp_path, ramp()), read_as)


def test_record_100_is_what_physionet_says(recordings: Path) -> None:
    recording = read_recording(recordings / "mitdb" / "100.hea")
    assert (recording.n_samples, recording.lead, recording.uv_per_count) == (650_000, "MLII", Fraction(5))
    assert counts(recording)[:3] == [995 - 1024] * 3
    assert recording.annotations is not None
    assert len(recording.annotations.symbols) == 2274


def test_the_noise_records_have_the_default_gain(recordings: Path) -> None:
    assert read_recording(recordings / "nstdb" / "em.hea").uv_per_count == 5
