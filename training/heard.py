"""What a cascade's two bundles say of one recording, code by code, on the device's own path."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.beats import PATIENCE_SAMPLES, REACH_SAMPLES, WINDOW_SAMPLES, BeatMaker
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import Part
from device_sim.contract.verdict import FLAGS, VerdictSpec
from device_sim.executor import Executor
from device_sim.feed import Windows, feed_of, inputs_of
from device_sim.frontend import BEAT_HZ, Columns
from training.beats import RR_FEATURES

HALF_BEAT_US = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Of one recording: a code per quality window, and each detected beat's answer."""

    quality_codes: NDArray[np.int8]
    quality_usable: NDArray[np.bool_]
    peaks: NDArray[np.int64]  # samples of the 128 Hz stream
    abnormal: NDArray[np.bool_]
    delay_s: float  # the resampler's: a peak happened that much earlier


def hear(columns: Columns, delay_s: float, cascade: Cascade) -> Heard:
    """A whole recording through both feeds and both networks, every beat judged and remembered."""
    images, image_codes = _answered(cascade.quality, columns)
    beats, beat_codes = _answered(cascade.beat, columns)
    return Heard(
        quality_codes=image_codes[cascade.gate.output],
        quality_usable=_usable(_spec(cascade.quality), images),
        peaks=-(-(beats.t0_us + HALF_BEAT_US) * BEAT_HZ // 1_000_000),  # t0_us was rounded down
        abnormal=says_abnormal(_spec(cascade.beat), beat_codes),
        delay_s=delay_s,
    )


def abnormal_behind(
    beat_uv: NDArray[np.int16], peaks: NDArray[np.int64], is_open: NDArray[np.bool_], bundle: Bundle
) -> NDArray[np.bool_]:
    """What is said of each beat where those behind a closed gate are not remembered; of these nothing."""
    maker = BeatMaker()
    padded = np.concatenate([beat_uv, np.zeros(REACH_SAMPLES, np.int16)])
    late = peaks + PATIENCE_SAMPLES
    following = np.minimum(np.append(peaks[1:], late[-1:]), late).tolist()
    shapes = np.zeros((len(peaks), WINDOW_SAMPLES, 2), np.int8)
    ratios = np.zeros((len(peaks), RR_FEATURES), np.int8)
    for i, peak in enumerate(peaks.tolist()):
        if is_open[i]:
            shapes[i], ratios[i] = maker.make(padded, 0, peak, following[i])
        else:
            maker.break_off()
    said = Executor(bundle.graph).run(inputs_of(bundle, {Part.SHAPE: shapes, Part.RR: ratios}))
    codes = {name: code.reshape(-1) for name, code in said.items()}
    return says_abnormal(_spec(bundle), codes) & is_open


def says_abnormal(spec: VerdictSpec, codes: Mapping[str, NDArray[np.int8]]) -> NDArray[np.bool_]:
    """Any label but the first; of beats that are judged one by one, without memory."""
    if spec.mean_windows != 1 or any(one.hold_q8 for one in spec.questions):
        raise ContractError("verdict: expected beats judged one by one, got a mean or a hold_q8")
    answers = [codes[one.output].astype(np.int64) * 256 >= one.accept_q8 for one in spec.questions]
    return np.asarray(np.any(answers, axis=0))


def heard_to_json(heard: Heard) -> dict[str, Any]:
    """As a finished job keeps it."""
    return {
        "quality_codes": heard.quality_codes.tolist(),
        "quality_usable": heard.quality_usable.tolist(),
        "peaks": heard.peaks.tolist(),
        "abnormal": heard.abnormal.tolist(),
        "delay_s": heard.delay_s,
    }


def heard_from_json(document: Mapping[str, Any]) -> Heard:
    """Reads what heard_to_json wrote."""
    return Heard(
        quality_codes=np.array(document["quality_codes"], np.int8),
        quality_usable=np.array(document["quality_usable"], np.bool_),
        peaks=np.array(document["peaks"], np.int64),
        abnormal=np.array(document["abnormal"], np.bool_),
        delay_s=document["delay_s"],
    )


def _answered(bundle: Bundle, columns: Columns) -> tuple[Windows, dict[str, NDArray[np.int8]]]:
    """Every window of the recording, and what the network says of it."""
    feed = feed_of(bundle)
    parts = [feed.push(columns), feed.finish()]
    windows = Windows(
        parts={name: np.concatenate([part.parts[name] for part in parts]) for name in parts[0].parts},
        flag_columns=np.concatenate([part.flag_columns for part in parts]),
        t0_us=np.concatenate([part.t0_us for part in parts]),
    )
    said = Executor(bundle.graph).run(inputs_of(bundle, windows.parts))
    return windows, {name: codes.reshape(-1) for name, codes in said.items()}


def _spec(bundle: Bundle) -> VerdictSpec:
    assert bundle.verdict is not None  # a cascade has no other
    return bundle.verdict


def _usable(spec: VerdictSpec, windows: Windows) -> NDArray[np.bool_]:
    limits = np.array([spec.flag_limits.get(flag, 2**31) for flag in FLAGS])
    return np.asarray((windows.flag_columns <= limits).all(axis=1))
