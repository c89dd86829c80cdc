"""Compare a device with its bundle or cascade: its flash, every layer of every golden window, its stream."""

import argparse
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from device_sim import options, twin
from device_sim.bench import Bench, Stepped
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from device_sim.contract.errors import ContractError, DigestError
from device_sim.fingerprint import stretch
from device_sim.frontend import FrontEnd
from device_sim.judged import bare, judged_of
from device_sim.link import BAUD
from device_sim.link_meet import WAIT_S
from device_sim.on_board import constants_on_board
from device_sim.pipeline import OpenBundle, open_bundle
from device_sim.plan import plan
from device_sim.program import program
from device_sim.requant import Family
from device_sim.vectors import read_vectors
from device_sim.wire import Column, Judged

SECONDS = 12
COMMAND = "wristlead verify"
MORE = 8  # constants than the bundle has: enough to tell that they are not its own
LEAST_SECONDS = 3  # a column is complete 2.45 s after its centre
EPILOG = """\
First the CRC-32 of every constant in the device's flash; then the bundle's golden windows, layer by layer;
then a stretch of ECG through the whole device. The first difference is named and ends the comparison.
Exit code: 0 everything is equal, 1 something differs, 2 the request made no sense or nobody answered."""


def main(argv: Sequence[str]) -> int:
    """0 when every byte is the bundle's."""
    args = _parser().parse_args(argv)
    if not 0 < args.wait < float("inf"):
        raise ContractError(f"{COMMAND}: expected --wait above 0, got {args.wait:g}")
    if args.seconds and not LEAST_SECONDS <= args.seconds <= 3600:
        raise ContractError(
            f"{COMMAND}: --seconds: expected 0 or {LEAST_SECONDS}..3600, before which no column is complete, "
            f"got {args.seconds:g}"
        )
    with (
        open_bundle(args.bundle) as opened,
        Bench(args.port, baud=args.baud or BAUD, wait_s=args.wait) as bench,
    ):
        check_digest(bench, opened.application)
        print(f"{bench.name}: firmware {bench.hello.firmware!r}, bundle {opened.application.digest[:12]}")
        for result in compared(bench, opened, seconds=args.seconds):
            print(result.words, flush=True)
            if not result.is_equal:
                return 1
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
        "bundle", metavar="BUNDLE", help="folder of the bundle or cascade it was flashed with"
    )
    parser.add_argument("--port", required=True, help="a device: /dev/ttyACM0, a pty, socket://HOST:PORT")
    parser.add_argument("--baud", type=options.baud, metavar="N", help=f"bits per second (default: {BAUD})")
    parser.add_argument(
        "--wait",
        type=float,
        default=WAIT_S,
        metavar="S",
        help=f"how long its HELLO is waited for (default: {WAIT_S:g})",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="N",
        help=f"of ECG through its stream (default: {SECONDS}; 0: none)",
    )
    return parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One comparison: what was compared and found equal, or the first difference."""

    is_equal: bool
    words: str


def check_digest(bench: Bench, application: Bundle | Cascade) -> None:
    """A device that carries something else is not compared: flashing it is the first thing to do."""
    found = bench.hello.bundle_sha256
    if found != bytes.fromhex(application.digest):
        carries = f"bundle {found.hex()[:12]}" if any(found) else "no network"
        raise DigestError(
            f"{bench.name}: expected bundle {application.digest[:12]} on board, HELLO says {carries}; "
            "flash the firmware of this bundle, or name the other bundle"
        )


def compared(bench: Bench, opened: OpenBundle, *, seconds: float) -> Iterator[Result]:
    """Constants and windows of each network, then the stream; a caller ends with the first that differs."""
    for number, bundle in enumerate(opened.bundles, start=1):
        bench.take(number)
        of = f"{bundle.name}: " if len(opened.bundles) > 1 else ""
        for result in network_compared(bench, bundle):
            yield replace(result, words=of + result.words)
    if seconds:
        bench.take(1)
        yield stream_compared(bench, opened, seconds)
    else:
        yield Result(is_equal=True, words="stream: not compared (--seconds 0)")


def network_compared(bench: Bench, bundle: Bundle) -> Iterator[Result]:
    """The network on the bench."""
    yield constants_compared(bench, bundle)
    yield from windows_compared(bench, bundle)


def constants_compared(bench: Bench, bundle: Bundle) -> Result:
    """By name; all that differ."""
    graph = bundle.graph
    expected = {one.name: one.raw for one in constants_on_board(graph, program(graph, plan(graph)))}
    on_bench = list(bench.constants(len(expected) + MORE))
    found = {one.name: one for one in on_bench}
    faults = [f"{name!r} is not on board" for name in expected if name not in found]
    faults += [f"{name!r} is on board and not in the bundle" for name in found if name not in expected]
    for name in filter(found.__contains__, expected):
        crc32, raw, on_board = zlib.crc32(expected[name]), expected[name], found[name]
        if (on_board.n_bytes, on_board.crc32) != (len(raw), crc32):
            faults.append(
                f"{name!r}: expected CRC-32 {crc32:08x} of {len(raw)} bytes, "
                f"got {on_board.crc32:08x} of {on_board.n_bytes}"
            )
    if len(on_bench) > len(found) or len(on_bench) == len(expected) + MORE:
        faults.append(f"expected {len(expected)} of them, each once, got more")
    if faults:
        return Result(is_equal=False, words=f"constants: {'; '.join(faults)}; flash the device again")
    n_bytes = sum(map(len, expected.values()))
    return Result(is_equal=True, words=f"constants: {len(expected)}, {n_bytes:,} bytes: every CRC-32 equal")


def windows_compared(bench: Bench, bundle: Bundle) -> Iterator[Result]:
    """Every layer of every golden window by its CRC-32, bytes where that differs; cycles of each layer."""
    graph, names = bundle.graph, [one.output for one in bundle.graph.operators]
    inputs, outputs = read_vectors(bundle, Family.F1)
    n_windows = len(next(iter(inputs.values())))
    cycles = np.zeros(len(names), np.int64)
    for window in range(n_windows):
        one = {name: x[window : window + 1] for name, x in inputs.items()}
        made = twin.every_tensor(graph, one)
        for number, name in enumerate(graph.inputs):
            bench.put(number, one[name].tobytes())
        for layer, name in enumerate(names):
            stepped, expected = bench.step(layer), made[name].tobytes()
            cycles[layer] += stepped.cycles
            words = _difference(bench, layer, stepped, expected)
            if words:
                where = f"window {window}, layer {graph.operators[layer].name!r}"
                yield Result(is_equal=False, words=f"{where}: {words}")
                return
        logits = b"".join(outputs[name][window].tobytes() for name in graph.outputs)
        fault = _field_that_differs(bare(window, bundle, logits), bench.logits(window))
        if fault:
            yield Result(is_equal=False, words=f"window {window}, VERDICT: {fault}")
            return
    words = f"windows: {n_windows}, {len(names)} layers and a VERDICT each: every byte equal"
    yield Result(is_equal=True, words=words)
    if cycles.any():
        yield Result(is_equal=True, words=_stages([one.name for one in graph.operators], cycles // n_windows))


def stream_compared(bench: Bench, opened: OpenBundle, seconds: float) -> Result:
    """A stretch of ECG into the device in place of its converter's; its columns and verdicts."""
    hello = bench.hello
    counts = _counts(hello.rate_hz, seconds)
    front_end = FrontEnd(
        rate_hz=hello.rate_hz, uv_per_count=hello.uv_per_count, rails_counts=hello.rails_counts
    )
    columns = front_end.push(counts)
    of = {bundle.digest: bundle for bundle in opened.bundles}
    pipeline = opened.pipeline(delay_us=front_end.delay_us)
    verdicts = [judged_of(verdict, of[verdict.bundle_digest]) for verdict in pipeline.push(columns)]
    cycles = bench.feed(counts)
    said_columns = [one for one in bench.heard if isinstance(one, Column)]
    said = [one for one in bench.heard if isinstance(one, Judged)]
    fault = _column_that_differs(columns.codes_ts_i8, columns.flags_u8, said_columns)
    fault = fault or _verdict_that_differs(verdicts, said)
    if fault:
        return Result(is_equal=False, words=f"stream: {fault}")
    words = (
        f"stream: {seconds:g} s at {hello.rate_hz} Hz: {len(said_columns)} columns "
        f"and {len(said)} verdicts: every byte equal"
    )
    if cycles:
        words += f"; {cycles:,} cycles"
    return Result(is_equal=True, words=words)


