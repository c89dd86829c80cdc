"""The sweep of the gate's threshold, drawn."""

from pathlib import Path

from training.data.cache import write_whole
from training.protocols.gating_report import MAIN, GatingMetrics


def draw_sweep(path: Path, metrics: GatingMetrics) -> None:
    """Missed beats and false alarms per hour against what is kept, and what the beat network costs then."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.0), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    kind, snr_db = MAIN
    kept = [row.coverage for row in metrics.sweep]
    left.plot(kept, [row.false_alarms_per_hour for row in metrics.sweep], label="false alarms")
    left.plot(
        kept, [row.missed_per_hour for row in metrics.sweep], label="abnormal, missed with the gate open"
    )
    left.plot(
        kept,
        [row.rejected_per_hour for row in metrics.sweep],
        linestyle=":",
        label="abnormal, behind the closed gate",
    )
    left.set_yscale("log")
    left.set_ylabel("beats per hour")
    right.plot(
        kept, [row.balanced_accuracy for row in metrics.sweep], label="balanced accuracy of kept beats"
    )
    right.plot(
        kept, [row.open_share for row in metrics.sweep], linestyle="--", label="duty cycle of the beat net"
    )
    chosen = min(metrics.sweep, key=lambda row: abs(row.accept_q8 - metrics.accept_q8))
    for axes in (left, right):
        axes.axvline(chosen.coverage, color="0.6", linewidth=1)
        axes.set_xlabel("coverage: share of the beats that are kept")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.suptitle(
        f"{metrics.side}, {kind} noise at {snr_db} dB in {metrics.burst_share:.0%} of the time: "
        f"the gate's threshold swept; grey: the one that ships ({metrics.accept_q8 / 256:.1f} codes)"
    )
    # no date and no version inside: the same run draws the same bytes
    write_whole(path, lambda stream: figure.savefig(stream, format="png", metadata={"Software": None}))
