"""`wristlead verify`: a device that is its bundle passes; the first byte that differs is named."""

import os
import pty
import re
import signal
import tty
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from device_sim.__main__ import main
from device_sim.contract.bundle import Bundle, write_bundle
from device_sim.contract.cascade import bundles_of
from device_sim.contract.errors import DigestError, StreamError
from device_sim.contract.inputs import InputKind
from device_sim.pipeline import OpenBundle
from device_sim.send_device import Heard
from device_sim.verify import check_digest, compared
from device_sim.wire import Answer, Ask, Column, Judged, Payload, Query
from device_sim.wire_codec import Run
from tests.device_sim.bench_line import Said, bench_on, words_of
from tests.device_sim.bundles import bundle_of, cascade_of
from tests.device_sim.terminals import address_of, terminal


def with_a_bit_flipped(bundle: Bundle, name: str, at: int, bit: int) -> Bundle:
    """As the flash of a device may have it."""
    tensor = bundle.graph.tensor(name)
    raw = bytearray(np.ascontiguousarray(tensor.constant).tobytes())
    raw[at] ^= 1 << bit
    values = np.frombuffer(bytes(raw), tensor.constant.dtype).reshape(tensor.constant.shape)
    tensors = [replace(one, values=values) if one is tensor else one for one in bundle.graph.tensors]
    return replace(bundle, graph=replace(bundle.graph, tensors=tuple(tensors)), metrics=None)


@pytest.mark.parametrize("kind", [InputKind.IMAGE, InputKind.BEAT, InputKind.BLIND])
def test_a_device_that_is_its_bundle_is_equal(kind: InputKind) -> None:
    bundle = bundle_of(kind)
    constants, windows, stream = words_of(bundle)
    assert constants.endswith("every CRC-32 equal")
    assert windows == f"windows: 8, {len(bundle.graph.operators)} layers and a VERDICT each: every byte equal"
    assert stream.startswith("stream: 8 s at 256 Hz: 89 columns and ")


def test_both_networks_of_a_cascade_and_the_gate_between_them_are_equal() -> None:
    *networks, stream = words_of(cascade_of())
    quality, beat = (bundle.name for bundle in bundles_of(cascade_of()))
    assert [words.split(": ")[:2] for words in networks] == [
        *([quality, "constants"], [quality, "windows"]),
        *([beat, "constants"], [beat, "windows"]),
    ]
    found = re.fullmatch(r"stream: 8 s at 256 Hz: 89 columns and (\d+) verdicts: every byte equal", stream)
    assert found
    assert int(found[1]) > 2


def test_a_flipped_bit_of_the_second_network_is_named() -> None:
    cascade = cascade_of()
    (name, *_) = [tensor.name for tensor in cascade.beat.graph.constants]
    broken = replace(cascade, beat=with_a_bit_flipped(cascade.beat, name, 0, 1))
    said = words_of(cascade, flashed=broken)
    assert said[-1].startswith(f"{cascade.beat.name}: constants: {name!r}: expected CRC-32 ")


def test_one_flipped_bit_of_a_weight_is_named() -> None:
    bundle = bundle_of(InputKind.BEAT)
    for tensor in bundle.graph.constants:
        (said,) = words_of(bundle, flashed=with_a_bit_flipped(bundle, tensor.name, 0, 1))
        assert said.startswith(f"constants: {tensor.name!r}: expected CRC-32 ")
        assert said.endswith("; flash the device again")
        assert said.count("expected") == 1


def test_another_network_on_board_is_named() -> None:
    said = words_of(bundle_of(InputKind.BEAT), flashed=bundle_of(InputKind.BLIND))
    assert "is not on board" in said[-1]
    assert "is on board and not in the bundle" in said[-1]


def test_the_first_byte_of_a_layer_that_differs_is_named() -> None:
    bundle = bundle_of(InputKind.IMAGE)
    layer = bundle.graph.operators[0]

    @dataclass
    class Wrong:
        """The third window's first layer has byte 17 wrong."""

        n_begun: int = 0

        def __call__(self, heard: Heard, said: Said) -> Said:
            match said:
                case [Answer(ask=Ask.STEP, item=0) as one]:
                    self.n_begun += 1
                    part = bytes([one.part[0] ^ (self.n_begun == 3)]) + one.part[1:]
                    return (replace(one, part=part),)
                case [Answer(ask=Ask.LAYER, offset=0) as one, *rest]:
                    codes = bytearray(one.part)
                    codes[17] ^= 0x80
                    return (replace(one, part=bytes(codes)), *rest)
            return said

    last = words_of(bundle, change=Wrong())[-1]
    assert last.startswith(f"window 2, layer {layer.name!r}: byte 17: expected ")
    expected, found = (int(number) for number in last.split("expected ")[1].split(", found "))
    assert abs(expected - found) == 128


