"""Choosing among methods: the candidate that changes fewest verdicts; codes spent near the threshold."""

from functools import cache

import numpy as np
import torch

from device_sim.contract.inputs import InputKind
from export.calibrate import Method
from export.calibration import Question, floats_of
from export.choose import LOGIT_REACH, Candidate, Material, candidates
from export.flips import real_logits
from export.quantize import to_codes
from export.shipped import KINDS, Rhythm, one_logit
from tests.export.nets import ours, unsettle, windows
from training.nets import make_net

RHYTHM = Rhythm(weights=tuple(3.0 * k for k in range(-5, 5)), bias=-0.5)
SPECS = KINDS[InputKind.BEAT].inputs


@cache
def material() -> Material:
    net = unsettle(make_net("beat_tiny", seed=9))
    floats = floats_of(net, name="n", kind=InputKind.BEAT, rhythm=RHYTHM)
    made = []
    for seed in (1, 2):
        drawn = windows({name: one.shape for name, one in SPECS.items()}, 128, seed)
        made.append({name: to_codes(ours(x), SPECS[name].code) for name, x in drawn.items()})
    logits = real_logits(floats, SPECS, made[1])
    middle = float(np.median(logits["morphology"]))
    questions = {
        "morphology": Question(threshold=middle, temperature=0.1),
        "rhythm": Question(threshold=0.0, temperature=0.5),
    }
    return Material(
        floats=floats,
        specs=SPECS,
        questions=questions,
        calibration_i8=made[0],
        choosing_i8=made[1],
        choosing_logits=logits,
    )


@cache
def found() -> tuple[Candidate, ...]:
    return tuple(candidates(material()))


def test_every_method_is_tried_and_the_best_once_more_with_equalised_channels() -> None:
    assert [one.method for one in found()[:3]] == list(Method)
    assert all(not one.equalisation for one in found()[:3])
    assert found()[3].equalisation
    assert found()[3].method is min(found()[:3], key=lambda one: one.rank).method


def test_fewest_changed_verdicts_rank_first_and_a_line_says_so() -> None:
    for one in found():
        assert one.rank[0] == len(one.answers.changed)
        assert f"{one.rank[0]} of 128 verdicts change" in str(one)
        assert set(one.sqnr_db) == {"morphology", "rhythm"}


def test_every_layer_of_a_candidate_has_a_line() -> None:
    one = found()[0]
    lines = list(one.layers())
    assert [line.split()[0] for line in lines] == [operator.output for operator in one.graph.operators]
    assert all(line.endswith(" dB") for line in lines)


def test_a_logit_reaches_eight_temperatures_from_its_threshold_and_no_further() -> None:
    for one in found():
        rhythm = one.ranges["rhythm"]
        assert rhythm.high == LOGIT_REACH * 0.5
        assert rhythm.low == -LOGIT_REACH * 0.5
    assert material().choosing_logits["rhythm"].max() > 3 * LOGIT_REACH


def test_a_threshold_lies_midway_between_two_codes() -> None:
    """To a hundredth of a code: ranges have 12 significant bits. Zero has a code of its own."""
    threshold = material().questions["morphology"].threshold
    for one in found():
        steps = abs(threshold) / one.graph.tensor("morphology").scale
        assert steps < 0.5 or abs(steps % 1 - 0.5) < 0.01 + steps / 4096


def test_two_logits_ship_as_their_difference() -> None:
    net = make_net("light_cnn", seed=3).eval()
    specs = KINDS[InputKind.IMAGE].inputs
    floats = floats_of(net, name="n", kind=InputKind.IMAGE, rhythm=None)
    x_bcst = windows({"image": specs["image"].shape}, 4, 5)["image"]
    codes = {"image": to_codes(ours(x_bcst, time_major=True), specs["image"].code)}
    with torch.no_grad():
        noisy, clean = net(torch.from_numpy(x_bcst).float()).double().numpy().T
    np.testing.assert_allclose(real_logits(floats, specs, codes)["clean"], clean - noisy, atol=1e-4)
    single = make_net("quality_tiny", seed=3)
    assert one_logit(single) is single
