"""Windows for integers: every stratum alike, half under noise, and only behind the front end that taught."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_sim.contract.errors import ContractError, DigestError
from training.evaluate import (
    CLEAN,
    MORPHOLOGY,
    RHYTHM,
    ROW,
    UNKNOWN,
    Finished,
    Windows,
    _check_data,
    _half_noisy,
    auc_of,
    balanced_accuracy_of,
    finished,
    stratified,
)
from training.recipe import AugmentSpec

RESULTS = Path(__file__).resolve().parents[2] / "training/results"


def test_every_stratum_gives_as_many_as_it_has_up_to_its_share() -> None:
    strata = np.repeat([5, 0, 9, 2], [10, 1000, 1000, 100])
    chosen = stratified(strata, 400, np.random.default_rng(1))
    assert len(chosen) == len(set(chosen.tolist())) == 400
    assert np.all(np.diff(chosen) > 0)
    counts = {int(one): int((strata[chosen] == one).sum()) for one in np.unique(strata)}
    assert counts == {5: 10, 2: 100, 0: 145, 9: 145}
    assert len(stratified(strata, 10**6, np.random.default_rng(1))) == len(strata)


def test_half_of_the_windows_get_noise_as_strong_as_in_training() -> None:
    codes = np.zeros((40, 1, 128, 1), np.int8)
    truth = np.zeros(40, np.int8)
    windows = Windows(
        inputs={ROW: codes},
        truths={MORPHOLOGY: truth},
        verdict=truth,
        recording=truth.astype(int),
        names=("a",),
    )
    noise = np.random.default_rng(2).normal(0, 1, 5000).astype(np.float32)
    spec = AugmentSpec(noise_chance=0.1, noise_rms_max=1.0, gain_octaves=3.0)
    mixed = _half_noisy(windows, spec, noise, np.random.default_rng(3)).inputs[ROW]
    strength = mixed.astype(float).std(axis=(1, 2, 3)) / 32
    assert (strength > 0).sum() in (19, 20)  # one may be too quiet for a code
    assert strength.max() <= 1.05  # no gain: only what training calls noise
    assert not codes.any()


def test_truths_that_are_unknown_count_nowhere() -> None:
    truth = np.array([1, 0, UNKNOWN, 1, 0], np.int8)
    logits = np.array([2.0, 1.0, -9.0, 0.5, -1.0])
    assert auc_of(logits, truth) == pytest.approx(0.75)
    assert balanced_accuracy_of(logits > 0.7, truth) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("folder", "outputs"),
    [("quality-tiny", {CLEAN}), ("p3-beat", {MORPHOLOGY, RHYTHM}), ("p3-blind", {MORPHOLOGY})],
)
def test_a_results_folder_says_what_its_logits_decide(folder: str, outputs: set[str]) -> None:
    one = finished(RESULTS / folder, 0)
    assert set(one.thresholds) == outputs
    assert one.weights.name == "weights-s0.safetensors"
    assert (one.rhythm is not None) == (RHYTHM in outputs)
    with pytest.raises(ContractError, match="expected a net with seed 99 that ships"):
        finished(RESULTS / folder, 99)


def test_windows_of_another_front_end_are_refused() -> None:
    one: Finished = replace(finished(RESULTS / "p3-blind", 0), data={"101": "a" * 64})
    _check_data(one, {"101": "a" * 64, "100": "anything: it taught nobody"})
    with pytest.raises(DigestError, match=r"record 101: expected windows aaaaaaaaaaaa.. \(run.json\), got b"):
        _check_data(one, {"101": "b" * 64})