def test_logits_that_differ_are_named() -> None:
    def wrong(heard: Heard, said: Said) -> Said:
        match said:
            case [Judged(window_index=4) as one] if isinstance(heard, Query):
                return (replace(one, logits=one.logits[:-1] + bytes([one.logits[-1] ^ 1])),)
        return said

    last = words_of(bundle_of(InputKind.BEAT), change=wrong)[-1]
    assert last.startswith("window 4, VERDICT: logits: byte 1: expected ")


def flags_wrong(one: Column) -> Column:
    return replace(one, flags=one.flags ^ 1)


def codes_wrong(one: Column) -> Column:
    return replace(one, codes=bytes([one.codes[0] ^ 1]) + one.codes[1:])


def margin_wrong(one: Judged) -> Judged:
    return replace(one, margin_q8=one.margin_q8 + 1)


def label_wrong(one: Judged) -> Judged:
    return replace(one, label=one.label ^ 1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (flags_wrong, "column 6: flags: expected 8, found "),
        (codes_wrong, "column 6, row 0: expected "),
        (margin_wrong, "VERDICT 2: margin_q8: expected "),
        (label_wrong, "VERDICT 2: label: expected "),
    ],
)
def test_what_differs_in_the_stream_is_named(wrong: Callable[..., Payload], words: str) -> None:
    is_column = wrong in (flags_wrong, codes_wrong)

    def changed(one: Payload) -> Payload:
        if isinstance(one, Column) and is_column and one.index == 6:
            return wrong(one)
        if isinstance(one, Judged) and not is_column and one.window_index == 2:
            return wrong(one)
        return one

    def change(heard: Heard, said: Said) -> Said:
        is_fed = isinstance(heard, Run)
        return [changed(one) for one in said] if is_fed and said is not None else said

    assert words_of(bundle_of(InputKind.BEAT), change=change)[-1].startswith(f"stream: {words}")


def test_a_column_that_is_lost_is_no_equal_stream() -> None:
    def lossy(_heard: Heard, said: Said) -> Said:
        return said and [one for one in said if not (isinstance(one, Column) and one.index == 11)]

    last = words_of(bundle_of(InputKind.BLIND), change=lossy)[-1]
    assert last == "stream: column 11 of 89 never came"


def test_lost_and_damaged_frames_are_asked_for_again() -> None:
    bundle = bundle_of(InputKind.BEAT)
    bench, line = bench_on(bundle, faults="lose=0.05,flip=1e-4")
    first, second = (
        next(results) for results in [compared(bench, OpenBundle(bundle), seconds=0)] for _ in range(2)
    )
    assert (first.is_equal, second.is_equal) == (True, True)
    assert line.now_s > 0


@pytest.mark.parametrize("name", ["one more", "the same"])
def test_a_device_with_constants_without_end_differs(name: str) -> None:
    def endless(heard: Heard, said: Said) -> Said:
        if isinstance(heard, Query) and heard.ask == Ask.TENSOR and said is None:
            part = bytes(4) + (f"{heard.item}" if name == "one more" else name).encode()
            return (Answer(ask=Ask.TENSOR, item=heard.item, offset=0, n_bytes=1, part=part),)
        return said

    (words,) = words_of(bundle_of(InputKind.BEAT), change=endless)
    assert words.endswith(" of them, each once, got more; flash the device again")


def test_a_layer_of_another_length_is_named_and_not_asked_for() -> None:
    def longer(heard: Heard, said: Said) -> Said:
        match said:
            case [Answer(ask=Ask.STEP) as one]:
                return (replace(one, n_bytes=2**32 - 1),)
            case [Answer(ask=Ask.LAYER), *_]:
                raise AssertionError
        return said

    assert words_of(bundle_of(InputKind.BEAT), change=longer)[-1].endswith("bytes, found 4294967295")


def test_another_bundle_on_board_is_one_line() -> None:
    bundle = bundle_of(InputKind.BEAT)
    for carried, words in ((bundle_of(InputKind.IMAGE), "bundle "), (None, "no network")):
        bench, _line = bench_on(carried)
        with pytest.raises(DigestError) as refused:
            check_digest(bench, bundle)
        assert str(refused.value).startswith(
            f"port: expected bundle {bundle.digest[:12]} on board, HELLO says {words}"
        )
        assert "flash the firmware of this bundle" in str(refused.value)


