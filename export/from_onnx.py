"""A foreign ONNX file in QDQ form as the integer graph: int8 or uint8 activations, the same integers.

Between a DequantizeLinear and the next QuantizeLinear stands what one integer kernel does. Maps are NCHW in
the file and NHWC here: a map that is flattened keeps a list of where its values went, and the dense layer
that reads it has its columns in the new order.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from device_sim.contract.errors import ContractError
from device_sim.contract.graph import MAX_OPERATORS, Graph
from device_sim.contract.operators import (
    Add,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Operator,
    Pad,
    Pool,
    PoolKind,
    Reshape,
    Sigmoid,
    Softmax,
    output_shape,
)
from export.foreign import MAX_BYTES, refused, unsupported
from export.onnx_constants import Constant, dequantised, scalar
from export.onnx_layout import (
    TO_FIRST,
    TO_LAST,
    Order,
    Seen,
    axis_of,
    flattened_order,
    kernel_of,
    pads_of,
    shape_of,
)
from export.onnx_values import Pending, Values, attributes_of, layer_of

USUAL_GEMM = {"alpha": 1.0, "beta": 1.0, "transA": 0}
DAMAGE = (IndexError, ValueError, TypeError, KeyError, OverflowError, AttributeError)


def from_onnx(raw: bytes, name: str) -> Graph:
    """The graph; a file that is damaged or wants more than there is ends in one line."""
    if len(raw) > MAX_BYTES:
        raise ContractError(f"expected an ONNX file of at most {MAX_BYTES} bytes, got {len(raw)}")
    try:
        model = onnx.ModelProto.FromString(raw)
    except DecodeError:
        raise ContractError("expected an ONNX file, got something else or part of one") from None
    try:
        return _graph(model.graph, name)
    except ContractError:
        raise
    except DAMAGE as fault:
        raise ContractError(f"expected a sound ONNX file: {str(fault)[:120]}") from None


def _graph(file: Any, name: str) -> Graph:
    if not 1 <= len(file.node) <= 4 * MAX_OPERATORS:  # each kernel has its two or three conversions
        raise ContractError(f"nodes: expected 1..{4 * MAX_OPERATORS}, got {len(file.node)}")
    values = Values(file, name)
    for node in file.node:
        if len(node.output) < 1 or node.op_type not in READERS:
            raise unsupported(layer_of(node), node.op_type)
        READERS[node.op_type](values, node)
    return values.made.graph([values.output_named(one.name) for one in file.output])


def _quantize(values: Values, node: Any) -> None:
    name, code = node.output[0], values.code_of(node)
    seen = values.real.get(node.input[0])
    if seen is None:
        raise refused(layer_of(node), node.op_type, f"reads {node.input[0][:80]!r}, which nothing computes")
    if isinstance(seen.source, Pending):
        values.codes[name] = values.finished(seen, seen.source, code, name)
        return
    tensor = values.made.activations[seen.source]
    if (tensor.scale, tensor.zero_point) != (code.scale, code.zero_point):
        raise refused(layer_of(node), node.op_type, "changes what codes are worth; no kernel does")
    values.codes[name] = seen


def _dequantize(values: Values, node: Any) -> None:
    name = node.input[0]
    if name in values.constants:
        zero = values.constant(node, 2) if len(node.input) > 2 and node.input[2] else None
        values.constants[node.output[0]] = dequantised(
            values.constants[name], values.constant(node, 1), zero, name
        )
        return
    if name not in values.codes:
        raise refused(layer_of(node), node.op_type, f"reads {name[:80]!r}, which nothing computes")
    seen, code = values.codes[name], values.code_of(node)
    tensor = values.made.activations[seen.source]
    if (tensor.scale, tensor.zero_point) != (code.scale, code.zero_point):
        raise refused(layer_of(node), node.op_type, "expected the scale it was quantised with")
    values.real[node.output[0]] = seen


def _conv(values: Values, node: Any) -> None:
    attributes, x = attributes_of(node), values.map_of(node)
    if set(attributes.get("dilations", (1,))) != {1}:
        raise refused(layer_of(node), node.op_type, "expected no dilation")
    weight, bias = _weight(values, node), _bias(values, node)
    oihw = weight.values if weight.values.ndim == 4 else weight.values[:, :, None]
    shape, group = values.shape(x), attributes.get("group", 1)
    kernel = (int(oihw.shape[2]), int(oihw.shape[3]))
    stride = kernel_of(attributes.get("strides", (1,) * (x.rank - 2)))
    is_full = group == 1
    if not is_full and (group != shape[3] or oihw.shape[1] != 1):
        raise refused(layer_of(node), node.op_type, f"{group} groups: expected 1, or one for each channel")
    operator = (Conv2d if is_full else DepthwiseConv2d)(
        **_linear_names(values, node, x), stride=stride, pads=pads_of(attributes, shape, kernel, stride)
    )
    weight = replace(weight, values=oihw.transpose((0, 2, 3, 1) if is_full else (1, 2, 3, 0)))
    found = output_shape(operator, [shape], weight.values.shape)
    values.hold(node, operator, x, found, weight=weight, bias=bias)


def _dense(values: Values, node: Any) -> None:
    attributes, x = attributes_of(node), values.x(node)
    if any(attributes.get(key, usual) != usual for key, usual in USUAL_GEMM.items()):
        raise refused(layer_of(node), node.op_type, "expected alpha 1, beta 1 and no transA")
    weight = _weight(values, node)
    oi = weight.values if attributes.get("transB", 0) else weight.values.T
    weight = replace(weight, values=oi if x.order is None else oi[:, x.order])
    operator = FullyConnected(**_linear_names(values, node, x))
    found = output_shape(operator, [values.shape(x)], weight.values.shape)
    values.hold(node, operator, Seen(source=None, rank=2), found, weight=weight, bias=_bias(values, node))


def _weight(values: Values, node: Any) -> Constant:
    weight = values.constant(node, 1)
    if not weight.scales or weight.values.dtype != np.int8:
        raise refused(layer_of(node), node.op_type, "expected an int8 weight behind a DequantizeLinear")
    return weight


def _bias(values: Values, node: Any) -> Constant | None:
    if len(node.input) < 3 or not node.input[2]:
        return None
    bias = values.constant(node, 2)
    if not bias.scales or bias.values.dtype != np.int32:
        raise refused(layer_of(node), node.op_type, "expected an int32 bias behind a DequantizeLinear")
    return bias


def _linear_names(values: Values, node: Any, x: Seen) -> dict[str, Any]:
    """Constants keep the names they have before their DequantizeLinear."""
    layer = layer_of(node)
    names = {one.output[0]: one.input[0] for one in values.file.node if one.op_type == "DequantizeLinear"}
    has_bias = len(node.input) > 2 and node.input[2]
    return {
        "name": layer,
        "x": x.source,
        "output": layer,
        "weight": names.get(node.input[1], f"{layer}.weight"),
        "bias": names.get(node.input[2], f"{layer}.bias") if has_bias else f"{layer}.bias",
    }


def _pool(values: Values, node: Any) -> None:
    attributes, x = attributes_of(node), values.map_of(node)
    shape, kind = values.shape(x), PoolKind.MAX if node.op_type == "MaxPool" else PoolKind.AVERAGE
    kernel = kernel_of(attributes.get("kernel_shape", shape[1:3]))
    stride = kernel_of(attributes.get("strides", (1,) * (x.rank - 2)))
    if node.op_type == "GlobalAveragePool":
        stride = (1, 1)
    pads = pads_of(attributes, shape, kernel, stride)
    counts_pads = kind is PoolKind.AVERAGE and pads and attributes.get("count_include_pad", 0)
    if attributes.get("ceil_mode", 0) or set(attributes.get("dilations", (1,))) != {1} or counts_pads:
        raise refused(layer_of(node), node.op_type, "expected no ceil_mode, dilation or counted padding")
    layer = layer_of(node)
    operator = Pool(name=layer, x=x.source, output=layer, kind=kind, kernel=kernel, stride=stride, pads=pads)
    values.hold(node, operator, x, output_shape(operator, [shape]))


def _add(values: Values, node: Any) -> None:
    x, y = values.x(node), values.x(node, 1)
    if x.rank != y.rank or x.is_last != y.is_last or not _in_one_order(x.order, y.order):
        raise refused(layer_of(node), node.op_type, "expected addends in one layout")
    layer = layer_of(node)
    operator = Add(name=layer, x=x.source, y=y.source, output=layer)
    values.hold(node, operator, x, output_shape(operator, [values.shape(x), values.shape(y)]))


def _concat(values: Values, node: Any) -> None:
    xs = [values.x(node, k) for k in range(len(node.input))]
    if len({(x.rank, x.is_last) for x in xs}) != 1:
        raise refused(layer_of(node), node.op_type, "expected parts in one layout")
    axis, order = axis_of(attributes_of(node)["axis"], xs[0]), None
    if any(x.order is not None for x in xs):
        lengths = [values.shape(x)[1] for x in xs]
        starts = np.cumsum([0, *lengths[:-1]])
        rows = [np.arange(n) if x.order is None else x.order for x, n in zip(xs, lengths, strict=True)]
        order = np.concatenate([row + start for row, start in zip(rows, starts, strict=True)])
    layer = layer_of(node)
    operator = Concat(name=layer, xs=tuple(x.source for x in xs), output=layer, axis=axis)
    found = output_shape(operator, [values.shape(x) for x in xs])
    values.hold(node, operator, replace(xs[0], order=order), found)


def _reshape(values: Values, node: Any) -> None:
    """A map becomes a row, or a row a map whose channels are last in the file too."""
    x = values.x(node)
    ours = values.shape(x)
    before = ours if x.rank == 4 else (ours[0], *ours[2:]) if x.rank == 3 else ours
    if x.rank != 2 and not x.is_last:
        before = (before[0], before[-1], *before[1:-1])
    if node.op_type == "Flatten":
        wanted: tuple[int, ...] = (1, -1) if attributes_of(node).get("axis", 1) == 1 else ()
    else:
        wanted = tuple(int(n) for n in values.constant(node, 1).values.ravel()[:8])
    after = shape_of(wanted, before) if wanted else ()
    layer = layer_of(node)
    operator = Reshape(name=layer, x=x.source, output=layer)
    if len(after) == 2 and x.rank != 2:
        seen = Seen(source=None, rank=2, order=flattened_order(ours, is_last=x.is_last))
    elif len(after) == 2 and x.rank == 2:
        seen = x
    elif len(after) in (3, 4) and x.order is None and (x.rank == 2 or x.is_last):
        seen = Seen(source=None, rank=len(after), is_last=True)
    else:
        raise refused(layer, node.op_type, f"{before} to {after}: expected a map to a row")
    shape = after if len(after) != 3 else (after[0], 1, *after[1:])
    values.hold(node, operator, seen, shape)


def _transpose(values: Values, node: Any) -> None:
    """Moves nothing here: maps are always channels last."""
    seen, perm = values.real.get(node.input[0]), tuple(attributes_of(node).get("perm", ()))
    if seen is None or seen.rank == 2 or perm != (TO_FIRST if seen.is_last else TO_LAST)[seen.rank]:
        raise refused(layer_of(node), node.op_type, "expected channels from first to last, or back")
    values.real[node.output[0]] = replace(seen, is_last=not seen.is_last)


def _pad(values: Values, node: Any) -> None:
    x, attributes = values.map_of(node), attributes_of(node)
    table = values.constant(node, 1).values.ravel().tolist()
    value = scalar(values.constants, node.input[2] if len(node.input) > 2 else "", 0.0)
    n = x.rank
    if attributes.get("mode", b"constant") != b"constant" or value or len(table) != 2 * n:
        raise refused(layer_of(node), node.op_type, "expected zeros around a map")
    if any((table[0], table[1], table[n], table[n + 1])):
        raise refused(layer_of(node), node.op_type, "expected padding of height and width alone")
    pads = pads_of({"pads": table[2:n] + table[n + 2 :]}, values.shape(x), (1, 1), (1, 1))
    layer = layer_of(node)
    operator = Pad(name=layer, x=x.source, output=layer, pads=pads)
    values.hold(node, operator, x, output_shape(operator, [values.shape(x)]))


def _probability(values: Values, node: Any) -> None:
    x, layer = values.x(node), layer_of(node)
    if node.op_type == "Softmax":
        axis = axis_of(attributes_of(node).get("axis", -1), x)
        if axis != len(values.shape(x)) - 1:
            raise refused(layer, node.op_type, "expected it over the channels")
        operator: Operator = Softmax(name=layer, x=x.source, output=layer)
    else:
        operator = Sigmoid(name=layer, x=x.source, output=layer)
    values.hold(node, operator, x, values.shape(x))


def _limit(values: Values, node: Any) -> None:
    """A ReLU or its kin becomes part of the operator before it."""
    seen = values.real.get(node.input[0])
    if seen is None or not isinstance(seen.source, Pending):
        raise refused(layer_of(node), node.op_type, "expected it before a QuantizeLinear")
    low, high = 0.0, np.inf
    if node.op_type == "Clip":
        names = [*node.input[1:], "", ""][:2]
        attributes = attributes_of(node)
        low = scalar(values.constants, names[0], attributes.get("min", -np.inf))
        high = scalar(values.constants, names[1], attributes.get("max", np.inf))
    before = seen.source
    held = replace(before, low=max(low, before.low), high=min(high, before.high))
    values.real[node.output[0]] = replace(seen, source=held)


def _same(values: Values, node: Any) -> None:
    values.real[node.output[0]] = values.x(node)


def _nothing(values: Values, node: Any) -> None:
    """Constants are known already."""
    if node.output[0] not in values.constants:
        raise refused(layer_of(node), node.op_type, "expected values in the file")


def _in_one_order(x: Order | None, y: Order | None) -> bool:
    return (x is None and y is None) or (x is not None and y is not None and np.array_equal(x, y))


READERS: Mapping[str, Callable[[Values, Any], None]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Conv": _conv,
    **dict.fromkeys(("Gemm", "MatMul"), _dense),
    **dict.fromkeys(("MaxPool", "AveragePool", "GlobalAveragePool"), _pool),
    "Add": _add,
    "Concat": _concat,
    **dict.fromkeys(("Reshape", "Flatten"), _reshape),
    "Transpose": _transpose,
    "Pad": _pad,
    **dict.fromkeys(("Sigmoid", "Softmax"), _probability),
    **dict.fromkeys(("Relu", "Clip"), _limit),
    **dict.fromkeys(("Identity", "Dropout"), _same),
    "Constant": _nothing,
}
