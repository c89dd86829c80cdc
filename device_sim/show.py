"""Print what a recording holds (rate, leads, gain, duration, rails, marks), or a bundle."""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from device_sim import options
from device_sim.contract.errors import ContractError, printable
from device_sim.files import read_recording
from device_sim.frontend import RATES_HZ
from device_sim.recording import Recording
from device_sim.show_bundle import show_bundle
from device_sim.sources import Gap, Samples

SHOWN_SYMBOLS = 8


def main(argv: Sequence[str]) -> int:
    """0 when the file could be read."""
    args = _parser().parse_args(argv)
    if args.what.is_dir():
        _refuse_file_options(args)
        show_bundle(args.what, as_json=args.json, memory_out=args.memory)
        return 0
    if args.json or args.memory:
        raise ContractError(f"{args.what}: --json and --memory: expected a bundle's folder beside them")
    recording = read_recording(args.what, options.read_as(args))
    for fact, value in facts(recording):
        print(printable(f"{fact:12}{value}"))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = options.OneLineParser(prog="wristlead show", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "what",
        metavar="FILE|BUNDLE",
        type=Path,
        help="what `wristlead run --file` reads, or a bundle's folder",
    )
    options.add_file_options(parser)
    bundle = parser.add_argument_group("a bundle")
    bundle.add_argument("--json", action="store_true", help="everything as one JSON object")
    bundle.add_argument(
        "--memory", type=Path, metavar="F.png", help="the plan of all RAM as a picture (.svg, .pdf) or .json"
    )
    return parser


def _refuse_file_options(args: argparse.Namespace) -> None:
    given = [name for name in ("rate", *options.FILE_OPTIONS) if getattr(args, name) is not None]
    if given:
        raise ContractError(f"{args.what}: --{given[0]}: means nothing to a bundle; leave it out")


def facts(recording: Recording) -> Iterator[tuple[str, str]]:
    """Name and value of everything worth a line."""
    counts_i32 = np.concatenate(
        [chunk.counts_i32 for chunk in recording.chunks if isinstance(chunk, Samples)]
        or [np.zeros(1, np.int32)]
    )
    uv_per_count = float(recording.uv_per_count)
    yield "file", f"{recording.name} ({recording.kind})"
    yield "leads", ", ".join(f"[{lead}]" if lead == recording.lead else lead for lead in recording.leads)
    yield "rate", _rate(recording)
    yield "samples", _duration(recording)
    yield "gain", f"{uv_per_count:g} uV per count, {1000 / uv_per_count:g} counts per mV"
    low_mv, mid_mv, high_mv = (
        float(value) * uv_per_count / 1000
        for value in (counts_i32.min(), np.median(counts_i32), counts_i32.max())
    )
    yield "range", f"{low_mv:.3f} to {high_mv:.3f} mV, median {mid_mv:.3f} mV"
    yield "rails", _rails(recording, counts_i32)
    yield "gaps", _gaps(recording)
    yield "annotations", _annotations(recording)


def _rate(recording: Recording) -> str:
    if recording.rate_hz is None:
        return "not in the file; say --rate HZ"
    supported = recording.rate_hz in RATES_HZ
    return f"{float(recording.rate_hz):g} Hz" + ("" if supported else ", which `wristlead run` does not take")


def _duration(recording: Recording) -> str:
    if recording.rate_hz is None:
        return str(recording.n_samples)
    seconds = float(recording.n_samples / recording.rate_hz)
    return f"{recording.n_samples}, {seconds:.3f} s"


def _rails(recording: Recording, counts_i32: np.ndarray) -> str:  # type: ignore[type-arg]
    if recording.rails_counts is None:
        return "not in the file"
    low, high = recording.rails_counts
    n_low, n_high = int(np.count_nonzero(counts_i32 <= low)), int(np.count_nonzero(counts_i32 >= high))
    return f"{low} and {high} counts; {n_low} samples at the lower, {n_high} at the upper"


def _gaps(recording: Recording) -> str:
    gaps = [chunk for chunk in recording.chunks if isinstance(chunk, Gap)]
    return f"{len(gaps)}, {sum(gap.n_samples for gap in gaps)} samples" if gaps else "none"


def _annotations(recording: Recording) -> str:
    if recording.annotations is None:
        return "none"
    symbols = Counter(recording.annotations.symbols)
    shown = ", ".join(f"{symbol} {n}" for symbol, n in symbols.most_common(SHOWN_SYMBOLS))
    more = ", .." if len(symbols) > SHOWN_SYMBOLS else ""
    return f"{len(recording.annotations.symbols)}: {shown}{more}"
