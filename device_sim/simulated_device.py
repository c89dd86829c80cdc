"""A device without hardware: a pty or TCP port behind which the core itself computes columns and verdicts."""

import argparse
import itertools
import os
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim import options
from device_sim.contract.bundle import Bundle
from device_sim.files import read_recording
from device_sim.frontend import BEAT_HZ, HOP_SAMPLES, STREAM_HZ, Columns, Flag, FrontEnd
from device_sim.link import BAUD, Link, LinkClosed
from device_sim.link_serve import KINDS, Stand, open_stand
from device_sim.pipeline import Pipeline, open_bundle
from device_sim.runner import Backend, Runner, model_in, open_runner
from device_sim.send import FIRST_QUESTION_S, Pace
from device_sim.send_device import Device, bytes_each_of
from device_sim.sources import Source
from device_sim.synthetic import SyntheticSource
from device_sim.twin import every_tensor
from device_sim.verdict import Verdict
from device_sim.wire import Answer, Ask, Column, Judged, Payload, Query

COMMAND = "wristlead simulate-device"
LOOK_S = 0.05
PART_BYTES = 228  # of an ANSWER
HOST_READS_S = 10.0
EPILOG = f"""\
PORT: {KINDS}.
Without --once the recording begins again at its end, the index goes on, and host after host is served until
ctrl-C. It answers QUERY for HELLO, STATUS, COLUMNS, TENSOR and LAYER, and with a BUNDLE
sends VERDICT frames."""


def main(argv: Sequence[str]) -> int:
    """0 when the recording ended (--once); else ctrl-C ends it."""
    args = _parser().parse_args(argv)
    bundle = None if args.bundle is None else Path(args.bundle)
    source = _source(args)
    chunks = list(source)
    firmware = Firmware(source, None if bundle is None else open_bundle(bundle).bundle)
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
        answers=firmware.answer,
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
    parser.add_argument("bundle", nargs="?", metavar="BUNDLE", help="the network on board")
    parser.add_argument("--port", required=True, help="where it can be reached: see below")
    parser.add_argument("--baud", type=options.baud, metavar="N", help=f"of a serial port (default: {BAUD})")
    parser.add_argument("--record", type=Path, help="what its electrodes see (default: the synthetic ECG)")
    parser.add_argument("--seconds", type=float, metavar="N", help="of the synthetic ECG (default: 30)")
    parser.add_argument("--once", action="store_true", help="END at the end of the recording")
    parser.add_argument("--flat-out", action="store_true", help="as fast as the host reads")
    options.add_file_options(parser)
    options.add_scene_options(parser)
    return parser


def _source(args: argparse.Namespace) -> Source:
    if args.record is not None:
        options.refuse(args, (*options.SCENE_OPTIONS, "seconds"), "--record", command=COMMAND)
        return read_recording(args.record, options.read_as(args)).source()
    options.refuse(args, options.FILE_OPTIONS, "the synthetic ECG", command=COMMAND)
    return SyntheticSource(options.scene_of(args), seed=1 if args.seed is None else args.seed)


