"""R peaks against the annotators: EC57 on MIT-BIH, noise by noise on NSTDB, a public detector beside ours."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.frontend import BEAT_HZ, FrontEnd
from device_sim.rpeaks import RPeaks
from training.beat_classes import CLASS_OF, beats_of
from training.beats import MATCH_S, match
from training.data import mitdb, nstdb
from training.data.place import Place
from training.data.record import Record
from training.jobs import Job, key_of, run_jobs
from training.options import OneLineParser, add_options, workshop_of
from training.progress import teller
from training.provenance import write_json
from training.results_folder import RESULTS, check_folder
from training.workshop import Workshop

LEARN_S = 300  # EC57: the comparison starts after five minutes
DETECTORS = ("wristlead", "xqrs")
VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One detector on one recording, after the first five minutes, ventricular flutter left out."""

    record: str
    detector: str
    found: int
    missed: int
    false: int
    ventricular: int
    ventricular_missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What metrics.json holds."""

    scores: tuple[Score, ...]


def main(argv: Sequence[str]) -> int:
    """Print the tables; 1 when our gross sensitivity or precision is below 99.3 %."""
    parser = OneLineParser(prog="wristlead peaks", description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=RESULTS / "rpeaks", help="folder for metrics.json")
    add_options(parser)
    arguments = parser.parse_args(argv)
    check_folder(arguments.out)
    scores = measure(workshop_of(arguments, teller(sys.stderr)))
    write_json(arguments.out / "metrics.json", Scores(scores=tuple(scores)))
    print(render(scores))
    ours = [s for s in scores if s.detector == DETECTORS[0] and s.record in mitdb.RECORDS]
    return 0 if min(sensitivity(ours), precision(ours)) >= 0.993 else 1


def measure(workshop: Workshop) -> list[Score]:
    """Every recording of MIT-BIH and every noisy one of NSTDB, each detector a job."""
    jobs = [
        Job(
            key=key_of(f"peaks-{name}-{detector}", VERSION, _code_digest(detector)),
            call=_score_job,
            arguments={"data": str(workshop.data), "source": source, "name": name, "detector": detector},
        )
        for source, names in (("mitdb", mitdb.RECORDS), ("nstdb", nstdb.NOISY))
        for name in names
        for detector in DETECTORS
    ]
    documents = run_jobs(jobs, workshop.jobs, workshop.workers, on_done=workshop.count("R peaks"))
    return [Score(**documents[job.key]) for job in jobs]


def _code_digest(detector: str) -> str:
    """Our detector is what it answers to a fixed signal: a finished job is stale when that changes."""
    if detector != DETECTORS[0]:
        return "wfdb"
    noise = np.random.default_rng(1).normal(0, 400, 20_000)
    return str(RPeaks().push(np.convolve(noise, np.ones(5) / 5, "same").astype(np.int16)).sum())


def _score_job(data: str, source: str, name: str, detector: str) -> Mapping[str, Any]:
    room = mitdb if source == mitdb.SOURCE else nstdb
    place: Place = room.find(Path(data))
    record = room.read(place, name)
    peaks_s = ours(record) if detector == DETECTORS[0] else theirs(record)
    return asdict(score(record, peaks_s, detector))


def ours(record: Record) -> NDArray[np.float64]:
    """Seconds into the recording, through the front end as the device runs it."""
    front_end = FrontEnd(rate_hz=record.rate_hz, uv_per_count=record.uv_per_count)
    body, tail = front_end.push(record.counts_i32), front_end.flush()
    detector = RPeaks()
    peaks = np.concatenate([detector.push(body.beat_uv_i16), detector.push(tail.beat_uv_i16)])
    return peaks / BEAT_HZ - front_end.delay_us / 1e6


def theirs(record: Record) -> NDArray[np.float64]:
    """wfdb's xqrs, with its defaults."""
    from wfdb.processing import xqrs_detect

    millivolts = record.counts_i32 * float(record.uv_per_count) / 1000
    found: NDArray[np.int64] = xqrs_detect(millivolts, fs=record.rate_hz, verbose=False)
    return found / record.rate_hz


