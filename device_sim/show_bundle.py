"""Print what a bundle holds: network, verdicts, memory, budget, where it comes from, how good it was."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from device_sim.app import NETS
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade, bundles_of, read_application
from device_sim.contract.errors import WristleadError, printable
from device_sim.contract.gate import gate_to_json
from device_sim.contract.graph import count_macs, count_steps
from device_sim.contract.inputs import InputKind
from device_sim.contract.manifest import graph_sha256
from device_sim.contract.operators import Operator, constants_of, kind_of
from device_sim.contract.verdict import FLAGS, ONE_Q15, Question, VerdictSpec
from device_sim.memory import Memory, memory_of
from device_sim.memory_picture import draw_memory
from device_sim.picture import ENDINGS, check_drawable
from device_sim.show_cascade import cascade_facts
from device_sim.trace import check_writable, write_whole

SHORT = 12  # digits of a digest that a person compares
SEEN = {
    InputKind.IMAGE: "image: 32 rows by 80 columns, 5 s",
    InputKind.BEAT: "beat: the second around an R peak, its difference from the usual one, intervals",
    InputKind.BLIND: "blind: a second of the 128 Hz stream",
    InputKind.PICTURE: "picture: 64 x 64 dots in colour, of 32 rows by 80 columns, 5 s",
    InputKind.SIGNAL: "signal: 256 Hz",
    InputKind.CODES: "codes: whatever its caller hands in",
}


def show_bundle(folder: Path, *, as_json: bool, memory_out: Path | None) -> None:
    """On stdout; a plan in a file on request, by its ending a picture or JSON."""
    if memory_out is not None:
        check_writable(memory_out, (*ENDINGS, ".json"))
        if memory_out.suffix != ".json":
            check_drawable(memory_out)
    application = read_application(folder)
    try:
        memory = memory_of(application)
    except WristleadError as error:
        raise type(error)(f"{folder}: {error}") from None
    if memory_out is not None:
        _write_memory(application, memory, memory_out)
    if as_json:
        print(json.dumps(_record(application, memory), indent=1))
        return
    if isinstance(application, Cascade):
        _print_facts(cascade_facts(application, memory))
    for bundle in bundles_of(application):
        alone = memory if bundle is application else memory_of(bundle)
        if bundle is not application:
            print()
        _print_facts(facts(bundle, alone))
        print()
        print("\n".join(nodes_table(bundle, alone)))


def _print_facts(known: Iterator[tuple[str, str]]) -> None:
    for fact, value in known:
        print(printable(f"{fact:12}{value}".rstrip()))


def _record(application: Bundle | Cascade, memory: Memory) -> dict[str, Any]:
    """Everything, for a script; of a cascade its gate and both its bundles."""
    if not isinstance(application, Cascade):
        return as_record(application, memory)
    return {
        "name": application.name,
        "digest": application.digest,
        "gate": gate_to_json(application.gate),
        "memory": json.loads(memory.to_json()),
        **{
            net: as_record(bundle, memory_of(bundle))
            for net, bundle in zip(NETS, bundles_of(application), strict=True)
        },
    }


def _write_memory(application: Bundle | Cascade, memory: Memory, path: Path) -> None:
    if path.suffix == ".json":

        def write(stream: BinaryIO) -> None:
            stream.write(memory.to_json().encode())

        write_whole(path, write)
    else:
        draw_memory(memory, application.name, path)


def facts(bundle: Bundle, memory: Memory) -> Iterator[tuple[str, str]]:
    """Name and value of everything worth a line."""
    graph = bundle.graph
    yield "bundle", f"{bundle.name} {bundle.digest}"
    hop = (
        ""
        if bundle.input in (InputKind.BEAT, InputKind.CODES)
        else f", every {bundle.window.hop_us / 1e6:g} s"
    )
    yield "input", SEEN[bundle.input] + hop
    yield "labels", ", ".join(bundle.labels.names)
    yield from _verdict_facts(bundle)
    yield "front end", _front_end(bundle)
    yield (
        "graph",
        f"{len(graph.operators)} operators, {count_macs(graph):,} MAC a window, {graph_sha256(graph)}",
    )
    yield "weights", f"{weight_bytes(bundle):,} bytes in {len(graph.constants)} tensors"
    yield "arena", f"{memory.arena.arena_bytes:,} bytes, shared with frames"
    parts = ", ".join(f"{one.name} {one.n_bytes}" for one in memory.regions)
    yield "RAM", f"{memory.total_bytes:,} bytes beside the stack: arena {memory.arena.arena_bytes}, {parts}"
    yield "", f"largest live set {memory.largest_live_bytes:,} bytes; {memory.why() or 'no holes'}"
    yield "budget", _budget(bundle, memory)
    if bundle.metrics is None:
        yield "metrics", "none"
    else:
        for n, figure in enumerate(bundle.metrics.figures):
            values = f"{figure.int8_value:.4g} int8, {figure.float_value:.4g} float"
            yield "" if n else "metrics", f"{figure.name} on {figure.on}: {values}"
        yield "", "measured with this graph: the digests are equal"
    for n, (name, text) in enumerate(bundle.provenance.items()):
        yield "" if n else "provenance", f"{name}: {text}"
    for n, (name, raw) in enumerate(bundle.files.items()):
        yield "" if n else "files", f"{name}, {len(raw):,} bytes"


def _verdict_facts(bundle: Bundle) -> Iterator[tuple[str, str]]:
    spec = bundle.verdict
    if spec is None:
        yield "verdict", "none: this network gives numbers that nobody has calibrated"
        return
    for n, (question, label) in enumerate(zip(spec.questions, bundle.labels.names[1:], strict=True)):
        yield "" if n else "verdict", _question(question, label)
    has_band = any(_has_band(question) for question in spec.questions)
    band = f"; between the thresholds {spec.undecided}" if has_band else ""
    yield "", f"otherwise {bundle.labels.names[0]}{band}{_mean(spec)}"
    limits = ", ".join(f"{flag} {spec.flag_limits[flag]}" for flag in FLAGS if flag in spec.flag_limits)
    yield "rule", f"{spec.unusable} with more flagged columns than {limits}" if limits else "none"


def _question(question: Question, label: str) -> str:
    at = min(max((question.accept_q8 + 128 >> 8) + 128, 0), len(question.score_q15) - 1)
    score = question.score_q15[at] / ONE_Q15
    band = f", no up to {question.reject_q8 / 256:.4g}" if _has_band(question) else ""
    hold = f", kept for {question.hold_q8 / 256:.4g} more" if question.hold_q8 else ""
    accept = f"from code {question.accept_q8 / 256:.4g} of {question.output} on"
    return f"{label} {accept} (score {score:.2f}){band}{hold}"


def _has_band(question: Question) -> bool:
    """Codes lie between a yes and a no: those next to each other leave none."""
    return question.accept_q8 - question.reject_q8 > 1


def _mean(spec: VerdictSpec) -> str:
    if spec.mean_windows == 1:
        return ""
    return f"; codes are means of {spec.mean_windows} windows {spec.mean_hops} hops apart"


def _front_end(bundle: Bundle) -> str:
    from device_sim.fingerprint import frontend_sha256

    if not bundle.frontend_sha256:
        return "not said"
    is_ours = bundle.frontend_sha256 == frontend_sha256(bundle.input)
    return f"{bundle.frontend_sha256[:SHORT]}, " + (
        "this core's" if is_ours else "not this core's: export again"
    )


def _budget(bundle: Bundle, memory: Memory) -> str:
    budget = bundle.budget
    if budget is None:
        return "none"
    return (
        f"window {budget.window_us:,} us; flash {budget.flash_bytes:,} bytes, weights take "
        f"{weight_bytes(bundle) / budget.flash_bytes:.0%}; RAM {budget.ram_bytes:,} bytes, the plan takes "
        f"{memory.total_bytes / budget.ram_bytes:.0%}"
    )


def weight_bytes(bundle: Bundle) -> int:
    return sum(tensor.n_bytes for tensor in bundle.graph.constants)


def nodes(bundle: Bundle, memory: Memory) -> Iterator[dict[str, Any]]:
    """Each operator: what it reads and writes, what it costs, where its output lies."""
    tensors = bundle.graph.by_name
    for operator in bundle.graph.operators:
        constants = constants_of(operator)
        yield {
            "name": operator.name,
            "op": kind_of(operator),
            "output_shape": list(tensors[operator.output].shape[1:]),
            "macs": _macs(operator, tensors),
            "weight_bytes": sum(tensors[name].n_bytes for name in constants),
            "output_bytes": tensors[operator.output].n_bytes,
            "offset_bytes": memory.arena.offset_bytes(operator.output),
        }


def _macs(operator: Operator, tensors: Mapping[str, Any]) -> int:
    return count_steps(operator, tensors) if constants_of(operator) else 0


def nodes_table(bundle: Bundle, memory: Memory) -> Iterator[str]:
    """The same for a person."""
    rows = list(nodes(bundle, memory))
    width = max(8, *(len(row["name"]) for row in rows))
    yield f"{'operator':{width}}  {'kind':17}{'output':>14}{'MAC':>11}{'weights':>9}{'bytes':>8}{'at':>8}"
    for row in rows:
        shape = " x ".join(map(str, row["output_shape"]))
        yield (
            f"{row['name']:{width}}  {row['op']:17}{shape:>14}{row['macs']:>11,}{row['weight_bytes']:>9,}"
            f"{row['output_bytes']:>8,}{row['offset_bytes']:>8,}"
        )


def as_record(bundle: Bundle, memory: Memory) -> dict[str, Any]:
    """Everything, for a script."""
    graph, budget, metrics = bundle.graph, bundle.budget, bundle.metrics
    return {
        "name": bundle.name,
        "digest": bundle.digest,
        "input": bundle.input.value,
        "hop_us": None if bundle.input is InputKind.BEAT else bundle.window.hop_us,
        "labels": list(bundle.labels.names),
        "has_verdict": bundle.verdict is not None,
        "frontend_sha256": bundle.frontend_sha256,
        "graph_sha256": graph_sha256(graph),
        "macs": count_macs(graph),
        "weight_bytes": weight_bytes(bundle),
        "nodes": list(nodes(bundle, memory)),
        "memory": json.loads(memory.to_json()),
        "budget": budget and {name: getattr(budget, name) for name in budget.__dataclass_fields__},
        "metrics": metrics
        and [
            {"name": one.name, "on": one.on, "float": one.float_value, "int8": one.int8_value}
            for one in metrics.figures
        ],
        "provenance": dict(bundle.provenance),
        "files": {name: len(raw) for name, raw in bundle.files.items()},
    }
