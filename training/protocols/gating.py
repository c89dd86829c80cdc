"""Judge beats behind the quality gate, under recorded noise that comes in bursts.

DS1 under noise of NSTDB's validation minutes is where the gate was chosen. DS2 under noise of its test
minutes, which taught and chose nothing, is opened once per cascade, and logged.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, read_cascade
from device_sim.contract.errors import ContractError
from device_sim.contract.manifest import graph_sha256
from device_sim.frontend import BEAT_HZ, Columns, FrontEnd, columns_of
from training.bursts import BurstSpec, bursts_of, clean_uv, is_inside, with_bursts
from training.data import mitdb, nstdb
from training.data.record import Record
from training.gate import N_AROUND, GateForm, How, gate_q8
from training.heard import Heard, abnormal_behind, hear, heard_from_json, heard_to_json
from training.jobs import Document, Job, key_of, run_jobs
from training.noise_parts import read_shelf
from training.options import OneLineParser, add_options, workshop_of
from training.progress import teller
from training.protocols.beat_verdict import ABNORMAL
from training.protocols.gated_beats import Answers, matched
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
from training.results_folder import GATING_DS2, METRICS, OPENINGS, RESULTS, check_folder, log_opening
from training.splits import DS1, DS2
from training.workshop import Workshop

Side = Literal["DS1", "DS2"]
RECORDS: Mapping[Side, Sequence[str]] = {"DS1": DS1, "DS2": DS2}
PART: Mapping[Side, Part] = {"DS1": "validation", "DS2": "test"}
CLEAN = ("none", 0)
KINDS = ("ma", "em", "bw")
SEEN = ("118", "119")  # PhysioNet's own mixes: their noise and DS1's hearts taught our nets
CHOOSING = (MAIN, ("em", 6))
HOWS: tuple[How, ...] = ("mean", "best", "worst", "newest")
SHARES_KEPT = (0.75, 0.65)  # where forms are compared
SWEPT_CODES = range(-120, 125, 10)
SPEC = BurstSpec()
VERSION = "1"
Condition = tuple[str, int]
Listened = tuple[str, str, int]  # recording, noise, SNR


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
    behind: Mapping[
        int, NDArray[np.bool_]
    ]  # threshold -> said of detected beats, refused ones not remembered

    def gated(self, form: GateForm, accept_q8: int, *, protects: bool = False) -> GatedRecord:
        def is_open(at: NDArray[np.int64]) -> NDArray[np.bool_]:
            return gate_q8(form, self.heard.quality_codes, self.heard.quality_usable, at) >= accept_q8

        kept, beat = is_open(self.answers.at), self.answers.is_beat
        abnormal = np.isin(self.answers.classes, ABNORMAL)
        shown = replace(self.answers, abnormal=self._behind(accept_q8)) if protects else self.answers
        seconds = np.arange(round(self.hours * 3600)) * BEAT_HZ
        return GatedRecord(
            record=self.record,
            kind=self.kind,
            snr_db=self.snr_db,
            clean=self.clean.judged(np.ones(len(self.clean.at), np.bool_)),
            clean_where_open=self.clean.judged(is_open(self.clean.at)),
            noisy=self.answers.judged(np.ones(len(kept), np.bool_)),
            gated=shown.judged(kept),
            remembering=self.answers.judged(kept),
            n_beats=int(beat.sum()),
            n_accepted=int((beat & kept).sum()),
            n_normal_rejected=int((beat & ~kept & ~abnormal).sum()),
            n_abnormal_rejected=int((beat & ~kept & abnormal).sum()),
            n_in_bursts=int((beat & self.in_burst).sum()),
            n_accepted_in_bursts=int((beat & kept & self.in_burst).sum()),
            hours=self.hours,
            open_share=float(is_open(seconds).mean()),
        )

    def _behind(self, accept_q8: int) -> NDArray[np.bool_]:
        said = self.behind[accept_q8]
        return np.concatenate([said, np.zeros(len(self.answers.at) - len(said), np.bool_)])


def main(argv: Sequence[str]) -> int:
    """Print the tables of one side; 1 when the goal is missed."""
    parser = OneLineParser(prog="wristlead gating", description=__doc__, allow_abbrev=False)
    parser.add_argument("cascade", type=Path, help="folder of a cascade, such as models/cascade")
    parser.add_argument(
        "side", choices=tuple(RECORDS), help="DS1: where the gate was chosen; DS2: opened, logged"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "gating", help="folder for tables and picture")
    parser.add_argument(
        "--openings",
        type=Path,
        default=RESULTS / OPENINGS,
        help="log of openings (default: training/results/openings.jsonl)",
    )
    add_options(parser)
    arguments = parser.parse_args(argv)
    check_folder(arguments.out)
    cascade = read_cascade(arguments.cascade)
    workshop = workshop_of(arguments, teller(sys.stderr))
    metrics = judge_gate(arguments.side, arguments.cascade, cascade, workshop)
    if arguments.side == "DS2":
        log_opening(
            arguments.openings, recipe=cascade.name, protocol="gating", weights_sha256=[cascade.digest]
        )
    write_json(arguments.out / (METRICS if arguments.side == "DS1" else GATING_DS2), metrics)
    draw_sweep(arguments.out / f"sweep-{arguments.side.lower()}.png", metrics)
    print(render(metrics))
    main_noise = [one for one in metrics.records if (one.kind, one.snr_db) == MAIN]
    return 0 if recovered(main_noise) >= GOAL_RECOVERED and coverage(main_noise) >= GOAL_COVERAGE else 1


def judge_gate(side: Side, folder: Path, cascade: Cascade, workshop: Workshop) -> GatingMetrics:
    """Every recording of a side in every noise."""
    gate = cascade.gate
    if gate.hold_q8:
        raise ContractError(f"{folder}: gate.hold_q8: expected 0 in this study, got {gate.hold_q8}")
    form = GateForm(how="mean", n_windows=gate.windows)
    conditions = CHOOSING if side == "DS1" else tuple(product(KINDS, nstdb.SNR_DB.values()))
    cases = _cases(side, conditions, folder, cascade, form, workshop)
    bundles = ", ".join(f"{one.name} {one.digest[:12]}" for one in (cascade.quality, cascade.beat))
    return GatingMetrics(
        protocol="gating",
        side=side,
        noise_part=PART[side],
        cascade=f"{cascade.name} {cascade.digest[:12]} ({bundles})",
        form=str(form),
        accept_q8=gate.accept_q8,
        protects=gate.protects,
        burst_share=SPEC.share,
        shortest_s=SPEC.shortest_s,
        longest_s=SPEC.longest_s,
        taught_quality=tuple(name for name in RECORDS[side] if name in TRAIN_RECORDS),
        records=tuple(case.gated(form, gate.accept_q8, protects=gate.protects) for case in cases),
        sweep=tuple(sweep([case for case in cases if (case.kind, case.snr_db) == MAIN], form, gate.protects)),
        forms=tuple(compare_forms(cases)) if side == "DS1" else None,
    )


def sweep(cases: Sequence[Case], form: GateForm, protects: bool) -> list[SweepRow]:
    """Every threshold of the form that ships."""
    rows = []
    for accept_q8 in sorted(cases[0].behind):
        records = [case.gated(form, accept_q8, protects=protects) for case in cases]
        gated, hours = sum_of(records, lambda one: one.gated), sum(one.hours for one in records)
        rows.append(
            SweepRow(
                accept_q8=accept_q8,
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
    folder: Path,
    cascade: Cascade,
    form: GateForm,
    workshop: Workshop,
) -> list[Case]:
    """Every job finished, every answer beside its truth; conditions in the order asked for."""
    wanted = [(name, *condition) for condition in (CLEAN, *conditions) for name in RECORDS[side]]
    if side == "DS2":
        wanted += [(name, READY_MADE, snr_db) for snr_db in nstdb.SNR_DB.values() for name in SEEN]
        wanted += [(name, *CLEAN) for name in SEEN]
    decides = (PART[side], SPEC, *_decides(cascade.quality), *_decides(cascade.beat))
    where = {"data": str(workshop.data), "part": PART[side], "cascade": str(folder.resolve())}

    def run(jobs: Mapping[Listened, Job], what: str) -> dict[Listened, Document]:
        on_done = workshop.count(f"gating, {what}")
        documents = run_jobs(list(jobs.values()), workshop.jobs, workshop.workers, on_done=on_done)
        return {one: documents[job.key] for one, job in jobs.items()}

    heard = run(
        {
            one: Job(
                key=key_of(f"gating-{_readable(one)}", VERSION, one, *decides),
                call=_hear_job,
                arguments={**where, "name": one[0], "kind": one[1], "snr_db": one[2]},
            )
            for one in wanted
        },
        "both networks",
    )
    noisy = [one for one in wanted if one[1:] != CLEAN]
    ours = cascade.gate.accept_q8
    accepts = {
        one: (ours, *(code << 8 for code in SWEPT_CODES)) if one[1:] == MAIN else (ours,) for one in noisy
    }
    behind = run(
        {
            one: Job(
                key=key_of(f"gating-behind-{_readable(one)}", VERSION, one, *decides, form, accepts[one]),
                call=_behind_job,
                arguments={
                    **where,
                    "name": one[0],
                    "kind": one[1],
                    "snr_db": one[2],
                    "heard": heard[one],
                    "accepts_q8": list(accepts[one]),
                },
            )
            for one in noisy
        },
        "behind the gate",
    )
    place = mitdb.find(workshop.data)
    records = {name: mitdb.read(place, name) for name in dict.fromkeys(one[0] for one in wanted)}
    return [
        _case(
            records[one[0]],
            one,
            heard_from_json(heard[one]),
            heard_from_json(heard[one[0], *CLEAN]),
            behind[one],
        )
        for one in noisy
    ]


def _decides(bundle: Bundle) -> tuple[object, ...]:
    """What of a bundle its answers hang on; its card may change."""
    return graph_sha256(bundle.graph), bundle.frontend_sha256, bundle.verdict


def _readable(one: Listened) -> str:
    name, kind, snr_db = one
    return f"{name}-{kind.split(',')[0]}-{snr_db}"


def _case(record: Record, one: Listened, heard: Heard, clean: Heard, behind: Document) -> Case:
    _name, kind, snr_db = one
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
        behind={int(accept): np.array(said, np.bool_) for accept, said in behind["abnormal"].items()},
    )


def _hear_job(data: str, part: Part, cascade: str, name: str, kind: str, snr_db: int) -> Document:
    columns, delay_s = _listened(Path(data), part, (name, kind, snr_db))
    return heard_to_json(hear(columns, delay_s, _cascade(cascade)))


def _behind_job(
    data: str,
    part: Part,
    cascade: str,
    name: str,
    kind: str,
    snr_db: int,
    heard: Document,
    accepts_q8: Sequence[int],
) -> Document:
    """What is said of each beat behind a gate of each threshold that protects what is remembered."""
    both, before = _cascade(cascade), heard_from_json(heard)
    columns, _delay_s = _listened(Path(data), part, (name, kind, snr_db))
    form = GateForm(how="mean", n_windows=both.gate.windows)
    said = gate_q8(form, before.quality_codes, before.quality_usable, before.peaks)
    return {
        "abnormal": {
            str(accept): abnormal_behind(
                columns.beat_uv_i16, before.peaks, said >= accept, both.beat
            ).tolist()
            for accept in accepts_q8
        }
    }


def _listened(data: Path, part: Part, one: Listened) -> tuple[Columns, float]:
    """One recording in one noise through the front end, and the resampler's delay."""
    name, kind, snr_db = one
    record = mitdb.read(mitdb.find(data), name)
    if kind == READY_MADE:
        suffix = next(one for one, level in nstdb.SNR_DB.items() if level == snr_db)
        made = nstdb.read(nstdb.find(data), f"{name}e{suffix}", lead=record.lead)
        counts_uv = np.rint(clean_uv(made)).astype(np.int32)
    elif kind == CLEAN[0]:
        counts_uv = np.rint(clean_uv(record)).astype(np.int32)
    else:
        shelf = read_shelf(nstdb.find(data), part, (kind,))
        counts_uv = with_bursts(record, shelf, kind, snr_db, SPEC)
    delay_us = FrontEnd(rate_hz=record.rate_hz).delay_us
    return columns_of(counts_uv, rate_hz=record.rate_hz), delay_us / 1e6


@cache
def _cascade(folder: str) -> Cascade:
    return read_cascade(Path(folder))
