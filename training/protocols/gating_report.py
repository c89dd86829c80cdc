"""What the gate gives and takes, as figures one can print again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.metrics import Confusion, Interval, bootstrap
from training.protocols.strangers_report import MINUS

MAIN = ("ma", 6)  # the noise and SNR of the goal
GOAL_RECOVERED, GOAL_COVERAGE = 0.8, 0.6
WORTH = 0.01  # what noise must take before a share of it means anything
READY_MADE = "em, NSTDB's own 118 and 119 (seen records)"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedRecord:
    """One recording in one noise. Confusions ask: is this beat abnormal?"""

    record: str
    kind: str
    snr_db: int
    clean: Confusion  # nothing added
    clean_where_open: Confusion  # nothing added, but judged only where the gate is open under noise
    noisy: Confusion  # under noise, every beat judged
    gated: Confusion  # under noise, beats behind the gate
    remembering: Confusion  # the same, but what the gate refuses still teaches the usual beat and interval
    n_beats: int  # annotated and classifiable
    n_accepted: int
    n_normal_rejected: int
    n_abnormal_rejected: int
    n_in_bursts: int
    n_accepted_in_bursts: int
    hours: float
    open_share: float  # of the seconds: how often the beat network may run


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRow:
    """One way to make a gate of windows, at the threshold that keeps a stated share of the beats."""

    form: str
    kind: str
    snr_db: int
    coverage: float
    accept_q8: int
    recovered: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """One threshold under the main noise."""

    accept_q8: int
    coverage: float
    open_share: float
    balanced_accuracy: float
    missed_per_hour: float  # abnormal beats called normal, or not found, where the gate is open
    rejected_per_hour: float  # abnormal beats behind the closed gate
    false_alarms_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GatingMetrics:
    """`metrics.json` and `gating-ds2.json`."""

    protocol: str
    side: str  # DS1 or DS2
    noise_part: str
    cascade: str  # with its bundles and digests
    form: str
    accept_q8: int
    protects: bool
    burst_share: float
    shortest_s: float
    longest_s: float
    taught_quality: tuple[str, ...]  # recordings of this side whose hearts taught the quality net
    records: tuple[GatedRecord, ...]
    sweep: tuple[SweepRow, ...]
    forms: tuple[FormRow, ...] | None = None  # where the form was chosen


def sum_of(records: Sequence[GatedRecord], part: Callable[[GatedRecord], Confusion]) -> Confusion:
    return sum((part(one) for one in records), start=Confusion())


def recovered(records: Sequence[GatedRecord]) -> float:
    """Share of the balanced accuracy that noise takes and the gate gives back; above 1 it gives more."""
    clean, noisy, gated = (
        sum_of(records, part).balanced_accuracy
        for part in (lambda one: one.clean, lambda one: one.noisy, lambda one: one.gated)
    )
    return (gated - noisy) / (clean - noisy) if clean > noisy else float("nan")


def coverage(records: Sequence[GatedRecord]) -> float:
    return sum(one.n_accepted for one in records) / max(1, sum(one.n_beats for one in records))


def interval_of(records: Sequence[GatedRecord], figure: Callable[[Sequence[GatedRecord]], float]) -> Interval:
    by_name = {one.record: one for one in records}
    return bootstrap(list(by_name), lambda names: figure([by_name[name] for name in names]))


def render(metrics: GatingMetrics) -> str:
    """Every noise and SNR, gross over recordings; then the goal, the cohorts and the forms."""
    main = [one for one in metrics.records if (one.kind, one.snr_db) == MAIN]
    lines = [
        f"gating, {metrics.side}: {metrics.cascade}",
        f"open where the {metrics.form} quality windows is {metrics.accept_q8 / 256:.1f} codes or more; "
        + ("what it refuses is not remembered" if metrics.protects else "what it refuses is remembered"),
        f"noise of NSTDB's {metrics.noise_part} minutes in bursts of {metrics.shortest_s:g} to "
        f"{metrics.longest_s:g} s over {metrics.burst_share:.0%} of the time; abnormal beats, detected peaks",
        "",
        f"{'noise':8}{'dB':>4} |{'clean':>7}{'noisy':>7}{'gated':>7}{'clean*':>8}{'gated+':>8} |"
        f"{'recovered':>10}{'coverage':>9}{'open':>6} |{'rejected N':>11}{'abnormal':>9}{'in bursts':>10}",
    ]
    lines += [_line(metrics, kind, snr_db) for kind, snr_db in _conditions(metrics, seen=False)]
    lines += [
        "clean*: without noise, on the beats that the gate lets pass under it",
        "in bursts: share of the beats in bursts that the gate lets pass",
        "gated+: where the usual beat and the usual interval follow the refused beats as well",
        "",
    ]
    lines.append(_goal(main, "all"))
    without = [one for one in main if one.record not in MINUS["without 232"]]
    if len(without) < len(main):
        lines.append(_goal(without, "without 232"))
    untaught = [one for one in main if one.record not in metrics.taught_quality]
    if untaught:
        names = ", ".join(one.record for one in untaught)
        lines.append(_goal(untaught, f"hearts that did not teach the quality net ({names})"))
    lines += ["", *_per_hour(main)]
    seen = _conditions(metrics, seen=True)
    if seen:
        lines += ["", "seen records: " + READY_MADE]
        lines += [_line(metrics, kind, snr_db) for kind, snr_db in seen]
    if metrics.forms:
        lines += ["", *_forms(metrics.forms)]
    return "\n".join(lines)


def _conditions(metrics: GatingMetrics, *, seen: bool) -> list[tuple[str, int]]:
    found = dict.fromkeys((one.kind, one.snr_db) for one in metrics.records)
    return [(kind, snr_db) for kind, snr_db in found if (kind == READY_MADE) is seen]


def _line(metrics: GatingMetrics, kind: str, snr_db: int) -> str:
    same = [one for one in metrics.records if (one.kind, one.snr_db) == (kind, snr_db)]
    rates = [
        sum_of(same, part).balanced_accuracy
        for part in (
            lambda one: one.clean,
            lambda one: one.noisy,
            lambda one: one.gated,
            lambda one: one.clean_where_open,
            lambda one: one.remembering,
        )
    ]
    open_share = sum(one.open_share * one.hours for one in same) / sum(one.hours for one in same)
    in_bursts = sum(one.n_in_bursts for one in same)
    kept = sum(one.n_accepted_in_bursts for one in same) / max(1, in_bursts)
    n_normal, n_abnormal = (
        sum(part)
        for part in zip(*((one.n_normal_rejected, one.n_abnormal_rejected) for one in same), strict=True)
    )
    took = rates[0] - rates[1]
    gave = f"{recovered(same):.2f}" if took >= WORTH else "-"
    return (
        f"{'em' if kind == READY_MADE else kind:8}{snr_db:4} |{rates[0]:7.3f}{rates[1]:7.3f}{rates[2]:7.3f}"
        f"{rates[3]:8.3f}{rates[4]:8.3f} |{gave:>10}{coverage(same):9.3f}{open_share:6.2f} |"
        f"{n_normal:11}{n_abnormal:9}{kept:10.2f}"
    )


def _goal(records: Sequence[GatedRecord], cohort: str) -> str:
    kind, snr_db = MAIN
    return (
        f"{kind} {snr_db} dB, {cohort}: recovered {recovered(records):.3f} {interval_of(records, recovered)} "
        f"(goal {GOAL_RECOVERED}), coverage {coverage(records):.3f} {interval_of(records, coverage)} "
        f"(goal {GOAL_COVERAGE})"
    )


def _per_hour(records: Sequence[GatedRecord]) -> list[str]:
    """What a reader of the alarms meets."""
    hours = sum(one.hours for one in records)
    rejected = sum(one.n_abnormal_rejected for one in records)
    kind, snr_db = MAIN
    lines = [
        f"{kind} {snr_db} dB, beats per hour: false alarms, abnormal missed, abnormal behind the closed gate"
    ]
    for name, said, behind in (
        ("nothing added", sum_of(records, lambda one: one.clean), 0),
        ("noise, no gate", sum_of(records, lambda one: one.noisy), 0),
        ("noise, gate", sum_of(records, lambda one: one.gated), rejected),
        ("noise, gated+", sum_of(records, lambda one: one.remembering), rejected),
    ):
        lines.append(f"  {name:16}{said.fp / hours:8.1f}{said.fn / hours:8.1f}{behind / hours:8.1f}")
    return lines


def _forms(forms: Sequence[FormRow]) -> list[str]:
    columns = list(dict.fromkeys((one.kind, one.snr_db, one.coverage) for one in forms))
    lines = ["gated+: recovered where each form keeps the same share of the beats; the threshold, in codes"]
    lines.append(
        f"{'form':16}" + "".join(f"{f'{kind} {snr_db} dB, {kept:.2f}':>20}" for kind, snr_db, kept in columns)
    )
    for form in dict.fromkeys(one.form for one in forms):
        cells = {(one.kind, one.snr_db, one.coverage): one for one in forms if one.form == form}
        lines.append(
            f"{form:16}"
            + "".join(
                f"{f'{cells[at].recovered:.2f} ({cells[at].accept_q8 / 256:.0f})':>20}" for at in columns
            )
        )
    return lines
