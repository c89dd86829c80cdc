"""Three lessons are learnt by one loop, which forgets nothing when it is stopped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from device_sim.contract.errors import ContractError
from training.image_fit import Lesson, clean_scores, fit_images, in_units
from training.lessons import Guesser, Kinds, Masked, Verdicts
from training.paper_nets import SMALL_SIDE, LightCnnPaper
from training.quality_fit import QualityFitSpec
from training.quality_metrics import ranked, roc_auc
from training.quality_nets import LightCnn

SPEC = QualityFitSpec(lr=1e-3, batch_size=16, epochs=2, windows_per_epoch=64)


def stripes(n: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pictures with stripes that stand (clean) or lie (noisy)."""
    rng = np.random.default_rng(seed)
    is_clean = np.arange(n) % 2 == 0
    wave = (np.arange(SMALL_SIDE) // 4 % 2 * 120).astype(np.int16)
    found = rng.integers(0, 100, size=(n, 3, SMALL_SIDE, SMALL_SIDE)).astype(np.int16)
    found[is_clean] += wave
    found[~is_clean] += wave[:, None]
    return found.astype(np.uint8), is_clean.astype(np.float32)


def verdicts() -> Verdicts:
    images, clean = stripes(64, 1)
    validation, validation_clean = stripes(20, 2)
    return Verdicts(
        images=images, clean=clean, validation=validation, validation_clean=validation_clean, spec=SPEC
    )


def fresh() -> LightCnnPaper:
    torch.manual_seed(3)
    return LightCnnPaper(2, SMALL_SIDE)


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_a_net_learns_which_pictures_are_clean(has_bfloat16: bool) -> None:
    net, lesson = fresh(), verdicts()
    curve = fit_images(net, lesson, SPEC, seed=0, has_bfloat16=has_bfloat16)
    assert [epoch["number"] for epoch in curve] == [0, 1]
    scores = clean_scores(net, lesson.validation)
    assert roc_auc(ranked(scores, lesson.validation_clean > 0.5)) > 0.95
    assert curve[-1]["validation_auc"] > 0.95
    assert next(net.parameters()).dtype == torch.float32


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole, parts, continued = fresh(), fresh(), fresh()
    curve = fit_images(whole, verdicts(), SPEC, seed=7)
    resume = tmp_path / "run.resume"

    def stop(_epoch: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_images(parts, verdicts(), SPEC, seed=7, resume=resume, on_epoch=stop)
    assert fit_images(continued, verdicts(), SPEC, seed=7, resume=resume) == curve
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in continued.state_dict().items())


@pytest.mark.parametrize("content", [b"nothing", b""])
def test_a_broken_resume_point_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.resume"
    path.write_bytes(content)
    with pytest.raises(ContractError, match="expected a resume point"):
        fit_images(fresh(), verdicts(), SPEC, seed=0, resume=path)


def test_a_net_learns_kinds_of_photographs() -> None:
    images, clean = stripes(64, 4)
    validation, validation_clean = stripes(20, 5)
    lesson = Kinds(
        images=images,
        labels=clean.astype(np.int64),
        validation=validation,
        validation_labels=validation_clean.astype(np.int64),
        label_smoothing=0.1,
    )
    curve = fit_images(fresh(), lesson, SPEC, seed=0)
    assert curve[-1]["validation_accuracy"] > 0.9


@pytest.mark.parametrize("is_device", [False, True])
def test_what_a_mask_hides_is_guessed_from_the_rest(is_device: bool) -> None:
    """Every image is one shade: whatever is hidden looks as the rest does."""
    rng = np.random.default_rng(6)
    torch.manual_seed(0)
    if is_device:
        images = np.repeat(rng.integers(-100, 100, (40, 1, 1)), 32 * 80).reshape(40, 32, 80).astype(np.int8)
        net: nn.Module = Guesser(LightCnn().encoder, LightCnn.WIDTHS[-1], 1)
    else:
        shade = rng.integers(0, 255, (40, 3, 1, 1), dtype=np.uint8)
        images = np.tile(shade, (1, 1, SMALL_SIDE, SMALL_SIDE))
        net = Guesser(LightCnnPaper(2, SMALL_SIDE).encoder, 64, 3)
    lesson: Lesson = Masked(images=images[:32], validation=images[32:])
    spec = replace(SPEC, lr=3e-3, epochs=3, windows_per_epoch=96)
    curve = fit_images(net, lesson, spec, seed=0)
    assert curve[-1]["validation_explained"] > 0.3  # the mean colour explains nothing


def test_pictures_and_codes_have_their_own_units() -> None:
    net = fresh()
    pictures = np.array([0, 255], np.uint8).repeat(3 * 4).reshape(2, 3, 2, 2)
    assert in_units(pictures, net)[:, 0, 0, 0].tolist() == [-1.0, 1.0]
    codes = np.full((1, 32, 80), -64, np.int8)
    assert in_units(codes, net).shape == (1, 1, 32, 80)
    assert in_units(codes, net)[0, 0, 0, 0].item() == -2.0
