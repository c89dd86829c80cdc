"""A device without hardware: a pty or TCP port behind which the core itself computes columns and verdicts."""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim import options
from device_sim.app import app_of
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of
from device_sim.contract.errors import ContractError
from device_sim.files import read_recording
from device_sim.frontend import HOP_SAMPLES, STREAM_HZ, Columns, Flag, FrontEnd
from device_sim.judged import judged_of
from device_sim.link import BAUD, Link, LinkClosed
from device_sim.link_serve import KINDS, Stand, open_stand
from device_sim.pipeline import open_bundle
from device_sim.send import FIRST_QUESTION_S, Pace
from device_sim.send_device import Device, Heard, bytes_each_of
from device_sim.simulated_bench import SimulatedBench
from device_sim.sources import Source
from device_sim.stream import StreamFrontEnd, Table
from device_sim.synthetic import SyntheticSource
from device_sim.tiny_text import Dut
from device_sim.tiny_text import serve as serve_tiny_text
from device_sim.wire import Answer, Ask, Column, Payload, Query

COMMAND = "wristlead simulate-device"
LOOK_S = 0.05
PART_BYTES = 228  # of an ANSWER
HOST_READS_S = 10.0
EPILOG = f"""\
PORT: {KINDS}.
Without --once the recording begins again at its end, the index goes on, and host after host is served until
ctrl-C. It answers QUERY for HELLO, STATUS and COLUMNS, and with a BUNDLE sends VERDICT frames and can be
verified: TENSOR, and on the BENCH what a host puts in (INPUT, SAMPLES) and asks for (STEP, LAYER, LOGITS);
`wristlead verify BUNDLE --port PORT` does all of that. The frames are in docs/protocol.md.
Exit code: 0 the recording ended (--once), 2 the request made no sense; ctrl-C ends it with 130."""


def main(argv: Sequence[str]) -> int:
    """0 when the recording ended (--once); else ctrl-C ends it."""
    args = _parser().parse_args(argv)
    if args.tiny_text:
        return _tiny_text(args)
    bundle = None if args.bundle is None else Path(args.bundle)
    source = _source(args)
    chunks = list(source)
    firmware = Firmware(source, None if bundle is None else open_bundle(bundle).application)
    device = Device(
        source,
        chunks if args.once else itertools.chain.from_iterable(itertools.repeat(chunks)),
        bytes_each=bytes_each_of(chunks, name=source.name),
        is_paced=not args.flat_out,
        firmware="simulated",
        session=os.getpid() % 256,
        bundle_sha256=firmware.bundle_sha256,
        also=firmware.push,
        at_end=firmware.finish,
        restarts=firmware.restarts,
        answers=firmware.answer,
        is_silent=lambda: firmware.on_bench,
    )
    stand = open_stand(args.port, baud=args.baud or BAUD)
    if stand.address is not None:
        print(
            f"a device at {stand.address}: wristlead run --port {stand.address}", file=sys.stderr, flush=True
        )
    try:
        serve(device, stand, Pace(rate_hz=None if args.flat_out else source.rate_hz))
    finally:
        stand.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = options.OneLineParser(
        prog=COMMAND,
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "bundle",
        nargs="?",
        metavar="BUNDLE",
        help="folder written by `wristlead export`: the network on board",
    )
    parser.add_argument("--port", required=True, help="where it can be reached: see below")
    parser.add_argument("--baud", type=options.baud, metavar="N", help=f"of a serial port (default: {BAUD})")
    parser.add_argument(
        "--record", type=Path, help="recording that its electrodes see (default: the synthetic ECG)"
    )
    parser.add_argument("--seconds", type=float, metavar="N", help="of the synthetic ECG (default: 30)")
    parser.add_argument(
        "--once", action="store_true", help="end with the recording (frame END) instead of beginning again"
    )
    parser.add_argument("--flat-out", action="store_true", help="as fast as the host reads")
    parser.add_argument(
        "--tiny-text",
        action="store_true",
        help="no stream: answer name%%, db load%%, infer%%, results%% in the style of MLPerf Tiny",
    )
    options.add_file_options(parser)
    options.add_scene_options(parser)
    return parser


def _tiny_text(args: argparse.Namespace) -> int:
    """The network alone, asked in words."""
    alone = ("record", "seconds", *options.FILE_OPTIONS, *options.SCENE_OPTIONS)
    options.refuse(args, alone, "--tiny-text", command=COMMAND)
    if args.bundle is None or args.once or args.flat_out:
        raise ContractError(f"{COMMAND}: --tiny-text: expected a BUNDLE and neither --once nor --flat-out")
    dut = Dut(open_bundle(Path(args.bundle)).bundle)
    stand = open_stand(args.port, baud=args.baud or BAUD)
    try:
        if stand.address is not None:
            print(f"a device at {stand.address}: --port {stand.address}", file=sys.stderr, flush=True)
        serve_tiny_text(dut, stand)
    finally:
        stand.close()
    return 0


def _source(args: argparse.Namespace) -> Source:
    if args.record is not None:
        options.refuse(args, (*options.SCENE_OPTIONS, "seconds"), "--record", command=COMMAND)
        return read_recording(args.record, options.read_as(args)).source()
    options.refuse(args, options.FILE_OPTIONS, "the synthetic ECG", command=COMMAND)
    return SyntheticSource(options.scene_of(args), seed=1 if args.seed is None else args.seed)


