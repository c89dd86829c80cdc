"""The trained nets that ship, and windows of synthetic ECG as the device cuts them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.bundle import Bundle, read_bundle
from device_sim.feed import feed_of, inputs_of
from device_sim.frontend import columns_of
from device_sim.synthetic import Morphology, Noise, Scene, beats_of, ecg_uv, noise_uv
from export.calibration import Calibration, floats_of, from_json
from export.checkpoint import content, net_of
from export.float_graph import FloatGraph
from export.shipping_list import LIST, Shipment, read_list

ROOT = Path(__file__).parents[2]
SHIPMENTS = {one.name: one for one in read_list(ROOT / LIST)}
SECONDS = 120.0
SCENES: tuple[tuple[Morphology, float, float], ...] = (  # beats, their rate, muscle noise in uV
    ("normal", 60, 5),
    ("normal", 95, 60),
    ("pvc", 75, 20),
    ("pvc", 110, 200),
    ("af", 85, 30),
    ("low_amplitude", 70, 10),
)


def calibration_of(shipment: Shipment) -> Calibration:
    return from_json(content(shipment.calibration), str(shipment.calibration))


def floats_named(name: str) -> FloatGraph:
    """The trained net, folded, as export hands it to the quantiser; channels as training left them."""
    shipment = SHIPMENTS[name]
    calibration = calibration_of(shipment)
    net = net_of(content(shipment.weights), shipment.weights, calibration.net)
    return floats_of(net, name=name, kind=calibration.input, rhythm=calibration.rhythm)


def bundle_named(name: str) -> Bundle:
    return read_bundle(ROOT / "models" / name)


def windows(bundle: Bundle, n: int, seed: int) -> dict[str, NDArray[np.int8]]:
    """n windows of every scene alike, in the device's codes."""
    parts = [_of_scene(bundle, k, seed) for k in range(len(SCENES))]
    rng = np.random.default_rng(seed)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    chosen = rng.permutation(len(next(iter(joined.values()))))[:n]
    assert len(chosen) == n
    return {name: x[chosen] for name, x in joined.items()}


def _of_scene(bundle: Bundle, number: int, seed: int) -> dict[str, NDArray[np.int8]]:
    morphology, rate_bpm, muscle_uv = SCENES[number]
    noises = (Noise(kind="emg", level_uv=muscle_uv), Noise(kind="wander", level_uv=80))
    scene = Scene(seconds=SECONDS, heart_rate_bpm=rate_bpm, morphology=morphology, noises=noises)
    rng = np.random.default_rng([seed, number])
    x_uv = ecg_uv(scene, beats_of(scene, rng), rng) + sum(noise_uv(one, scene, rng) for one in noises)
    columns = columns_of(np.rint(x_uv).astype(np.int32), rate_hz=scene.rate_hz)
    feed = feed_of(bundle)
    cut = [inputs_of(bundle, one.parts) for one in (feed.push(columns), feed.finish())]
    return {name: np.concatenate([part[name] for part in cut]) for name in cut[0]}
