"""Text from files and pipes gives the same samples, whatever the pieces."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.contract.errors import ContractError
from device_sim.recording import ReadAs
from device_sim.sources import Gap, Samples
from device_sim.text_file import TextStream, read_text


def written(folder: Path, content: bytes) -> Path:
    path = folder / "ecg.csv"
    path.write_bytes(content)
    return path


def counts(chunks: object) -> list[int]:
    assert hasattr(chunks, "__iter__")
    return [int(count) for chunk in chunks if isinstance(chunk, Samples) for count in chunk.counts_i32]


@given(values=st.lists(st.integers(-500_000, 500_000), min_size=1, max_size=300))
def test_a_pipe_gives_the_samples_of_the_lines(values: list[int]) -> None:
    text = "\n".join(map(str, values)).encode()
    stream = TextStream(io.BytesIO(text), ReadAs(rate_hz=125))
    assert counts(stream) == values


def test_a_file_and_a_pipe_agree_on_gaps(tmp_path: Path) -> None:
    indices = [*range(700), *range(760, 1500)]
    content = "time_ms,ecg_uV\n" + "".join(f"{4 * index},{index % 97}\n" for index in indices)
    recording = read_text(written(tmp_path, content.encode()), ReadAs())
    stream = TextStream(io.BytesIO(content.encode()), ReadAs())
    assert recording.rate_hz == stream.rate_hz == 250
    assert counts(recording.chunks) == counts(stream) == [index % 97 for index in indices]
    assert Gap(first_index=700, n_samples=60, estimated=False) in recording.chunks
    assert recording.n_samples == 1500


def test_windows_text_with_comments_and_a_mark_is_read(tmp_path: Path) -> None:
    content = "\ufeff# made by hand\r\necg_mv\r\n0,5\r\n".replace("0,5", "0.5").encode() + b"-1.25\r\n\r\n"
    recording = read_text(written(tmp_path, content), ReadAs(rate_hz=250))
    assert counts(recording.chunks) == [500, -1250]
    assert recording.lead == "ecg_mv"


def test_latin_1_headers_are_read(tmp_path: Path) -> None:
    recording = read_text(written(tmp_path, "ecg (µV)\n5\n".encode("latin-1")), ReadAs())
    assert recording.lead == "ecg (µV)"


def test_units_against_the_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="expected mV in column 'ecg_mv' by its header, got --units uV"):
        read_text(written(tmp_path, b"ecg_mv\n1\n"), ReadAs(units="uV"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected samples, got an empty file"),
        (b"\n\n", "expected samples, got an empty file"),
        (b"ecg\n", "expected samples, got an empty file or a header alone"),
        (b"1\n2\n\n4\n", "ecg.csv:3: expected a number, got an empty line"),
        (b"1\n2\nthree\n", "ecg.csv:3: expected a number, got 'three'"),
        (b"1\nnan\n", "ecg.csv:2: expected a finite number, got nan"),
        (b"1\n2\n1000000\n", "ecg.csv:3: expected at most 500 mV either way, got 1000 mV"),
        (b"\x89PNG\r\n\x1a\n\0\0", "ecg.csv:2: expected text, got byte 0x1a at offset 6"),
        (b"1" * 70_000, "ecg.csv:1: expected a line, got 65536 bytes without an end"),
    ],
)
def test_what_is_no_recording_is_refused_at_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_text(written(tmp_path, content), ReadAs(rate_hz=250))
    assert message in str(caught.value)


def test_a_pipe_without_a_rate_asks_for_it() -> None:
    with pytest.raises(ContractError, match="stdin: expected a sampling rate"):
        TextStream(io.BytesIO(b"1\n2\n"), ReadAs())


def test_a_pipe_measures_its_rate_from_its_times() -> None:
    content = "t,ecg\n" + "".join(f"{index / 500:.3f},{index}\n" for index in range(2000))
    stream = TextStream(io.BytesIO(content.encode()), ReadAs())
    assert stream.rate_hz == 500
    assert counts(stream) == list(range(2000))
