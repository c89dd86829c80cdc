"""Find ranges and thresholds of what ships, from recordings, and commit them beside each checkpoint."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from device_sim.contract.inputs import InputKind
from device_sim.fingerprint import frontend_sha256
from device_sim.options import OneLineParser
from export.calibration import Calibration, Question, floats_of, to_json
from export.checkpoint import content, net_of, sha256_of
from export.choose import Material, candidates
from export.flips import real_logits
from export.float_graph import F64
from export.shipped import KINDS, Rhythm
from export.shipping_list import add_list, chosen
from training.evaluate import Finished, Windows, finished, temperature_of, windows_of


def main(argv: Sequence[str]) -> int:
    """0 when every calibration is written."""
    parser = OneLineParser(prog="wristlead calibrate", description=__doc__, allow_abbrev=False)
    add_list(parser)
    parser.add_argument("--data", type=Path, help="folder that holds the sets (default: WRISTLEAD_DATA)")
    args = parser.parse_args(argv)
    for shipment in chosen(args.list, args.name):
        one = finished(shipment.results, shipment.seed)
        net = net_of(content(one.weights), one.weights, one.recipe.net)
        calibration_part, choosing = (
            windows_of(one, part, args.data) for part in ("calibration", "choosing")
        )
        print(f"{shipment.name}: {len(calibration_part)} windows calibrate, {len(choosing)} choose")
        made = calibrated(shipment.name, net, one, calibration_part, choosing)
        shipment.calibration.write_text(to_json(made))
        print(f"wrote {shipment.calibration}", file=sys.stderr)
    return 0


def calibrated(
    name: str, net: nn.Module, one: Finished, calibration: Windows, choosing: Windows
) -> Calibration:
    """Every candidate a line; the one that changes fewest verdicts is what stands in the file."""
    kind = kind_of(calibration)
    rhythm = Rhythm(weights=one.rhythm.weights, bias=one.rhythm.bias) if one.rhythm else None
    floats = floats_of(net, name=name, kind=kind, rhythm=rhythm)
    specs = KINDS[kind].inputs
    logits = real_logits(floats, specs, choosing.inputs)
    questions = _questions(one, logits, choosing)
    material = Material(
        floats=floats,
        specs=specs,
        questions=questions,
        calibration_i8=calibration.inputs,
        choosing_i8=choosing.inputs,
        choosing_logits=logits,
    )
    found = []
    for candidate in candidates(material):
        found.append(candidate)
        print(f"  {candidate}", flush=True)
    best = min(found, key=lambda candidate: candidate.rank)
    return Calibration(
        name=name,
        net=one.recipe.net,
        weights_sha256=sha256_of(content(one.weights)),
        input=kind,
        frontend_sha256=frontend_sha256(kind),
        questions=questions,
        rhythm=rhythm,
        method=best.method,
        equalisation=best.equalisation,
        ranges=best.ranges,
        bias_steps=best.bias_steps,
    )


def kind_of(windows: Windows) -> InputKind:
    """The kind whose inputs these are."""
    return next(kind for kind, one in KINDS.items() if set(one.inputs) == set(windows.inputs))


def _questions(one: Finished, logits: Mapping[str, F64], choosing: Windows) -> dict[str, Question]:
    """Thresholds as training chose them; a temperature where it has not."""
    return {
        name: Question(
            threshold=threshold,
            temperature=one.temperatures.get(name)
            or round(temperature_of(logits[name], choosing.truths[name]), 4),
        )
        for name, threshold in one.thresholds.items()
    }
