"""Judge beats behind the quality gate, under recorded noise that comes in bursts.

DS1 under noise of NSTDB's validation minutes is where the gate was chosen. DS2 under noise of its test
minutes, which taught and chose nothing, is opened once per pair of bundles and form, and logged.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from device_sim.frontend import BEAT_HZ
from training.beat_classes import CLASS_OF
from training.beats import MATCH_S, match
from training.bursts import BurstSpec, bursts_of, clean_uv, is_inside, with_bursts
from training.data import mitdb, nstdb
from training.data.record import Record
from training.gate import N_AROUND, GateForm, How, gate_q8
from training.heard import Heard, Pair, hear, heard_from_json, heard_to_json, read_pair
from training.jobs import Job, key_of, run_jobs
from training.metrics import Confusion, confusion
from training.noise_parts import read_shelf
from training.options import OneLineParser, add_options, workshop_of
from training.progress import teller
from training.protocols.beat_verdict import ABNORMAL
from training.protocols.gating_figure import draw_sweep
from training.protocols.gating_report import (
    GOAL_COVERAGE,
    GOAL_RECOVERED,
    MAIN,
    READY_MADE,
    FormRow,
    GatedRecord,
    GatingMetrics,
    SweepRow,
    coverage,
    recovered,
    render,
    sum_of,
)
from training.provenance import write_json
from training.quality_splits import TRAIN_RECORDS, Part
from training.results_folder import GATING_DS2, METRICS, OPENINGS, RESULTS, log_opening
from training.splits import DS1, DS2
from training.workshop import Workshop

Side = Literal["DS1", "DS2"]
RECORDS: Mapping[Side, Sequence[str]] = {"DS1": DS1, "DS2": DS2}
PART: Mapping[Side, Part] = {"DS1": "validation", "DS2": "test"}
CLEAN = ("none", 0)
KINDS = ("ma", "em", "bw")
SEEN = ("118", "119")  # PhysioNet's own mixes: their noise and DS1's hearts taught our nets
CHOOSING = (MAIN, ("em", 6))
CHOSEN = GateForm(how="mean", n_windows=3)
HOWS: tuple[How, ...] = ("mean", "best", "worst", "newest")
SHARES_KEPT = (0.75, 0.65)  # where forms are compared
SWEPT_CODES = range(-120, 125, 4)
SPEC = BurstSpec()
VERSION = "1"
Condition = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Detected beats and those nobody detected, with what is true and what is said of each."""

    at: NDArray[np.int64]  # 128 Hz sample
    classes: NDArray[np.str_]  # EC57; "-": a detection that is no beat
    abnormal: NDArray[np.bool_]  # said; nothing is said of a beat that was not detected

    @property
    def is_beat(self) -> NDArray[np.bool_]:
        return ~np.isin(self.classes, ("-", "Q"))

    def judged(self, kept: NDArray[np.bool_]) -> Confusion:
        """As P3 counts: a beat not found is called normal, a false detection called normal is nothing."""
        counted = kept & (self.is_beat | ((self.classes == "-") & self.abnormal))
        return confusion(np.isin(self.classes[counted], ABNORMAL), self.abnormal[counted])


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One recording in one noise, heard and matched with its marks."""

    record: str
    kind: str
    snr_db: int
    heard: Heard
    answers: Answers
    clean: Answers
    in_burst: NDArray[np.bool_]  # of the answers
    hours: float

    def gated(self, form: GateForm, accept_q8: int) -> GatedRecord:
        def is_open(at: NDArray[np.int64]) -> NDArray[np.bool_]:
            return gate_q8(form, self.heard.quality_codes, self.heard.quality_usable, at) >= accept_q8

        kept, beat = is_open(self.answers.at), self.answers.is_beat
        abnormal = np.isin(self.answers.classes, ABNORMAL)
        seconds = np.arange(round(self.hours * 3600)) * BEAT_HZ
        return GatedRecord(
            record=self.record,
            kind=self.kind,
            snr_db=self.snr_db,
            clean=self.clean.judged(np.ones(len(self.clean.at), np.bool_)),
            clean_where_open=self.clean.judged(is_open(self.clean.at)),
            noisy=self.answers.judged(np.ones(len(kept), np.bool_)),
            gated=self.answers.judged(kept),
            n_beats=int(beat.sum()),
            n_accepted=int((beat & kept).sum()),
            n_normal_rejected=int((beat & ~kept & ~abnormal).sum()),
            n_abnormal_rejected=int((beat & ~kept & abnormal).sum()),
            n_in_bursts=int((beat & self.in_burst).sum()),
            n_accepted_in_bursts=int((beat & kept & self.in_burst).sum()),
            hours=self.hours,
            open_share=float(is_open(seconds).mean()),
        )


def main(argv: Sequence[str]) -> int:
    """Print the tables of one side; 1 when the goal is missed."""
    parser = OneLineParser(prog="wristlead gating", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "side", choices=tuple(RECORDS), help="DS1: where the gate was chosen; DS2: opened, logged"
    )
    parser.add_argument("--quality", type=Path, default=Path("models/quality-tiny"), metavar="BUNDLE")
    parser.add_argument("--beats", type=Path, default=Path("models/beat-tiny"), metavar="BUNDLE")
    parser.add_argument("--out", type=Path, default=RESULTS / "gating", help="folder for tables and picture")
    parser.add_argument("--openings", type=Path, default=RESULTS / OPENINGS, help="log of openings")
    add_options(parser)
    arguments = parser.parse_args(argv)
    pair = read_pair(arguments.quality, arguments.beats)
    workshop = workshop_of(arguments, teller(sys.stderr))
    metrics = judge_gate(arguments.side, arguments.quality, arguments.beats, pair, workshop)
    if arguments.side == "DS2":
        digests = [pair.quality.digest, pair.beats.digest]
        log_opening(arguments.openings, recipe=f"gating, {CHOSEN}", protocol="gating", weights_sha256=digests)
    write_json(arguments.out / (METRICS if arguments.side == "DS1" else GATING_DS2), metrics)
    draw_sweep(arguments.out / f"sweep-{arguments.side.lower()}.png", metrics)
    print(render(metrics))
    main_noise = [one for one in metrics.records if (one.kind, one.snr_db) == MAIN]
    return 0 if recovered(main_noise) >= GOAL_RECOVERED and coverage(main_noise) >= GOAL_COVERAGE else 1


def judge_gate(side: Side, quality: Path, beats: Path, pair: Pair, workshop: Workshop) -> GatingMetrics:
    """Every recording of a side in every noise."""
    conditions = CHOOSING if side == "DS1" else tuple(product(KINDS, nstdb.SNR_DB.values()))
    cases = _cases(side, conditions, quality, beats, pair, workshop)
    return GatingMetrics(
        protocol="gating",
        side=side,
        noise_part=PART[side],
        quality=f"{pair.quality.name} {pair.quality.digest[:12]}",
        beats=f"{pair.beats.name} {pair.beats.digest[:12]}",
        form=str(CHOSEN),
        accept_q8=pair.accept_q8,
        burst_share=SPEC.share,
        shortest_s=SPEC.shortest_s,
        longest_s=SPEC.longest_s,
        taught_quality=tuple(name for name in RECORDS[side] if name in TRAIN_RECORDS),
        records=tuple(case.gated(CHOSEN, pair.accept_q8) for case in cases),
        sweep=tuple(sweep([case for case in cases if (case.kind, case.snr_db) == MAIN])),
        forms=tuple(compare_forms(cases)) if side == "DS1" else None,
    )


def sweep(cases: Sequence[Case]) -> list[SweepRow]:
    """Every threshold of the chosen form."""
    rows = []
    for code in SWEPT_CODES:
        records = [case.gated(CHOSEN, code << 8) for case in cases]
        gated, hours = sum_of(records, lambda one: one.gated), sum(one.hours for one in records)
        rows.append(
            SweepRow(
                accept_q8=code << 8,
                coverage=coverage(records),
                open_share=sum(one.open_share * one.hours for one in records) / hours,
                balanced_accuracy=gated.balanced_accuracy,
                missed_per_hour=gated.fn / hours,
                rejected_per_hour=sum(one.n_abnormal_rejected for one in records) / hours,
                false_alarms_per_hour=gated.fp / hours,
            )
        )
    return [row for row in rows if row.coverage > 0.05]  # with nothing kept there is nothing to rate


def compare_forms(cases: Sequence[Case]) -> list[FormRow]:
    """What each form gives back where it keeps the same share of the beats; thresholds in steps of a code."""
    rows = []
    for (kind, snr_db), kept in product(CHOOSING, SHARES_KEPT):
        same = [case for case in cases if (case.kind, case.snr_db) == (kind, snr_db)]
        for form in (GateForm(how=how, n_windows=n) for how in HOWS for n in range(1, N_AROUND + 1)):
            if form.n_windows == 1 and form.how != "newest":
                continue  # of one window they are all the same
            accept_q8 = _keeping(kept, form, same)
            rows.append(
                FormRow(
                    form=str(form),
                    kind=kind,
                    snr_db=snr_db,
                    coverage=kept,
                    accept_q8=accept_q8,
                    recovered=recovered([case.gated(form, accept_q8) for case in same]),
                )
            )
    return rows


def _keeping(share: float, form: GateForm, cases: Sequence[Case]) -> int:
    """The threshold that keeps this share of the beats."""
    said = np.concatenate(
        [
            gate_q8(form, case.heard.quality_codes, case.heard.quality_usable, case.answers.at)[
                case.answers.is_beat
            ]
            for case in cases
        ]
    )
    return int(np.sort(said)[round((1 - share) * len(said))])


def _cases(
    side: Side,
    conditions: Sequence[Condition],
    quality: Path,
    beats: Path,
    pair: Pair,
    workshop: Workshop,
) -> list[Case]:
    """Every job finished, every answer beside its truth; conditions in the order asked for."""
    wanted = [(name, *condition) for condition in (CLEAN, *conditions) for name in RECORDS[side]]
    if side == "DS2":
        wanted += [(name, READY_MADE, snr_db) for snr_db in nstdb.SNR_DB.values() for name in SEEN]
        wanted += [(name, *CLEAN) for name in SEEN]
    jobs = {
        one: Job(
            key=key_of(
                f"gating-{one[0]}-{one[1].split(',')[0]}-{one[2]}",
                *(VERSION, one, PART[side], SPEC, pair.quality.digest, pair.beats.digest),
            ),
            call=_hear_job,
            arguments={
                "data": str(workshop.data),
                "name": one[0],
                "kind": one[1],
                "snr_db": one[2],
                "part": PART[side],
                "quality": str(quality.resolve()),
                "beats": str(beats.resolve()),
            },
        )
        for one in wanted
    }
    documents = run_jobs(
        list(jobs.values()), workshop.jobs, workshop.workers, on_done=workshop.count("gating")
    )
    heard = {one: heard_from_json(documents[job.key]) for one, job in jobs.items()}
    place = mitdb.find(workshop.data)
    records = {name: mitdb.read(place, name) for name in dict.fromkeys(one[0] for one in wanted)}
    return [
        _case(records[name], kind, snr_db, heard[name, kind, snr_db], heard[name, *CLEAN])
        for name, kind, snr_db in wanted
        if (kind, snr_db) != CLEAN
    ]


def _case(record: Record, kind: str, snr_db: int, heard: Heard, clean: Heard) -> Case:
    answers = matched(record, heard)
    times_s = answers.at / BEAT_HZ - heard.delay_s
    in_burst = (
        np.zeros(len(times_s), np.bool_)
        if kind == READY_MADE
        else is_inside(times_s, bursts_of(record, SPEC))
    )
    return Case(
        record=record.name,
        kind=kind,
        snr_db=snr_db,
        heard=heard,
        answers=answers,
        clean=matched(record, clean),
        in_burst=in_burst,
        hours=record.duration_s / 3600,
    )


def matched(record: Record, heard: Heard) -> Answers:
    """Each detection with the mark it meets, then the marks that none met."""
    assert record.annotations is not None
    marks = [
        (at, CLASS_OF[symbol])
        for at, symbol in zip(record.annotations.samples.tolist(), record.annotations.symbols, strict=True)
        if symbol in CLASS_OF
    ]
    truth_s = np.array([at for at, _kind in marks]) / record.rate_hz
    truth = np.array([kind for _at, kind in marks])
    partner = match(heard.peaks / BEAT_HZ - heard.delay_s, truth_s, within_s=MATCH_S)
    missed = np.setdiff1d(np.arange(len(truth)), partner)
    missed_at = np.rint((truth_s[missed] + heard.delay_s) * BEAT_HZ).astype(np.int64)
    return Answers(
        at=np.concatenate([heard.peaks, missed_at]),
        classes=np.concatenate([np.where(partner >= 0, truth[partner], "-"), truth[missed]]),
        abnormal=np.concatenate([heard.abnormal, np.zeros(len(missed), np.bool_)]),
    )


def _hear_job(
    data: str, name: str, kind: str, snr_db: int, part: Part, quality: str, beats: str
) -> Mapping[str, Any]:
    pair = _pair(quality, beats)
    record = mitdb.read(mitdb.find(Path(data)), name)
    if kind == READY_MADE:
        suffix = next(one for one, level in nstdb.SNR_DB.items() if level == snr_db)
        made = nstdb.read(nstdb.find(Path(data)), f"{name}e{suffix}", lead=record.lead)
        counts_uv = np.rint(clean_uv(made)).astype(np.int32)
    elif kind == CLEAN[0]:
        counts_uv = np.rint(clean_uv(record)).astype(np.int32)
    else:
        counts_uv = with_bursts(record, read_shelf(nstdb.find(Path(data)), part, (kind,)), kind, snr_db, SPEC)
    return heard_to_json(hear(counts_uv, record.rate_hz, pair))


@cache
def _pair(quality: str, beats: str) -> Pair:
    return read_pair(Path(quality), Path(beats))
