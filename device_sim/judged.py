"""Verdicts as the wire carries them: with the logits that led to them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.bundle import Bundle
from device_sim.pipeline import Pipeline
from device_sim.runner import Backend, Runner, model_in, open_runner
from device_sim.verdict import Verdict
from device_sim.wire import Judged


def judged_of(verdict: Verdict, bundle: Bundle, heard: "Overheard") -> Judged:
    """The next VERDICT; verdicts must come in their order."""
    names = bundle.labels.names
    label = names.index(verdict.label) if verdict.label in names else Judged.UNDECIDED
    return Judged(
        window_index=verdict.window_index,
        t0_us=verdict.t0_us,
        label=Judged.UNUSABLE if verdict.by_rule else label,
        score_q15=verdict.score_q15,
        margin_q8=verdict.margin_q8,
        bundle=bytes.fromhex(verdict.bundle_digest[:16]),
        logits=b"" if verdict.by_rule else heard.next(),
    )


def overheard(bundle: Bundle, delay_us: int) -> tuple["Overheard", Pipeline]:
    """A pipeline on the core whose logits can be had."""
    heard = Overheard(open_runner(Backend.CORE, model_in(bundle, Backend.CORE)), bundle)
    return heard, Pipeline(bundle, heard, delay_us=delay_us)


class Overheard:
    """A runner whose outputs are kept until a verdict wants to show them."""

    def __init__(self, runner: Runner, bundle: Bundle) -> None:
        self._runner = runner
        self._outputs = bundle.graph.outputs
        self._waiting: list[bytes] = []
        self.window: dict[str, NDArray[np.int8]] | None = None  # the last one it was asked about

    def run(self, inputs: Mapping[str, NDArray[np.int8]]) -> dict[str, NDArray[np.int8]]:
        outputs = self._runner.run(inputs)
        flat = [outputs[name].reshape(len(outputs[name]), -1) for name in self._outputs]
        self.window = {name: x[-1:].copy() for name, x in inputs.items()}
        self._waiting += [row.tobytes() for row in np.concatenate(flat, axis=1)]
        return outputs

    def next(self) -> bytes:
        """The logits of the next judged window."""
        return self._waiting.pop(0)