def score(record: Record, peaks_s: NDArray[np.float64], detector: str) -> Score:
    assert record.annotations is not None
    marks = beats_of(record.annotations)
    truth_s = marks.samples / record.rate_hz
    counted = _counted(record, truth_s)
    truth_s, classes = (
        truth_s[counted],
        [CLASS_OF[s] for s, c in zip(marks.symbols, counted, strict=True) if c],
    )
    peaks_s = peaks_s[_counted(record, peaks_s)]
    partner = match(peaks_s, truth_s, within_s=MATCH_S)
    met = set(partner[partner >= 0].tolist())
    ventricular = [i for i, kind in enumerate(classes) if kind == "V"]
    return Score(
        record=record.name,
        detector=detector,
        found=len(met),
        missed=len(truth_s) - len(met),
        false=int(np.sum(partner < 0)),
        ventricular=len(ventricular),
        ventricular_missed=sum(i not in met for i in ventricular),
    )


def _counted(record: Record, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """After five minutes and outside ventricular flutter, where no beat is marked (EC57 leaves it out)."""
    assert record.annotations is not None
    counted: NDArray[np.bool_] = times_s >= LEARN_S
    start_s = None
    for sample, symbol in zip(record.annotations.samples, record.annotations.symbols, strict=True):
        if symbol == "[":
            start_s = sample / record.rate_hz
        elif symbol == "]" and start_s is not None:
            counted &= (times_s < start_s) | (times_s > sample / record.rate_hz)
            start_s = None
    return counted


def sensitivity(scores: Sequence[Score]) -> float:
    found, missed = sum(s.found for s in scores), sum(s.missed for s in scores)
    return found / max(found + missed, 1)


def precision(scores: Sequence[Score]) -> float:
    found, false = sum(s.found for s in scores), sum(s.false for s in scores)
    return found / max(found + false, 1)


def render(scores: Sequence[Score]) -> str:
    """Gross figures, the recordings that lost most, and the noise table."""
    lines = [
        f"{'48 recordings of MIT-BIH':26} {'Se':>8} {'+P':>8} {'missed':>7} {'false':>6} {'V missed':>14}"
    ]
    for detector in DETECTORS:
        mine = [s for s in scores if s.detector == detector and s.record in mitdb.RECORDS]
        lines.append(
            f"{detector:26} {sensitivity(mine):8.2%} {precision(mine):8.2%} "
            f"{sum(s.missed for s in mine):7} {sum(s.false for s in mine):6} "
            f"{sum(s.ventricular_missed for s in mine):6} of {sum(s.ventricular for s in mine):5}"
        )
    lines += ["", f"{'record':8} {'beats':>6} " + " ".join(f"{d + ' missed/false':>24}" for d in DETECTORS)]
    by = {(s.record, s.detector): s for s in scores}
    worst = sorted(mitdb.RECORDS, key=lambda r: -(by[r, DETECTORS[0]].missed + by[r, DETECTORS[0]].false))
    for record in worst[:12]:
        row = [by[record, detector] for detector in DETECTORS]
        cells = " ".join(f"{s.missed:>15} / {s.false:6}" for s in row)
        lines.append(f"{record:8} {row[0].found + row[0].missed:6} {cells}")
    lines += ["", f"{'NSTDB, em, seen records':26} " + " ".join(f"{d + ' Se / +P':>22}" for d in DETECTORS)]
    for suffix, snr_db in nstdb.SNR_DB.items():
        pairs = [[by[f"{record}e{suffix}", detector] for record in ("118", "119")] for detector in DETECTORS]
        noisy = " ".join(f"{sensitivity(mine):>10.2%} / {precision(mine):9.2%}" for mine in pairs)
        lines.append(f"{f'{snr_db} dB':26} {noisy}")
    return "\n".join(lines)
