"""wl_about.h: the application that a device runs, and what it tells of its networks over the wire."""

from collections.abc import Sequence

import numpy as np

from device_sim.app import KINDS, Network, app_of
from device_sim.contract.bundle import Bundle
from device_sim.on_board import FIELDS, constants_on_board, layers_on_board
from device_sim.program import program
from export.c_text import c_array, c_note, c_quoted, c_table

INPUTS = {kind: f"WL_INPUT_{kind.upper()}" for kind in KINDS}


def about_text(bundles: Sequence[Bundle]) -> str:
    """For firmware/ports/link: wl_app with wl_model as its network, and wl_about."""
    (bundle,) = bundles
    app = app_of(bundles)
    (network,) = app.networks
    return "\n".join(
        [
            c_note(bundle, "the application and what lies where, for firmware/ports/link"),
            '#include "link.h"\n#include "wl_model.h"\n',
            f"#define WL_APP_MEMORY_BYTES {app.memory_bytes}\n",
            _network(network),
            f"const struct wl_app wl_app = {{networks, 0, 1, {app.memory_bytes}}};\n",
            _about(network),
        ]
    )


def _network(of: Network) -> str:
    """struct wl_network, every field by its name."""
    scores = [np.array(one.score_q15, np.uint16) for one in of.spec.questions]
    questions = [
        f"{{score{k}_q15, {one.accept_q8}, {one.reject_q8}, {one.hold_q8}, {of.at_of(one)}}}"
        for k, one in enumerate(of.spec.questions)
    ]
    outputs = [f"{{{at}, {n_bytes}}}" for at, n_bytes in of.outputs]
    fields = {
        **{"graph": "&wl_model", "questions": "questions", "outputs": "outputs"},
        **{"n_questions": len(questions), "n_outputs": len(outputs)},
        **{"at": of.at, "at_rr": of.at_rr, "hop": of.hop},
        **{"mean_windows": of.spec.mean_windows, "mean_hops": of.spec.mean_hops},
        "unusable_score_q15": of.unusable_score_q15,
        "flag_limits": "{" + ", ".join(map(str, of.flag_limits)) + "}",
        "input": INPUTS[KINDS[of.input]],
        "bundle": "{" + ", ".join(map(str, bytes.fromhex(of.bundle.digest[:16]))) + "}",
    }
    row = ",\n     ".join(f".{field} = {value}" for field, value in fields.items())
    return "\n".join(
        [
            *(c_array("static const uint16_t", f"score{k}_q15", codes) for k, codes in enumerate(scores)),
            c_table("wl_question", "questions", questions),
            c_table("wl_place", "outputs", outputs),
            c_table("wl_network", "networks", [f"{{{row}}}"]),
        ]
    )


def _about(of: Network) -> str:
    """struct wl_about: constants by name, layers and inputs by place."""
    graph, memory = of.bundle.graph, of.memory
    ops = program(graph, memory)
    constants = [
        f"{{{c_quoted(one.name)}, {one.row}, {FIELDS.index(one.field)}, {len(one.raw)}}}"
        for one in constants_on_board(graph, ops)
    ]
    layers = [
        f"{{{one.n_rows}, {{{one.offset_bytes}, {one.n_bytes}}}}}"
        for one in layers_on_board(graph, memory, ops)
    ]
    inputs = [f"{{{memory.offset_bytes(name)}, {graph.tensor(name).n_bytes}}}" for name in graph.inputs]
    sha256 = np.frombuffer(bytes.fromhex(of.bundle.digest), np.uint8)
    counts = ", ".join(str(len(rows)) for rows in (constants, layers, inputs))
    return "\n".join(
        [
            c_array("static const uint8_t", "sha256", sha256),
            c_table("wl_constant", "constants", constants),
            c_table("wl_layer", "layers", layers),
            c_table("wl_place", "inputs", inputs),
            f"const struct wl_about wl_about = {{sha256, constants, layers, inputs, {counts}}};\n",
        ]
    )
