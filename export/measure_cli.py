"""A finished bundle's figures once more, from recordings: what its very integers say, for the gate."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from device_sim.contract.bundle import Bundle, read_bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.manifest import graph_sha256
from device_sim.contract.metrics import Metrics, metrics_to_json
from device_sim.executor import Executor
from device_sim.options import OneLineParser
from export.compare import figures_of
from export.judged import ONE_CODE_Q8, first_yes
from export.shipping_list import LIST, chosen
from training.data.cache import write_whole
from training.evaluate import Windows, finished, log_comparison, windows_of


def main(argv: Sequence[str]) -> int:
    parser = OneLineParser(prog="wristlead measure", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "bundle", type=Path, help="folder written by `wristlead export`, a bundle of the list"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="for `wristlead gate --measured`"
    )
    parser.add_argument("--list", type=Path, default=LIST, metavar="FILE", help=f"default: {LIST}")
    parser.add_argument("--data", type=Path, help="folder that holds the sets (default: WRISTLEAD_DATA)")
    args = parser.parse_args(argv)
    bundle = read_bundle(args.bundle)
    (shipment,) = chosen(args.list, [bundle.name])
    one = finished(shipment.results, shipment.seed)
    windows = windows_of(one, "judging", args.data)
    log_comparison(one)
    metrics = measured(bundle, windows, one.side)
    text = json.dumps(metrics_to_json(metrics), indent=1) + "\n"
    write_whole(args.out, lambda stream: stream.write(text.encode()))
    for figure in metrics.figures:
        print(f"{bundle.name}: {figure.name} on {figure.on}: {figure.int8_value:g}")
    print(f"wrote {args.out}: {len(windows):,} windows")
    return 0


def measured(bundle: Bundle, windows: Windows, side: str) -> Metrics:
    """The card's figures of this side, their integers' part measured; what needs real numbers is left out."""
    if bundle.metrics is None or bundle.verdict is None:
        raise ContractError(f"{bundle.name}: expected figures and a verdict in its manifest, found none")
    said = Executor(bundle.graph).run(windows.inputs)
    codes = {name: said[name].ravel() for name in bundle.graph.outputs}
    yes = [codes[q.output].astype(np.int64) * ONE_CODE_Q8 >= q.accept_q8 for q in bundle.verdict.questions]
    found = figures_of(windows, first_yes(np.stack(yes)), codes)
    return Metrics(
        graph_sha256=graph_sha256(bundle.graph),
        figures=tuple(
            replace(figure, int8_value=found[figure.name])
            for figure in bundle.metrics.figures
            if figure.on == side and figure.name in found
        ),
    )
