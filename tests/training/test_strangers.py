"""Which border is chosen on folds of the training side."""

from pathlib import Path

import numpy as np
import pytest

from training.protocols.interpatient import Side
from training.protocols.strangers import Cohort, choose_rule

# Two hundred normal windows lie on a border that parts everything; the next one misses four abnormal windows.
NORMAL = [-3.0] * 800 + [-0.5] * 200
ABNORMAL = [-0.4] * 4 + [2.0] * 996


def chosen(slack: float) -> float:
    labels = (0,) * len(NORMAL) + (1,) * len(ABNORMAL)
    n = len(labels)
    side = Side(
        name="a",
        windows=Path("nothing is read"),
        indices=tuple(range(n)),
        labels=labels,
        weights=(1.0,) * n,
        digest="",
    )
    cohort = Cohort(sides=(side,), members={})
    return choose_rule(cohort, {0: {"a": np.array(NORMAL + ABNORMAL)}}, {"a": None}, slack).abnormal


@pytest.mark.parametrize(("slack", "border"), [(0.0, -0.5), (0.001, -0.5), (0.005, -0.25)])
def test_a_border_moves_where_fewer_logits_lie_but_costs_no_more_than_its_slack(
    slack: float, border: float
) -> None:
    assert chosen(slack) == border
