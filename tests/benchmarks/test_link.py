"""The firmware that answers: in Unicorn at 115,200 baud, in QEMU over TCP, and with a bit flipped."""

import re
import socket
import subprocess
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.mcu import link, qemu
from benchmarks.mcu.image import Image, read_image
from benchmarks.mcu.link import Board, BoardLine
from device_sim.__main__ import main
from device_sim.bench import Bench
from device_sim.contract.bundle import write_bundle
from device_sim.contract.errors import StreamError
from device_sim.contract.inputs import InputKind
from device_sim.framing import Deframer
from device_sim.frontend import FrontEnd
from device_sim.judged import judged_of
from device_sim.link_source import LinkSource
from device_sim.pipeline import OpenBundle, open_bundle
from device_sim.sources import Samples
from device_sim.twin import every_tensor
from device_sim.verify import check_digest, compared
from device_sim.wire import Ask, Column, Judged, Query
from device_sim.wire_codec import Encoder
from tests.device_sim.bundles import bundle_of
from tests.device_sim.conftest import ROOT
from tests.device_sim.terminals import address_of, terminal

SECONDS = 17  # long enough to measure its rate


@pytest.fixture(scope="module")
def cascade() -> OpenBundle:
    return open_bundle(ROOT / "models" / "cascade")


@pytest.fixture(scope="module")
def beat() -> OpenBundle:
    return OpenBundle(bundle_of(InputKind.BEAT))


@pytest.fixture(scope="module")
def cascade_image(cascade: OpenBundle, mcu_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return link.build(cascade.application, tmp_path_factory.mktemp("cascade"))


@pytest.fixture(scope="module")
def beat_image(beat: OpenBundle, mcu_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return link.build(beat.application, tmp_path_factory.mktemp("beat"))


def bench_on(board: Board) -> Bench:
    return Bench("board", open_line=lambda name, baud: BoardLine(board), clock=lambda: board.now_s)


def test_the_board_is_its_cascade(cascade: OpenBundle, cascade_image: Image) -> None:
    board = Board(cascade_image)
    bench = bench_on(board)
    check_digest(bench, cascade.application)
    results = list(compared(bench, cascade, seconds=15))
    assert all(one.is_equal for one in results)
    quality, beat = (bundle.name for bundle in cascade.bundles)
    assert [one.words.split(": ")[0] for one in results] == [quality] * 3 + [beat] * 3 + ["stream"]
    assert "8, 13 layers and a VERDICT each: every byte equal" in results[1].words
    cycles = [int(line.split()[-1].replace(",", "")) for line in results[2].words.splitlines()[1:]]
    assert sum(cycles[:-1]) == cycles[-1] > 1_000_000
    stream = re.fullmatch(
        r"stream: 15 s at 256 Hz: 201 columns and (\d+) verdicts: every byte equal; "
        r"([\d,]+) cycles",
        results[-1].words,
    )
    assert stream
    assert int(stream[1]) > 12  # eight images, and the beats whose images are judged
    assert int(stream[2].replace(",", "")) > 8 * cycles[-1]
    assert board.n_overrun == 0


def flipped(image: Image, symbol: str, at: int) -> Image:
    """A flash with one bit gone."""
    address = image.symbols[symbol].address + at
    segments = []
    for start, content in image.segments:
        raw = bytearray(content)
        if start <= address < start + len(raw):
            raw[address - start] ^= 0x10
        segments.append((start, bytes(raw)))
    return replace(image, segments=tuple(segments))


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("op0_weight", "op0.weight"),
        ("op1_bias", "op1.bias"),
        ("op0_by_q31", "op0/by_q31"),
        ("ops", "op0/row 0"),
    ],
)
def test_one_flipped_bit_in_flash_is_named(
    beat: OpenBundle, beat_image: Image, symbol: str, name: str
) -> None:
    broken = flipped(beat_image, symbol, 21 if symbol == "ops" else 5)
    first = next(iter(compared(bench_on(Board(broken)), beat, seconds=0)))
    assert not first.is_equal
    assert re.fullmatch(
        rf"constants: '{name}': expected CRC-32 [0-9a-f]{{8}} of \d+ bytes, got [0-9a-f]{{8}} of \d+; "
        "flash the device again",
        first.words,
    )


def test_a_long_layer_comes_out_byte_for_byte(cascade: OpenBundle, cascade_image: Image) -> None:
    graph, number = cascade.bundles[0].graph, 1
    (name,) = graph.inputs
    window = np.random.default_rng(1).integers(-128, 128, graph.tensor(name).shape, np.int8)
    bench = bench_on(Board(cascade_image))
    bench.take(1)
    bench.put(0, window.tobytes())
    bench.step(0)
    stepped = bench.step(number)
    expected = every_tensor(graph, {name: window})[graph.operators[number].output].tobytes()
    assert len(expected) > 4 * 228  # more than the board has room for at a time
    assert bench.output(number, len(expected)) == expected
    assert (stepped.n_bytes, stepped.crc32) == (len(expected), zlib.crc32(expected))
    assert bench.step(number) == stepped  # asked twice, run once


class Tapped(BoardLine):
    """A line on which somebody listens."""

    said = b""

    def read(self, timeout_s: float) -> bytes:
        received = super().read(timeout_s)
        self.said += received
        return received


