"""What a live page is told: JSON, whose fields live.js reads."""

import base64
import json
from typing import Any

import numpy as np

from device_sim.live import HeartRate, Live, Moment
from device_sim.picture import BYS, Lane
from device_sim.pipeline import OpenBundle
from device_sim.replay import COLUMN_US
from device_sim.verdict_lines import lanes_of


def hello(live: Live) -> str:
    """Once to everybody who joins: what will not change."""
    opened, source = live.opened, live.source
    return _line(
        kind="hello",
        name=source.name,
        lead=source.lead,
        rate_hz=source.rate_hz,
        column_s=COLUMN_US / 1e6,
        columns_first_s=(-live.delay_us - COLUMN_US / 2) / 1e6,
        bundle=_named(opened),
        lanes=[_lane(lane) for lane in lanes_of(opened.bundles if opened else (), ())],
    )


def _named(opened: OpenBundle | None) -> str:
    if opened is None:
        return ""
    return f"{opened.application.name} {opened.application.digest[:12]} on {opened.backend}"


def _lane(lane: Lane) -> dict[str, Any]:
    return {
        "label": "beats say" if lane.are_beats else "verdict",
        "name": lane.name,
        "words": lane.words,
        "hues": [lane.hue(word) for word in lane.words],
        "areBeats": lane.are_beats,
        "hasScore": True,
        "length_s": lane.seconds,
    }


def told(moment: Moment, rate: HeartRate, rate_hz: int) -> str:
    """A moment: samples in whole microvolts, null in a gap; columns as their bytes."""
    rate.push(moment.peaks_s)
    end_s = (moment.first_sample + moment.x_uv.size) / rate_hz
    bpm = rate.bpm(end_s)
    x_uv = [None if np.isnan(uv) else round(float(uv)) for uv in moment.x_uv]
    return _line(
        kind="moment",
        first=moment.first_sample,
        x=x_uv,
        column=moment.columns.first_index,
        codes=base64.b64encode(moment.columns.codes_ts_i8.tobytes()).decode(),
        flags=moment.columns.flags_u8.tolist(),
        beats=[round(peak, 3) for peak in moment.peaks_s],
        bpm=None if bpm is None else round(bpm),
        said=[
            [
                k,
                round(one.start_s, 3),
                lane.words.index(one.word),
                -1 if one.score is None else round(1000 * one.score),
                BYS.index(one.by),
            ]
            for k, lane in enumerate(moment.lanes)
            for one in lane.said
        ],
    )


def state(live: Live, *, n_dropped: int, failed: str) -> str:
    """How the line is, and how many moments this reader was too slow for."""
    return _line(kind="state", line=live.line.value, dropped=n_dropped, failed=failed)


def _line(**fields: Any) -> str:
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)
