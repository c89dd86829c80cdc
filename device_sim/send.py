"""Play a recording as a device would: frames or lines on a port, in real time or flat out, with faults."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from device_sim import options
from device_sim.contract.errors import ContractError, StreamError
from device_sim.files import read_recording
from device_sim.link import BAUD, Link, LinkClosed
from device_sim.link_serve import KINDS, Stand, open_stand
from device_sim.replay import limited
from device_sim.send_device import Device, Packet, bytes_each_of, text_packets
from device_sim.send_line import FaultyLine, line_faults
from device_sim.send_signal import disturbed, rails_of
from device_sim.sources import Chunk, Source
from device_sim.synthetic import SyntheticSource
from device_sim.wire_codec import VERSION

HOST_S = 0.5  # how soon an interrupt is heard while nobody listens
FIRST_QUESTION_S = 1.0  # a host that asks nothing is one that only listens
LAST_READ_S = 10.0  # what a host has not read when the line closes is lost to it
LOOK_EVERY_PACKETS = 32
EPILOG = f"""\
PORT: {KINDS}.
--line flip=1e-4,lose=0.01,...: flip, drop (share of the bytes), lose, copy, swap, noise, stall, restart
(share of the frames), drift_ppm (of the clock). The same --seed gives the same faults.
--fault and --noise disturb the signal itself, as in `wristlead run --synthetic`.
Exit code: 0 sent to the end, 2 the request made no sense or the host went away."""


def main(argv: Sequence[str]) -> int:
    """0 when everything was sent."""
    args = _parser().parse_args(argv)
    if (args.record is None) == (not args.synthetic):
        raise ContractError("wristlead send: expected a RECORD or --synthetic, got none or both")
    faults = line_faults(args.line)
    seed = 1 if args.seed is None else args.seed
    source, chunks = _played(args, seed)
    line = FaultyLine(faults, seed)
    stand = open_stand(args.port, baud=args.baud or BAUD)
    try:
        device = None
        if args.text:
            packets = text_packets(source, chunks)
        else:
            device = _device(source, chunks, line, args)
            packets = device.packets()
        pace = Pace(rate_hz=None if args.flat_out else source.rate_hz, drift_ppm=faults.drift_ppm)
        link = _met(stand, device)
        tally = played(packets, link, pace=pace, line=line, device=device)
        if stand.address is not None:
            _linger(link, FIRST_QUESTION_S if args.text else LAST_READ_S)
    finally:
        stand.close()
    print(f"{source.name}: {tally.words(source.rate_hz)}, {line.n_faults} faults", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = options.OneLineParser(
        prog="wristlead send",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("record", nargs="?", type=Path, help="recording, as in `wristlead run --file`")
    parser.add_argument("--synthetic", action="store_true", help="the built-in generator instead")
    parser.add_argument("--port", required=True, help="where to: see below")
    parser.add_argument("--baud", type=options.baud, metavar="N", help=f"of a serial port (default: {BAUD})")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after N seconds (synthetic: 30)")
    parser.add_argument("--flat-out", action="store_true", help="as fast as the host reads")
    parser.add_argument("--text", action="store_true", help="one integer a line instead of frames")
    parser.add_argument(
        "--line",
        default="",
        metavar="KIND=SHARE,..",
        help="faults of the line, such as flip=1e-4,lose=0.01: see below",
    )
    options.add_file_options(parser)
    options.add_scene_options(parser)
    return parser


def _played(args: argparse.Namespace, seed: int) -> tuple[Source, list[Chunk]]:
    """The source and all it gives, disturbed where that is asked for."""
    if args.synthetic:
        options.refuse(args, options.FILE_OPTIONS, "--synthetic", command="wristlead send")
        synthetic = SyntheticSource(options.scene_of(args), seed=seed)
        return synthetic, list(synthetic)
    options.refuse(args, ("scene", "heart_rate"), "a recording", command="wristlead send")
    source = read_recording(args.record, options.read_as(args)).source()
    n_samples = None if args.seconds is None else round(args.seconds * source.rate_hz)
    if n_samples is not None and n_samples < 1:
        raise ContractError(f"wristlead send: --seconds: expected more than 0, got {args.seconds:g}")
    chunks = list(limited(source, n_samples))
    return source, disturbed(source, chunks, args.noise or (), args.fault or (), seed)


def _device(source: Source, chunks: list[Chunk], line: FaultyLine, args: argparse.Namespace) -> Device:
    is_railed = any(fault.kind == "rail" for fault in args.fault or ())
    return Device(
        source,
        chunks,
        bytes_each=bytes_each_of(chunks, name=source.name),
        is_paced=not args.flat_out,
        firmware=f"send/{VERSION}",
        rails_counts=rails_of(source) if is_railed else None,
        restarts=line.restarts,
    )


def _met(stand: Stand, device: Device | None) -> Link:
    """The host, waited for as long as it takes; on a line that was there before, whoever is at its end."""
    if stand.address is not None:
        print(f"waiting for a host: wristlead run --port {stand.address}", file=sys.stderr, flush=True)
    while True:
        link = stand.host(HOST_S)
        if link is None:
            continue
        if stand.address is None:
            return link
        with suppress(LinkClosed):  # one that looked and left
            _answer(link, device, FIRST_QUESTION_S)
            return link
        link.close()


@dataclass(slots=True)
class Tally:
    """How much was sent."""

    n_samples: int = 0
    n_packets: int = 0
    n_bytes: int = 0
    elapsed_s: float = 0.0

    def words(self, rate_hz: int) -> str:
        seconds = self.n_samples / rate_hz
        speed = seconds / self.elapsed_s if self.elapsed_s > 0 else 0.0
        return f"sent {seconds:.1f} s in {self.n_bytes} bytes, {speed:,.0f} x real time"


class Pace:
    """When a sample is due, by the device's own clock; a rate of None is at once."""

    def __init__(
        self,
        *,
        rate_hz: int | None,
        drift_ppm: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate_hz = None if rate_hz is None else rate_hz * (1 + drift_ppm * 1e-6)
        self._clock, self._sleep = clock, sleep
        self._began_s = clock()

    @property
    def is_flat_out(self) -> bool:
        return self._rate_hz is None

    def begin(self) -> None:
        """From now on."""
        self._began_s = self._clock()

    def left_s(self, index: int) -> float:
        """How long until a sample is there."""
        if self._rate_hz is None:
            return 0.0
        return self._began_s + index / self._rate_hz - self._clock()

    def stall(self, seconds: float) -> None:
        """The device does nothing; its samples go on."""
        if self._rate_hz is not None:
            self._sleep(seconds)


def played(
    packets: Iterator[Packet], link: Link, *, pace: Pace, line: FaultyLine, device: Device | None
) -> Tally:
    """Every packet when it is due, with the answers to what the host asks between."""
    tally = Tally()
    began_s = time.monotonic()
    try:
        pace.begin()
        for packet in packets:
            left_s = pace.left_s(packet.due_index)
            while left_s > 0:
                _answer(link, device, left_s)
                left_s = pace.left_s(packet.due_index)
            if pace.is_flat_out and tally.n_packets % LOOK_EVERY_PACKETS == 0:
                _answer(link, device, 0.0)
            pace.stall(line.stall_s())
            raw = b"".join(map(line.passed, packet.frames))
            link.write(raw)
            tally.n_packets += 1
            tally.n_bytes += len(raw)
            tally.n_samples = packet.due_index
        if rest := line.rest():
            link.write(rest)
    except LinkClosed:
        raise StreamError(
            f"the host went away after {tally.n_samples} samples; start it again, then `wristlead send`"
        ) from None
    tally.elapsed_s = time.monotonic() - began_s
    return tally


def _linger(link: Link, at_most_s: float) -> None:
    """Until the host has hung up."""
    until_s = time.monotonic() + at_most_s
    with suppress(LinkClosed):
        while time.monotonic() < until_s:
            link.read(HOST_S / 5)


def _answer(link: Link, device: Device | None, timeout_s: float) -> None:
    received = link.read(timeout_s)
    if received and device is not None:
        link.write(device.asked(received))
