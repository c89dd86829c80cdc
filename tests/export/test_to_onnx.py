"""The ONNX file: checked, uint8 outside, the same integers, the same bytes every time."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from device_sim.contract.operators import FullyConnected
from export.to_onnx import IR_VERSION, OPSET, to_onnx
from tests.export.nets import MAKERS, example
from tests.golden.networks import graphs


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_graph_gives_the_same_bytes(name: str) -> None:
    graph = example(name).graph
    assert to_onnx(graph) == to_onnx(graph)


@pytest.mark.parametrize("name", graphs())
def test_every_operator_passes_the_checker(name: str) -> None:
    model = onnx.load_from_string(to_onnx(graphs()[name][1]))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == IR_VERSION
    assert model.opset_import[0].version == OPSET


def test_ends_are_uint8_and_channels_first() -> None:
    model = onnx.load_from_string(to_onnx(example("small_cnn").graph))
    kind = model.graph.input[0].type.tensor_type
    assert kind.elem_type == TensorProto.UINT8
    assert [one.dim_value for one in kind.shape.dim] == [1, 1, 16, 20]
    assert model.graph.output[0].type.tensor_type.elem_type == TensorProto.UINT8


def test_weights_are_the_graphs_integers() -> None:
    graph = example("cardiacnet").graph
    model = onnx.load_from_string(to_onnx(graph))
    found = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    for operator in graph.operators:
        if isinstance(operator, FullyConnected):
            np.testing.assert_array_equal(found[operator.weight], graph.tensor(operator.weight).constant)
    for tensor in graph.constants:
        assert sorted(found[tensor.name].ravel().tolist()) == sorted(tensor.constant.ravel().tolist())
        np.testing.assert_array_equal(found[f"{tensor.name}.scale"], np.array(tensor.scales, np.float32))
    for tensor in graph.tensors:
        if not tensor.is_constant:
            assert int(found[f"{tensor.name}.zero"]) == tensor.zero_point + 128


def test_a_relu_whose_zero_is_the_lowest_code_needs_no_operator() -> None:
    kinds = [node.op_type for node in onnx.load_from_string(to_onnx(example("small_cnn").graph)).graph.node]
    assert "Clip" not in kinds
    assert "Relu" not in kinds
    limited = [node.op_type for node in onnx.load_from_string(to_onnx(graphs()["add"][1])).graph.node]
    assert limited.count("Clip") == 1
