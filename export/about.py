"""wl_about.c: what a device tells of its networks over the wire (firmware/ports/link)."""

from collections.abc import Iterator, Sequence

import numpy as np

from device_sim.app import Network, app_of
from device_sim.contract.bundle import Bundle
from device_sim.contract.cascade import Cascade
from device_sim.on_board import FIELDS, constants_on_board, layers_on_board
from device_sim.program import program
from export.c_text import c_array, c_note, c_quoted, c_table


def about_text(application: Bundle | Cascade, names: Sequence[str]) -> str:
    """Constants by name, layers and inputs by place; names are those of the networks in C."""
    sha256 = np.frombuffer(bytes.fromhex(application.digest), np.uint8)
    parts = [c_note(application, f"what lies where in {application.name}"), '#include "link.h"\n']
    parts.append(c_array("static const uint8_t", "sha256", sha256))
    known = []
    for name, one in zip(names, app_of(application).networks, strict=True):
        tables = list(_tables(one))
        parts += [c_table(kind, f"{name}_{what}", rows) for kind, what, rows in tables]
        pointers = [f"{name}_{what}" for _kind, what, _rows in tables]
        counts = [str(len(rows)) for _kind, _what, rows in tables]
        known.append(f"{{{', '.join([*pointers, *counts])}}}")
    parts.append(c_table("wl_known", "networks", known))
    parts.append("const struct wl_about wl_about = {sha256, networks};\n")
    return "\n".join(parts)


def _tables(of: Network) -> Iterator[tuple[str, str, list[str]]]:
    """Kind, name and rows."""
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
    yield "wl_constant", "constants", constants
    yield "wl_layer", "layers", layers
    yield "wl_place", "inputs", inputs
