"""The beat stage on the emulated core: the same beats as here, and the detector within its limit."""

from pathlib import Path

import pytest

from benchmarks import beats


@pytest.fixture(scope="module")
def cost(tmp_path_factory: pytest.TempPathFactory) -> beats.BeatCost:
    for package in ("ziglang", "unicorn", "elftools"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install -e '.[mcu]'")
    folder: Path = tmp_path_factory.mktemp("beats")
    return beats.run(beats.build(folder), beats.ecg_stream())


def test_the_emulated_core_makes_the_same_beats(cost: beats.BeatCost) -> None:
    n_beats, fnv = beats.hash_here(beats.ecg_stream())
    assert n_beats >= 55
    assert (cost.n_beats, cost.hash) == (n_beats, fnv)


def test_the_detector_takes_no_more_than_a_hundred_instructions_a_sample(cost: beats.BeatCost) -> None:
    assert all(limit.kept for limit in cost.limits()), beats.text(cost)
    assert 50 < cost.detector <= 100
