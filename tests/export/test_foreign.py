"""Files that others quantised: our own come back as the graph they were, the rest is refused by name."""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from device_sim import twin
from device_sim.__main__ import main
from device_sim.contract.bundle import read_bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.contract.manifest import graph_sha256
from device_sim.plan import plan
from device_sim.program import Op, program
from export.from_onnx import from_onnx
from export.from_tflite import IDENTIFIER, from_tflite
from export.parity import random_windows
from export.to_onnx import to_onnx
from export.to_tflite import to_tflite
from tests.export.nets import MAKERS, example
from tests.golden.networks import graphs

NETS = [*MAKERS, *graphs()]
NO_TFLITE = {"max_pool", "average_pool"}  # padding that the format does not have
Read = Callable[[bytes, str], Graph]


def graph_named(name: str) -> Graph:
    return example(name).graph if name in MAKERS else graphs()[name][1]


def called_by_output(graph: Graph) -> Graph:
    """A TensorFlow Lite file has names for tensors alone."""
    return replace(graph, operators=tuple(replace(one, name=one.output) for one in graph.operators))


def assert_same_program(one: Graph, other: Graph) -> None:
    """What the core executes, number by number."""
    rows, others = (program(graph, plan(graph)) for graph in (one, other))
    assert len(rows) == len(others)
    for row, beside in zip(rows, others, strict=True):
        for field in Op.__dataclass_fields__:
            if field != "name":
                np.testing.assert_array_equal(getattr(row, field), getattr(beside, field), err_msg=field)


@pytest.mark.parametrize("name", MAKERS)
def test_our_tensorflow_lite_comes_back_as_the_same_graph(name: str) -> None:
    graph = graph_named(name)
    back = from_tflite(to_tflite(graph), graph.name)
    assert graph_sha256(back) == graph_sha256(called_by_output(graph))


@pytest.mark.parametrize("name", sorted(set(NETS) - NO_TFLITE))
def test_our_tensorflow_lite_gives_the_same_program(name: str) -> None:
    graph = graph_named(name)
    assert_same_program(graph, from_tflite(to_tflite(graph), graph.name))


@pytest.mark.parametrize("name", NETS)
def test_our_onnx_gives_the_same_program(name: str) -> None:
    graph = graph_named(name)
    assert_same_program(graph, from_onnx(to_onnx(graph), graph.name))


