"""One net: the same seed gives the same weights, also when the run was killed on the way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from device_sim.contract.errors import ContractError
from training.augment import Augment
from training.examples import Examples, examples_of
from training.fit import Epoch, abnormal_logit, balanced_figures, fit, is_over, read_run
from training.nets import make_net
from training.recipe import AugmentSpec, FitSpec

SPEC = FitSpec(
    lr=1e-3,
    batch_size=16,
    is_balanced=True,
    epochs_max=6,
    select="last",
    ema_decay=0.9,
    has_cosine=True,
    augment=AugmentSpec(gain_octaves=0.5, jitter=0.05, shift_samples=3),
)
N_STEPS = 6 * 7  # of a hundred windows
ROOT = Path(__file__).parents[2]

# Fits as `fitted` below does, but slowly, so that it can be killed between two epochs.
KILLED = """
import sys, time
from pathlib import Path
import torch
sys.path.insert(0, "tests/training")
torch.set_num_threads(1)
from test_fit import fitted
fitted(Path(sys.argv[1]), on_epoch=lambda epoch: (print(epoch.number, flush=True), time.sleep(0.2)))
"""


def windows(n: int, *, seed: int) -> Examples:
    """Normal: a bump in the middle; abnormal: a wider one upside down."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(np.int64)
    time_s = (np.arange(128) - 64) / 128
    width = np.where(labels, 0.08, 0.03)[:, None]
    bump = np.where(labels, -1.0, 1.0)[:, None] * np.exp(-0.5 * (time_s / width) ** 2)
    return examples_of((bump + 0.1 * rng.standard_normal((n, 128))).astype(np.float32), labels)


def two_channels(examples: Examples) -> Examples:
    """As `beat_tiny` takes them."""
    return Examples(examples.x_bct.repeat(1, 2, 1), examples.labels, examples.weights)


def fitted(
    resume: Path | None, *, on_epoch: Callable[[Epoch], object] = lambda _epoch: None
) -> dict[str, torch.Tensor]:
    run = fit(
        make_net("beat_tiny", seed=3),
        two_channels(windows(200, seed=1)),
        two_channels(windows(60, seed=2)),
        SPEC,
        seed=5,
        resume=resume,
        augment=Augment(SPEC.augment),
        on_epoch=on_epoch,
    )
    return run.state


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_seed_gives_the_same_weights() -> None:
    assert same(fitted(None), fitted(None))


def test_a_run_killed_and_continued_ends_with_the_same_weights(tmp_path: Path) -> None:
    resume = tmp_path / "run.resume"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(resume)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as lines:
        assert lines.readline() == "0\n"
        assert lines.readline() == "1\n"
        os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 2 <= read_run(resume).epoch < SPEC.epochs_max
    assert same(fitted(resume), fitted(None))


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    resume = tmp_path / "run.resume"
    first = fitted(resume)
    epochs: list[Epoch] = []
    assert same(fitted(resume, on_epoch=epochs.append), first)
    assert not epochs


def test_a_broken_resume_point_is_refused(tmp_path: Path) -> None:
    resume = tmp_path / "run.resume"
    resume.write_bytes(b"not a resume point")
    with pytest.raises(ContractError, match="remove it to start again"):
        fitted(resume)


def test_it_learns_what_can_be_learnt() -> None:
    net = make_net("cardiacnet", seed=0)
    spec = FitSpec(lr=1e-3, batch_size=16, is_balanced=True, epochs_max=5)
    run = fit(net, windows(300, seed=1), windows(100, seed=2), spec, seed=0)
    assert run.best.validation_balanced_accuracy > 0.95


def epoch(number: int, accuracy: float, loss: float = 0.5) -> Epoch:
    return Epoch(
        number=number,
        lr=0.1,
        train_loss=0.5,
        train_balanced_accuracy=0.5,
        validation_loss=loss,
        validation_balanced_accuracy=accuracy,
        seconds=0.0,
    )


