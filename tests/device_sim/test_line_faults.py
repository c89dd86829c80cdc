"""Bad lines by the hundred: no crash, in step again in two frames, every gap true or marked."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from device_sim.framing import Deframer, Event
from device_sim.link_text import LineReceiver
from device_sim.recording import ReadAs
from device_sim.send_device import Device, text_packets
from device_sim.send_line import FaultyLine, LineFaults
from device_sim.sources import Gap, Samples
from device_sim.synthetic import Scene, SyntheticSource
from device_sim.wire import Hello

RATE_HZ = 256
SECONDS = 5
GOOD_FROM = 4 * RATE_HZ  # the last second is free of faults
KINDS = ("flip", "drop", "lose", "copy", "swap", "noise", "restart")
LARGEST = {"flip": 0.02, "drop": 0.02, "restart": 0.05}  # shares; of the other kinds up to 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of one bad line."""

    events: list[Event]
    n_faults: int
    n_damaged: int
    n_out: int


def faults_of(chance: random.Random) -> LineFaults:
    """A few kinds at once, each rare or frequent."""
    kinds = chance.sample(KINDS, chance.randint(1, 4))
    return LineFaults(**{kind: LARGEST.get(kind, 0.2) * 10 ** chance.uniform(-1.5, 0) for kind in kinds})


def heard(seed: int) -> Heard:
    """Samples that are their own index, through a line that a seed has broken."""
    chance = random.Random(seed)
    source = SyntheticSource(Scene(seconds=SECONDS))
    bad, good = FaultyLine(faults_of(chance), seed), FaultyLine(LineFaults(), 0)
    index = 0
    device = Device(
        source,
        [Samples(first_index=0, counts_i32=np.arange(SECONDS * RATE_HZ, dtype=np.int32))],
        bytes_each=3,
        is_paced=chance.random() < 0.7,
        firmware="",
        restarts=lambda: index < GOOD_FROM - 2 * RATE_HZ and bad.restarts(),
    )
    deframer = Deframer("port")
    deframer.hello = Hello(
        rate_hz=RATE_HZ, uv_per_count=Fraction(1), lead="II", bytes_each=3, rails_counts=source.rails_counts
    )
    events: list[Event] = []
    held = b""
    for packet in device.packets():
        index = packet.due_index
        line = bad if index < GOOD_FROM else good
        raw = held + (bad.rest() if line is good else b"") + b"".join(map(line.passed, packet.frames))
        cut = chance.randrange(len(raw) + 1)  # portions have nothing to do with frames
        events += deframer.feed(raw[:cut], index / RATE_HZ)
        held = raw[cut:]
    events += deframer.feed(held, SECONDS)
    return Heard(events=events, n_faults=bad.n_faults, n_damaged=deframer.n_damaged, n_out=deframer.n_out)


def check(seed: int) -> Heard:
    """All that is promised of a bad line."""
    line = heard(seed)
    stretches = [event for event in line.events if isinstance(event, Samples | Gap)]
    at, last, is_true = 0, None, True
    for event in stretches:
        assert event.first_index == at, f"seed {seed}: a stretch begins at {event.first_index}, not {at}"
        at += event.n_samples
        if isinstance(event, Gap):
            is_true = is_true and not event.estimated
            continue
        counts = event.counts_i32
        assert np.all(np.diff(counts) == 1), f"seed {seed}: samples that were never sent so"
        if last is not None and is_true:
            missing = int(counts[0]) - last[1] - 1
            assert event.first_index - last[0] == missing, f"seed {seed}: {missing} samples are missing there"
        last, is_true = (at, int(counts[-1])), True
    assert at == line.n_out
    # the first good frame may end in the ruins of the last bad one, the second is whole
    assert in_step_from(stretches) <= GOOD_FROM, f"seed {seed}: late in step"
    return line


def in_step_from(stretches: Sequence[Samples | Gap]) -> int:
    """The sample from which on all came, to the last."""
    begins = SECONDS * RATE_HZ
    for stretch in reversed(stretches):
        if isinstance(stretch, Gap) or int(stretch.counts_i32[-1]) != begins - 1:
            break
        begins = int(stretch.counts_i32[0])
    return begins


@pytest.mark.parametrize("block", range(4))
def test_two_hundred_bad_lines_keep_every_promise(block: int) -> None:
    lines = [check(seed) for seed in range(50 * block, 50 * block + 50)]
    assert sum(line.n_faults for line in lines) > 500
    assert sum(line.n_damaged for line in lines) > 100


@pytest.mark.heavy
def test_ten_thousand_bad_lines_keep_every_promise(capsys: pytest.CaptureFixture[str]) -> None:
    n_faults = n_damaged = 0
    for seed in range(10_000):
        line = check(seed)
        n_faults += line.n_faults
        n_damaged += line.n_damaged
    with capsys.disabled():
        print(
            f"\n10000 bad lines: {n_faults} faults, {n_damaged} damaged frames, 0 of them undetected; "
            f"the CRC promises {n_damaged / 2**32:.1e}"
        )
    assert n_damaged > 100_000


@pytest.mark.parametrize("seed", range(100))
def test_bad_lines_of_text_become_gaps_and_never_a_crash(seed: int) -> None:
    chance = random.Random(seed)
    kinds = chance.sample(("flip", "drop", "lose", "copy", "swap"), 2)
    line = FaultyLine(LineFaults(**dict.fromkeys(kinds, 0.01)), seed)
    source = SyntheticSource(Scene(seconds=2))
    receiver = LineReceiver("port", ReadAs(rate_hz=RATE_HZ), is_live=False)
    chunks = []
    for packet in text_packets(source, list(source)):
        for raw in map(line.passed, packet.frames):
            chunks += receiver.feed(raw, packet.due_index / RATE_HZ)
    n_samples = sum(chunk.n_samples for chunk in chunks if isinstance(chunk, Samples))
    gaps = [chunk for chunk in chunks if isinstance(chunk, Gap)]
    has_header = receiver.layout is not None and receiver.layout.lead != "1"  # a first line that was hit
    assert n_samples + receiver.n_bad == receiver.n_out == receiver.n_lines - has_header
    assert all(gap.estimated and gap.n_samples == 1 for gap in gaps)
    assert len(gaps) == receiver.n_bad
