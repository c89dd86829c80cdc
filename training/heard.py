"""What two bundles say of one recording, code by code, on the device's own path."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.bundle import Bundle, read_bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.inputs import InputKind
from device_sim.contract.verdict import FLAGS, VerdictSpec
from device_sim.executor import Executor
from device_sim.feed import Windows, feed_of, inputs_of
from device_sim.frontend import BEAT_HZ, Columns, FrontEnd, columns_of

HALF_BEAT_US = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A quality bundle and the beat bundle it stands before."""

    quality: Bundle
    beats: Bundle

    def __post_init__(self) -> None:
        for bundle, kind in ((self.quality, InputKind.IMAGE), (self.beats, InputKind.BEAT)):
            if bundle.input is not kind or bundle.verdict is None:
                raise ContractError(
                    f"{bundle.name}: expected a bundle that judges {kind.value}s, got {bundle.input.value}s"
                )
        question = self.quality.verdict.questions[0] if self.quality.verdict else None
        if question is None or len(self.quality.labels) != 2:
            raise ContractError(f"{self.quality.name}: expected one question, clean or noisy")

    @property
    def accept_q8(self) -> int:
        """From where on the quality bundle itself calls a window clean."""
        assert self.quality.verdict is not None
        return self.quality.verdict.questions[0].accept_q8


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Of one recording: a code per quality window, and each detected beat's answer."""

    quality_codes: NDArray[np.int8]
    quality_usable: NDArray[np.bool_]
    peaks: NDArray[np.int64]  # samples of the 128 Hz stream
    abnormal: NDArray[np.bool_]
    delay_s: float  # the resampler's: a peak happened that much earlier


def read_pair(quality: Path, beats: Path) -> Pair:
    return Pair(quality=read_bundle(quality), beats=read_bundle(beats))


def hear(counts_uv: NDArray[np.int32], rate_hz: int, pair: Pair) -> Heard:
    """A whole recording of microvolts through the front end, both feeds and both networks."""
    columns = columns_of(counts_uv, rate_hz=rate_hz)
    images, image_codes = _answered(pair.quality, columns)
    beats, beat_codes = _answered(pair.beats, columns)
    quality, verdict = pair.quality.verdict, pair.beats.verdict
    assert quality is not None
    assert verdict is not None
    return Heard(
        quality_codes=image_codes[quality.questions[0].output],
        quality_usable=_usable(quality, images),
        peaks=-(-(beats.t0_us + HALF_BEAT_US) * BEAT_HZ // 1_000_000),  # t0_us was rounded down
        abnormal=says_abnormal(verdict, beat_codes),
        delay_s=FrontEnd(rate_hz=rate_hz).delay_us / 1e6,
    )


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


def _usable(spec: VerdictSpec, windows: Windows) -> NDArray[np.bool_]:
    limits = np.array([spec.flag_limits.get(flag, 2**31) for flag in FLAGS])
    return np.asarray((windows.flag_columns <= limits).all(axis=1))
