"""A device without hardware: what it computes is what the core computes, whoever asks."""

import zlib

import numpy as np

from device_sim.binding import WIRE_PAYLOAD
from device_sim.contract.inputs import InputKind
from device_sim.frontend import Flag, columns_of
from device_sim.simulated_bench import parted
from device_sim.simulated_device import Firmware
from device_sim.sources import Samples
from device_sim.synthetic import Scene, SyntheticSource
from device_sim.wire import Answer, Ask, Column, InputPart, Payload, Query
from tests.device_sim.bundles import bundle_of

SOURCE = SyntheticSource(Scene(seconds=12))
COUNTS = np.concatenate([chunk.counts_i32 for chunk in SOURCE if isinstance(chunk, Samples)])
BLOCK = 16


def after_a_run(firmware: Firmware, *, lost: range = range(0)) -> list[Payload]:
    """All it says about twelve seconds, some blocks of which never reached it."""
    said: list[Payload] = []
    for first in range(0, COUNTS.size, BLOCK):
        if first not in lost:
            said += firmware.push(first, COUNTS[first : first + BLOCK], Flag(0))
    return [*said, *firmware.finish()]


def answers(firmware: Firmware, ask: Ask, item: int) -> list[Answer]:
    said = firmware.answer(Query(ask=ask, item=item))
    assert said is not None
    return [one for one in said if isinstance(one, Answer)]


def test_columns_come_only_when_asked_for() -> None:
    firmware = Firmware(SOURCE, None)
    assert firmware.push(0, COUNTS[:2000], Flag(0)) == []
    answers(firmware, Ask.COLUMNS, 1)
    said = firmware.push(2000, COUNTS[2000:], Flag(0))
    columns = [one for one in said if isinstance(one, Column)]
    expected = columns_of(COUNTS, rate_hz=256)
    assert len(columns) > 50
    for column in columns:
        assert column.codes == expected.codes_ts_i8[column.index].tobytes()
    answers(firmware, Ask.COLUMNS, 0)
    assert firmware.finish() == []


def test_samples_the_converter_missed_are_held_and_flagged() -> None:
    firmware = Firmware(SOURCE, None)
    answers(firmware, Ask.COLUMNS, 1)
    columns = [one for one in after_a_run(firmware, lost=range(1024, 1280)) if isinstance(one, Column)]
    assert [one.index for one in columns] == list(range(COUNTS.size // BLOCK))
    flagged = [one.index for one in columns if one.flags & Flag.GAP]
    assert flagged == list(range(64, 81))


def test_a_long_layer_comes_in_parts() -> None:
    layer = np.random.default_rng(1).bytes(500)
    parts = parted(Query(ask=Ask.LAYER, item=3), layer)
    assert [(part.item, part.offset, part.n_bytes) for part in parts] == [
        (3, 0, 500),
        (3, 228, 500),
        (3, 456, 500),
    ]
    assert b"".join(part.part for part in parts) == layer
    assert all(len(part.pack()) <= WIRE_PAYLOAD for part in parts)


def test_every_constant_has_a_checksum_and_a_name() -> None:
    bundle = bundle_of(InputKind.BEAT)
    firmware = Firmware(SOURCE, bundle)
    said: dict[str, Answer] = {}
    while firmware.answer(Query(ask=Ask.TENSOR, item=len(said))) is not None:
        (one,) = answers(firmware, Ask.TENSOR, len(said))
        said[one.part[4:].decode()] = one
    for tensor in bundle.graph.constants:
        raw = np.ascontiguousarray(tensor.values).tobytes()
        assert said[tensor.name].part[:4] == zlib.crc32(raw).to_bytes(4, "little")
        assert said[tensor.name].n_bytes == len(raw)
    tables = set(said) - {tensor.name for tensor in bundle.graph.constants}
    assert {name.split("/")[1].split()[0] for name in tables} == {"by_q31", "by_shift", "row"}


def test_what_makes_no_sense_on_the_bench_is_refused() -> None:
    firmware = Firmware(SOURCE, bundle_of(InputKind.BEAT))
    a_code = InputPart(number=0, offset=0, part=b"7")
    for early in (a_code, Query(ask=Ask.STEP), Query(ask=Ask.LAYER), Query(ask=Ask.LOGITS)):
        assert firmware.answer(early) is None
    assert firmware.answer(Query(ask=Ask.BENCH, item=1))
    assert firmware.answer(a_code)
    for wrong in (
        InputPart(number=2, offset=0, part=b"7"),
        InputPart(number=0, offset=256, part=b"7"),
        Query(ask=Ask.STEP, item=1),
        Query(ask=Ask.LAYER, item=0),
        Query(ask=Ask.LOGITS, item=0),
        Query(ask=Ask.BENCH, item=2),
    ):
        assert firmware.answer(wrong) is None
    assert firmware.answer(Query(ask=Ask.STEP, item=0)) == firmware.answer(Query(ask=Ask.STEP, item=0))
