"""Stream an ECG through the front end and a bundle: JSON lines on stdout, what a person reads on stderr."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from device_sim import options
from device_sim.contract.errors import ContractError
from device_sim.link_source import LinkSource
from device_sim.meter import Meter
from device_sim.picture import ENDINGS, check_drawable, draw
from device_sim.pipeline import OpenBundle, open_bundle
from device_sim.play import Keep, Played, play
from device_sim.replay import PERCENTILES, Report, Stride, flag_names, time_of_column_us
from device_sim.runner import Backend
from device_sim.sources import Gap, Samples, Source
from device_sim.trace import check_writable
from device_sim.verdict_files import VerdictFiles, annotation_paths, verdict_files
from device_sim.verdict_lines import VerdictLines

if TYPE_CHECKING:
    from device_sim.report_subject import Subject

EPILOG = """\
With a bundle a line per window or beat: t0_us (its begin; a beat's R peak is half a second later), label,
score (calibrated, 0..1: anything but the first label), margin_q8 (codes to the nearest threshold, times 256;
negative: undecided), by (the network, or the rule that bars what is too flagged), columns per flag, digest.
--csv and --annotations keep them as files, whole also where ctrl-C ends the run.
The bundle's own vectors are run first: a backend that does not reproduce them does not start.
Without one a line per second: t_us and column of its first column, columns per flag, mean level per band in
dB above 1 uV (bands in Hz; hf and lf lie above and below), peak to peak of the 128 Hz beat stream in uV.
With --columns a line per column, every 62.5 ms: its flags and 32 codes, code = 20 log2(uV) - 128.
Exit code: 0 done, 2 the request or its input made no sense (one line on stderr says why)."""

INTERRUPTED = 130  # 128 + SIGINT, as a shell counts: a device streams until somebody stops it


def main(argv: Sequence[str]) -> int:
    """0 when the source was read to its end."""
    args = options.with_bundle(_parser().parse_args(argv))
    if args.report is None:
        options.refuse(args, ("cost", "changed"), "a run without --report")
    _check_outputs(args)
    source = options.source_of(args)
    with ExitStack() as stack:
        opened = stack.enter_context(_opened(args)) if args.bundle else None
        subject = _subject(args, opened) if opened and args.report else None
        if isinstance(source, LinkSource):
            stack.enter_context(source.stopping_at_interrupt())
        on_chunk = stack.enter_context(_progress(source, args.seconds))
        meter = Meter(opened.bundles) if opened and args.stats else None
        started_s = time.process_time()
        files = stack.enter_context(_verdict_files(args, opened, source)) if opened else None
        played = _run(source, args, opened, files, meter, on_chunk)
        elapsed_s = time.process_time() - started_s
    written = [*_write(played, opened, subject, args), *(files.paths if files else ())]
    print(_summary(played.report, played.lines, elapsed_s, written), file=sys.stderr)
    if meter is not None:
        print("\n".join(meter.lines(played.report.seconds)), file=sys.stderr)
    if subject is not None and subject.budget is not None:
        print(subject.budget_line(), file=sys.stderr)
    if not isinstance(source, LinkSource):
        return 0
    print(source.summary(), file=sys.stderr)
    return INTERRUPTED if source.interrupted else 0


def _parser() -> argparse.ArgumentParser:
    parser = options.OneLineParser(
        prog="wristlead run",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    network = parser.add_argument_group("the network")
    network.add_argument("bundle", nargs="?", metavar="BUNDLE", help="folder written by `wristlead export`")
    network.add_argument(
        "--backend",
        choices=[backend.value for backend in Backend],
        help="who runs it (default: core); the public runtimes in a process of their own",
    )
    options.add_source_options(parser)
    options.add_port_options(parser)
    options.add_file_options(parser)
    options.add_scene_options(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--stats",
        action="store_true",
        help="how long verdicts took on this machine, by its clock, played column by column; and memory",
    )
    output.add_argument("--columns", action="store_true", help="a line per column instead of one per second")
    output.add_argument("--out", type=Path, metavar="F.npz", help="all columns, flags and beats")
    output.add_argument("--beats-out", type=Path, metavar="F.npy", help="the 128 Hz beat stream, int16 uV")
    output.add_argument(
        "--picture", type=Path, metavar="F.png", help="ECG, scalogram, flags, verdicts (or .svg, .pdf)"
    )
    output.add_argument("--csv", type=Path, metavar="F.csv", help="verdicts as a table")
    output.add_argument(
        "--annotations",
        type=Path,
        metavar="FOLDER",
        help="verdicts as WFDB annotations: RECORD.qual (~ where quality changes), RECORD.beat (N, V, S, F)",
    )
    output.add_argument(
        "--report", type=Path, metavar="F.html", help="one page with all of it, and what the bundle costs"
    )
    options.add_evidence_options(parser)
    return parser


def _check_outputs(args: argparse.Namespace) -> None:
    for option, value in (("--csv", args.csv), ("--annotations", args.annotations), ("--stats", args.stats)):
        if value and not args.bundle:
            raise ContractError(f"wristlead run: {option}: expected a bundle, whose verdicts it is about")
    for path, endings in (
        (args.out, (".npz",)),
        (args.beats_out, (".npy",)),
        (args.picture, ENDINGS),
        (args.csv, (".csv",)),
        (args.report, (".html", ".htm")),
    ):
        if path is not None:
            check_writable(path, endings)
    if args.picture is not None:
        check_drawable(args.picture)


def _opened(args: argparse.Namespace) -> OpenBundle:
    if args.columns:
        raise ContractError("wristlead run: --columns: means nothing beside a bundle; leave one of them out")
    return open_bundle(args.bundle, args.backend or Backend.CORE)


@contextmanager
def _verdict_files(args: argparse.Namespace, opened: OpenBundle, source: Source) -> Iterator[VerdictFiles]:
    """The files that verdicts go to as they are said; who stops the run is told what was kept."""
    bundles = opened.bundles
    annotations: tuple[Path, ...] = ()
    if args.annotations is not None:
        annotations = annotation_paths(bundles, args.annotations, source.name)
    paths = (*annotations, *([args.csv] if args.csv else ()))
    try:
        with verdict_files(bundles, table=args.csv, annotations=annotations, rate_hz=source.rate_hz) as files:
            yield files
    except KeyboardInterrupt:
        print("\n".join(f"wrote {path}, as far as it was read" for path in paths), file=sys.stderr)
        raise


def _run(
    source: Source,
    args: argparse.Namespace,
    opened: OpenBundle | None,
    files: VerdictFiles | None,
    meter: Meter | None,
    on_chunk: Callable[[Samples | Gap], None],
) -> Played:
    def write_records(stride: Stride, delay_us: int) -> None:
        records = column_records(stride, delay_us) if args.columns else [stride_record(stride)]
        for record in records:
            _write_line(json.dumps(record))

    return play(
        source,
        opened,
        seconds=args.seconds,
        keep=Keep(
            columns=args.out is not None or args.beats_out is not None,
            samples=args.picture is not None or args.report is not None,
            by_the_second=args.report is not None,
        ),
        write=_write_line,
        files=files,
        meter=meter,
        on_chunk=on_chunk,
        **({} if opened else {"on_stride": write_records}),
    )


def _write_line(line: str) -> None:
    print(line, flush=True)  # who reads a live pipe sees each second as it ends


def stride_record(stride: Stride) -> dict[str, object]:
    """One second as a JSON object."""
    beats = stride.beat_uv_i16
    return {
        "t_us": stride.t_us,
        "column": stride.first_index,
        "n_columns": stride.n_columns,
        "flags": stride.flag_columns(),
        "level_dbuv": stride.level_dbuv(),
        "beat_pp_uv": int(beats.max()) - int(beats.min()) if beats.size else 0,
    }


def column_records(stride: Stride, delay_us: int) -> Iterator[dict[str, object]]:
    """Each column of a second as a JSON object."""
    for offset, (codes, flags) in enumerate(zip(stride.codes_ts_i8, stride.flags_u8, strict=True)):
        column = stride.first_index + offset
        yield {
            "t_us": time_of_column_us(column, delay_us),
            "column": column,
            "flags": flag_names(int(flags)),
            "codes": codes.tolist(),
        }


def _subject(args: argparse.Namespace, opened: OpenBundle) -> "Subject":
    """What the page will be about; a run without one does not pay for its modules."""
    from device_sim.report_subject import subject_of

    return subject_of(opened.application, args.bundle, cost=args.cost, changed=args.changed)


def _write(
    played: Played, opened: OpenBundle | None, subject: "Subject | None", args: argparse.Namespace
) -> list[Path]:
    trace, lines = played.trace, played.lines
    if args.out is not None:
        trace.write_npz(args.out)
    if args.beats_out is not None:
        trace.write_beats(args.beats_out)
    if args.picture is not None:
        draw(trace, args.picture, lines.lanes() if lines else ())
    if args.report is not None:
        from device_sim.report import write_report

        write_report(args.report, played, opened.backend if opened else "", subject)
    return [path for path in (args.out, args.beats_out, args.picture, args.report) if path is not None]


@contextmanager
def _progress(source: Source, seconds: float | None) -> Iterator[Callable[[Samples | Gap], None]]:
    """A bar for a person who waits; where the lines themselves pass by on the screen, none."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda chunk: None
        return
    from rich.console import Console
    from rich.progress import Progress

    total = source.n_samples
    if seconds is not None:
        wanted = round(seconds * source.rate_hz)
        total = wanted if total is None else min(total, wanted)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(source.name, total=total)
        yield lambda chunk: bar.advance(task, chunk.n_samples)


def _summary(report: Report, verdicts: VerdictLines | None, elapsed_s: float, written: list[Path]) -> str:
    """What a person wants to know at the end."""
    lines = [
        f"{report.name}, lead {report.lead}, {report.rate_hz} Hz: {report.seconds:.1f} s, "
        f"{report.n_columns} columns, {report.n_beat_samples} beat samples"
    ]
    if report.n_gaps:
        guess = f", {report.n_estimated_gaps} of them estimated" if report.n_estimated_gaps else ""
        lines.append(f"gaps: {report.n_gaps} with {report.n_gap_samples} samples{guess}")
    flagged = [f"{name} {share:.1%}" for name, share in report.flag_shares.items() if share]
    lines.append(f"flags: {', '.join(flagged) or 'none'}")
    percents = "/".join(map(str, PERCENTILES))
    lines.append(f"level in dB above 1 uV, {percents} % of the columns, by band in Hz:")
    lines.append("  " + "  ".join(_band(name, levels) for name, levels in report.band_dbuv.items()))
    timing = f"front end: {report.times_real_time:,.0f} x real time"
    if verdicts is not None:
        lines.extend(verdicts.summary())
        apart = verdicts.timing()
        what = "front end" if apart else "the core's stream"
        timing = (
            f"{what}: {report.times_real_time:,.0f} x real time; {apart}"
            f"all of it {report.seconds / elapsed_s:,.0f} x real time"
        )
    lines.append(f"{timing}, by the processor's time")
    lines.extend(f"wrote {path}" for path in written)
    return "\n".join(lines)


def _band(name: str, levels: tuple[float, ...]) -> str:
    return f"{name} {'/'.join(f'{level:.0f}' for level in levels)}"
