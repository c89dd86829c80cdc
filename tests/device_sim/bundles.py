"""Bundles with seeded random weights, one for every kind of input; their verdicts say all there is to say."""

from dataclasses import replace
from functools import cache

import numpy as np

from device_sim.contract.budget import Budget
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from device_sim.contract.gate import Gate
from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from device_sim.contract.labels import Labels
from device_sim.contract.manifest import graph_sha256
from device_sim.contract.metrics import Figure, Metrics
from device_sim.contract.operators import Activation, PoolKind
from device_sim.contract.painting import Painting
from device_sim.contract.verdict import Question, VerdictSpec
from device_sim.contract.window import WindowSpec
from device_sim.fingerprint import frontend_sha256
from device_sim.lookup import score_table_q15
from device_sim.vectors import vectors_of
from tests.golden.networks import Sketch

RELU = Activation.RELU
INPUT_SCALE = 1 / 32
WINDOWS = {
    InputKind.IMAGE: WindowSpec(rate_hz=256, length_samples=1280, hop_samples=256, uv_per_lsb=1),
    InputKind.BEAT: WindowSpec(rate_hz=128, length_samples=128, hop_samples=128, uv_per_lsb=32),
    InputKind.BLIND: WindowSpec(rate_hz=128, length_samples=128, hop_samples=64, uv_per_lsb=32),
}
LABELS = {
    InputKind.IMAGE: Labels(("noisy", "clean")),
    InputKind.BEAT: Labels(("N", "V", "S")),
    InputKind.BLIND: Labels(("normal", "abnormal")),
}
# Codes in the middle of what these weights say of a synthetic ECG, output by output.
MIDDLES = {InputKind.IMAGE: (16,), InputKind.BEAT: (8, 0), InputKind.BLIND: (8,)}


NOISY, CLEAN = 8 << 8, 15 << 8  # codes of the gate: most of a synthetic ECG lies between
PAINTED_NOISY, PAINTED_CLEAN = -45 << 8, -25 << 8


def graph_of(kind: InputKind) -> Graph:
    """A small net of the kind's shape."""
    s = Sketch(f"test-{kind}", 20261126)
    if kind is InputKind.IMAGE:
        x = s.conv(s.input("image", 1, 80, 32, scale=INPUT_SCALE), 8, (1, 5), stride=(1, 4), activation=RELU)
        return s.graph(s.dense(s.reshape(x, 8 * s.tensors[x].shape[2]), 1))
    if kind is InputKind.BLIND:
        x = s.conv(s.input("row", 1, 128, 1, scale=INPUT_SCALE), 4, (1, 5), stride=(1, 4), activation=RELU)
        return s.graph(s.dense(s.reshape(x, 4 * s.tensors[x].shape[2]), 1))
    x = s.conv(s.input("shape", 1, 128, 2, scale=INPUT_SCALE), 4, (1, 5), stride=(1, 4), activation=RELU)
    y = s.conv(x, 4, (1, 3), pads=(0, 1, 0, 1), activation=Activation.RELU6, depthwise=True)
    x = s.pool(s.add(x, y, scale=s.tensors[x].scale), PoolKind.MAX, (1, 2), (1, 2))
    morphology = s.dense(s.reshape(x, 4 * s.tensors[x].shape[2]), 1)
    rhythm = s.dense(s.input("rr", 10, scale=1 / 64), 1)
    return s.graph(morphology, rhythm)


def question(graph: Graph, k: int, middle: int) -> Question:
    output = graph.tensor(graph.outputs[k])
    return Question(
        output=output.name,
        accept_q8=(middle + 1) << 8,
        reject_q8=(middle - 1) << 8,
        hold_q8=128,
        score_q15=score_table_q15(output.scale, middle, temperature=output.scale * 10),
    )


@cache
def bundle_of(kind: InputKind) -> Bundle:
    """Everything a bundle may carry."""
    graph = graph_of(kind)
    spec = VerdictSpec(
        questions=tuple(question(graph, k, middle) for k, middle in enumerate(MIDDLES[kind])),
        undecided="uncertain",
        unusable="noisy" if kind is InputKind.IMAGE else "unusable",
        flag_limits={"rail": 4, "flat": 7, "lead_off": 0, "gap": 8},
        mean_windows=3 if kind is InputKind.IMAGE else 1,
        mean_hops=5 if kind is InputKind.IMAGE else 1,
    )
    return Bundle(
        name=graph.name,
        input=kind,
        window=WINDOWS[kind],
        labels=LABELS[kind],
        graph=graph,
        verdict=spec,
        frontend_sha256=frontend_sha256(kind),
        budget=Budget(window_us=20_000, flash_bytes=131_072, ram_bytes=65_536),
        metrics=Metrics(
            graph_sha256=graph_sha256(graph),
            figures=(Figure(name="AUC", on="nothing", float_value=0.5, int8_value=0.5),),
        ),
        provenance={"weights": "random, seed 20261126", "init": "scratch"},
        files={"vectors.npz": vectors_of(graph), "MODEL_CARD.md": b"# Random weights\n"},
    )


@cache
def painted() -> Bundle:
    """Pictures in random colours; its threshold in the middle of what it says of the synthetic ECG."""
    s = Sketch("test-picture", 20261130)
    x = s.conv(s.input("picture", 64, 64, 3), 4, (5, 5), stride=(4, 4), activation=RELU)
    graph = s.graph(s.dense(s.reshape(x, 4 * s.tensors[x].shape[1] * s.tensors[x].shape[2]), 1))
    like = bundle_of(InputKind.IMAGE)
    assert like.verdict is not None
    return replace(
        like,
        name=graph.name,
        input=InputKind.PICTURE,
        graph=graph,
        painting=Painting(colours=np.random.default_rng(20261129).integers(-128, 128, (256, 3), np.int8)),
        verdict=replace(like.verdict, questions=(question(graph, 0, 8),)),
        metrics=None,
        files={"vectors.npz": vectors_of(graph)},
    )


@cache
def cascade_of(*, windows: int = 3, protects: bool = False, paints: bool = False) -> Cascade:
    """Both bundles, and a gate that lets some beats pass, refuses some, and does not know of others."""
    quality = painted() if paints else bundle_of(InputKind.IMAGE)
    return Cascade(
        name="test-cascade",
        quality=quality,
        beat=bundle_of(InputKind.BEAT),
        gate=Gate(
            output=quality.graph.outputs[0],
            windows=windows,
            accept_q8=PAINTED_CLEAN if paints else CLEAN,
            reject_q8=PAINTED_NOISY if paints else NOISY,
            hold_q8=300,
            protects=protects,
        ),
        budget=Budget(window_us=20_000, flash_bytes=131_072, ram_bytes=65_536),
        provenance={"gate": "made up"},
        files={"MODEL_CARD.md": b"# Two of them\n"},
    )