def _counts(rate_hz: int, seconds: float) -> NDArray[np.int32]:
    whole = stretch(rate_hz, max(1, int(np.ceil(seconds))))
    return whole[: round(seconds * rate_hz)]


def _difference(bench: Bench, layer: int, stepped: Stepped, expected: bytes) -> str:
    """Of a layer; its bytes are asked for only where the CRC-32 of as many differs."""
    if stepped.n_bytes != len(expected):
        return f"expected {len(expected)} bytes, found {stepped.n_bytes}"
    if stepped.crc32 == zlib.crc32(expected):
        return ""
    return _first_difference(expected, bench.output(layer, len(expected)))


def _first_difference(expected: bytes, found: bytes) -> str:
    if len(expected) != len(found):
        return f"expected {len(expected)} bytes, found {len(found)}"
    for at, (wanted, got) in enumerate(zip(_signed(expected), _signed(found), strict=True)):
        if wanted != got:
            return f"byte {at}: expected {wanted}, found {got}"
    return "its CRC-32 differs and its bytes do not: the line or the device's memory is not to be trusted"


def _signed(raw: bytes) -> list[int]:
    codes: list[int] = np.frombuffer(raw, np.int8).tolist()
    return codes


def _field_that_differs(expected: Judged, found: Judged) -> str:
    """Everything but the cycles, which are the device's own affair."""
    for field in fields(Judged):
        wanted, got = getattr(expected, field.name), getattr(found, field.name)
        if field.name == "cycles" or wanted == got:
            continue
        if field.name == "logits":
            return f"logits: {_first_difference(wanted, got)}"
        return f"{field.name}: expected {wanted!r}, found {got!r}"
    return ""


