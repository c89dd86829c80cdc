"""docs/protocol.md is enough: its client hears our device, and our host hears a device written from it."""

import re
import socket
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from device_sim.__main__ import main
from device_sim.contract.bundle import write_bundle
from device_sim.contract.inputs import InputKind
from device_sim.frontend import columns_of
from device_sim.pipeline import open_bundle
from device_sim.sources import Samples
from device_sim.synthetic import Scene, SyntheticSource
from device_sim.twin import every_tensor
from tests.device_sim.bundles import bundle_of
from tests.device_sim.conftest import ROOT
from tests.device_sim.terminals import address_of, terminal

PAGE = (ROOT / "docs" / "protocol.md").read_text()


class Peer:
    """One end of the line, from the page alone: no import of the codec."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""
        self.sequence = 0
        self.frames: list[tuple[int, bytes]] = []

    def send(self, kind: int, payload: bytes) -> None:
        self.connection.sendall(self.framed(kind, payload))

    def framed(self, kind: int, payload: bytes) -> bytes:
        body = bytes([1, kind, 0, self.sequence % 256]) + payload
        raw = body + struct.pack("<I", zlib.crc32(body))
        self.sequence += 1
        return b"".join(bytes([len(run) + 1]) + run for run in raw.split(b"\0")) + b"\0"

    def hear(self, until: int) -> list[tuple[int, bytes]]:
        """Frames up to the first of a type, that one included."""
        while not any(kind == until for kind, _payload in self.frames):
            piece = self.connection.recv(4096)
            assert piece, f"the line closed before a frame of type {until} came"
            *stretches, self.received = (self.received + piece).split(b"\0")
            self.frames += [frame for stretch in stretches if (frame := self.frame_in(stretch))]
        end = [kind for kind, _payload in self.frames].index(until) + 1
        heard, self.frames = self.frames[:end], self.frames[end:]
        return heard

    @staticmethod
    def frame_in(stretch: bytes) -> tuple[int, bytes] | None:
        runs = []
        while stretch:
            runs.append(stretch[1 : stretch[0]])
            stretch = stretch[stretch[0] :]
        raw = b"\0".join(runs)
        if len(raw) < 8 or struct.pack("<I", zlib.crc32(raw[:-4])) != raw[-4:]:
            return None
        return raw[1], raw[4:-4]


def counts_of(source: SyntheticSource) -> list[int]:
    return [count for chunk in source if isinstance(chunk, Samples) for count in chunk.counts_i32.tolist()]


def test_the_client_on_the_page_hears_every_sample() -> None:
    (client,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with terminal(
        "send", "--synthetic", "--scene", "normal", "--seconds", 5, "--flat-out", "--port", "pty"
    ) as sender:
        known: dict[str, object] = {}
        exec(client.replace("/dev/ttyACM0", address_of(sender)), known)
        known["port"].close()  # type: ignore[attr-defined]
        assert sender.wait(20) == 0
    assert (known["n_lost"], known["microvolts"]) == (0, 1.0)
    assert known["samples"] == counts_of(SyntheticSource(Scene(seconds=5)))


def test_the_example_on_the_page_is_a_frame() -> None:
    (shown,) = re.findall(r"^wire +((?:[0-9A-F]{2} ?)+)$", PAGE, re.MULTILINE)
    assert Peer.frame_in(bytes.fromhex(shown)[:-1]) == (6, bytes(4))


def test_every_length_on_the_page_is_the_one_that_is_sent() -> None:
    from device_sim.framing import MESSAGES

    shown = dict(re.findall(r"^\| \d+ \| ([A-Z]+) \|.*\| (\d+)[^|]*\|$", PAGE, re.MULTILINE))
    layouts = {kind.TYPE.name: kind.LAYOUT.size for kind in MESSAGES.values()}
    assert {name: int(size) for name, size in shown.items() if name != "SAMPLES"} == layouts


def device_from_the_page(server: socket.socket, counts: list[int], lost: range) -> None:
    """HELLO when asked, 24-bit samples of 0.5 uV, one stretch never sent, END."""
    connection, _ = server.accept()
    peer = Peer(connection)
    assert peer.hear(until=6) == [(6, bytes(4))]
    head = struct.pack("<HBBiB3xii", 250, 3, 1, 1, 1, -(2**31), 2**31 - 1)
    peer.send(1, head + b"V5".ljust(8, b"\0") + b"page".ljust(16, b"\0") + bytes(32))
    for first in range(0, len(counts), 25):
        if first in lost:
            continue
        block = counts[first : first + 25]
        samples = b"".join(count.to_bytes(3, "little", signed=True) for count in block)
        peer.send(2, struct.pack("<IBBBx", first, len(block), 3, 0) + samples)
    peer.send(9, struct.pack("<I", len(counts)))
    connection.recv(100)  # until the host hangs up
    connection.close()


def test_a_device_written_from_the_page_is_heard(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    counts = np.random.default_rng(1).integers(-90_000, 90_000, 250 * 8).tolist()
    with socket.create_server(("127.0.0.1", 0)) as server:
        device = threading.Thread(target=device_from_the_page, args=(server, counts, range(500, 600)))
        device.start()
        port = f"socket://127.0.0.1:{server.getsockname()[1]}"
        code = main(["run", "--port", port, "--out", str(tmp_path / "out.npz")])
        device.join(10)
    assert code == 0
    said = capsys.readouterr().err
    assert "lead V5, 250 Hz: 8.0 s" in said
    assert "gaps: 1 with 100 samples\n" in said
    held = counts[:500] + [counts[499]] * 100 + counts[600:]
    expected = columns_of(held, rate_hz=250, uv_per_count=0.5)
    with np.load(tmp_path / "out.npz") as trace:
        np.testing.assert_array_equal(trace["codes_ts_i8"], expected.codes_ts_i8)


def test_the_simulated_device_answers_what_the_page_says(tmp_path: Path) -> None:
    bundle = bundle_of(InputKind.BEAT)
    write_bundle(bundle, tmp_path / "bundle")
    device = (
        "simulate-device",
        tmp_path / "bundle",
        "--once",
        "--scene",
        "normal",
        "--seconds",
        12,
        "--flat-out",
    )
    with terminal(*device, "--port", "listen://127.0.0.1:0") as process:
        host, port = address_of(process).removeprefix("socket://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            peer = Peer(connection)
            asked = [struct.pack("<BxH", *ask) for ask in ((0, 0), (1, 0), (2, 1), (3, 0), (3, 999), (9, 9))]
            sent = [peer.framed(6, query) for query in (*asked, b"?")] + [
                peer.framed(2, bytes(8)),
                peer.framed(4, b""),
            ]
            connection.sendall(b"".join(sent))
            frames = peer.hear(until=9)
        assert process.wait(20) == 0
    by_kind: dict[int, list[bytes]] = {}
    for kind, payload in frames:
        by_kind.setdefault(kind, []).append(payload)
    assert set(by_kind) == {1, 2, 3, 4, 5, 7, 8, 9}
    assert struct.unpack_from("<HB", by_kind[1][0]) == (256, 2)
    assert by_kind[1][0][44:] == bytes.fromhex(bundle.digest)

    columns = columns_of(counts_of(SyntheticSource(Scene(seconds=12))), rate_hz=256)
    for payload in by_kind[4]:
        column, flags = struct.unpack_from("<IB", payload)
        assert flags == columns.flags_u8[column]
        assert payload[8:] == columns.codes_ts_i8[column].tobytes()

    tensor = bundle.graph.constants[0]
    raw = np.ascontiguousarray(tensor.values).tobytes()
    about_tensor = [payload for payload in by_kind[7] if payload[0] == 3]
    assert about_tensor == [struct.pack("<BxHIII", 3, 0, 0, len(raw), zlib.crc32(raw)) + tensor.name.encode()]
    refusals = [struct.unpack_from("<BBH", payload) for payload in by_kind[8]]
    assert refusals == [(3, 6, 999), (3, 6, 9), (2, 6, 0), (2, 2, 0), (1, 4, 0)]

    with open_bundle(tmp_path / "bundle") as opened:
        verdicts = opened.run(counts_of(SyntheticSource(Scene(seconds=12))), rate_hz=256)
    assert len(verdicts) == len(by_kind[5]) > 5
    for verdict, payload in zip(verdicts, by_kind[5], strict=True):
        window, _cycles, t0_us, margin_q8, score_q15, label, n_logits, digest = struct.unpack_from(
            "<IIqihBB8s", payload
        )
        assert (window, t0_us, margin_q8, score_q15) == (
            verdict.window_index,
            verdict.t0_us,
            verdict.margin_q8,
            verdict.score_q15,
        )
        assert digest.hex() == bundle.digest[:16]
        assert len(payload) == 32 + n_logits == 32 + (0 if verdict.by_rule else 2)
        names = dict(enumerate(bundle.labels.names))
        assert verdict.by_rule == (label == 255)
        assert label >= 254 or names[label] == verdict.label


def test_the_bench_is_what_the_page_says(tmp_path: Path) -> None:
    bundle = bundle_of(InputKind.BEAT)
    graph = bundle.graph
    write_bundle(bundle, tmp_path / "bundle")
    chance = np.random.default_rng(4)
    window = {name: chance.integers(-128, 128, graph.tensor(name).shape, np.int8) for name in graph.inputs}
    made = every_tensor(graph, window)
    with terminal("simulate-device", tmp_path / "bundle", "--port", "listen://127.0.0.1:0") as process:
        host, port = address_of(process).removeprefix("socket://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            peer = Peer(connection)

            def answer(kind: int, payload: bytes, until: int = 7) -> bytes:
                peer.send(kind, payload)
                return peer.hear(until)[-1][1]

            assert answer(6, struct.pack("<BxH", 5, 1)) == struct.pack("<BxHII", 5, 1, 0, 0)
            for number, codes in enumerate(window.values()):
                raw = codes.tobytes()
                for offset in range(0, len(raw), 232):
                    said = answer(10, struct.pack("<B3xI", number, offset) + raw[offset : offset + 232])
                    assert said == struct.pack("<BxHII", 8, number, offset, len(raw))
            for layer, operator in enumerate(graph.operators):
                raw = made[operator.output].tobytes()
                said = answer(6, struct.pack("<BxH", 6, layer))
                assert said == struct.pack("<BxHIIII", 6, layer, 0, len(raw), zlib.crc32(raw), 0)
            assert (
                answer(6, struct.pack("<BxH", 4, layer)) == struct.pack("<BxHII", 4, layer, 0, len(raw)) + raw
            )
            logits = b"".join(made[name].tobytes() for name in graph.outputs)
            head = struct.pack("<IIqihBB", 77, 0, 0, 0, -1, 254, len(logits))
            assert (
                answer(6, struct.pack("<BxH", 7, 77), until=5)
                == head + bytes.fromhex(bundle.digest[:16]) + logits
            )
            samples = struct.pack("<IBBBx16h", 0, 16, 2, 0, *range(16))
            for _ in range(2):  # the second time it only answers
                assert answer(2, samples)[:12] == struct.pack("<BxHII", 9, 0, 16, 0)
            assert answer(6, struct.pack("<BxH", 5, 0)) == struct.pack("<BxHII", 5, 0, 0, 0)
            assert struct.unpack_from("<I", peer.hear(until=2)[-1][1]) == (0,)  # anew
