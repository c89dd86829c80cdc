"""Verdicts as the wire carries them: with the logits that led to them."""

from device_sim.contract.bundle import Bundle
from device_sim.verdict import By, Verdict
from device_sim.wire import Judged

MOST_Q15 = 32767  # that 16 bits hold


def judged_of(verdict: Verdict, bundle: Bundle) -> Judged:
    """The VERDICT that the device sends."""
    return Judged(
        window_index=verdict.window_index,
        t0_us=verdict.t0_us,
        label=_label(verdict, bundle),
        score_q15=min(verdict.score_q15, MOST_Q15),
        margin_q8=verdict.margin_q8,
        bundle=bytes.fromhex(verdict.bundle_digest[:16]),
        logits=verdict.logits,
    )


def bare(window: int, bundle: Bundle, logits: bytes) -> Judged:
    """The VERDICT of a golden window on the bench: its logits, and no judgement."""
    return Judged(
        window_index=window,
        t0_us=0,
        label=Judged.UNDECIDED,
        score_q15=-1,
        margin_q8=0,
        bundle=bytes.fromhex(bundle.digest[:16]),
        logits=logits,
    )


def _label(verdict: Verdict, bundle: Bundle) -> int:
    """Of the bundle's labels, or why it is none."""
    if verdict.by is By.RULE:
        return Judged.UNUSABLE
    if verdict.label in bundle.labels.names:
        return bundle.labels.names.index(verdict.label)
    is_refused = verdict.by is By.GATE and bundle.verdict and verdict.label == bundle.verdict.unusable
    return Judged.REFUSED if is_refused else Judged.UNDECIDED
