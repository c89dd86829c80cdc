"""wl_about.h: what a device tells of its network over the wire."""

import numpy as np

from device_sim.app import Network, app_of
from device_sim.contract.bundle import Bundle
from device_sim.on_board import FIELDS, constants_on_board, layers_on_board
from device_sim.program import program
from export.c_text import c_array, c_note, c_quoted, c_table


def about_text(bundle: Bundle) -> str:
    """For firmware/ports/link, beside wl_app.h."""
    (network,) = app_of(bundle).networks
    return "\n".join(
        [
            c_note(bundle, "what lies where, for firmware/ports/link"),
            '#include "link.h"\n#include "wl_app.h"\n',
            _about(network),
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