class Firmware:
    """What runs on the board: the front end, the network, and a memory that can be asked about."""

    def __init__(self, source: Source, bundle: Bundle | None) -> None:
        self.bundle_sha256 = bytes(32) if bundle is None else bytes.fromhex(bundle.digest)
        self._bundle = bundle
        self._front_end = FrontEnd(
            rate_hz=source.rate_hz, uv_per_count=source.uv_per_count, rails_counts=source.rails_counts
        )
        self._rate_hz = source.rate_hz
        self._n_pushed = 0
        self._last = 0
        self._sends_columns = False
        self._pipeline: Pipeline | None = None
        if bundle is not None:
            self._overheard = Overheard(open_runner(Backend.CORE, model_in(bundle, Backend.CORE)), bundle)
            self._pipeline = Pipeline(bundle, self._overheard, delay_us=self._front_end.delay_us)

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
        """What the end of the recording still gives."""
        rest = self._front_end.flush()
        n_columns = -(-self._n_pushed * STREAM_HZ // (self._rate_hz * HOP_SAMPLES)) - rest.first_index
        n_beats = -(-self._n_pushed * BEAT_HZ // self._rate_hz) - rest.first_beat_index
        due = Columns(
            first_index=rest.first_index,
            codes_ts_i8=rest.codes_ts_i8[: max(0, n_columns)],
            flags_u8=rest.flags_u8[: max(0, n_columns)],
            first_beat_index=rest.first_beat_index,
            beat_uv_i16=rest.beat_uv_i16[: max(0, n_beats)],
        )
        said = self._completed(due)
        if self._pipeline is not None:
            said += map(self._judged, self._pipeline.finish())
        return said

    def answer(self, query: Query) -> Sequence[Payload] | None:
        """None where there is nothing to say."""
        if query.ask == Ask.COLUMNS and query.item in (0, 1):
            self._sends_columns = query.item == 1
            return (Answer(ask=query.ask, item=query.item, offset=0, n_bytes=0, part=b""),)
        if self._bundle is None:
            return None
        graph = self._bundle.graph
        if query.ask == Ask.TENSOR and query.item < len(graph.constants):
            tensor = graph.constants[query.item]
            raw = np.ascontiguousarray(tensor.values).tobytes()
            about = zlib.crc32(raw).to_bytes(4, "little") + tensor.name.encode()
            return (parted(query, about[:PART_BYTES], n_bytes=len(raw))[0],)
        if (
            query.ask == Ask.LAYER
            and query.item < len(graph.operators)
            and self._overheard.window is not None
        ):
            # the core keeps no layer past its last reader; the twin has them all, byte for byte the same
            made = every_tensor(graph, self._overheard.window)[graph.operators[query.item].output]
            return parted(query, made.tobytes(), n_bytes=made.size)
        return None

    def _completed(self, columns: Columns) -> list[Payload]:
        said: list[Payload] = []
        if self._sends_columns:
            said += [
                Column(index=columns.first_index + k, flags=int(flags), codes=codes.tobytes())
                for k, (codes, flags) in enumerate(zip(columns.codes_ts_i8, columns.flags_u8, strict=True))
            ]
        if self._pipeline is not None:
            said += map(self._judged, self._pipeline.push(columns))
        return said

    def _judged(self, verdict: Verdict) -> Judged:
        assert self._bundle is not None
        names = self._bundle.labels.names
        label = names.index(verdict.label) if verdict.label in names else Judged.UNDECIDED
        return Judged(
            window_index=verdict.window_index,
            t0_us=verdict.t0_us,
            label=Judged.UNUSABLE if verdict.by_rule else label,
            score_q15=verdict.score_q15,
            margin_q8=verdict.margin_q8,
            bundle=bytes.fromhex(verdict.bundle_digest[:16]),
            logits=b"" if verdict.by_rule else self._overheard.next(),
        )


def parted(query: Query, whole: bytes, *, n_bytes: int) -> list[Answer]:
    """An answer in as many frames as it takes."""
    return [
        Answer(ask=query.ask, item=query.item, offset=at, n_bytes=n_bytes, part=whole[at : at + PART_BYTES])
        for at in range(0, len(whole), PART_BYTES)
    ]


class Overheard:
    """A runner whose outputs are kept until a verdict wants to show them."""

    def __init__(self, runner: Runner, bundle: Bundle) -> None:
        self._runner = runner
        self._outputs = bundle.graph.outputs
        self._waiting: list[bytes] = []
        self.window: dict[str, NDArray[np.int8]] | None = None  # the last one it was asked about

    def run(self, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, NDArray[np.int8]]:
        outputs = self._runner.run(inputs)
        flat = [outputs[name].reshape(len(outputs[name]), -1) for name in self._outputs]
        self.window = {name: x[-1:].copy() for name, x in inputs.items()}
        self._waiting += [row.tobytes() for row in np.concatenate(flat, axis=1)]
        return outputs

    def next(self) -> bytes:
        """The logits of the next judged window."""
        return self._waiting.pop(0)


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
            if left_s <= LOOK_S and not (pace.is_flat_out and link is None):
                break
        time.sleep(max(0.0, pace.left_s(packet.due_index)))
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
