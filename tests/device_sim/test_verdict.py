"""From codes to answers: thresholds, what lies between them, holding on, means, rules before any network."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.contract.errors import ContractError
from device_sim.contract.labels import Labels
from device_sim.contract.verdict import FLAGS, Question, VerdictSpec
from device_sim.frontend import Flag
from device_sim.lookup import score_table_q15
from device_sim.verdict import By, Judge, Mean, Verdict

SCORES = score_table_q15(1 / 16, 0, 1.0)
USABLE = np.ones(1, np.bool_)
LABELS = Labels(("N", "V", "S"))


def question(
    output: str = "y", accept: int = 10, reject: int = -10, hold: int = 0, scores: tuple[int, ...] = SCORES
) -> Question:
    return Question(
        output=output, accept_q8=accept << 8, reject_q8=reject << 8, hold_q8=hold << 8, score_q15=scores
    )


def spec(*questions: Question, mean_windows: int = 1, mean_hops: int = 1, **limits: int) -> VerdictSpec:
    return VerdictSpec(
        questions=questions or (question(),),
        undecided="uncertain",
        unusable="unusable",
        flag_limits=limits,
        mean_windows=mean_windows,
        mean_hops=mean_hops,
    )


def labels_of(judge: Judge, *codes: int) -> list[str]:
    """Labels for the codes of the one output, window by window."""
    return [judge.push({"y": np.array([code], np.int8)}, USABLE)[0][0] for code in codes]


def test_the_flags_are_those_of_the_front_end() -> None:
    assert tuple(str(flag.name).lower() for flag in Flag) == FLAGS
    assert [flag.value for flag in Flag] == [1 << k for k in range(len(FLAGS))]


def test_at_a_threshold_it_is_reached_and_between_them_nothing_is_said() -> None:
    judge = Judge(spec(), Labels(("no", "yes")))
    assert labels_of(judge, 10, 9, -9, -10, 127, -128) == ["yes", "uncertain", "uncertain", "no", "yes", "no"]


def test_an_answer_is_given_up_only_when_it_is_plainly_over() -> None:
    judge = Judge(spec(question(hold=4)), Labels(("no", "yes")))
    assert labels_of(judge, 9, 10, 6, 5, 9, -10, -6, -5) == [
        *("uncertain", "yes", "yes", "uncertain", "uncertain"),
        *("no", "no", "uncertain"),
    ]


def test_a_wide_hold_still_lets_go_on_the_other_side() -> None:
    judge = Judge(spec(question(accept=1, reject=0, hold=50)), Labels(("no", "yes")))
    assert labels_of(judge, 1, -49, -50, 50, 51) == ["yes", "yes", "no", "no", "yes"]


def test_the_first_question_that_says_yes_names_the_verdict() -> None:
    judge = Judge(spec(question("v"), question("s")), LABELS)

    def said(v: int, s: int) -> str:
        return judge.push({"v": np.array([v], np.int8), "s": np.array([s], np.int8)}, USABLE)[0][0]

    assert [said(20, 20), said(20, -20), said(-20, 20), said(-20, -20)] == ["V", "V", "S", "N"]
    assert [said(0, 20), said(20, 0), said(0, -20), said(-20, 0)] == ["S", "V", "uncertain", "uncertain"]


def test_the_score_is_that_of_the_surest_question_and_calibrated() -> None:
    judge = Judge(spec(question("v"), question("s", scores=score_table_q15(1 / 16, 0, 2.0))), LABELS)
    _label, score, _margin = judge.push({"v": np.array([16], np.int8), "s": np.array([48], np.int8)}, USABLE)[
        0
    ]
    assert score == round(32768 / (1 + math.exp(-1.5)))


@pytest.mark.parametrize(
    ("code", "margin"), [(13, 3 << 8), (10, 0), (4, -6 << 8), (-7, -3 << 8), (-12, 2 << 8)]
)
def test_the_margin_is_the_way_to_the_nearest_threshold(code: int, margin: int) -> None:
    judge = Judge(spec(), Labels(("no", "yes")))
    assert judge.push({"y": np.array([code], np.int8)}, USABLE)[0][2] == margin


def test_too_many_flagged_columns_are_unusable_and_forget_the_last_answer() -> None:
    judge = Judge(spec(question(hold=4), rail=2, lead_off=0), Labels(("no", "yes")))
    flags = np.zeros((4, len(FLAGS)), np.int64)
    flags[:, FLAGS.index("rail")] = [0, 2, 3, 0]
    flags[:, FLAGS.index("clip")] = 80  # no limit was set
    usable = judge.usable(flags)
    assert usable.tolist() == [True, True, False, True]
    said = judge.push({"y": np.array([10, 7, 7, 7], np.int8)}, usable)
    assert said[:2] == [("yes", SCORES[138], 0), ("yes", SCORES[135], 256)]
    assert said[2] == ("unusable", -1, 0)
    assert said[3][0] == "uncertain"
    flags[:, FLAGS.index("lead_off")] = 1
    assert not judge.usable(flags).any()


def test_a_quality_net_calls_what_is_unusable_by_its_own_word_for_noise() -> None:
    quality = VerdictSpec(
        questions=(question(),), undecided="uncertain", unusable="noisy", flag_limits={"gap": 0}
    )
    judge = Judge(quality, Labels(("noisy", "clean")))
    assert judge.push({"y": np.zeros(1, np.int8)}, ~USABLE) == [("noisy", 0, 0)]


@given(
    st.lists(st.tuples(st.integers(-128, 127), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 60),
)
def test_a_mean_is_over_the_usable_windows_before_in_any_portions(
    windows: list[tuple[int, bool]], n_windows: int, n_hops: int, portion: int
) -> None:
    codes = np.array([code for code, _ in windows], np.int8)
    usable = np.array([is_usable for _, is_usable in windows])
    mean = Mean(n_windows, n_hops)
    found = np.concatenate(
        [mean.push(codes[k : k + portion], usable[k : k + portion]) for k in range(0, len(codes), portion)]
    )
    for k in np.flatnonzero(usable):
        past = [k - back * n_hops for back in range(n_windows)]
        seen = [int(codes[at]) for at in past if at >= 0 and usable[at]]
        exact = Fraction(256 * sum(seen), len(seen))
        assert found[k] == math.floor(exact + Fraction(1, 2))


def test_a_verdict_says_what_it_knows() -> None:
    one = Verdict(
        label="clean",
        score_q15=24576,
        margin_q8=-3,
        by=By.NETWORK,
        t0_us=5,
        window_index=2,
        flags={"flat": 1},
        bundle_digest="3f2a91c07be4" + 52 * "0",
    )
    assert one.score == 0.75
    assert one.to_json() == {
        **{"t0_us": 5, "window": 2, "label": "clean", "score": 0.75, "margin_q8": -3},
        **{"by": "network", "flags": {"flat": 1}, "bundle": "3f2a91c07be4"},
    }


def test_what_nobody_judged_has_no_score() -> None:
    one = Verdict(
        label="unusable",
        score_q15=-1,
        margin_q8=0,
        by=By.RULE,
        t0_us=0,
        window_index=0,
        flags={},
        bundle_digest="",
    )
    assert math.isnan(one.score)
    assert one.to_json()["score"] is None


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: question(accept=5, reject=5), "reject_q8 < accept_q8"),
        (lambda: question(accept=200), "within"),
        (lambda: question(hold=-1), "hold_q8: expected 0"),
        (lambda: question(scores=SCORES[1:]), "expected 256 entries, got 255"),
        (lambda: question(scores=SCORES[::-1]), "never falling"),
        (lambda: question(scores=(0,) * 255 + (32769,)), "0..32768"),
        (lambda: spec(wander=3), "flag_limits: expected rail, .*, got 'wander'"),
        (lambda: spec(rail=-1), "flag_limits"),
        (lambda: spec(mean_windows=0), "mean_windows: expected 1..16, got 0"),
        (lambda: spec(mean_hops=65), "mean_hops: expected 1..64, got 65"),
        (lambda: VerdictSpec(questions=(), undecided="u", unusable="x"), "expected at least one"),
        (lambda: VerdictSpec(questions=(question(),), undecided="", unusable="x"), "verdict.undecided"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(made: object, message: str) -> None:
    assert callable(made)
    with pytest.raises(ContractError, match=message):
        made()
