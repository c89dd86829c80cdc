"""Integers beside the real numbers they stand for, on recordings nobody calibrated on: what is lost."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.manifest import graph_sha256
from device_sim.executor import Executor
from device_sim.options import OneLineParser
from export.calibration import floats_of, graph_of
from export.calibration import from_json as calibration_from_json
from export.checkpoint import content, net_of
from export.compare import Comparison, compare, from_json, to_json
from export.flips import answers, flip_report, real_logits
from export.float_graph import F64
from export.judged import I8, asked
from export.quantize import dequantize
from export.roc_picture import draw_roc
from export.shipping_list import Shipment, add_list, chosen
from training.evaluate import finished, log_comparison, on_external_test, windows_of


def main(argv: Sequence[str]) -> int:
    """0 when every bundle is within its limits, 1 when one is not."""
    parser = OneLineParser(prog="wristlead compare", description=__doc__, allow_abbrev=False)
    add_list(parser)
    parser.add_argument("--data", type=Path, help="folder that holds the sets (default: WRISTLEAD_DATA)")
    parser.add_argument("--flips", action="store_true", help="also print windows whose verdict changes")
    parser.add_argument(
        "--external-test",
        action="store_true",
        help="quality nets alone, on the side that judges them; logged",
    )
    args = parser.parse_args(argv)
    if args.external_test:
        if args.stale or args.flips:
            raise ContractError("wristlead compare: --external-test: expected it without --stale and --flips")
        return _open(chosen(args.list, args.name), args.data)
    n_broken = 0
    for shipment in chosen(args.list, args.name):
        kept = _kept(shipment) if args.stale else None
        found = kept or compared(shipment, args.data)
        if not kept:
            shipment.comparison.write_text(to_json(found))
        n_broken += len(found.broken)
        print(found, flush=True)
        for line in found.flips if args.flips else ():
            print(f"  {line}")
        print(f"{'kept' if kept else 'wrote'} {shipment.comparison}", file=sys.stderr)
    return 1 if n_broken else 0


def _open(shipments: Sequence[Shipment], data: Path | None) -> int:
    """Each net's integers on external-test; what came of it is written down, no limit is held against it."""
    for shipment in shipments:
        one, graph = finished(shipment.results, shipment.seed), _graph(shipment)
        said = on_external_test(
            one,
            _logits(graph),
            graph_sha256=graph_sha256(graph),
            calibration=shipment.calibration,
            data=data,
        )
        print(said, flush=True)
    return 0


def _logits(graph: Graph) -> Callable[[Mapping[str, I8]], F64]:
    """What the core's integers of the first output are worth, for windows as the device hands them."""
    executor, logit = Executor(graph), graph.tensor(graph.outputs[0])
    return lambda inputs: dequantize(executor.run(inputs)[logit.name].ravel(), logit)


def _kept(shipment: Shipment) -> Comparison | None:
    """What is committed, if it was measured with this very graph."""
    if not shipment.comparison.is_file():
        return None
    found = from_json(content(shipment.comparison), str(shipment.comparison))
    return found if found.metrics.graph_sha256 == graph_sha256(_graph(shipment)) else None


def _graph(shipment: Shipment) -> Graph:
    calibration = calibration_from_json(content(shipment.calibration), str(shipment.calibration))
    weights = content(shipment.weights)
    calibration.check_weights(weights, shipment.weights)
    return graph_of(net_of(weights, shipment.weights, calibration.net), calibration)


def compared(shipment: Shipment, data: Path | None) -> Comparison:
    """One bundle's networks on its judging side."""
    one = finished(shipment.results, shipment.seed)
    calibration = calibration_from_json(content(shipment.calibration), str(shipment.calibration))
    graph = _graph(shipment)
    # The real numbers are those of training, also where other weights ship.
    trained = net_of(content(one.weights), one.weights, calibration.net)
    floats = floats_of(trained, name=calibration.name, kind=calibration.input, rhythm=calibration.rhythm)
    windows = windows_of(one, "judging", data)
    log_comparison(one)
    logits = real_logits(floats, calibration.kind.inputs, windows.inputs)
    questions = asked(calibration.questions)
    found = answers(logits, graph, windows.inputs, questions)
    if one.is_opened:
        draw_roc(shipment.picture, windows, found, questions, {name: graph.tensor(name) for name in logits})
    return compare(
        shipment.name,
        one.side,
        windows,
        found,
        flip_report(floats, graph, windows.inputs, found),
        questions,
        graph_sha256=graph_sha256(graph),
        is_opened=one.is_opened,
    )
