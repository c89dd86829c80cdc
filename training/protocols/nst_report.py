"""What nets say of 118 and 119 under noise, as figures one can print again."""

from dataclasses import dataclass

import numpy as np

MIXED, READY_MADE = "mixed here", "ready-made"


@dataclass(frozen=True, slots=True, kw_only=True)
class NstRow:
    """One scorer on both people at one SNR: the noisy minutes against the quiet ones of the same."""

    scorer: str
    source: str  # mixed here, or ready-made
    kind: str
    snr_db: int
    n_noisy: int  # windows
    n_quiet: int
    auc: float  # a quiet window scores above a noisy one
    noisy_refused: float  # share called noisy
    quiet_refused: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NstMetrics:
    """`nst.json`."""

    protocol: str
    recipe: str
    net: str
    seeds: tuple[int, ...]
    rows: tuple[NstRow, ...]


def render(metrics: NstMetrics) -> str:
    """One line a scorer and noise: share called noisy and AUC at every SNR."""
    levels = sorted({row.snr_db for row in metrics.rows}, reverse=True)
    lines = [
        f"nst, {metrics.recipe}: {metrics.net} on 118 and 119, which taught nobody; seen noise did",
        "share of the noisy minutes' windows called noisy | AUC against the quiet minutes, by SNR in dB",
        "",
        f"{'scorer':32}{'noise':30}{'quiet':>6} |{''.join(f'{level:6}' for level in levels)} |"
        f"{''.join(f'{level:7}' for level in levels)}",
    ]
    for key in dict.fromkeys((row.scorer, row.source, row.kind) for row in metrics.rows):
        same = {row.snr_db: row for row in metrics.rows if (row.scorer, row.source, row.kind) == key}
        scorer, source, kind = key
        noise = f"{kind}, {source}{' (seen noise)' if source == READY_MADE else ''}"
        quiet = float(np.mean([row.quiet_refused for row in same.values()]))
        refused = "".join(f"{same[level].noisy_refused:6.2f}" for level in levels)
        areas = "".join(f"{same[level].auc:7.3f}" for level in levels)
        lines.append(f"{scorer:32}{noise:30}{quiet:6.2f} |{refused} |{areas}")
    return "\n".join(lines)