def _column_that_differs(
    codes_ts_i8: NDArray[np.int8], flags_u8: NDArray[np.uint8], found: Sequence[Column]
) -> str:
    by_index = {column.index: column for column in found}
    for index, (codes, flags) in enumerate(zip(codes_ts_i8, flags_u8.tolist(), strict=True)):
        column = by_index.get(index)
        if column is None:
            return f"column {index} of {len(flags_u8)} never came"
        if column.flags != flags:
            return f"column {index}: flags: expected {flags}, found {column.flags}"
        if column.codes != codes.tobytes():
            return f"column {index}, row {_first_difference(codes.tobytes(), column.codes)[5:]}"
    if len(found) != len(flags_u8):
        return f"expected {len(flags_u8)} columns, found {len(found)}"
    return ""


def _verdict_that_differs(expected: Sequence[Judged], found: Sequence[Judged]) -> str:
    for wanted, got in zip(expected, found, strict=False):
        fault = _field_that_differs(wanted, got)
        if fault:
            return f"VERDICT {wanted.window_index}: {fault}"
    if len(expected) != len(found):
        return f"expected {len(expected)} verdicts, found {len(found)}"
    return ""


def _stages(names: Sequence[str], cycles: NDArray[np.int64]) -> str:
    rows: Mapping[str, int] = {**dict(zip(names, cycles.tolist(), strict=True)), "all": int(cycles.sum())}
    width = max(map(len, rows))
    lines = [f"  {name:{width}}  {n:>12,}" for name, n in rows.items()]
    return "\n".join(["cycles a window, as the device counts them:", *lines])