@pytest.mark.parametrize("ending", ["tflite", "onnx"])
def test_a_file_becomes_a_bundle_and_c(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = graph_named("two_inputs")
    source = tmp_path / f"Their Model.{ending}"
    source.write_bytes(to_tflite(graph) if ending == "tflite" else to_onnx(graph))
    out, c = tmp_path / "bundle", tmp_path / "c"
    assert main(["export", str(source), "--out", str(out), "--c", str(c)]) == 0
    bundle = read_bundle(out)
    assert bundle.name == "their-model"
    assert capsys.readouterr().out.strip() == bundle.digest
    assert_same_program(graph, bundle.graph)
    assert bundle.digest[:12] in (c / "src/wl_model.h").read_text()
    assert main(["show", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "codes: whatever its caller hands in" in shown
    assert main(["run", str(out), "--synthetic"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_their_own_scales_are_refused_beside_a_calibration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "net.onnx"
    source.write_bytes(to_onnx(graph_named("beat_tiny")))
    assert main(["export", str(source), "--calibration", "c.json", "--out", str(tmp_path / "b")]) == 2
    assert "these integers are what they are" in capsys.readouterr().err


# TensorFlow Lite as its converter writes it: float ends, a mean with a scale of its own, no bias.


def unpacked(graph: Graph) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(to_tflite(graph), 0))


def packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def operator_of(model: Any, code: int, inputs: list[int], outputs: list[int]) -> Any:
    made, kind = schema.OperatorT(), schema.OperatorCodeT()
    kind.builtinCode = kind.deprecatedBuiltinCode = code
    model.operatorCodes.append(kind)
    made.opcodeIndex = len(model.operatorCodes) - 1
    made.inputs, made.outputs = inputs, outputs
    return made


def tensor_of(model: Any, name: str, shape: list[int], kind: int) -> int:
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, shape, kind, 0
    model.subgraphs[0].tensors.append(made)
    return len(model.subgraphs[0].tensors) - 1


def test_float_ends_are_left_off() -> None:
    graph = graph_named("small_cnn")
    model = unpacked(graph)
    part = model.subgraphs[0]
    (x,), (y,) = part.inputs, part.outputs
    ends = [tensor_of(model, name, [1, 1], schema.TensorType.FLOAT32) for name in ("real", "score")]
    first = operator_of(model, schema.BuiltinOperator.QUANTIZE, [ends[0]], [x])
    last = operator_of(model, schema.BuiltinOperator.DEQUANTIZE, [y], [ends[1]])
    part.operators = [first, *part.operators, last]
    part.inputs, part.outputs = [ends[0]], [ends[1]]
    assert_same_program(graph, from_tflite(packed(model), "net"))


def test_a_missing_bias_is_zero() -> None:
    graph = graphs()["dense"][1]
    model = unpacked(graph)
    (layer,) = model.subgraphs[0].operators
    layer.inputs = [*layer.inputs[:2], -1]
    back = from_tflite(packed(model), "net")
    (bias,) = (one for one in back.constants if one.dtype == "i32")
    assert not bias.constant.any()


def test_a_mean_with_its_own_scale_is_a_layer_of_equal_weights() -> None:
    """Within one code of the real mean: half for the rounding, less than half for the weights' scale."""
    model = unpacked(graphs()["global_pool"][1])
    part = model.subgraphs[0]
    axes = tensor_of(model, "axes", [2], schema.TensorType.INT32)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.array([1, 2], "<i4").tobytes(), np.uint8)
    model.buffers.append(buffer)
    part.tensors[axes].buffer = len(model.buffers) - 1
    y = part.tensors[part.outputs[0]]
    y.quantization.scale, y.quantization.zeroPoint = [0.031], [7]
    part.operators = [operator_of(model, schema.BuiltinOperator.MEAN, [part.inputs[0], axes], part.outputs)]
    graph = from_tflite(packed(model), "net")
    x = graph.tensor(graph.inputs[0])
    windows = random_windows(graph, 50)
    real = x.scale * (windows[x.name].astype(float) - x.zero_point).mean(axis=(1, 2))
    codes = twin.run(graph, windows)[graph.outputs[0]][:, 0, 0].astype(float)
    expected = np.clip(real / np.float32(0.031) + 7, -128, 127)
    assert np.abs(codes - expected).max() <= 1.0


def change_kind(code: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.operatorCodes[0].builtinCode = code
        model.operatorCodes[0].deprecatedBuiltinCode = min(code, 127)

    return change


def change_options(**fields: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for name, value in fields.items():
            setattr(model.subgraphs[0].operators[0].builtinOptions, name, value)

    return change


def change_tensor(which: int, change_one: Callable[[Any], None]) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        part = model.subgraphs[0]
        change_one(part.tensors[part.operators[0].inputs[which]])

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_kind(schema.BuiltinOperator.TANH), r"\(TANH\): no int8 kernel; there are .*; nothing was"),
        (change_kind(200), r"no int8 kernel"),
        (change_options(dilationHFactor=2), "expected no dilation"),
        (change_options(fusedActivationFunction=schema.ActivationFunctionType.TANH), "activation tanh"),
        (change_options(strideH=0), r"stride: expected 1\.\.4096, got \(0, "),
        (change_tensor(0, lambda one: setattr(one, "type", schema.TensorType.UINT8)), "INT8, got UINT8"),
        (change_tensor(0, lambda one: setattr(one, "quantization", None)), "quantise fully"),
        (change_tensor(1, lambda one: setattr(one, "type", schema.TensorType.FLOAT32)), "got FLOAT32"),
        (change_tensor(1, lambda one: setattr(one, "shape", [2**30, 2**30, 2, 2])), "values, got"),
        (change_tensor(1, lambda one: setattr(one.quantization, "zeroPoint", [3])), "zero point 0"),
        (change_tensor(2, lambda one: setattr(one.quantization, "scale", [1.0])), "steps of input scale"),
        (change_tensor(1, lambda one: setattr(one, "buffer", 10**6)), "index: expected 0.."),
        (lambda model: setattr(model.subgraphs[0].operators[0], "inputs", [99, 1, 2]), "index: expected"),
        (lambda model: model.subgraphs.append(model.subgraphs[0]), "subgraphs: expected 1, got 2"),
    ],
)
def test_what_has_no_kernel_is_refused_by_name(change: Callable[[Any], None], message: str) -> None:
    model = unpacked(graphs()["conv_row"][1])
    change(model)
    with pytest.raises(ContractError, match=message):
        from_tflite(packed(model), "net")


# ONNX as onnxruntime's quantiser and torch's exporter write it.


def onnx_net(change: Callable[[Any], None] = lambda graph: None, dtype: type = np.uint8) -> bytes:
    """A map, a convolution with a ReLU, flattened channels first, a dense layer; float ends."""
    rng = np.random.default_rng(5)
    zero = 128 if dtype is np.uint8 else 0
    arrays = {
        "s": np.float32(0.05),
        "z": dtype(zero),
        "w": rng.integers(-127, 128, (3, 2, 3, 3), np.int8),
        "ws": np.array([0.01, 0.02, 0.03], np.float32),
        "wz": np.zeros(3, np.int8),
        "b": rng.integers(-50, 50, 3, np.int32),
        "bs": (np.float32(0.05) * np.array([0.01, 0.02, 0.03], np.float32)).astype(np.float32),
        "bz": np.zeros(3, np.int32),
        "ys": np.float32(0.04),
        "yz": dtype(zero - 128),
        "v": rng.integers(-127, 128, (2, 3 * 4 * 5), np.int8),
        "vs": np.float32(0.02),
        "vz": np.int8(0),
        "os": np.float32(0.3),
        "oz": dtype(zero + 3),
    }
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["image", "s", "z"], ["image_q"]),
        node("DequantizeLinear", ["image_q", "s", "z"], ["image_r"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["w_r"], axis=0),
        node("DequantizeLinear", ["b", "bs", "bz"], ["b_r"], axis=0),
        node("Conv", ["image_r", "w_r", "b_r"], ["c"], pads=[1, 1, 1, 1], name="conv"),
        node("Relu", ["c"], ["r"]),
        node("QuantizeLinear", ["r", "ys", "yz"], ["r_q"]),
        node("DequantizeLinear", ["r_q", "ys", "yz"], ["r_r"]),
        node("Flatten", ["r_r"], ["f"]),
        node("DequantizeLinear", ["v", "vs", "vz"], ["v_r"]),
        node("Gemm", ["f", "v_r"], ["g"], transB=1, name="head"),
        node("QuantizeLinear", ["g", "os", "oz"], ["g_q"]),
        node("DequantizeLinear", ["g_q", "os", "oz"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 2, 4, 5])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in arrays.items()],
    )
    change(graph)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    raw: bytes = model.SerializeToString()
    return raw


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_a_map_flattened_channels_first_means_the_same(dtype: type) -> None:
    """Every code within one of the file's own arithmetic in real numbers."""
    raw = onnx_net(dtype=dtype)
    graph = from_onnx(raw, "net")
    assert graph.inputs == ("image",)
    windows = random_windows(graph, 40)
    codes = twin.run(graph, windows)[graph.outputs[0]]
    real = np.float32(0.05) * windows["image"].transpose(0, 3, 1, 2).astype(np.float32)
    (output,) = graph.outputs
    tensor = graph.tensor(output)
    expected = np.stack([reference(raw, x[None])[0] for x in real])
    said = tensor.scale * (codes.astype(np.float64) - tensor.zero_point)
    assert np.abs(said - expected).max() <= 1.01 * tensor.scale


