"""MODEL_CARD.md: what a bundle is for, where it comes from, what was measured, what it gets wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from device_sim.contract.graph import Graph
from device_sim.contract.inputs import InputKind
from export.calibration import Calibration
from export.compare import Comparison
from export.facts import facts
from export.judged import accept_q8_of, asked, labels_of

SEES = {
    InputKind.IMAGE: "five seconds of ECG as 80 columns of 32 log-wavelet codes, every second",
    InputKind.PICTURE: "five seconds of ECG as a colour picture of the device's image, every second",
    InputKind.BEAT: "the second around an R peak, its difference from the usual beat, ten interval ratios",
    InputKind.BLIND: "one second of ECG at 128 Hz, every second, wherever the beats are",
}
NOT_FOR = (
    "Not a medical device: nothing here was cleared by a regulator or examined by a clinician.\n"
    "Not for diagnosis, not for alarms, not for deciding on treatment."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a card is written from; every bit of it committed."""

    calibration: Calibration
    graph: Graph
    comparison: Comparison | None
    run: Mapping[str, Any]
    use: str = ""
    failures: tuple[str, ...] = ()
    picture: str | None = None


def card_of(of: Facts) -> str:
    parts = [_heading(of), _use(of), _data(of), _measured(of), _decides(of), _fails(of), _costs(of)]
    return "\n".join(line for part in parts for line in part)


def _heading(of: Facts) -> Iterator[str]:
    labels = ", ".join(labels_of(of.calibration).names)
    yield f"# {of.calibration.name}"
    yield ""
    yield f"Net `{of.calibration.net}` in int8. It sees {SEES[of.calibration.input]}."
    yield f"It says one of: {labels}."
    yield ""


def _use(of: Facts) -> Iterator[str]:
    yield "## For what"
    yield ""
    if of.use:
        yield of.use
        yield ""
    yield NOT_FOR
    yield ""


def _data(of: Facts) -> Iterator[str]:
    yield "## Data and training"
    yield ""
    if not of.run:
        yield "Nothing is known of its training: the checkpoint stood alone."
    else:
        data = ", ".join(f"{name} ({licence})" for name, licence in of.run["licences"].items())
        yield f"* Data: {data}; split by person, as `run.json` beside the weights lists it."
        yield f"* Recipe `{of.run['recipe']}`, protocol {of.run['protocol']}, init {of.run['init']}."
        yield f"* Commit `{of.run['commit'][:12]}`. Thresholds come from the training side alone."
    yield f"* Ranges: {of.calibration.method} over windows of the training side; biases corrected."
    yield ""


def _measured(of: Facts) -> Iterator[str]:
    yield "## Measured"
    yield ""
    found = of.comparison
    if found is None:
        yield "Not measured on recordings yet."
        yield ""
        return
    yield f"On {found.side}, {found.n_windows} windows; in brackets 95 % when recordings are drawn again."
    yield ""
    yield "| figure | real numbers | int8 |"
    yield "|---|---|---|"
    for one in found.metrics.figures:
        spread = found.standing.spreads.get(one.name)
        real, integer = ("", "") if spread is None else (_bracket(*spread[:2]), _bracket(*spread[2:]))
        yield f"| {one.name} | {one.float_value:.4f}{real} | {one.int8_value:.4f}{integer} |"
    yield ""
    lost = ", ".join(f"{name} {value:+.4f}" for name, value in found.lost.items())
    yield f"Lost to integers: {lost}; {found.n_changed} verdicts change; most in record {found.worst_record}."
    for line in found.broken:
        yield f"Limit not held: {line}."
    if of.picture:
        yield ""
        yield f"![ROC of the real numbers and of int8; the dot is the threshold that ships]({of.picture})"
    yield ""


def _bracket(low: float, high: float) -> str:
    return f" [{low:.3f}, {high:.3f}]"


def _decides(of: Facts) -> Iterator[str]:
    yield "## Operating points"
    yield ""
    for one in asked(of.calibration.questions):
        accept_q8 = accept_q8_of(one.threshold, of.graph.tensor(one.output))
        yield f"* `{one.output}` says yes above {one.threshold:.4f}, from code {accept_q8 / 256:.2f} on."
    if of.comparison is not None:
        for point in of.comparison.standing.points:
            yield f"* {point}."
    temperatures = ", ".join(
        f"{name} / {one.temperature:.3f}" for name, one in of.calibration.questions.items()
    )
    yield f"* The score is the sigmoid of {temperatures}."
    yield ""


def _fails(of: Facts) -> Iterator[str]:
    hardest = of.comparison.standing.hardest if of.comparison else ()
    if not of.failures and not hardest:
        return
    yield "## Known failures"
    yield ""
    for one in of.failures:
        yield f"* {one}"
    if hardest:
        yield f"* Hardest recordings: {'; '.join(hardest)}."
    yield ""


def _costs(of: Facts) -> Iterator[str]:
    yield "## Cost"
    yield ""
    yield f"{facts(of.graph)}."
    yield "Instructions, bytes, load and battery days of a board: `wristlead mcu cost`; what was agreed"
    yield f"for emulated cores: `budgets/{of.calibration.name}.json`."
    yield ""
