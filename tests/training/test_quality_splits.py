"""No person, no second of noise and no recording of CinC 2017 on two sides."""

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data import cinc2017, mitdb, nstdb
from training.noise_parts import NoiseShelf, NoiseStretch, read_shelf
from training.quality_splits import (
    IDENTICAL,
    NOISE_S,
    PARTS,
    RECORDS,
    TEST_RECORDS,
    TRAIN_RECORDS,
    Part,
    external_side,
    part_of_record,
    part_of_second,
)
from training.splits import person_of

RATE_HZ = 20


def counting_shelf(part: Part) -> NoiseShelf:
    """Noise whose every sample says which sample of the half hour it is."""
    start_s, stop_s = NOISE_S[part]
    noises = tuple(
        NoiseStretch(
            kind=kind,
            lead=lead,
            start_s=float(start_s),
            noise=np.arange(start_s * RATE_HZ, stop_s * RATE_HZ, dtype=np.float64),
        )
        for kind in nstdb.NOISES
        for lead in ("noise1", "noise2")
    )
    return NoiseShelf(part=part, rate_hz=RATE_HZ, noises=noises)


@given(part=st.sampled_from(PARTS), seed=st.integers(0, 2**31), seconds=st.integers(1, 120))
def test_whatever_is_drawn_from_a_part_lies_inside_it(part: Part, seed: int, seconds: int) -> None:
    drawn = counting_shelf(part).draw(np.random.default_rng(seed), seconds * RATE_HZ, nstdb.NOISES)
    seconds_used = drawn.noise / RATE_HZ
    assert len(drawn.noise) == seconds * RATE_HZ
    assert drawn.noise[0] == pytest.approx(drawn.start_s * RATE_HZ)
    assert {part_of_second(second) for second in seconds_used} == {part}


@given(second=st.floats(0, 1800, exclude_max=True))
def test_a_second_of_noise_has_one_part_or_none(second: float) -> None:
    inside = [part for part, (start, stop) in NOISE_S.items() if start <= second < stop]
    assert len(inside) <= 1
    assert part_of_second(second) == (inside[0] if inside else None)


def test_half_a_minute_lies_between_the_parts() -> None:
    ordered = sorted(NOISE_S.values())
    assert ordered == [(0, 1080), (1110, 1410), (1440, 1800)]
    assert all(following[0] - before[1] >= 30 for before, following in pairwise(ordered))


def test_no_person_is_in_two_parts() -> None:
    for left, right in combinations(PARTS, 2):
        assert not {person_of(name) for name in RECORDS[left]} & {person_of(name) for name in RECORDS[right]}


def test_every_record_has_a_part_and_118_and_119_teach_nothing() -> None:
    assert sorted(sum(RECORDS.values(), ())) == sorted(mitdb.RECORDS)
    assert set(TEST_RECORDS) == {nstdb.noise_in(name)[0] for name in nstdb.NOISY}
    assert not set(TEST_RECORDS) & set(TRAIN_RECORDS)
    assert all(part_of_record(name) == part for part in PARTS for name in RECORDS[part])


def test_recordings_with_the_same_samples_stand_on_one_side() -> None:
    for one, other in IDENTICAL.items():
        assert external_side(one) == external_side(other)


@settings(max_examples=10)
@given(start=st.integers(1, 4000))
def test_about_thirty_percent_choose_whatever_part_of_the_set_is_there(start: int) -> None:
    sides = [external_side(f"A{index:05d}") for index in range(start, start + 4000)]
    assert 0.27 < sides.count("external-dev") / len(sides) < 0.33


def test_the_split_of_the_recordings_here_is_the_committed_one(real_data: Path) -> None:
    if not any((real_data / name).exists() for name in cinc2017.NAMES):
        pytest.skip(f"{real_data}: no cinc2017 there")
    labels = cinc2017.labels(cinc2017.find(real_data))
    dev = [name for name in labels if external_side(name) == "external-dev"]
    if len(labels) != 5970:
        pytest.skip(f"{len(labels)} recordings here, the counts are those of 5,970")
    assert len(dev) == 1798
    assert sum(labels[name] == "noise" for name in dev) == 56


def test_the_shelves_of_nstdb_hold_both_channels_of_each_noise(real_data: Path) -> None:
    if not (real_data / "nstdb").exists():
        pytest.skip(f"{real_data}: no nstdb there")
    shelf = read_shelf(nstdb.find(real_data), "validation")
    assert [(one.kind, one.lead) for one in shelf.noises] == [
        (kind, lead) for kind in nstdb.NOISES for lead in ("noise1", "noise2")
    ]
    assert {len(one.noise) / shelf.rate_hz for one in shelf.noises} == {300.0}
