"""A file is written whole or not at all."""

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from device_sim.contract.errors import ContractError, StreamError
from device_sim.replay import Replay, strides
from device_sim.synthetic import SyntheticSource, example_scene
from device_sim.trace import Trace, check_writable, write_whole


def test_a_failure_half_way_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")

    def half(stream: BinaryIO) -> None:
        stream.write(b"new")
        raise OSError(28, "No space left on device")

    with pytest.raises(StreamError, match=r"a\.npz: expected to write, got: No space left on device"):
        write_whole(path, half)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]


def test_all_columns_and_beats_come_back_from_the_file(tmp_path: Path) -> None:
    source = SyntheticSource(example_scene(seconds=5.5, rate_hz=250))
    replay = Replay(source)
    trace = Trace(source, delay_us=replay.delay_us, keep_samples=False)
    for stride in strides(replay, replay.delay_us):
        trace.add_stride(stride)
    trace.write_npz(tmp_path / "a.npz")
    trace.write_beats(tmp_path / "b.npy")
    with np.load(tmp_path / "a.npz") as found:
        assert found["codes_ts_i8"].shape == (88, 32)
        assert found["codes_ts_i8"].tobytes() == trace.codes_ts_i8.tobytes()
        assert found["flags_u8"].shape == (88,)
        assert (int(found["format"]), int(found["column_us"])) == (1, 62_500)
        assert int(found["delay_us"]) == replay.delay_us
    assert np.load(tmp_path / "b.npy").tobytes() == trace.beat_uv_i16.tobytes()
    assert trace.beat_uv_i16.size == 704


def test_the_same_replay_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        source = SyntheticSource(example_scene(seconds=3))
        replay = Replay(source)
        trace = Trace(source, delay_us=0, keep_samples=False)
        for stride in strides(replay, replay.delay_us):
            trace.add_stride(stride)
        trace.write_npz(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"expected a name ending in \.npz, got '\.txt'"):
        check_writable(tmp_path / "a.txt", (".npz",))
    with pytest.raises(StreamError, match=r"expected the folder .*none to exist"):
        check_writable(tmp_path / "none" / "a.npz", (".npz",))
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(StreamError, match="expected a file to write, got a directory"):
        check_writable(tmp_path / "folder.npz", (".npz",))


def test_a_pipe_in_place_of_a_file_stays_one(tmp_path: Path) -> None:
    """As /dev/stdout is: nothing is renamed over it."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", lambda stream: stream.write(b"all of it"))
    assert os.read(reader, 100) == b"all of it"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
