"""A quality net learns, forgets nothing when it is stopped, and sees what it is said to see."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError
from training.quality_fit import (
    QualityFitSpec,
    balanced_draw,
    blanked,
    clean_logits,
    fit_quality,
    soft_loss,
    varied,
)
from training.quality_metrics import ranked, roc_auc
from training.quality_nets import QualityTiny
from training.quality_set import QualitySet, join

SPEC = QualityFitSpec(
    lr=2e-3, batch_size=32, epochs=2, windows_per_epoch=320, label_smoothing=0.05, level_jitter_codes=10
)


def pulses(seed: int, n_recordings: int = 30) -> QualitySet:
    """Recordings of 160 columns: a pulse every twelve where clean, a level without pulses where not."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-40, -10, size=(n_recordings, 160, 32))
    is_clean = np.arange(n_recordings) % 3 > 0
    codes[is_clean, ::12, 6:20] += 60
    starts = (np.arange(n_recordings)[:, None] * 160 + np.arange(0, 81, 16)).ravel()
    return QualitySet(
        codes_ts_i8=codes.reshape(-1, 32).astype(np.int8),
        starts=starts,
        clean=np.repeat(is_clean, 6).astype(np.float32),
        digest=f"pulses {seed}",
    )


def fresh() -> QualityTiny:
    torch.manual_seed(1)
    return QualityTiny()


def test_a_net_learns_to_tell_pulses_from_none() -> None:
    net, other = fresh(), pulses(2)
    curve = fit_quality(net, pulses(1), other, SPEC, seed=0)
    scores = clean_logits(net, other.windows(np.arange(len(other))))
    assert roc_auc(ranked(scores, other.clean > 0.5)) > 0.98
    assert curve[-1].validation_auc > 0.98
    assert [epoch.number for epoch in curve] == [0, 1]


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole, parts = fresh(), fresh()
    curve = fit_quality(whole, pulses(1), pulses(2), SPEC, seed=3)
    resume = tmp_path / "run.resume"

    def stop(_epoch: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_quality(parts, pulses(1), pulses(2), SPEC, seed=3, resume=resume, on_epoch=stop)
    continued = fresh()
    assert fit_quality(continued, pulses(1), pulses(2), SPEC, seed=3, resume=resume) == curve
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in continued.state_dict().items())


def test_a_broken_resume_point_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.resume"
    path.write_bytes(b"nothing")
    with pytest.raises(ContractError, match="expected a resume point"):
        fit_quality(fresh(), pulses(1), pulses(2), SPEC, seed=0, resume=path)


def test_half_of_what_is_drawn_is_noisy() -> None:
    clean = np.array([0.9] * 95 + [0.1] * 5, dtype=np.float32)
    drawn = balanced_draw(clean, 200, np.random.default_rng(0))
    assert (clean[drawn] < 0.5).sum() == 100
    with pytest.raises(ContractError, match="got 0 noisy and 2 clean"):
        balanced_draw(np.array([0.9, 0.8], dtype=np.float32), 10, np.random.default_rng(0))


def test_a_window_is_columns_in_time_order_and_lies_in_one_recording() -> None:
    first, second = pulses(1, 3), pulses(2, 3)
    both = join([first, second])
    images = both.windows(np.arange(len(both)))
    assert images.shape == (36, 32, 80)
    start = int(both.starts[20])
    assert np.array_equal(images[20], both.codes_ts_i8[start : start + 80].T)
    assert all(start // 160 == (start + 79) // 160 for start in both.starts)
    assert np.array_equal(images[18:], second.windows(np.arange(18)))


def test_a_louder_image_keeps_its_shape_and_saturates() -> None:
    images = pulses(1).windows(np.arange(50))
    moved = varied(images, replace(SPEC, level_jitter_codes=10), np.random.default_rng(0)).astype(int)
    shifts = (moved - images).reshape(50, -1)
    assert (shifts == shifts[:, :1]).all()
    assert {-10, 10} <= set(range(shifts.min(), shifts.max() + 1))
    assert varied(np.full((9, 32, 80), 127, np.int8), SPEC, np.random.default_rng(0)).max() == 127


def test_a_tilted_image_moves_whole_rows_and_neighbours_alike() -> None:
    images = np.zeros((200, 32, 80), np.int8)
    spec = replace(SPEC, level_jitter_codes=0, tilt_jitter_codes=8.0)
    moved = varied(images, spec, np.random.default_rng(0)).astype(int)
    assert (moved == moved[:, :, :1]).all()
    rows = moved[:, :, 0]
    assert rows[:, 0].std() == pytest.approx(8, rel=0.2)
    assert np.abs(np.diff(rows, axis=1)).max() < 8
    assert np.corrcoef(rows[:, 0], rows[:, 31])[0, 1] == pytest.approx(0, abs=0.2)


def test_blanking_takes_the_top_octave_and_the_hf_row_and_leaves_the_original() -> None:
    images: NDArray[np.int8] = np.full((2, 32, 80), 9, np.int8)
    bare = blanked(images)
    assert np.flatnonzero((bare == 0).all(axis=(0, 2))).tolist() == [0, 1, 2, 3, 4, 5, 31]
    assert (images == 9).all()
    some = varied(np.repeat(images, 50, axis=0), replace(SPEC, blank_chance=0.5), np.random.default_rng(0))
    assert 20 < int((some[:, 0] == 0).all(axis=1).sum()) < 80


def test_a_smoothed_label_is_met_short_of_certainty() -> None:
    """Between smoothing and 1 - smoothing the loss is least."""
    logits = torch.linspace(-6, 6, 121, dtype=torch.float64)
    losses = [float(soft_loss(x[None], torch.ones(1, dtype=torch.float64), 0.05)) for x in logits]
    assert float(torch.sigmoid(logits[int(np.argmin(losses))])) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(
    ("lr", "blank_chance", "message"),
    [(0.0, 0.0, "lr: expected more than 0"), (1e-3, 1.0, "blank_chance: expected 0 up to below 1")],
)
def test_a_spec_that_makes_no_sense_is_refused(lr: float, blank_chance: float, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        replace(SPEC, lr=lr, blank_chance=blank_chance)


def test_masks_hide_some_rows_or_some_moments_and_nothing_else() -> None:
    images = np.full((200, 32, 80), 50, np.int8)
    generator = np.random.default_rng(1)
    plain = replace(SPEC, level_jitter_codes=0)
    rows = varied(images, replace(plain, row_mask_chance=0.999), generator)
    columns = varied(images, replace(plain, column_mask_chance=0.5), generator)
    hidden_rows, hidden_columns = (rows == 0).all(axis=2), (columns == 0).all(axis=1)
    assert np.array_equal(rows == 0, np.repeat(hidden_rows[:, :, None], 80, axis=2))
    assert np.array_equal(columns == 0, np.repeat(hidden_columns[:, None], 32, axis=1))
    assert set(hidden_rows.sum(axis=1)) - {0} == set(range(2, 9))
    assert set(hidden_columns.sum(axis=1)) == {0, *range(2, 13)}
    assert 60 < np.count_nonzero(hidden_columns.any(axis=1)) < 140
    assert np.all(images == 50)
