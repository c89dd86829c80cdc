"""Real windows as the device's codes, with their truths: what integers are calibrated on and compared on.

A calibration split and the windows that choose between methods come from the training side alone; the judging
side is opened for one thing, how far integers are from the real numbers they stand for.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from device_sim.contract.errors import ContractError, DigestError
from training.augment import Augment
from training.beats import RR_UNIT
from training.cinc_windows import read_windows
from training.cohort import members_of, training_noise
from training.data.cache import Cache
from training.jobs import Workers
from training.options import CACHE, data_folder
from training.painted import painted_net
from training.painted import painting as painting
from training.paper_recipe import PaperRecipe
from training.progress import teller
from training.protocols.external import CLEAN_ENOUGH, validation_of
from training.protocols.external_report import ExternalMetrics
from training.protocols.integers import judge_integers, threshold_of
from training.protocols.integers_report import PROTOCOL as ON_EXTERNAL_TEST
from training.protocols.integers_report import render as render_integers
from training.protocols.paper_report import PaperMetrics
from training.protocols.verdict_rule import VerdictRule
from training.provenance import digest_of_file, write_json
from training.quality_recipe import ExternalRecipe
from training.quality_set import QualitySet, make_set
from training.recipe import AugmentSpec, BeatRecipe, BlindRecipe, read_recipe
from training.results_folder import (
    METRICS,
    OPENINGS,
    RECIPE,
    RESULTS,
    RUN,
    VERDICT,
    check_weights,
    log_opening,
    read_json,
    read_metrics,
    without_nulls,
)
from training.rhythm_model import RhythmModel
from training.streams import CODES_PER_UNIT
from training.tables import build
from training.wearers import wearers_of
from training.workshop import Workshop
from training.worth import UNKNOWN as UNKNOWN
from training.worth import Spread as Spread
from training.worth import Windows as Windows
from training.worth import auc_of as auc_of
from training.worth import balanced_accuracy_of as balanced_accuracy_of
from training.worth import roc_of as roc_of
from training.worth import spread_of_auc as spread_of_auc
from training.worth import spread_of_balanced_accuracy as spread_of_balanced_accuracy
from training.worth import stratified as stratified
from training.worth import temperature_of as temperature_of

I8 = NDArray[np.int8]
# calibration: every class and SNR alike; choosing: as they come, of the same side; judging: of the other
# tuning: like calibration, and more of it
Part = Literal["calibration", "tuning", "choosing", "judging"]
N_CALIBRATION, N_TUNING = 1024, 4096
N_CHOOSING = 3000
CALIBRATION_HOURS = 3.0  # of the noise bench
VALIDATION_HOURS = 2.0  # of the paper's nets, whose own validation knows no windows
CALIBRATION_SEED = 20261121  # another draw than training's
RATHER_CLEAN = 0.5  # of the soft label: what a logit above zero means
CLEAN_STEPS = (0.05, 0.35, 0.65, 0.95)  # of the soft label, so of the SNR: 3, 9, 12 and 18 dB
OPENED = "p3-ds2.json"
COMPARISON = "P3, integers beside real numbers"

IMAGE, PICTURE, SHAPE, RR, ROW = (
    "image",
    "picture",
    "shape",
    "rr",
    "row",
)  # inputs, as the device calls its parts
CLEAN, MORPHOLOGY, RHYTHM = "clean", "morphology", "rhythm"  # outputs: one logit each


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A trained net with what stands between its logits and an answer."""

    recipe: ExternalRecipe | PaperRecipe | BeatRecipe | BlindRecipe
    net: str
    seed: int
    weights: Path
    side: str  # which recordings judge it
    thresholds: Mapping[str, float]  # of each output: a logit above is a yes
    temperatures: Mapping[str, float]  # where training has chosen one
    named_from: Mapping[str, float]  # where a yes has a name only from a higher threshold on
    data: Mapping[str, str]  # recording -> digest of the windows that taught it
    rhythm: RhythmModel | None = None
    is_opened: bool = False  # figures of its judging side are known and logged


