"""A device without hardware: what it computes is what the core computes, whoever asks."""

import zlib

import numpy as np
import pytest

from device_sim.binding import WIRE_PAYLOAD
from device_sim.contract.inputs import InputKind
from device_sim.frontend import Flag, columns_of
from device_sim.simulated_device import Firmware, parted
from device_sim.sources import Samples
from device_sim.synthetic import Scene, SyntheticSource
from device_sim.wire import Answer, Ask, Column, Judged, Payload, Query
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


@pytest.mark.parametrize("kind", [InputKind.IMAGE, InputKind.BEAT, InputKind.BLIND])
def test_the_layers_of_the_last_window_lead_to_its_logits(kind: InputKind) -> None:
    bundle = bundle_of(kind)
    firmware = Firmware(SOURCE, bundle)
    assert firmware.answer(Query(ask=Ask.LAYER, item=0)) is None  # nothing was judged yet
    verdicts = [one for one in after_a_run(firmware) if isinstance(one, Judged)]
    outputs = b""
    for name in bundle.graph.outputs:
        (index,) = [k for k, one in enumerate(bundle.graph.operators) if one.output == name]
        outputs += b"".join(part.part for part in answers(firmware, Ask.LAYER, index))
    assert outputs == [verdict.logits for verdict in verdicts if verdict.logits][-1]
    assert firmware.answer(Query(ask=Ask.LAYER, item=len(bundle.graph.operators))) is None


def test_a_long_layer_comes_in_parts() -> None:
    layer = np.random.default_rng(1).bytes(500)
    parts = parted(Query(ask=Ask.LAYER, item=3), layer, n_bytes=500)
    assert [(part.item, part.offset, part.n_bytes) for part in parts] == [
        (3, 0, 500),
        (3, 228, 500),
        (3, 456, 500),
    ]
    assert b"".join(part.part for part in parts) == layer
    assert all(len(part.pack()) <= WIRE_PAYLOAD for part in parts)


def test_every_tensor_has_a_checksum_and_a_name() -> None:
    bundle = bundle_of(InputKind.BEAT)
    firmware = Firmware(SOURCE, bundle)
    for index, tensor in enumerate(bundle.graph.constants):
        (said,) = answers(firmware, Ask.TENSOR, index)
        raw = np.ascontiguousarray(tensor.values).tobytes()
        assert said.part == zlib.crc32(raw).to_bytes(4, "little") + tensor.name.encode()
        assert said.n_bytes == len(raw)
    assert firmware.answer(Query(ask=Ask.TENSOR, item=len(bundle.graph.constants))) is None
