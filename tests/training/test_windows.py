"""Blind seconds and their labels, counted on the real annotations."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.errors import ContractError
from training.data import mitdb
from training.data.record import Annotations
from training.windows import RULES, LabelRule, is_kept, label_windows

# science notes, section 1.2: rule A, (windows, positive) per record
PER_RECORD = {
    "100": (1806, 34),
    "102": (1806, 1729),
    "104": (1793, 1679),
    "105": (1803, 41),
    "106": (1693, 469),
    "108": (1708, 23),
    "114": (1736, 54),
    "116": (1806, 108),
    "119": (1659, 444),
    "200": (1793, 830),
    "201": (1582, 315),
    "202": (1688, 67),
    "203": (1789, 363),
    "205": (1806, 60),
    "208": (1803, 1115),
    "209": (1806, 230),
    "210": (1803, 212),
    "212": (1806, 1188),
    "213": (1806, 598),
    "215": (1806, 150),
    "217": (1805, 1650),
    "219": (1718, 72),
    "220": (1805, 75),
    "221": (1758, 393),
    "222": (1775, 374),
    "223": (1806, 484),
    "228": (1750, 364),
    "231": (1518, 1205),
    "233": (1806, 806),
}
TOTALS = {
    "A": (51_039, 15_132),
    "A-without-last": (51_019, 15_129),
    "B": (49_244, 14_393),
    "B3": (49_240, 14_389),
    "B4": (49_250, 14_395),
}
Marks = dict[str, Annotations]


@pytest.fixture(scope="module")
def marks(real_data: Path) -> Marks:
    place = mitdb.find(real_data)
    return {name: mitdb.annotations(place, name) for name in mitdb.RECORDS}


def count(marks: Marks, rule: LabelRule, names: list[str]) -> tuple[int, int]:
    counts = [counted(marks[name], rule) for name in names]
    return sum(n for n, _ in counts), sum(positive for _, positive in counts)


def counted(marks: Annotations, rule: LabelRule) -> tuple[int, int]:
    labels = label_windows(marks, rule, length_samples=650_000, window_samples=360)
    return int((labels >= 0).sum()), int((labels == 1).sum())


def test_the_exclusion_rule_keeps_the_29_records_of_the_paper(marks: Marks) -> None:
    kept = [
        name
        for name in mitdb.RECORDS
        if is_kept(label_windows(marks[name], RULES["A"], length_samples=650_000, window_samples=360))
    ]
    assert kept == sorted(PER_RECORD)


@pytest.mark.parametrize("rule", TOTALS)
def test_each_reading_of_the_rule_gives_its_count(marks: Marks, rule: str) -> None:
    assert count(marks, RULES[rule], list(PER_RECORD)) == TOTALS[rule]


def test_rule_a_gives_the_windows_of_each_record(marks: Marks) -> None:
    assert {name: counted(marks[name], RULES["A"]) for name in PER_RECORD} == PER_RECORD


def test_rule_a_over_all_48_records(marks: Marks) -> None:
    assert count(marks, RULES["A"], list(mitdb.RECORDS)) == (83_881, 28_869)


def test_ec57_windows_of_ds2(marks: Marks) -> None:
    from training.splits import DS2

    padded = replace(RULES["EC57"], pads_last=True)
    n_windows, n_positive = count(marks, padded, list(DS2))
    assert n_positive == 4_982
    # The notes count 37,950 with windows of Q beats alone as normal; here those decide nothing.
    assert n_windows == pytest.approx(37_950, abs=20)


def made(samples: list[int], symbols: str) -> Annotations:
    return Annotations(samples=np.array(samples), symbols=tuple(symbols), aux=("",) * len(symbols))


def test_one_abnormal_beat_makes_a_window_abnormal() -> None:
    labels = label_windows(made([10, 20, 370], "NVN"), RULES["A"], length_samples=720, window_samples=360)
    assert labels.tolist() == [1, 0]


def test_a_window_without_a_listed_beat_is_left_out() -> None:
    labels = label_windows(made([10, 370], "+Q"), RULES["A"], length_samples=720, window_samples=360)
    assert labels.tolist() == [-1, -1]


def test_a_dropping_mark_outweighs_every_beat() -> None:
    labels = label_windows(made([10, 20], "V~"), RULES["B"], length_samples=360, window_samples=360)
    assert labels.tolist() == [-1]


def test_the_partial_last_second_counts_only_where_the_rule_pads() -> None:
    marks = made([365], "N")
    assert len(label_windows(marks, RULES["A"], length_samples=400, window_samples=360)) == 2
    assert len(label_windows(marks, RULES["A-without-last"], length_samples=400, window_samples=360)) == 1


def test_a_symbol_on_both_sides_is_refused() -> None:
    with pytest.raises(ContractError, match="N: expected normal or abnormal, got both"):
        LabelRule(normal="N", abnormal="VN")
