"""A device on the bench: what is lost is asked for again, and what never ends is not waited for."""

from collections.abc import Callable, Iterator
from itertools import count, repeat

import numpy as np
import pytest

from device_sim.bench import ANSWER_S, SLOWEST_BYTES_S, TRIES
from device_sim.contract.errors import StreamError
from device_sim.contract.inputs import InputKind
from device_sim.link_meet import LOOK_S
from device_sim.send_device import Heard
from device_sim.simulated_bench import SimulatedBench, parted
from device_sim.simulated_device import Stream
from device_sim.wire import Answer, Ask, Column, Payload, Query
from tests.device_sim.bench_line import SOURCE, Said, bench_on
from tests.device_sim.bundles import bundle_of


def test_an_output_of_which_a_part_is_lost_is_asked_for_again() -> None:
    whole = bytes(range(250)) * 3

    def layer(heard: Heard, said: Said) -> Said:
        return parted(heard, whole) if isinstance(heard, Query) and heard.ask == Ask.LAYER else said

    bench, line = bench_on(bundle_of(InputKind.BEAT), change=layer, faults="lose=0.05")
    assert [bench.output(3, len(whole)) == whole for _ in range(5)] == [True] * 5
    assert line.now_s > 0


def silent(_heard: Heard, _said: Said) -> Said:
    return ()


@pytest.mark.parametrize(
    ("part_of", "words"),
    [
        (lambda k: (0, 750, b"abc"), "expected every part, lost some 3 times"),
        (lambda k: (k % 20, 750, b"a"), "expected every part, lost some 3 times"),
        (lambda k: (k, 2**32 - 1, b"a"), "expected parts of 750 bytes, got 1 from 0 on of 4294967295"),
        (lambda k: (25 * k, 750, bytes(26)), "expected parts of 750 bytes, got 26 from 725 on of 750"),
        (lambda k: (0, 750, b""), "expected parts of 750 bytes, got 0 from 0 on of 750"),
    ],
)
def test_a_device_that_keeps_sending_parts_is_one_line_in_bounded_time(
    part_of: Callable[[int], tuple[int, int, bytes]], words: str
) -> None:
    def parts() -> Iterator[Payload]:
        for offset, n_bytes, part in map(part_of, count()):
            yield Answer(ask=Ask.LAYER, item=3, offset=offset, n_bytes=n_bytes, part=part)

    bench, line = bench_on(bundle_of(InputKind.BEAT), change=silent)
    line.endless = parts()
    with pytest.raises(StreamError, match=f"port: LAYER 3: {words}"):
        bench.output(3, 750)
    assert line.now_s < TRIES * (2 * ANSWER_S + 750 / SLOWEST_BYTES_S)


def test_a_device_that_keeps_sending_other_frames_is_one_line_in_bounded_time() -> None:
    bench, line = bench_on(bundle_of(InputKind.BEAT), change=silent)
    line.endless = repeat(Column(index=0, flags=0, codes=bytes(32)))
    with pytest.raises(StreamError, match=r"port: STEP 0: expected an answer, got none to 3 questions"):
        bench.step(0)
    assert line.now_s <= TRIES * (ANSWER_S + LOOK_S)


def test_off_the_bench_the_device_begins_anew() -> None:
    bundle = bundle_of(InputKind.BEAT)
    bench, line = bench_on(bundle)
    bench.take(1)
    assert line.firmware.on_bench
    assert line.firmware.push(0, np.zeros(4000, np.int32), 0) == ()  # type: ignore[arg-type]
    bench.__exit__()
    assert not line.firmware.on_bench
    assert (line.firmware.restarts(), line.firmware.restarts()) == (True, False)


def test_a_host_that_is_heard_of_no_more_gives_the_bench_back() -> None:
    now_s = [0.0]
    bench = SimulatedBench([bundle_of(InputKind.BEAT)], lambda: Stream(SOURCE, None), clock=lambda: now_s[0])
    assert bench.heard(Query(ask=Ask.BENCH, item=1))
    now_s[0] = 9.0
    assert bench.is_taken
    assert bench.heard(Query(ask=Ask.TENSOR, item=0))
    now_s[0] = 18.0
    assert bench.is_taken
    now_s[0] = 20.0
    assert not bench.is_taken
    assert bench.heard(Query(ask=Ask.STEP, item=0)) is None