def finished(folder: Path, seed: int) -> Finished:
    """What stands in a results folder; weights that are not the run's are refused."""
    recipe = read_recipe(folder / RECIPE)
    if isinstance(recipe, PaperRecipe):
        return _finished_painting(folder, recipe, seed)
    weights = folder / f"weights-s{seed}.safetensors"
    if seed not in recipe.seeds or not isinstance(recipe, ExternalRecipe | BeatRecipe | BlindRecipe):
        raise ContractError(f"{folder}: expected a net with seed {seed} that ships, got {recipe.protocol}")
    check_weights(folder, [weights.name])
    if isinstance(recipe, ExternalRecipe):
        metrics = read_metrics(folder / METRICS)
        assert isinstance(metrics, ExternalMetrics)
        return Finished(
            recipe=recipe,
            net=recipe.net,
            seed=seed,
            weights=weights,
            side="external-dev",
            thresholds={CLEAN: threshold_of(metrics, seed)},
            temperatures={},
            named_from={},
            data={},
            is_opened=True,  # external-dev is looked at by everybody
        )
    path = folder / VERDICT
    rule = build(VerdictRule, without_nulls(read_json(path)), where=str(path))
    thresholds = {MORPHOLOGY: rule.abnormal}
    if rule.rhythm is not None:
        thresholds[RHYTHM] = rule.rhythm
    return Finished(
        recipe=recipe,
        net=recipe.net,
        seed=seed,
        weights=weights,
        side="DS2",
        thresholds=thresholds,
        temperatures={MORPHOLOGY: rule.temperature},
        named_from={} if rule.ventricular is None else {MORPHOLOGY: rule.ventricular},
        data=read_json(folder / RUN)["data"],
        rhythm=rule.rhythm_model,
        is_opened=(folder / OPENED).exists(),
    )


def _finished_painting(folder: Path, recipe: PaperRecipe, seed: int) -> Finished:
    """The paper's net that looks at the device's image in colours."""
    one, metrics = painted_net(recipe, seed), read_metrics(folder / METRICS)
    assert isinstance(metrics, PaperMetrics)
    check_weights(folder, [one.file_name])
    return Finished(
        recipe=recipe,
        net=one.arm.net,
        seed=seed,
        weights=folder / one.file_name,
        side="external-dev",
        thresholds={CLEAN: one.threshold(metrics)},
        temperatures={},
        named_from={},
        data={},
        is_opened=True,  # external-dev is looked at by everybody
    )


def log_comparison(one: Finished) -> None:
    """A look at DS2, for differences alone, is written down like any other."""
    if isinstance(one.recipe, BeatRecipe | BlindRecipe):
        digest = digest_of_file(one.weights)
        log_opening(RESULTS / OPENINGS, recipe=one.recipe.name, protocol=COMPARISON, weights_sha256=[digest])


def on_external_test(
    one: Finished,
    said: Callable[[Mapping[str, I8]], NDArray[np.float64]],
    *,
    graph_sha256: str,
    calibration: Path,
    data: Path | None,
) -> str:
    """A quality net's integers where its real numbers were judged; logged, and written beside the weights.

    said            The integers' logits of windows, in their real worth
    """
    folder, recipe = one.weights.parent, one.recipe
    if not isinstance(recipe, ExternalRecipe):
        raise ContractError(
            f"{folder}: --external-test: expected a quality net, got {recipe.protocol}; DS2 needs no option"
        )
    metrics = judge_integers(
        recipe,
        one.weights,
        one.seed,
        lambda codes_st_i8: said({IMAGE: _column_by_column(codes_st_i8)}),
        one.thresholds[CLEAN],
        graph_sha256,
        _workshop(data),
    )
    log_opening(
        RESULTS / OPENINGS,
        recipe=recipe.name,
        protocol=ON_EXTERNAL_TEST,
        weights_sha256=[digest_of_file(one.weights)],
        rule=calibration,
    )
    write_json(folder / f"external-test-int8-s{one.seed}.json", metrics)
    return render_integers(metrics)


