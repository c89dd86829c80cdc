"""Options say one thing each, and are refused where they mean nothing."""

import argparse
from fractions import Fraction
from pathlib import Path

import pytest

from device_sim.cli import _parser as run_parser
from device_sim.contract.errors import ContractError
from device_sim.options import read_as, scene_of, source_of
from device_sim.synthetic import Fault, Noise


def parsed(*arguments: str) -> argparse.Namespace:
    return run_parser().parse_args(arguments)


def test_file_options_reach_the_reader() -> None:
    options = read_as(
        parsed(
            "--file", "a", "--rate", "250", "--units", "adc", "--gain", "204.8", "--lead", "I", "--rails=-5:5"
        )
    )
    assert (options.rate_hz, options.units, options.lead, options.rails_counts) == (250, "adc", "I", (-5, 5))
    assert options.gain_per_mv == Fraction(1024, 5)


def test_noise_and_faults_reach_the_scene() -> None:
    scene = scene_of(
        parsed(
            *("--synthetic", "--scene", "pvc", "--rate", "360", "--seconds", "9", "--heart-rate", "80"),
            *("--noise", "mains=50", "--fault", "rail@2+1.5", "--fault", "step@4=-200000"),
        )
    )
    assert (scene.morphology, scene.rate_hz, scene.seconds, scene.heart_rate_bpm) == ("pvc", 360, 9, 80)
    assert scene.noises == (Noise(kind="mains", level_uv=50),)
    assert scene.faults == (
        Fault(kind="rail", start_s=2, seconds=1.5),
        Fault(kind="step", start_s=4, level_uv=-200_000),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected one of --synthetic, --file FILE, --port PORT and - .stdin., got 0"),
        (["--synthetic", "--file", "a.csv"], "got 2"),
        (["--synthetic", "--units", "mV"], "--units: means nothing to --synthetic"),
        (["--file", "a.csv", "--heart-rate", "60"], "--heart-rate: means nothing to a recording"),
        (["--file", "a.csv", "--seed", "0"], "--seed: means nothing to a recording"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        source_of(parsed(*arguments))


def test_a_fault_behind_the_end_is_refused() -> None:
    with pytest.raises(ContractError, match="synthetic: fault rail: expected it within 5 s, got 5 s"):
        scene_of(parsed("--synthetic", "--seconds", "5", "--fault", "rail@5+1"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gain", "0"], "argument --gain: expected counts per mV above 0, got 0"),
        (["--gain", "1/0"], "argument --gain: expected counts per mV, got '1/0'"),
        (["--rails", "5:1"], "expected LOW:HIGH"),
        (["--seed", "-1"], "argument --seed: expected a whole number of 0 or more, got '-1'"),
        (["--noise", "mains=1.2.3"], "expected KIND=UV, such as mains=50, got 'mains=1.2.3'"),
        (["--fault", "rail@1.2.3"], "expected rail@10+2"),
        (
            ["--noise", f"mains={'9' * 60}"],
            "argument --noise: noise mains: expected a level of 0..300000 uV, got 1e+60",
        ),
        (["--fault", "step@1=9999999"], "argument --fault: fault step: expected at most 300000 uV"),
        (["--fault", "rail@1+0"], "expected rail@10+2"),
        (["--noise", "loud"], "expected KIND=UV, such as mains=50, got 'loud'"),
        (["--fault", "rail"], "expected rail@10"),
        (["--fault", "step@3+1"], "expected rail@10"),
        (["--seconds", "-1"], "argument --seconds: expected a number above 0, got '-1'"),
        (["--rate", "fast"], "argument --rate: expected whole samples per second, got 'fast'"),
        (["--units", "volts"], "argument --units: invalid choice"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_in_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(ContractError) as caught:
        parsed(*arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_stays_a_path() -> None:
    assert parsed("--file", "a b.csv").file == Path("a b.csv")
