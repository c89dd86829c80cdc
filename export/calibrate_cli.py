"""Find ranges and thresholds of what ships, from recordings, and commit them beside each checkpoint."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from device_sim.contract.inputs import InputKind
from device_sim.fingerprint import frontend_sha256
from device_sim.options import OneLineParser
from export.calibration import Calibration, Question, floats_of, from_json, to_json
from export.checkpoint import checkpoint_of, content, net_of, sha256_of
from export.choose import Candidate, Material, candidates, first_graph
from export.flips import real_logits
from export.float_graph import F64
from export.shipped import KINDS, Rhythm
from export.shipping_list import Shipment, add_list, chosen
from export.tune import tuned
from training.evaluate import Finished, Windows, finished, temperature_of, windows_of
from training.fakequant import TuneSpec


def main(argv: Sequence[str]) -> int:
    """0 when every calibration is written."""
    parser = OneLineParser(prog="wristlead calibrate", description=__doc__, allow_abbrev=False)
    add_list(parser)
    parser.add_argument("--data", type=Path, help="folder that holds the sets (default: WRISTLEAD_DATA)")
    args = parser.parse_args(argv)
    for shipment in chosen(args.list, args.name):
        one = finished(shipment.results, shipment.seed)
        if args.stale and not _is_stale(shipment, one):
            print(f"{shipment.name}: {shipment.calibration} belongs to what is there")
            continue
        calibration, choosing = (windows_of(one, part, args.data) for part in ("calibration", "choosing"))
        print(f"{shipment.name}: {len(calibration)} windows calibrate, {len(choosing)} choose")
        net = net_of(content(one.weights), one.weights, one.net)
        kind, rhythm = kind_of(calibration), _rhythm(one)
        material = _material(shipment.name, net, one, calibration, choosing)
        if shipment.tune_epochs:
            windows = windows_of(one, "tuning", args.data)
            spec = TuneSpec(epochs=shipment.tune_epochs)
            net = tuned(net, kind, rhythm, first_graph(material), windows.inputs, spec, _tell)
            shipment.weights.write_bytes(checkpoint_of(net))
            floats = floats_of(net, name=shipment.name, kind=kind, rhythm=rhythm)
            material = replace(material, floats=floats)  # the logits it is judged by stay training's
        best = _best(material)
        made = Calibration(
            name=shipment.name,
            net=one.net,
            weights_sha256=sha256_of(content(shipment.weights)),
            input=kind,
            frontend_sha256=frontend_sha256(kind),
            questions=material.questions,
            rhythm=rhythm,
            method=best.method,
            equalisation=best.equalisation,
            ranges=best.ranges,
            bias_steps=best.bias_steps,
        )
        shipment.calibration.write_text(to_json(made))
        print(f"wrote {shipment.calibration}", file=sys.stderr)
    return 0


def _is_stale(shipment: Shipment, one: Finished) -> bool:
    """Weights, thresholds, rhythm model or front end are others than those that were calibrated."""
    if not (shipment.calibration.is_file() and shipment.weights.is_file()):
        return True
    made = from_json(content(shipment.calibration), str(shipment.calibration))
    return (
        made.weights_sha256 != sha256_of(content(shipment.weights))
        or made.frontend_sha256 != frontend_sha256(made.input)
        or made.rhythm != _rhythm(one)
        or {name: question.threshold for name, question in made.questions.items()} != dict(one.thresholds)
        or {name: question.named_from for name, question in made.questions.items()} != _named_from(one)
    )


def _material(name: str, net: nn.Module, one: Finished, calibration: Windows, choosing: Windows) -> Material:
    kind = kind_of(calibration)
    floats = floats_of(net, name=name, kind=kind, rhythm=_rhythm(one))
    specs = KINDS[kind].inputs
    logits = real_logits(floats, specs, choosing.inputs)
    return Material(
        floats=floats,
        specs=specs,
        questions=_questions(one, logits, choosing),
        calibration_i8=calibration.inputs,
        choosing_i8=choosing.inputs,
        choosing_logits=logits,
    )


def _best(material: Material) -> Candidate:
    """Every candidate a line; fewest changed verdicts win, and every layer of the winner has one."""
    found = []
    for candidate in candidates(material):
        found.append(candidate)
        print(f"  {candidate}", flush=True)
    best = min(found, key=lambda one: one.rank)
    print(f"kept: {best.method}{', equalised' if best.equalisation else ''}; signal to noise of its layers:")
    for line in best.layers():
        print(f"  {line}")
    return best


def _rhythm(one: Finished) -> Rhythm | None:
    return Rhythm(weights=one.rhythm.weights, bias=one.rhythm.bias) if one.rhythm else None


def _tell(number: int, loss: float) -> None:
    print(f"  epoch {number}: {loss:.5f} of the logits' variance lost to rounding", flush=True)


def kind_of(windows: Windows) -> InputKind:
    """The kind whose inputs these are."""
    return next(kind for kind, one in KINDS.items() if set(one.inputs) == set(windows.inputs))


def _named_from(one: Finished) -> dict[str, float | None]:
    return {name: one.named_from.get(name) for name in one.thresholds}


def _questions(one: Finished, logits: Mapping[str, F64], choosing: Windows) -> dict[str, Question]:
    """Thresholds as training chose them; a temperature where it has not."""
    return {
        name: Question(
            threshold=threshold,
            temperature=one.temperatures.get(name)
            or round(temperature_of(logits[name], choosing.truths[name]), 4),
            named_from=_named_from(one)[name],
        )
        for name, threshold in one.thresholds.items()
    }
