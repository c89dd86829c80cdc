"""Who is on which side: no window in two parts, no person on two sides."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.contract.errors import ContractError
from training.beat_classes import count_classes
from training.data import mitdb
from training.splits import (
    DS1,
    DS2,
    NAMED_EXCEPTIONS,
    PACED,
    Parts,
    check_no_leak,
    folds_of,
    person_of,
    split_record,
)


def test_ds1_and_ds2_are_all_records_but_the_paced() -> None:
    assert sorted(DS1 + DS2 + PACED) == sorted(mitdb.RECORDS)


@pytest.mark.parametrize(
    ("records", "counts"),
    [
        (DS1, {"N": 45_866, "S": 944, "V": 3_788, "F": 415, "Q": 8}),
        (DS2, {"N": 44_259, "S": 1_837, "V": 3_221, "F": 388, "Q": 7}),
    ],
    ids=["DS1", "DS2"],
)
def test_beat_counts_of_each_side(real_data: Path, records: tuple[str, ...], counts: dict[str, int]) -> None:
    place = mitdb.find(real_data)
    found = [count_classes(mitdb.annotations(place, name)) for name in records]
    assert {kind: sum(one[kind] for one in found) for kind in counts} == counts


def test_201_and_202_are_the_only_person_on_both_sides() -> None:
    check_no_leak(DS1, DS2, allowed=NAMED_EXCEPTIONS)
    with pytest.raises(ContractError, match="201 in train and 202 in test"):
        check_no_leak(DS1, DS2, allowed=frozenset())
    assert {person_of(name) for name in DS1} & {person_of(name) for name in DS2} == {"201"}


def test_a_record_on_both_sides_is_a_leak_without_exception() -> None:
    with pytest.raises(ContractError, match="100 in train and 100 in test"):
        check_no_leak(("100",), ("100",), allowed=NAMED_EXCEPTIONS)


def test_folds_keep_201_and_202_together() -> None:
    folds = folds_of(("201", "100", "202", "103", "105"), 2)
    assert sorted(sum(folds, ())) == ["100", "103", "105", "201", "202"]
    assert any({"201", "202"} <= set(fold) for fold in folds)


labels_of = st.lists(st.sampled_from([-1, 0, 1]), min_size=20, max_size=300)


@given(labels=labels_of, split_seed=st.integers(0, 99), seed=st.integers(0, 99))
def test_parts_are_disjoint_and_hold_every_labelled_window(
    labels: list[int], split_seed: int, seed: int
) -> None:
    known = np.array(labels, dtype=np.int8)
    if not (known >= 0).any():
        return
    parts = split_record(known, split_seed=split_seed, seed=seed)
    whole = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(whole.tolist()) == np.flatnonzero(known >= 0).tolist()


@given(labels=labels_of, seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_the_test_part_does_not_depend_on_the_seed(labels: list[int], seeds: tuple[int, int]) -> None:
    known = np.array(labels, dtype=np.int8)
    if not (known >= 0).any():
        return
    first, second = (split_record(known, split_seed=42, seed=seed) for seed in seeds)
    assert first.test.tolist() == second.test.tolist()


def test_each_class_is_cut_64_16_20() -> None:
    labels = np.array([0] * 1000 + [1] * 100, dtype=np.int8)
    parts = split_record(labels, split_seed=1, seed=1)
    for value, size in ((0, 1000), (1, 100)):
        in_parts = (parts.train, parts.validation, parts.test)
        assert [int((labels[part] == value).sum()) / size for part in in_parts] == [0.64, 0.16, 0.20]


def test_a_window_in_two_parts_is_refused() -> None:
    one = np.array([1, 2])
    with pytest.raises(ContractError, match="each window in one part"):
        Parts(train=one, validation=one, test=np.array([3]))
