"""Paper 000's table with ours beside it: figures, their intervals over recordings and seeds, and the text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import confusion
from training.paper_recipe import Arm
from training.quality_metrics import PAPER_POINTS, Ranked, ranked, roc_auc, specificity_at
from training.quality_nets import COLUMNS, ROWS

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
N_RESAMPLES = 500
SCRATCH = "scratch"
DEVICE = (1, ROWS, COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A row as the paper prints it: clean is positive, the share of clean intervals is not printed."""

    net: str
    se: float
    sp: float
    acc: float
    ms: float

    @property
    def balanced_accuracy(self) -> float:
        return (self.se + self.sp) / 2

    @property
    def clean_share(self) -> float:
        """The one at which these three figures fit together: Acc = p Se + (1 - p) Sp."""
        return (self.acc - self.sp) / (self.se - self.sp)


PAPER = (
    PaperRow(net="light CNN, empty", se=0.776, sp=0.934, acc=0.780, ms=0.65),
    PaperRow(net="light CNN, ImageNet 70", se=0.836, sp=0.884, acc=0.836, ms=0.64),
    PaperRow(net="GoogLeNet, ImageNet", se=0.887, sp=0.841, acc=0.886, ms=7.94),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One net's opinion of every interval."""

    arm: Arm
    seed: int
    init: str
    sha256: str  # of its weights
    threshold: float
    scores: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class NetRow:
    """One net: intervals are over recordings."""

    net: str
    image: str
    init: str  # with the digest of where the weights began
    began: str  # the same in a word
    seed: int
    sha256: str
    threshold: float
    se: float
    sp: float
    acc: float
    balanced_accuracy: Spread
    auc: Spread
    sp_at: tuple[float, ...]  # at the sensitivities of the paper's rows


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanRow:
    """The seeds of one arm together: intervals are over recordings and seeds."""

    net: str
    image: str
    began: str
    n_seeds: int
    se: float
    sp: float
    acc: float
    balanced_accuracy: Spread
    auc: Spread
    sp_at: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What a beginning gave over none, the same net on the same images."""

    net: str
    image: str
    began: str
    n_seeds: int
    auc: Spread
    balanced_accuracy: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """What a beginning was worth on its own task."""

    net: str
    image: str
    init: str
    seed: int
    measure: str
    value: float
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One net on images of one shape."""

    net: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperMetrics:
    """`metrics.json` (external-dev) and `external-test.json`."""

    protocol: str
    recipe: str
    judged_on: str
    side: int
    n_intervals: int
    n_recordings: int
    n_clean: int
    n_noisy: int
    rows: tuple[NetRow, ...]
    means: tuple[MeanRow, ...]
    gains: tuple[Gain, ...]
    pretraining: tuple[Pretraining, ...]
    costs: tuple[Cost, ...]
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resampled:
    """AUC and balanced accuracy of one net, as it is and for every draw of recordings."""

    auc: float
    aucs: Floats
    accuracy: float
    accuracies: Floats


def judge(
    scored: Sequence[Scored], is_clean: Mask, recording: NDArray[np.int64], n_recordings: int
) -> tuple[tuple[NetRow, ...], tuple[MeanRow, ...], tuple[Gain, ...]]:
    """Every net, every arm, every beginning against none; one set of draws serves all, so they pair."""
    draws = _draws(recording, n_recordings)
    found = [_resampled(one, is_clean, draws) for one in scored]
    rows = tuple(_row(one, drawn, is_clean) for one, drawn in zip(scored, found, strict=True))
    arms: dict[tuple[str, str, str], list[int]] = {}
    for at, one in enumerate(scored):
        arms.setdefault((one.arm.net, one.arm.image, one.arm.init), []).append(at)
    means = tuple(
        _mean([rows[at] for at in places], [found[at] for at in places]) for places in arms.values()
    )
    gains = tuple(
        _gain(key, [found[at] for at in places], [found[at] for at in arms[*key[:2], SCRATCH]])
        for key, places in arms.items()
        if key[2] != SCRATCH and (*key[:2], SCRATCH) in arms
    )
    return rows, means, gains


def _draws(recording: NDArray[np.int64], n_recordings: int) -> Floats:
    """[resample, window]: how often the window's recording was drawn."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(n_recordings, size=(N_RESAMPLES, n_recordings))
    times = np.stack([np.bincount(one, minlength=n_recordings) for one in drawn])
    weights: Floats = times[:, recording].astype(np.float64)
    return weights


def _resampled(one: Scored, is_clean: Mask, draws: Floats) -> _Resampled:
    rank = ranked(one.scores, is_clean)
    is_right = (one.scores > one.threshold) == is_clean
    clean, noisy = draws @ is_clean, draws @ ~is_clean
    right_clean, right_noisy = draws @ (is_right & is_clean), draws @ (is_right & ~is_clean)
    # A draw without a noisy recording says nothing of either.
    known = (clean > 0) & (noisy > 0)
    accuracies = np.full(len(draws), np.nan)
    accuracies[known] = (right_clean[known] / clean[known] + right_noisy[known] / noisy[known]) / 2
    return _Resampled(
        auc=roc_auc(rank),
        aucs=np.array([roc_auc(rank, weights) for weights in draws]),
        accuracy=float((is_right[is_clean].mean() + is_right[~is_clean].mean()) / 2),
        accuracies=accuracies,
    )


def _row(one: Scored, drawn: _Resampled, is_clean: Mask) -> NetRow:
    passes = one.scores > one.threshold
    counts, rank = confusion(is_clean, passes), ranked(one.scores, is_clean)
    return NetRow(
        net=one.arm.net,
        image=one.arm.image,
        init=one.init,
        began=one.arm.init,
        seed=one.seed,
        sha256=one.sha256,
        threshold=one.threshold,
        se=counts.sensitivity,
        sp=counts.specificity,
        acc=float(np.mean(passes == is_clean)),
        balanced_accuracy=_spread(drawn.accuracy, drawn.accuracies),
        auc=_spread(drawn.auc, drawn.aucs),
        sp_at=_sp_at(rank),
    )


def _mean(rows: Sequence[NetRow], drawn: Sequence[_Resampled]) -> MeanRow:
    aucs, accuracies = (
        _over_seeds([one.aucs for one in drawn]),
        _over_seeds([one.accuracies for one in drawn]),
    )
    return MeanRow(
        net=rows[0].net,
        image=rows[0].image,
        began=rows[0].began,
        n_seeds=len(rows),
        se=float(np.mean([row.se for row in rows])),
        sp=float(np.mean([row.sp for row in rows])),
        acc=float(np.mean([row.acc for row in rows])),
        balanced_accuracy=_spread(float(np.mean([one.accuracy for one in drawn])), accuracies),
        auc=_spread(float(np.mean([one.auc for one in drawn])), aucs),
        sp_at=tuple(np.mean([row.sp_at for row in rows], axis=0).tolist()),
    )


def _gain(key: tuple[str, str, str], drawn: Sequence[_Resampled], scratch: Sequence[_Resampled]) -> Gain:
    """The same recordings on both sides of each difference; seeds drawn on either side by themselves."""
    aucs = _over_seeds([one.aucs for one in drawn], 1) - _over_seeds([one.aucs for one in scratch], 2)
    accuracies = _over_seeds([one.accuracies for one in drawn], 1) - _over_seeds(
        [one.accuracies for one in scratch], 2
    )
    return Gain(
        net=key[0],
        image=key[1],
        began=key[2],
        n_seeds=len(drawn),
        auc=_spread(_mean_auc(drawn) - _mean_auc(scratch), aucs),
        balanced_accuracy=_spread(_mean_accuracy(drawn) - _mean_accuracy(scratch), accuracies),
    )


def _over_seeds(figures: Sequence[Floats], stream: int = 0) -> Floats:
    """[resample]: the mean over as many seeds as there are, drawn again for every draw of recordings."""
    stacked = np.stack(figures)
    drawn = np.random.default_rng([1, stream]).integers(len(stacked), size=stacked.T.shape)
    means: Floats = np.take_along_axis(stacked.T, drawn, axis=1).mean(axis=1)
    return means


def _mean_auc(drawn: Sequence[_Resampled]) -> float:
    return float(np.mean([one.auc for one in drawn]))


def _mean_accuracy(drawn: Sequence[_Resampled]) -> float:
    return float(np.mean([one.accuracy for one in drawn]))


def _spread(value: float, drawn: Floats) -> Spread:
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Spread(value=value, low=float(low), high=float(high))


def _sp_at(rank: Ranked) -> tuple[float, ...]:
    return tuple(specificity_at(rank, sensitivity) for sensitivity, _ in PAPER_POINTS)


def render(metrics: PaperMetrics) -> str:
    """The paper's rows first, ours below them in the same columns."""
    share = metrics.n_clean / (metrics.n_clean + metrics.n_noisy)
    costs = {
        cost.net: cost for cost in metrics.costs if cost.shape in ((3, metrics.side, metrics.side), DEVICE)
    }
    lines = [
        f"paper-000, {metrics.recipe}: {metrics.n_intervals} intervals of 5 s, pictures {metrics.side} x "
        f"{metrics.side}, judged on {metrics.judged_on} of CinC 2017 ({metrics.n_recordings} recordings, "
        f"{metrics.n_clean + metrics.n_noisy} intervals, {share:.1%} clean)",
        "clean is positive; 'always clean' has Acc "
        f"{share:.3f} and BA .500; thresholds from MIT-BIH's validation part",
        "",
        f"{'net':52}{'Se':>6}{'Sp':>6}{'Acc':>6}{'BA':>6} {'95 %':15}{'AUC':>6} {'95 %':15}{_points()}"
        f"{'M MAC':>8}{'ms':>7}",
    ]
    lines += [_paper_line(row) for row in PAPER]
    lines += [_line(_label(row), row, costs) for row in metrics.means]
    lines += ["", "each seed:"]
    lines += [_line(f"{_label(row)} s{row.seed}", row, {}) for row in metrics.rows]
    lines += ["", "gained over scratch, intervals over recordings and seeds:"]
    lines += [
        f"  {_label(gain):50}AUC {_signed(gain.auc)}  BA {_signed(gain.balanced_accuracy)}"
        for gain in metrics.gains
    ]
    lines += [
        "",
        "beginnings on their own task (held-out photographs named right; hidden variance explained):",
    ]
    lines += [
        f"  {f'{one.net}, {one.image}, {one.init} s{one.seed}':50}"
        f"{one.measure.removeprefix('validation_'):10}{one.value:6.3f}  {one.sha256[:12]}"
        for one in metrics.pretraining
    ]
    lines += [
        "",
        f"cost of one interval, float32, one thread, least processor time of one run ({metrics.machine}):",
    ]
    lines += [
        f"  {cost.net:22}{'x'.join(map(str, cost.shape)):12}{cost.parameters:>10,} parameters"
        f"{cost.macs / 1e6:9.1f} M MAC{cost.ms:8.2f} ms"
        for cost in metrics.costs
    ]
    return "\n".join(lines)


def _points() -> str:
    return "".join(f"{f'@{sensitivity}':>7}" for sensitivity, _ in PAPER_POINTS)


def _label(row: NetRow | MeanRow | Gain) -> str:
    return f"{row.net}, {row.image}, {row.began}"


def _paper_line(row: PaperRow) -> str:
    return (
        f"{f'paper: {row.net}':52}{row.se:6.3f}{row.sp:6.3f}{row.acc:6.3f}{row.balanced_accuracy:6.3f}"
        f"{'':64}{row.ms:7.2f}"
    )


def _line(label: str, row: NetRow | MeanRow, costs: Mapping[str, Cost]) -> str:
    cost = costs.get(row.net)
    tail = "" if cost is None else f"{cost.macs / 1e6:8.1f}{cost.ms:7.2f}"
    points = "".join(f"{value:7.3f}" for value in row.sp_at)
    accuracy, auc = row.balanced_accuracy, row.auc
    return (
        f"{label:52}{row.se:6.3f}{row.sp:6.3f}{row.acc:6.3f}{accuracy.value:6.3f} {_between(accuracy):15}"
        f"{auc.value:6.3f} {_between(auc):15}{points}{tail}"
    ).rstrip()


def _between(spread: Spread) -> str:
    return f"[{spread.low:.3f},{spread.high:.3f}]"


def _signed(spread: Spread) -> str:
    return f"{spread.value:+.3f} [{spread.low:+.3f},{spread.high:+.3f}]"
