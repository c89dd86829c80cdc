"""A bundle's figures once more: its own integers, its own thresholds, and only what its card already says."""

from dataclasses import replace

import numpy as np
import pytest

from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.contract.manifest import graph_sha256
from device_sim.contract.metrics import Figure, Metrics
from device_sim.contract.operators import Conv2d
from device_sim.contract.tensor import DType, Tensor, float32
from device_sim.contract.verdict import Question, VerdictSpec
from device_sim.contract.window import WindowSpec
from export.measure_cli import measured
from training.evaluate import UNKNOWN, Windows

ONE = float32(1.0)
N_IN = 128  # a second


def passing_on() -> Graph:
    """One weight of 1, the others 0: what comes out is the first of what went in."""
    weight = np.eye(1, N_IN, dtype=np.int8).reshape(1, 1, N_IN, 1)
    return Graph(
        name="same",
        tensors=(
            Tensor(name="x", shape=(1, 1, N_IN, 1), scales=(ONE,)),
            Tensor(name="w", shape=(1, 1, N_IN, 1), scales=(ONE,), axis=0, values=weight),
            Tensor(name="b", shape=(1,), scales=(ONE,), axis=0, dtype=DType.I32, values=np.zeros(1, "<i4")),
            Tensor(name="y", shape=(1, 1, 1, 1), scales=(ONE,)),
        ),
        operators=(Conv2d(name="same", x="x", weight="w", bias="b", output="y"),),
        inputs=("x",),
        outputs=("y",),
    )


def bundle(accept: int = 10) -> Bundle:
    """Yes from a code on; its card knows three figures of one side and one of another."""
    graph = passing_on()
    figures = tuple(
        Figure(name=name, on=on, float_value=0.9, int8_value=0.1)
        for name, on in (
            ("agreement", "dev"),
            ("balanced accuracy", "dev"),
            ("AUC of y", "dev"),
            ("AUC of y", "elsewhere"),
        )
    )
    question = Question(
        output="y", accept_q8=accept << 8, reject_q8=(accept << 8) - 1, score_q15=tuple(range(256))
    )
    return Bundle(
        name="same",
        input=InputKind.BLIND,
        window=WindowSpec(rate_hz=128, length_samples=128, hop_samples=128, uv_per_lsb=32),
        labels=Labels(("no", "yes")),
        graph=graph,
        verdict=VerdictSpec(questions=(question,), undecided="unsure", unusable="unusable"),
        metrics=Metrics(graph_sha256=graph_sha256(graph), figures=figures),
        frontend_sha256="ab" * 32,
    )


def windows() -> Windows:
    """Four with something, five without, one that nobody knows."""
    codes_n = np.zeros((10, 1, N_IN, 1), np.int8)
    codes_n[:, 0, 0, 0] = [30, 20, 10, -5, 40, 9, 0, -10, -20, 99]
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, UNKNOWN], np.int8)
    return Windows(
        inputs={"x": codes_n},
        truths={"y": truth},
        verdict=truth,
        recording=np.zeros(10, np.int64),
        names=("one",),
    )


def test_the_figures_are_those_of_the_bundles_integers_and_thresholds() -> None:
    found = {one.name: one for one in measured(bundle(), windows(), "dev").figures}
    # Yes: 30, 20, 10 of four; 40 of five. Pairs in order: 4, 4, 4 and 2 of five each.
    assert found["balanced accuracy"].int8_value == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert found["AUC of y"].int8_value == pytest.approx(14 / 20)
    assert found["AUC of y"].float_value == 0.9
    moved = {one.name: one for one in measured(bundle(accept=41), windows(), "dev").figures}
    assert moved["balanced accuracy"].int8_value == 0.5
    assert moved["AUC of y"].int8_value == found["AUC of y"].int8_value


def test_what_the_card_does_not_say_is_not_opened_and_what_needs_real_numbers_is_left_out() -> None:
    found = measured(bundle(), windows(), "dev")
    assert [(one.name, one.on) for one in found.figures] == [
        ("balanced accuracy", "dev"),
        ("AUC of y", "dev"),
    ]
    assert found.graph_sha256 == graph_sha256(passing_on())
    assert measured(bundle(), windows(), "a third side").figures == ()


def test_a_bundle_without_figures_has_none_to_measure() -> None:
    with pytest.raises(ContractError, match="expected figures and a verdict"):
        measured(replace(bundle(), metrics=None), windows(), "dev")
