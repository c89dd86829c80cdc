"""The TensorFlow Lite file: same bytes every time, nothing left to a default, refusals by name."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from device_sim.contract.errors import ContractError
from device_sim.contract.operators import Linear
from export.to_tflite import to_tflite
from tests.export.nets import MAKERS, example
from tests.golden.networks import graphs


def read(file: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(file, 0))


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_graph_gives_the_same_bytes(name: str) -> None:
    graph = example(name).graph
    assert to_tflite(graph) == to_tflite(graph)
    assert to_tflite(graph)[4:8] == b"TFL3"


@pytest.mark.parametrize("name", MAKERS)
def test_every_constant_is_in_the_file_as_it_is(name: str) -> None:
    graph = example(name).graph
    model = read(to_tflite(graph))
    found = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}
    for tensor in graph.constants:
        written = found[tensor.name]
        raw = np.array(model.buffers[written.buffer].data, np.uint8).tobytes()
        assert raw == tensor.constant.tobytes()
        assert [float(scale) for scale in written.quantization.scale] == list(tensor.scales)
        assert written.quantization.quantizedDimension == tensor.axis


def test_strides_and_versions_are_written_out() -> None:
    for _, graph in graphs().values():
        if graph.name in ("max_pool", "average_pool"):
            continue
        model = read(to_tflite(graph))
        assert len(model.buffers[0].data if model.buffers[0].data is not None else []) == 0
        for operator in model.subgraphs[0].operators:
            options = operator.builtinOptions
            if hasattr(options, "strideH"):
                assert options.strideH >= 1
                assert options.strideW >= 1
        for code in model.operatorCodes:
            assert code.builtinCode == code.deprecatedBuiltinCode
            assert code.version >= 1


def test_padding_that_is_neither_same_nor_valid_becomes_a_pad() -> None:
    graph = graphs()["conv"][1]
    model = read(to_tflite(graph))
    codes = [model.operatorCodes[one.opcodeIndex].builtinCode for one in model.subgraphs[0].operators]
    assert codes == [schema.BuiltinOperator.PAD, schema.BuiltinOperator.CONV_2D]
    assert model.subgraphs[0].operators[1].builtinOptions.padding == schema.Padding.VALID


def test_a_padding_that_is_same_is_called_so() -> None:
    model = read(to_tflite(graphs()["depthwise"][1]))
    (operator,) = model.subgraphs[0].operators
    assert operator.builtinOptions.padding == schema.Padding.SAME
    assert operator.builtinOptions.depthMultiplier == 2


@pytest.mark.parametrize("name", ["max_pool", "average_pool"])
def test_a_pool_the_format_does_not_have_is_refused_by_name(name: str) -> None:
    with pytest.raises(
        ContractError, match=r"layer 'op0' \(pool\).*only SAME and VALID; nothing was written"
    ):
        to_tflite(graphs()[name][1])


def test_metadata_is_kept_under_its_name_in_a_fixed_order() -> None:
    graph = graphs()["dense"][1]
    one = to_tflite(graph, {"labels": b"a\nb", "digest": b"3f2a"})
    assert one == to_tflite(graph, {"digest": b"3f2a", "labels": b"a\nb"})
    model = read(one)
    found = {entry.name.decode(): bytes(model.buffers[entry.buffer].data) for entry in model.metadata}
    assert found == {"digest": b"3f2a", "labels": b"a\nb"}


def test_no_weight_is_minus_128() -> None:
    for name in MAKERS:
        graph = example(name).graph
        for operator in graph.operators:
            if isinstance(operator, Linear):
                assert graph.tensor(operator.weight).constant.min() >= -127
