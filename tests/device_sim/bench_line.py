"""A device that can be verified, at the end of a line without a clock of its own."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from device_sim.bench import Bench
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from device_sim.link import LinkClosed
from device_sim.pipeline import OpenBundle
from device_sim.send_device import Device, Heard
from device_sim.send_line import FaultyLine, line_faults
from device_sim.simulated_device import Firmware
from device_sim.synthetic import Scene, SyntheticSource
from device_sim.verify import compared
from device_sim.wire import Payload
from device_sim.wire_codec import Encoder

SOURCE = SyntheticSource(Scene(seconds=12))
SECONDS = 8.0
Said = Sequence[Payload] | None
Application = Bundle | Cascade
Change = Callable[[Heard, Said], Said]


class Line:
    """A device at the end of a line without a clock of its own: nothing comes, so time passes."""

    is_live = True

    def __init__(
        self, bundle: Application | None, flashed: Application | None, change: Change, faults: str
    ) -> None:
        firmware = Firmware(SOURCE, flashed)
        self.device = Device(
            SOURCE,
            (),
            bytes_each=2,
            is_paced=True,
            firmware="test",
            bundle_sha256=bytes(32) if bundle is None else bytes.fromhex(bundle.digest),
            answers=lambda heard: self.change(heard, firmware.answer(heard)),
        )
        self.firmware, self.change = firmware, change
        self.now_s = 0.0
        self.is_cut = False
        self.endless: Iterator[Payload] = iter(())  # instead of silence, each as late as it may be
        self._bad = FaultyLine(line_faults(faults), 1)
        self._pending = b""

    def read(self, timeout_s: float) -> bytes:
        if self.is_cut:
            raise LinkClosed
        if not self._pending:
            self.now_s += timeout_s
            self._pending = b"".join(map(Encoder().payload, islice(self.endless, 1)))
        pending, self._pending = self._pending, b""
        return pending

    def write(self, raw: bytes) -> None:
        said = self.device.asked(self._bad.passed(raw))
        for frame in said.split(b"\0")[:-1]:
            self._pending += self._bad.passed(frame + b"\0")

    def close(self) -> None:
        self.is_cut = True


def as_it_is(_heard: Heard, said: Said) -> Said:
    return said


def bench_on(
    bundle: Application | None,
    *,
    flashed: Application | None = None,
    change: Change = as_it_is,
    faults: str = "",
) -> tuple[Bench, Line]:
    line = Line(bundle, flashed or bundle, change, faults)
    return Bench("port", open_line=lambda name, baud: line, clock=lambda: line.now_s), line


def words_of(bundle: Application, **device: object) -> list[str]:
    """All that is said, the last of it what differs."""
    bench, _line = bench_on(bundle, **device)  # type: ignore[arg-type]
    said = []
    for result in compared(bench, OpenBundle(bundle), seconds=SECONDS):
        said.append(result.words)
        if not result.is_equal:
            break
    return said