def test_samples_columns_and_verdicts_of_a_cascade_fit_into_115200_baud(
    cascade: OpenBundle, cascade_image: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    board = Board(cascade_image)
    line = Tapped(board)
    source = LinkSource("board", open_line=lambda name, baud: line, clock=lambda: board.now_s)
    board.hear(Encoder().payload(Query(ask=Ask.COLUMNS, item=1)))
    n_samples = 0
    for chunk in source:
        assert isinstance(chunk, Samples)
        n_samples += chunk.counts_i32.size
        if n_samples >= SECONDS * link.RATE_HZ:
            break
    assert source.status is not None
    assert source.status.n_overflow == 0
    drift = re.search(r"0 damaged.* drift ([+-]\d+) ppm", source.summary())
    assert drift
    assert abs(int(drift[1])) < 500  # an arrival is seen to 1.4 ms, over ten seconds

    events = Deframer("board").feed(line.said, 0.0)
    counts = np.concatenate([event.counts_i32 for event in events if isinstance(event, Samples)])
    np.testing.assert_array_equal(counts, link.ecg()[: counts.size])
    columns = FrontEnd(rate_hz=link.RATE_HZ).push(counts)
    of = {bundle.digest: bundle for bundle in cascade.bundles}
    verdicts = [judged_of(one, of[one.bundle_digest]) for one in cascade.pipeline(delay_us=0).push(columns)]
    assert [event for event in events if isinstance(event, Judged)] == verdicts
    assert len(verdicts) > SECONDS
    said = [event for event in events if isinstance(event, Column)]
    assert len(said) > SECONDS * 10
    for event in said:
        assert event.codes == columns.codes_ts_i8[event.index].tobytes()
        assert event.flags == columns.flags_u8[event.index]
    with capsys.disabled():
        print(
            f"\n115,200 baud, {board.now_s:.0f} s at 256 Hz with COLUMN and VERDICT: "
            f"line {board.line_use:.1%}, core {board.load:.1%} of 64 MHz at a cycle an instruction"
        )
    assert board.line_use < 0.25
    assert board.load < 0.2


def test_a_host_that_floods_the_line_gets_errors_and_no_hang(beat_image: Image) -> None:
    board = Board(beat_image)
    noise = np.random.default_rng(1).bytes(3000)
    board.hear(noise + b"\0")
    board.go(0.0)
    until = board.now_s + 1
    while board.now_s < until:
        board.go(0.1)
    assert board.n_overrun == 0
    assert bench_on(board).hello.firmware == "link/1"


def test_the_board_leaves_a_bench_that_nobody_uses(beat_image: Image) -> None:
    board = Board(beat_image)
    bench = bench_on(board)
    bench.take(1)
    until = board.now_s + 9
    while board.now_s < until:
        assert not board.go(1.0)
    until = board.now_s + 2
    said = b""
    while board.now_s < until:
        said += board.go(1.0)
    assert said.count(b"\0") > 10
    with pytest.raises(
        StreamError, match=r"STEP 0: expected an answer, got ERROR 3: nothing known of it here"
    ):
        bench.step(0)


@contextmanager
def in_qemu(elf: Path) -> Iterator[str]:
    """Its UART on a TCP port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(qemu.link_command(elf, port).split(), stderr=subprocess.DEVNULL)
    try:
        until_s = time.monotonic() + 20
        while time.monotonic() < until_s:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"socket://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_the_board_in_qemu_is_its_bundle(
    mcu_extra: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, elf = tmp_path / "bundle", tmp_path / "link.elf"
    write_bundle(bundle_of(InputKind.BEAT), bundle)
    assert main(["mcu", "link", str(bundle), "--out", str(elf)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == qemu.link_command(elf)
    if not qemu.is_installed():
        pytest.skip(f"{qemu.SYSTEM} is not installed: {qemu.INSTALL}")
    with in_qemu(elf) as port:
        assert main(["verify", str(bundle), "--port", port, "--seconds", "4"]) == 0
        assert capsys.readouterr().out.count("every byte equal") == 2
    flip_in(elf, "op0_weight")
    with in_qemu(elf) as port:
        assert main(["verify", str(bundle), "--port", port]) == 1
    assert "'op0.weight': expected CRC-32" in capsys.readouterr().out


def flip_in(elf: Path, symbol: str) -> None:
    """A bit of the file that is flashed."""
    image = read_image(elf)
    one, raw = image.symbols[symbol], bytearray(elf.read_bytes())
    flash = next(content for at, content in image.segments if at <= one.address < at + len(content))
    raw[raw.index(flash[one.address : one.address + one.n_bytes])] ^= 1
    elf.write_bytes(raw)


def test_an_emulated_board_on_a_pty_as_a_user_has_it(
    mcu_extra: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(bundle_of(InputKind.BLIND), tmp_path / "bundle")
    with terminal("mcu", "link", tmp_path / "bundle", "--port", f"pty:{tmp_path / 'tty'}") as board:
        port = address_of(board)
        assert main(["verify", str(tmp_path / "bundle"), "--port", port, "--seconds", "3"]) == 0
    assert capsys.readouterr().out.count("every byte equal") == 2


def test_what_cannot_be_linked_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = bundle_of(InputKind.BEAT)
    write_bundle(bundle, tmp_path / "bundle")
    assert main(["mcu", "link", str(tmp_path / "bundle"), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{tmp_path}: expected a file in a folder that exists\n"
    write_bundle(replace(bundle, verdict=None), tmp_path / "mute")
    assert main(["mcu", "link", str(tmp_path / "mute"), "--out", str(tmp_path / "x.elf")]) == 2
    assert capsys.readouterr().err.startswith(f"{bundle.name}: verdict: expected thresholds and scores")
    assert not (tmp_path / "x.elf").exists()
