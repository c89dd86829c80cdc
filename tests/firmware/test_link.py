"""A device's end of the wire under the sanitizers, whatever a host sends."""

import random
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.bundle import read_bundle
from device_sim.framing import Deframer
from device_sim.frontend import Columns, Flag, FrontEnd
from device_sim.sources import Gap, Samples
from device_sim.wire import Answer, Ask, Column, DeviceError, FrameType, Hello, Query, Status
from export import to_c
from tests.device_sim.conftest import ROOT
from tests.golden import twin_wire as wire

SANITIZED = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O1", "-g")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("link"))


def built(folder: Path, *defines: str) -> Path:
    """What `wristlead export --c` hands out, its link on this machine, the line stdin and stdout."""
    bundle = read_bundle(ROOT / "models/beat-tiny")
    to_c.to_c(bundle, folder / "c")
    sources = [*(folder / "c").glob("*/*.c"), ROOT / "tests/firmware/board_stdio.c"]
    places = [f"-I{folder / 'c' / room}" for room in ("src", "link")]
    command = [
        "cc",
        *SANITIZED,
        *SANITIZERS,
        *defines,
        *places,
        *map(str, sources),
        "-o",
        str(folder / "device"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "device"


def said_to(device: Path, sent: bytes) -> list[object]:
    """What it says to the end of its input; it neither crashes nor hangs."""
    done = subprocess.run([device], input=sent, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return list(Deframer("device").feed(done.stdout, 0.0))


def framed(kind: int, payload: bytes) -> bytes:
    return wire.encode(wire.Frame(type=kind, payload=payload, session=0, sequence=0))


def query(ask: int, item: int) -> bytes:
    return framed(FrameType.QUERY, Query(ask=ask, item=item).pack())


def hostile(chance: random.Random) -> bytes:
    """A frame that is sound and means harm, or no frame at all."""
    number, offset = chance.choice([0, 1, 2, 255]), chance.choice([0, 9, 255, 256, 2**31, 2**32 - 1])
    part = chance.randbytes(chance.randrange(0, 233))
    index = chance.choice([0, 16, 64, 2**31, 2**32 - 1])
    width = chance.choice([0, 2, 2, 3])
    count = chance.choice([0, 1, 16, 116, 255])
    samples = struct.pack("<IBBBx", index, count, width, chance.choice([0, 4, 32, 255]))
    return chance.choice(
        [
            query(chance.randrange(12), chance.randrange(70)),
            query(Ask.BENCH, 1),
            query(Ask.STEP, chance.randrange(8)),
            query(Ask.BENCH, 1) + query(Ask.STEP, 0) + query(Ask.LAYER, 0),
            framed(FrameType.QUERY, chance.randbytes(chance.randrange(240))),
            framed(FrameType.INPUT, struct.pack("<B3xI", number, offset) + part),
            framed(FrameType.INPUT, chance.randbytes(chance.randrange(12))),
            framed(FrameType.SAMPLES, samples + chance.randbytes(min(232, count * width))),
            framed(chance.randrange(256), part),
            chance.randbytes(chance.randrange(300)) + b"\0",
        ]
    )


def test_whatever_a_host_sends_the_device_goes_on(device: Path) -> None:
    chance = random.Random(20261129)
    sent = b"".join(hostile(chance) for _ in range(3000))
    said = said_to(device, sent + query(Ask.BENCH, 0) + query(Ask.HELLO, 0))
    assert isinstance(said[-1], Hello)
    kinds = {type(one) for one in said}
    assert {Answer, DeviceError, Hello} <= kinds
    asks = {one.ask for one in said if isinstance(one, Answer)}
    assert asks >= {Ask.TENSOR, Ask.LAYER, Ask.BENCH, Ask.STEP, Ask.INPUT, Ask.SAMPLES}


def test_samples_that_nobody_fetched_in_time_are_counted_and_flagged(device: Path) -> None:
    said = said_to(device, query(Ask.COLUMNS, 1) + 25_000 * query(Ask.STATUS, 0))
    lost = [one for one in said if isinstance(one, Gap)]
    assert [(one.n_samples, one.estimated) for one in lost] == [(40, False), (40, False)]
    assert [one.n_overflow for one in said if isinstance(one, Status)][-1] == 80
    columns = [one for one in said if isinstance(one, Column)]
    expected = held(said)
    assert len(columns) > 450
    for one in columns:
        assert one.codes == expected.codes_ts_i8[one.index].tobytes()
        assert one.flags == expected.flags_u8[one.index]


def held(said: list[object]) -> Columns:
    """What a host makes of the same samples: the last one held where some are missing."""
    front_end, last, parts = FrontEnd(rate_hz=256), 0, []
    for one in said:
        if isinstance(one, Samples):
            parts.append(front_end.push(one.counts_i32))
            last = int(one.counts_i32[-1])
        elif isinstance(one, Gap):
            parts.append(front_end.push(np.full(one.n_samples, last), line=Flag.GAP))
    return replace(
        parts[0],
        codes_ts_i8=np.concatenate([part.codes_ts_i8 for part in parts]),
        flags_u8=np.concatenate([part.flags_u8 for part in parts]),
    )


def test_a_session_ends_before_its_counts_do(tmp_path: Path) -> None:
    device = built(tmp_path, "-DSESSION_SAMPLES=1024u")
    done = subprocess.run(
        [device], input=query(Ask.STATUS, 0) * 9000, capture_output=True, timeout=120, check=True
    )
    frames, n_damaged = wire.decode(done.stdout)
    firsts: dict[int, list[int]] = {}
    for frame in frames:
        if frame.type == FrameType.SAMPLES:
            firsts.setdefault(frame.session, []).append(int.from_bytes(frame.payload[:4], "little"))
    assert n_damaged == 0
    assert list(firsts) == [255, 0, 1]
    assert all(session[0] == 0 and max(session) < 1024 for session in firsts.values())