def reference(raw: bytes, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    from onnx.reference import ReferenceEvaluator

    (found,) = ReferenceEvaluator(onnx.ModelProto.FromString(raw)).run(None, {"image": image})
    return np.asarray(found)


def node_named(graph: Any, name: str) -> Any:
    return next(one for one in graph.node if one.name == name)


def initializer(graph: Any, name: str) -> Any:
    return next(one for one in graph.initializer if one.name == name)


def outside(graph: Any) -> None:
    one = initializer(graph, "w")
    one.data_location = TensorProto.EXTERNAL
    one.external_data.add(key="location", value="../../secret")


def drop(name: str) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        graph.node.remove(next(one for one in graph.node if one.output[0] == name))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda g: setattr(node_named(g, "conv"), "op_type", "ConvTranspose"),
            r"'conv' \(ConvTranspose\): no",
        ),
        (lambda g: node_named(g, "conv").attribute.add(name="group", type=2, i=7), "7 groups"),
        (outside, "'w': expected its values in the file"),
        (lambda g: initializer(g, "w").dims.__setitem__(0, 2**40), "at most"),
        (lambda g: initializer(g, "w").dims.__setitem__(0, -3), "lengths of 0 or more"),
        (drop("image_q"), "a QuantizeLinear behind it"),
        (drop("r_q"), "r_q"),
        (drop("w_r"), "expected a constant"),
        (drop("g_q"), "g_q"),
        (drop("g"), "'g', which nothing computes"),
        (lambda g: node_named(g, "head").attribute.add(name="alpha", type=1, f=2.0), "alpha 1"),
        (lambda g: g.output[0].__setattr__("name", "nowhere"), "'nowhere'"),
    ],
)
def test_an_onnx_file_that_is_not_fully_int8_is_refused_by_name(
    change: Callable[[Any], None], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        from_onnx(onnx_net(change), "net")


@pytest.mark.parametrize("ending", ["tflite", "onnx"])
def test_damaged_files_end_in_one_line(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = graph_named("two_inputs")
    raw = to_tflite(graph) if ending == "tflite" else to_onnx(graph)
    rng = np.random.default_rng(9)
    source, out = tmp_path / f"net.{ending}", tmp_path / "out"
    for n_bytes in (0, 3, 8, len(raw) // 2):
        source.write_bytes(raw[:n_bytes])
        assert main(["export", str(source), "--out", str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()
    read: Read = from_tflite if ending == "tflite" else from_onnx
    refusals = [said for said in (refusal(read, raw, rng) for _ in range(300)) if said]
    assert len(refusals) > 100  # the others hit weights, names or bytes that nothing reads
    assert not any("\n" in said for said in refusals)


def refusal(read: Read, raw: bytes, rng: np.random.Generator) -> str:
    """What is said of the file with eight bits turned over; nothing where it still means something."""
    flipped = bytearray(raw)
    for at in rng.integers(0, len(raw), 8):
        flipped[at] ^= 1 << int(rng.integers(8))
    try:
        read(bytes(flipped), "net")
    except ContractError as error:
        return str(error)
    return ""


def test_a_vector_of_four_thousand_million_tensors_is_not_walked() -> None:
    raw = bytearray(to_tflite(graphs()["dense"][1]))
    subgraph = schema.Model.GetRootAs(bytes(raw), 0).Subgraphs(0)
    at = subgraph._tab.Vector(subgraph._tab.Offset(4)) - 4
    raw[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    with pytest.raises(ContractError, match=r"tensors: expected 1\.\.4096, got"):
        from_tflite(bytes(raw), "net")