def test_a_hopeless_run_is_given_up() -> None:
    spec = FitSpec(lr=0.1, batch_size=4, is_balanced=False, epochs_max=30, epochs_min=20, hopeless_epochs=3)
    assert not is_over([epoch(0, 0.5), epoch(1, 0.5)], spec)
    assert is_over([epoch(0, 0.5), epoch(1, 0.5), epoch(2, 0.5)], spec)
    assert not is_over([epoch(0, 0.6), epoch(1, 0.5), epoch(2, 0.5)], spec)
    assert is_over([epoch(n, 0.7, float("nan")) for n in range(3)], spec)


def test_patience_counts_after_the_first_epochs_and_loss_breaks_ties() -> None:
    spec = FitSpec(lr=0.1, batch_size=4, is_balanced=False, epochs_max=30, epochs_min=3, patience_epochs=2)
    flat = [epoch(0, 0.9), epoch(1, 0.9), epoch(2, 0.9)]
    assert not is_over(flat[:2], spec)
    assert is_over(flat, spec)
    assert not is_over([*flat[:2], epoch(2, 0.9, loss=0.4)], spec)


def test_kinds_of_abnormal_make_one_abnormal_logit() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    assert abnormal_logit(logits).tolist() == pytest.approx([0.6931, -2.3069, 5.0067], abs=1e-3)


def test_a_class_nobody_has_does_not_count() -> None:
    logits, labels = torch.tensor([-2.0, -3.0]), torch.tensor([0, 0])
    assert balanced_figures(logits, labels)[1] == 1.0


def test_a_weightless_window_teaches_nothing() -> None:
    """Its label may be anything: the weights come out the same."""
    known, spec = windows(100, seed=1), replace(SPEC, epochs_max=2, label_smoothing=0.0)
    weights = torch.ones(100)
    weights[:30] = 0.0
    turned = known.labels.clone()
    turned[:30] = 1 - turned[:30]
    states = []
    for labels in (known.labels, turned):
        net = make_net("cardiacnet", seed=0)
        held = windows(20, seed=2)
        states.append(fit(net, Examples(known.x_bct, labels, weights), held, spec, seed=0).state)
    assert same(*states)


def test_products_of_half_the_bits_leave_weights_of_all() -> None:
    known, held = windows(100, seed=1), windows(40, seed=2)
    states = []
    for has_bfloat16 in (False, True):
        spec = replace(SPEC, has_bfloat16=has_bfloat16)
        states.append(fit(make_net("cardiacnet", seed=0), known, held, spec, seed=0).state)
    assert all(value.dtype == torch.float32 for value in states[1].values())
    assert not same(*states)
    for name, exact in states[0].items():
        assert float((states[1][name] - exact).abs().max()) < 2 * SPEC.lr * N_STEPS  # Adam moves by lr a step


def test_nothing_to_train_on_is_refused() -> None:
    nothing = windows(10, seed=0).take(np.array([], dtype=np.int64))
    with pytest.raises(ContractError, match="got 0 and 10"):
        fit(make_net("cardiacnet", seed=0), nothing, windows(10, seed=0), SPEC, seed=0)


def test_augmentation_of_size_zero_changes_nothing() -> None:
    x_bct = windows(5, seed=0).x_bct
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(Augment(AugmentSpec())(x_bct, generator), x_bct)


def test_noise_is_added_at_the_snr_that_was_asked_for() -> None:
    spec = AugmentSpec(noise_chance=1.0, noise_snr_db_min=6.0, noise_snr_db_max=6.0)
    x_bct = windows(50, seed=0).x_bct
    noise_t = torch.randn(10_000, generator=torch.Generator().manual_seed(1))
    noisy = Augment(spec, noise_t)(x_bct, torch.Generator().manual_seed(2))
    swing = x_bct.amax(dim=2) - x_bct.amin(dim=2)
    power = (noisy - x_bct).square().mean(dim=2)
    snr_db = 10 * torch.log10(swing.square() / 8 / power)
    assert snr_db.flatten().tolist() == pytest.approx([6.0] * 50, abs=1e-3)


def test_slow_epochs_do_not_change_the_weights() -> None:
    slow = fitted(None, on_epoch=lambda _epoch: time.sleep(0.001))
    assert same(slow, fitted(None))


def test_a_contradiction_is_found_before_training() -> None:
    with pytest.raises(ContractError, match="has_cosine: contradicts plateau_patience"):
        replace(SPEC, plateau_patience=3)
