"""The integer graph as JSON and back: what a manifest says of operators and tensors."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from device_sim import requant
from device_sim.contract.errors import ContractError, DigestError
from device_sim.contract.fields import Fields, as_integer, as_list, as_number, as_text
from device_sim.contract.graph import Graph, n_output_channels
from device_sim.contract.operators import (
    KINDS,
    MAX_WINDOW,
    Activation,
    Add,
    Linear,
    Operator,
    Pads,
    PoolKind,
    kind_of,
)
from device_sim.contract.tensor import MAX_ELEMENTS, DType, Tensor

ALIGN_BYTES = 16  # each tensor of weights.bin starts on it
LAYOUTS = {"conv2d": "ohwi", "depthwise_conv2d": "1hwc", "fully_connected": "oi"}
PLAIN_LAYOUTS = {1: "c", 2: "nc", 3: "nwc", 4: "nhwc"}
I32 = (-(2**31), 2**31 - 1)


def graph_to_json(graph: Graph) -> tuple[dict[str, Any], bytes]:
    """The fields of a manifest that hold the graph, and weights.bin."""
    layouts = {
        operator.weight: LAYOUTS[kind_of(operator)]
        for operator in graph.operators
        if isinstance(operator, Linear)
    }
    tensors, weights = [], bytearray()
    for tensor in graph.tensors:
        one: dict[str, Any] = {
            "name": tensor.name,
            "dtype": tensor.dtype.value,
            "layout": layouts.get(
                tensor.name, "nhwc" if len(tensor.shape) == 4 else "n" * (len(tensor.shape) > 1) + "c"
            ),
            "shape": list(tensor.shape),
            "scale": list(tensor.scales),
            "zero_point": tensor.zero_point,
        }
        if tensor.axis is not None:
            one["axis"] = tensor.axis
        if tensor.is_constant:
            raw = tensor.constant.tobytes()
            weights += bytes(-len(weights) % ALIGN_BYTES)
            one |= {"offset_bytes": len(weights), "sha256": hashlib.sha256(raw).hexdigest()}
            weights += raw
        tensors.append(one)
    made = {
        "graph": [_operator_to_json(operator, graph) for operator in graph.operators],
        "tensors": tensors,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
    }
    return made, bytes(weights)


def graph_sha256(graph: Graph) -> str:
    """Of the integers and all that gives them a meaning; the name left out."""
    made, _weights = graph_to_json(graph)  # each tensor's own SHA-256 stands in it
    canonical = json.dumps(made, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _operator_to_json(operator: Operator, graph: Graph) -> dict[str, Any]:
    made: dict[str, Any] = {"op": kind_of(operator)}
    for field in fields(operator):
        value = getattr(operator, field.name)
        if isinstance(value, Pads):
            value = [value.top, value.left, value.bottom, value.right]
        made[field.name] = list(value) if isinstance(value, tuple) else value
    multipliers = multipliers_of(operator, graph.by_name)
    if multipliers:
        made["multipliers"] = multipliers  # what C multiplies by: the scales are for reading
    return made


def multipliers_of(operator: Operator, tensors: Mapping[str, Tensor]) -> list[list[int]]:
    """(q31, shift) of every output channel, or of x, y and their sum; nothing for the other kinds."""
    out_scale = tensors[operator.output].scale
    if isinstance(operator, Linear):
        weight = tensors[operator.weight]
        scales = weight.channel_scales(n_output_channels(operator, weight.shape))
        by = requant.linear_multipliers(tensors[operator.x].scale, scales, out_scale)
    elif isinstance(operator, Add):
        three = requant.add_multipliers(tensors[operator.x].scale, tensors[operator.y].scale, out_scale)
        by = [three.x, three.y, three.out]
    else:
        return []
    return [[one.q31, one.shift] for one in by]


def graph_from_json(manifest: Fields, weights: bytes, name: str) -> Graph:
    """The graph; every size is compared with the file before a byte is used."""
    tensors: list[Tensor] = []
    end = 0
    for read in manifest.items("tensors", Fields):
        tensor, end = _tensor(read, weights, end)
        tensors.append(tensor)
    if end != len(weights):
        raise ContractError(f"weights.bin: expected {end} bytes (tensors), got {len(weights)}")
    listed = manifest.items("graph", Fields)
    stated = [_stated_multipliers(read) for read in listed]
    graph = Graph(
        name=name,
        tensors=tuple(tensors),
        operators=tuple(_operator(read) for read in listed),
        inputs=manifest.items("inputs", as_text),
        outputs=manifest.items("outputs", as_text),
    )
    for operator, multipliers in zip(graph.operators, stated, strict=True):
        if multipliers != multipliers_of(operator, graph.by_name):
            raise ContractError(
                f"graph: operator {operator.name!r}: multipliers: expected those that its scales give"
            )
    return graph


def _tensor(read: Fields, weights: bytes, end: int) -> tuple[Tensor, int]:
    """One tensor, and where weights.bin has been used up to."""
    where, name = read.where, read.text("name")
    dtype = DType(_choice(read.text("dtype"), tuple(DType), f"{where}: dtype"))
    _choice(read.text("layout"), (*LAYOUTS.values(), *PLAIN_LAYOUTS.values()), f"{where}: layout")
    shape = read.items("shape", lambda item, at: as_integer(item, at, 1, MAX_ELEMENTS))
    scales = read.items("scale", as_number)
    zero_point = read.integer("zero_point", -128, 127)
    axis = read.integer("axis", 0, 3) if read.has("axis") else None
    made: dict[str, Any] = {
        "name": name,
        "shape": shape,
        "scales": scales,
        "dtype": dtype,
        "zero_point": zero_point,
        "axis": axis,
    }
    if not read.has("offset_bytes"):
        read.done()
        return Tensor(**made), end
    offset, digest = read.integer("offset_bytes", 0, len(weights)), read.text("sha256")
    read.done()
    n_bytes = dtype.numpy.itemsize
    for length in shape:
        n_bytes *= length  # Python's integers do not overflow
    if offset != end + -end % ALIGN_BYTES or offset + n_bytes > len(weights):
        raise ContractError(
            f"{name}: offset_bytes: expected {end + -end % ALIGN_BYTES} and {n_bytes} bytes of weights.bin, "
            f"got {offset} of {len(weights)}"
        )
    raw = weights[offset : offset + n_bytes]
    found = hashlib.sha256(raw).hexdigest()
    if found != digest or any(weights[end:offset]):
        raise DigestError(
            f"{name}: expected sha256 {digest[:12]!r}.., got {found[:12]}..; "
            "the bundle was edited after export"
        )
    values = np.frombuffer(raw, dtype.numpy).reshape(shape)
    return Tensor(**made, values=values), offset + n_bytes


def _choice(value: str, allowed: tuple[str, ...], where: str) -> str:
    if value not in allowed:
        raise ContractError(f"{where}: expected one of {', '.join(allowed)}, got {value[:40]!r}")
    return value


def _stated_multipliers(read: Fields) -> list[list[int]]:
    if not read.has("multipliers"):
        return []

    def pair(item: object, where: str) -> list[int]:
        two = as_list(item, where)
        if len(two) != 2:
            raise ContractError(f"{where}: expected (q31, shift), got {len(two)} numbers")
        return [as_integer(two[0], where, 0, I32[1]), as_integer(two[1], where, -31, 1024)]

    return list(read.items("multipliers", pair))


def _integers(low: int, high: int, n: int) -> Callable[[object, str], tuple[int, ...]]:
    def read(value: object, where: str) -> tuple[int, ...]:
        items = as_list(value, where)
        if len(items) != n:
            raise ContractError(f"{where}: expected {n} numbers, got {len(items)}")
        return tuple(as_integer(item, where, low, high) for item in items)

    return read


def _texts(value: object, where: str) -> tuple[str, ...]:
    return tuple(as_text(item, where) for item in as_list(value, where))


FIELD_READERS: Mapping[str, Callable[[object, str], Any]] = {
    "stride": _integers(1, MAX_WINDOW, 2),
    "kernel": _integers(1, MAX_WINDOW, 2),
    "pads": lambda value, where: Pads(*_integers(0, MAX_WINDOW, 4)(value, where)),
    "activation": lambda value, where: Activation(_choice(as_text(value, where), tuple(Activation), where)),
    "kind": lambda value, where: PoolKind(_choice(as_text(value, where), tuple(PoolKind), where)),
    "axis": lambda value, where: as_integer(value, where, 1, 3),
    "xs": _texts,
}


def _operator(read: Fields) -> Operator:
    kind = read.text("op")
    if kind not in KINDS:
        raise ContractError(f"{read.where}: op: expected one of {', '.join(KINDS)}, got {kind[:40]!r}")
    made = KINDS[kind]
    values = {
        field.name: FIELD_READERS.get(field.name, as_text)(
            read.take(field.name), f"{read.where}: {field.name}"
        )
        for field in fields(made)
    }
    read.done()
    return made(**values)