class Stream:
    """The core's stream from the first sample on; what it says goes over the wire."""

    def __init__(
        self, source: Source, application: Bundle | Cascade | None, *, sends_columns: bool = False
    ) -> None:
        self.sends_columns = sends_columns
        self._bundles = {} if application is None else {one.digest: one for one in bundles_of(application)}
        ends: dict[str, Any] = {
            "rate_hz": source.rate_hz,
            "uv_per_count": source.uv_per_count,
            "rails_counts": source.rails_counts,
        }
        self._front_end = (
            FrontEnd(**ends) if application is None else StreamFrontEnd(Table(app_of(application)), **ends)
        )
        self._rate_hz = source.rate_hz
        self._n_pushed = 0
        self._last = 0

    def push(self, first: int, counts: NDArray[np.int32], line: Flag) -> Sequence[Payload]:
        """What these samples complete; samples the converter missed are held, as a host does."""
        said: list[Payload] = []
        if first > self._n_pushed:
            held = np.full(first - self._n_pushed, self._last, np.int32)
            said += self._completed(self._front_end.push(held, line=Flag.GAP))
        self._n_pushed = first + counts.size
        self._last = int(counts[-1])
        said += self._completed(self._front_end.push(counts, line=line))
        return said

    def finish(self) -> Sequence[Payload]:
        """What the end of the recording still gives: columns whose centre it holds, and verdicts."""
        rest = self._front_end.flush()
        n_columns = -(-self._n_pushed * STREAM_HZ // (self._rate_hz * HOP_SAMPLES)) - rest.first_index
        due = replace(
            rest,
            codes_ts_i8=rest.codes_ts_i8[: max(0, n_columns)],
            flags_u8=rest.flags_u8[: max(0, n_columns)],
        )
        return self._completed(due)

    def _completed(self, columns: Columns) -> list[Payload]:
        said: list[Payload] = []
        if self.sends_columns:
            said += [
                Column(index=columns.first_index + k, flags=int(flags), codes=codes.tobytes())
                for k, (codes, flags) in enumerate(zip(columns.codes_ts_i8, columns.flags_u8, strict=True))
            ]
        if isinstance(self._front_end, StreamFrontEnd):
            said += [judged_of(one, self._bundles[one.bundle_digest]) for one in self._front_end.verdicts()]
        return said


class Firmware:
    """What runs on the board: the stream of its wearer, a memory that can be asked about, a bench."""

    def __init__(self, source: Source, application: Bundle | Cascade | None) -> None:
        self.bundle_sha256 = bytes(32) if application is None else bytes.fromhex(application.digest)
        self._source, self._application = source, application
        self._stream = Stream(source, application)
        self._begun_at = 0  # sample of the source
        self._was_on_bench = False
        self._bench: SimulatedBench | None = None
        if application is not None:
            self._bench = SimulatedBench(
                bundles_of(application), lambda: Stream(source, application, sends_columns=True)
            )

    @property
    def on_bench(self) -> bool:
        """It sends nothing by itself."""
        return self._bench is not None and self._bench.is_taken

    def restarts(self) -> bool:
        """Once, when it is back from the bench."""
        restarts = self._was_on_bench and not self.on_bench
        self._was_on_bench = self.on_bench
        return restarts

    def push(self, first: int, counts: NDArray[np.int32], line: Flag) -> Sequence[Payload]:
        """What these samples of the converter bring about."""
        if self.on_bench:
            self._stream, self._begun_at = Stream(self._source, self._application), first + counts.size
            return ()
        return self._stream.push(first - self._begun_at, counts, line)

    def finish(self) -> Sequence[Payload]:
        """What the end of the recording still gives."""
        return () if self.on_bench else self._stream.finish()

    def answer(self, heard: Heard) -> Sequence[Payload] | None:
        """None where there is nothing to say."""
        if isinstance(heard, Query) and heard.ask == Ask.COLUMNS and heard.item in (0, 1):
            self._stream.sends_columns = heard.item == 1
            return (Answer(ask=heard.ask, item=heard.item, offset=0, n_bytes=0, part=b""),)
        if self._bench is None:
            return None
        said = self._bench.heard(heard)
        self._was_on_bench |= self.on_bench
        return said


def serve(device: Device, stand: Stand, pace: Pace) -> None:
    """Samples are taken whether somebody listens or not; flat out, they wait for somebody."""
    link: Link | None = None
    pace.begin()
    for packet in device.packets():
        while True:
            left_s = pace.left_s(packet.due_index)
            was_alone = link is None
            link = _attended(device, stand, link, min(max(left_s, 0.0), LOOK_S))
            if pace.is_flat_out and was_alone and link is not None:
                link = _attended(device, stand, link, FIRST_QUESTION_S)
            if left_s <= 0 and not (pace.is_flat_out and link is None):
                break
        if link is not None:
            try:
                link.write(b"".join(packet.frames))
            except LinkClosed:
                link.close()
                link = None
    until_s = time.monotonic() + HOST_READS_S
    while link is not None and time.monotonic() < until_s:
        link = _attended(device, stand, link, LOOK_S)


def _attended(device: Device, stand: Stand, link: Link | None, timeout_s: float) -> Link | None:
    """The host there is, answered; or the one that comes."""
    if link is None:
        return stand.host(timeout_s)
    try:
        received = link.read(timeout_s)
        if received:
            link.write(device.asked(received))
    except LinkClosed:
        link.close()
        return None
    return link
