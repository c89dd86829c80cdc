"""ROC of both networks on the side that judges them, the threshold that ships marked in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from device_sim.contract.tensor import Tensor
from device_sim.trace import write_whole
from export.flips import Answers
from export.judged import Asked, accept_q8_of
from training.evaluate import UNKNOWN, Windows, auc_of, roc_of

INK, REAL, INTEGER = "#22313f", "#8d99ae", "#d1495b"


def draw_roc(
    path: Path,
    windows: Windows,
    found: Answers,
    questions: Sequence[Asked],
    tensors: Mapping[str, Tensor],
) -> None:
    """A panel for each output; the same answers draw the same bytes."""
    outputs = list(windows.truths)
    figure = Figure(figsize=(4.6 * len(outputs), 4.6), dpi=100, layout="constrained")
    for axes, output in zip(figure.subplots(1, len(outputs), squeeze=False)[0], outputs, strict=True):
        truth, codes = windows.truths[output], found.codes[output].astype(np.float64)
        for what, numbers, colour, style in (
            ("real numbers", found.logits[output], REAL, "-"),
            ("int8", codes, INTEGER, "--"),
        ):
            label = f"{what}, AUC {auc_of(numbers, truth):.3f}"
            axes.plot(*roc_of(numbers, truth), style, color=colour, label=label, linewidth=1.6)
        yes, no = truth == 1, (truth != 1) & (truth != UNKNOWN)
        for one in questions:
            if one.output == output:
                says = 256 * codes >= accept_q8_of(one.threshold, tensors[output])
                axes.plot(says[no].mean(), says[yes].mean(), "o", color=INK, markersize=6)
        axes.set(title=output, xlabel="1 - specificity", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1))
        axes.set_aspect("equal")
        axes.legend(loc="lower right", frameon=False)
    write_whole(path, lambda stream: figure.savefig(stream, format="png", metadata={"Software": None}))
