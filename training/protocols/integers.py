"""A quality net's integers on external-test, beside the real numbers they stand for; one threshold."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.checkpoint import read_checkpoint
from training.cinc_windows import read_windows
from training.protocols.external import DEVICE_VIEWS, MITBIH, N_RESAMPLES, SINGLE, Scorer, rows_of
from training.protocols.external_report import (
    ExternalMetrics,
    Figure,
    Measure,
    Row,
    Threshold,
    View,
    accuracy_of,
    views_of,
)
from training.protocols.integers_report import PROTOCOL, Change, IntegerMetrics
from training.quality_fit import clean_logits
from training.quality_metrics import bootstrap_recordings, ranked, roc_auc
from training.quality_recipe import ExternalRecipe
from training.workshop import Workshop

Floats = NDArray[np.float64]


def judge_integers(
    recipe: ExternalRecipe,
    weights: Path,
    seed: int,
    integers: Scorer,
    threshold: float,
    graph_sha256: str,
    workshop: Workshop,
) -> IntegerMetrics:
    """Both networks on every window of external-test; `integers` gives logits in their real worth."""
    windows = read_windows(workshop, "external-test")
    n = len(windows.names)
    net = f"{recipe.net} s{seed}"
    workshop.tell(f"{recipe.name}: {net}, real numbers")
    before = views_of(windows, clean_logits(read_checkpoint(weights, recipe.net), windows.codes_st_i8))
    workshop.tell(f"{recipe.name}: {net}, integers")
    after = views_of(windows, integers(windows.codes_st_i8))
    rows: list[Row] = []
    for name, views in ((net, before), (f"{net}, int8", after)):
        chosen = Threshold(scorer=name, view=SINGLE, chosen_on=MITBIH, logit=threshold)
        rows += rows_of(name, views, n, (chosen,))
    return IntegerMetrics(
        protocol=PROTOCOL,
        recipe=recipe.name,
        net=recipe.net,
        seed=seed,
        judged_on="external-test",
        n_recordings=n,
        graph_sha256=graph_sha256,
        threshold=threshold,
        rows=tuple(rows),
        changes=tuple(
            change_of(real, integer, threshold, n)
            for real, integer in zip(before, after, strict=True)
            if real.name in DEVICE_VIEWS
        ),
    )


def threshold_of(dev: ExternalMetrics, seed: int) -> float:
    """What MIT-BIH's validation part chose for a net."""
    return next(
        one.logit
        for one in dev.thresholds
        if (one.scorer, one.view, one.chosen_on) == (f"{dev.net} s{seed}", SINGLE, MITBIH)
    )


def change_of(real: View, integer: View, threshold: float, n_recordings: int) -> Change:
    """Both views are of the same windows: a resample draws the same recordings for both."""

    def lost(name: str, measured: Callable[[View], Measure]) -> Figure:
        before, after = measured(real), measured(integer)

        def difference(known: Floats | None) -> float:
            return before(known) - after(known)

        found = bootstrap_recordings(difference, real.recording, n_recordings, n_resamples=N_RESAMPLES)
        return Figure(name=name, value=difference(None), low=found.low, high=found.high)

    return Change(
        view=real.name,
        n_changed=int(((real.scores > threshold) != (integer.scores > threshold)).sum()),
        n_windows=len(real.scores),
        auc_lost=lost("AUC", _area),
        balanced_accuracy_lost=lost("BA", lambda view: accuracy_of(view, threshold)),
    )


def _area(view: View) -> Measure:
    rank = ranked(view.scores, view.is_clean)
    return lambda known: roc_auc(rank, known)
