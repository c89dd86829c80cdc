"""A stretch of one wearer's ECG as another might have had it: electrodes elsewhere, another pace.

MIT-BIH has 47 people and two leads, CinC 2017 thousands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.snr import in_read_band, qrs_swing

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
QRS_UV = 1000.0  # every wearer's usual QRS is brought to a millivolt
FEWEST_BEATS = 3  # to know the usual QRS of a sum of leads by
FAINTEST = 0.25  # of QRS_UV: two leads that cancel leave noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """One lead of one wearer, its usual QRS brought to a millivolt."""

    record: str
    lead: str
    rate_hz: int
    ecg_uv: Floats
    hiss_uv: Floats  # what the tape added; the ECG is without it
    readable: Mask
    beats: NDArray[np.int64]  # samples of normal beats
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Seconds of ECG, and where the annotators could read it."""

    ecg_uv: Floats
    readable: Mask
    length_s: float  # as it was drawn; a short recording gives less


def draw_stretch(
    leads: Sequence[Clean],
    rng: np.random.Generator,
    *,
    shortest_s: float,
    longest_s: float,
    quiet_chance: float,
    two_leads_chance: float,
    pace_spread: float,
) -> Stretch:
    """From a random place of either lead, or of a sum of both; with more or less of the tape's hiss."""
    index = int(rng.integers(len(leads)))
    one, length_s = leads[index], rng.uniform(shortest_s, longest_s)
    n_out = min(round(length_s * one.rate_hz), len(one.ecg_uv))
    pace = np.exp(rng.uniform(-pace_spread, pace_spread)) if pace_spread else 1.0
    length = min(int(np.ceil(n_out * pace)), len(one.ecg_uv))
    at = int(rng.integers(len(one.ecg_uv) - length + 1))
    inside = slice(at, at + length)
    hiss = 0.0 if rng.random() < quiet_chance else rng.uniform(0, 1)
    found = Stretch(
        ecg_uv=one.ecg_uv[inside] + hiss * one.hiss_uv[inside],
        readable=one.readable[inside],
        length_s=length_s,
    )
    if two_leads_chance and len(leads) == 2 and rng.random() < two_leads_chance:
        found = _summed(found, one, leads[1 - index], inside, hiss, rng.uniform(-1, 1)) or found
    return _paced(found, n_out, length / n_out)


def _paced(found: Stretch, n_out: int, pace: float) -> Stretch:
    """As if the heart had beaten so many times as fast."""
    if pace == 1.0:
        return found
    places = np.arange(n_out) * pace
    return Stretch(
        ecg_uv=np.interp(places, np.arange(len(found.ecg_uv)), found.ecg_uv),
        readable=found.readable[places.astype(np.int64)],
        length_s=found.length_s,
    )


def _summed(
    first: Stretch, one: Clean, two: Clean, inside: slice, hiss: float, share: float
) -> Stretch | None:
    """Both leads, the second in this share, brought to a millivolt again; None where that is not known."""
    ecg_uv = first.ecg_uv + share * (two.ecg_uv[inside] + hiss * two.hiss_uv[inside])
    beats = one.beats[(one.beats >= inside.start) & (one.beats < inside.stop)] - inside.start
    reach = one.rate_hz // 10
    beats = beats[(beats > reach) & (beats < len(ecg_uv) - reach)]
    if len(beats) < FEWEST_BEATS:
        return None
    swing = qrs_swing(in_read_band(ecg_uv, one.rate_hz), beats, one.rate_hz)
    if swing < FAINTEST * QRS_UV:
        return None
    return Stretch(
        ecg_uv=ecg_uv * (QRS_UV / swing),
        readable=first.readable & two.readable[inside],
        length_s=first.length_s,
    )