def windows_of(one: Finished, part: Part, data: Path | None = None) -> Windows:
    """The windows of one part.

    data            Folder that holds the sets; without, the one that the environment names
    """
    workshop = _workshop(data)
    match one.recipe:
        case ExternalRecipe():
            return _quality(one.recipe, part, workshop)
        case PaperRecipe():
            return _painted(_quality(one.recipe, part, workshop))
        case BeatRecipe():
            return _part_of_ds1(one, part, _beats(one, part, workshop), workshop)
        case BlindRecipe():
            return _part_of_ds1(one, part, _seconds(one, part, workshop), workshop)


def _workshop(data: Path | None) -> Workshop:
    return Workshop(
        data=data_folder(data), cache=Cache(CACHE.resolve()), workers=Workers(), tell=teller(sys.stderr)
    )


def _painted(windows: Windows) -> Windows:
    (image,) = windows.inputs.values()
    return replace(windows, inputs={PICTURE: painting().picture(image[..., 0])})


def _quality(recipe: ExternalRecipe | PaperRecipe, part: Part, workshop: Workshop) -> Windows:
    if part == "judging":
        dev = read_windows(workshop, "external-dev")
        whole = _images(dev.codes_st_i8, dev.is_clean, dev.is_clean)
        return replace(whole, recording=np.array(dev.recording), names=dev.names)
    if part == "choosing":
        bench = _validation(recipe, workshop)
        chosen = np.random.default_rng(CALIBRATION_SEED).permutation(len(bench))[:N_CHOOSING]
    else:
        bench = make_set(
            workshop,
            "train",
            recipe.bench,
            hours=CALIBRATION_HOURS,
            seed=CALIBRATION_SEED,
            records=recipe.train_records,
        )
        strata = np.digitize(bench.clean, CLEAN_STEPS)
        chosen = stratified(strata, _n(part), np.random.default_rng(CALIBRATION_SEED))
    chosen = np.sort(chosen)
    clean = bench.clean[chosen]
    return _images(bench.windows(chosen), clean >= RATHER_CLEAN, clean >= CLEAN_ENOUGH)


def _validation(recipe: ExternalRecipe | PaperRecipe, workshop: Workshop) -> QualitySet:
    if isinstance(recipe, ExternalRecipe):
        return validation_of(recipe, workshop)
    records = recipe.validation_records
    return make_set(workshop, "validation", recipe.bench, hours=VALIDATION_HOURS, seed=0, records=records)


def _images(codes_st_i8: I8, is_rather_clean: NDArray[np.bool_], is_clean: NDArray[np.bool_]) -> Windows:
    return Windows(
        inputs={IMAGE: _column_by_column(codes_st_i8)},
        truths={CLEAN: is_rather_clean.astype(np.int8)},
        verdict=is_clean.astype(np.int8),
        recording=np.zeros(len(is_clean), np.int64),
        names=("noise bench",),
    )


def _column_by_column(codes_st_i8: I8) -> I8:
    """[n, 32, 80] as the device keeps it: [n, 80, 32, 1]."""
    return np.ascontiguousarray(codes_st_i8.transpose(0, 2, 1))[..., None]


def _beats(one: Finished, part: Part, workshop: Workshop) -> Windows:
    recipe = one.recipe
    assert isinstance(recipe, BeatRecipe)
    members = members_of(recipe, _records(recipe, part), workshop)
    _check_data(one, {member.name: member.digest for member in members})
    kinds = np.concatenate([member.beats.classes for member in members])
    shapes = np.concatenate([member.beats.shapes_ct_i8 for member in members])
    rr = np.concatenate([member.beats.rr for member in members])
    return Windows(
        inputs={
            SHAPE: np.ascontiguousarray(shapes.transpose(0, 2, 1))[:, None],
            RR: np.rint(rr * RR_UNIT).astype(np.int8),
        },
        truths={MORPHOLOGY: _truth(kinds, "VF", "N-"), RHYTHM: _truth(kinds, "S", "N-")},
        verdict=_truth(kinds, "SVF", "N-"),
        recording=np.repeat(np.arange(len(members)), [len(member.beats.classes) for member in members]),
        names=tuple(member.name for member in members),
    )