def test_firmware_without_a_bench_is_one_line() -> None:
    def old(heard: Heard, said: Said) -> Said:
        return None

    bundle = bundle_of(InputKind.BEAT)
    bench, _line = bench_on(bundle, change=old)
    with pytest.raises(
        StreamError, match=r"port: BENCH 1: expected an answer, got ERROR 3: nothing known of"
    ):
        next(iter(compared(bench, OpenBundle(bundle), seconds=0)))


def test_a_board_that_answers_no_more_is_one_line_in_bounded_time() -> None:
    bundle = bundle_of(InputKind.BEAT)
    bench, line = bench_on(bundle, change=lambda heard, said: ())
    with pytest.raises(
        StreamError, match=r"port: BENCH 1: expected an answer, got none to 3 questions; is the"
    ):
        next(iter(compared(bench, OpenBundle(bundle), seconds=0)))
    assert line.now_s < 10


def test_a_board_that_is_pulled_out_is_one_line() -> None:
    bundle = bundle_of(InputKind.BEAT)
    bench, line = bench_on(bundle)
    line.is_cut = True
    with pytest.raises(StreamError, match=r"port: the device went away; plug it in and begin again"):
        next(iter(compared(bench, OpenBundle(bundle), seconds=0)))


def test_verify_as_a_user_with_two_terminals(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for kind in (InputKind.BEAT, InputKind.IMAGE):
        write_bundle(bundle_of(kind), tmp_path / kind)
    with terminal("simulate-device", tmp_path / "beat", "--port", "pty") as device:
        port = address_of(device)
        assert main(["verify", str(tmp_path / "beat"), "--port", port, "--seconds", "4"]) == 0
        said = capsys.readouterr()
        assert (said.out.count("every byte equal"), said.err) == (2, "")
        assert main(["run", "--port", port, "--seconds", "3"]) == 0  # it is with its wearer again
        assert "0 damaged" in capsys.readouterr().err
        assert main(["verify", str(tmp_path / "image"), "--port", port]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_ctrl_c_gives_the_device_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_bundle(bundle_of(InputKind.BEAT), tmp_path / "bundle")
    with terminal("simulate-device", tmp_path / "bundle", "--port", "pty") as device:
        port = address_of(device)
        with terminal("verify", tmp_path / "bundle", "--port", port, "--seconds", "600") as host:
            assert host.stdout is not None
            assert "every CRC-32 equal" in host.stdout.readline() + host.stdout.readline()
            host.send_signal(signal.SIGINT)
            _rest, said = host.communicate(timeout=20)
            assert (host.returncode, said) == (130, "interrupted\n")
        assert main(["run", "--port", port, "--seconds", "1"]) == 0
    assert "0 damaged" in capsys.readouterr().err


def test_what_cannot_be_verified_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_bundle(bundle_of(InputKind.BEAT), tmp_path / "bundle")
    (tmp_path / "capture").write_bytes(b"\x03\x01\x06\x01\x01\x01\x01\x01\x05\xcd\xea\x58\xca\x00")
    (tmp_path / "empty").touch()
    master, slave = pty.openpty()
    tty.setraw(slave)
    for port, words in (
        ("/dev/ttyNONE", "/dev/ttyNONE: expected a serial port, found none there"),
        (os.ttyname(slave), "expected a device that sends, got nothing within 0.3 s"),
        (str(tmp_path / "capture"), "expected a device, got the questions of a host before it closed"),
        (str(tmp_path / "empty"), "empty: expected a device or what one has sent, got nothing at all"),
        (str(tmp_path), "expected a port, got a directory"),
    ):
        assert main(["verify", str(tmp_path / "bundle"), "--port", port, "--wait", "0.3"]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert words in said.err
    os.close(slave)
    os.close(master)
    assert main(["verify", str(tmp_path / "none"), "--port", "pty"]) == 2
    assert main(["verify", str(tmp_path / "bundle"), "--port", "pty", "--wait", "0"]) == 2
    assert capsys.readouterr().err.splitlines()[1].startswith("wristlead verify: expected --wait above 0")


@pytest.mark.parametrize("seconds", ["2", "-1", "nan", "3601"])
def test_a_stretch_that_compares_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, seconds: str
) -> None:
    assert main(["verify", str(tmp_path / "bundle"), "--port", "pty", "--seconds", seconds]) == 2
    said = capsys.readouterr().err
    assert said.startswith("wristlead verify: --seconds: expected 0 or 3..3600")
    assert said.count("\n") == 1