def _truth(kinds: NDArray[np.str_], positive: str, negative: str) -> I8:
    found = np.select([np.isin(kinds, list(positive)), np.isin(kinds, list(negative))], [1, 0], UNKNOWN)
    return found.astype(np.int8)


def _seconds(one: Finished, part: Part, workshop: Workshop) -> Windows:
    recipe = one.recipe
    assert isinstance(recipe, BlindRecipe)
    wearers = wearers_of(workshop, stream=recipe.stream, rule=recipe.rule, records=_records(recipe, part))
    _check_data(one, {wearer.name: wearer.digest for wearer in wearers})
    truth = np.clip(np.concatenate([np.array(one.labels) for one in wearers]), UNKNOWN, 1).astype(np.int8)
    # A second that the recording does not fill has a window and no label.
    units = np.concatenate([np.load(one.windows, mmap_mode="r")[: len(one.labels)] for one in wearers])
    return Windows(
        inputs={ROW: np.rint(units * CODES_PER_UNIT).astype(np.int8)[:, None, :, None]},
        truths={MORPHOLOGY: truth},
        verdict=truth,
        recording=np.repeat(np.arange(len(wearers)), [len(one.labels) for one in wearers]),
        names=tuple(one.name for one in wearers),
    )


def _n(part: Part) -> int:
    return N_TUNING if part == "tuning" else N_CALIBRATION


def _records(recipe: BeatRecipe | BlindRecipe, part: Part) -> Sequence[str]:
    return recipe.test_records if part == "judging" else recipe.train_records


def _check_data(one: Finished, found: Mapping[str, str]) -> None:
    """A net that was trained behind another front end is not calibrated behind this one."""
    for name, digest in found.items():
        if name in one.data and one.data[name] != digest:
            raise DigestError(
                f"{one.weights}: record {name}: expected windows {one.data[name][:12]}.. (run.json), "
                f"got {digest[:12]}..; the front end has changed since, train again"
            )


def _part_of_ds1(one: Finished, part: Part, windows: Windows, workshop: Workshop) -> Windows:
    rng = np.random.default_rng(CALIBRATION_SEED)
    if part == "judging":
        return windows
    if part == "choosing":
        return windows.take(np.sort(rng.permutation(len(windows))[:N_CHOOSING]))
    kinds = np.stack([*windows.truths.values()]).astype(np.int64) - UNKNOWN
    strata = np.ravel_multi_index(tuple(kinds), (3,) * len(kinds))
    chosen = windows.take(stratified(strata, _n(part), rng))
    assert isinstance(one.recipe, BeatRecipe | BlindRecipe)
    return _half_noisy(chosen, one.recipe.fit.augment, training_noise(workshop), rng)


def _half_noisy(
    windows: Windows, augment: AugmentSpec, noise_t: NDArray[np.float32], rng: np.random.Generator
) -> Windows:
    """Half of the windows under recorded noise, as strong as training adds it."""
    name = ROW if ROW in windows.inputs else SHAPE
    codes = windows.inputs[name].copy()
    noisy = rng.permutation(len(codes))[: len(codes) // 2]
    mix = Augment(
        AugmentSpec(
            noise_chance=1.0,
            noise_snr_db_min=augment.noise_snr_db_min,
            noise_snr_db_max=augment.noise_snr_db_max,
            noise_rms_max=augment.noise_rms_max,
        ),
        torch.from_numpy(noise_t),
    )
    x_bct = torch.from_numpy(codes[noisy, 0].transpose(0, 2, 1).astype(np.float32) / CODES_PER_UNIT)
    mixed = mix(x_bct, torch.Generator().manual_seed(CALIBRATION_SEED)).numpy()
    codes[noisy, 0] = np.clip(np.rint(mixed * CODES_PER_UNIT), -128, 127).transpose(0, 2, 1)
    return replace(windows, inputs={**windows.inputs, name: codes})
