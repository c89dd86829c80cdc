"""The same float net through TensorFlow's own converter: every layer's values after its int8 quantisation.

Runs in a process of its own, since TensorFlow does not tolerate tflite-runtime beside it:
python -m tests.export.tensorflow_int8 FOLDER reads `net.pickle` and `windows.npz` there, writes `layers.npz`.
"""

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_sim.contract.operators import (
    Activation,
    Add,
    Concat,
    Conv2d,
    DepthwiseConv2d,
    FullyConnected,
    Pad,
    Pads,
    Pool,
    PoolKind,
    Reshape,
)
from export.float_graph import F64, FloatGraph, FloatOperator

F32 = NDArray[np.float32]
TIMEOUT_S = 1800


def layers_of(
    graph: FloatGraph, calibration: Mapping[str, F64], windows: Mapping[str, F64]
) -> dict[str, F64]:
    """What TensorFlow's int8 network computes of the windows, layer by layer, in real numbers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "net.pickle").write_bytes(pickle.dumps(graph))
        np.savez(folder / "calibration.npz", **calibration)
        np.savez(folder / "windows.npz", **windows)
        command = [sys.executable, "-m", "tests.export.tensorflow_int8", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        assert done.returncode == 0, done.stderr[-2000:]
        with np.load(folder / "layers.npz") as stored:
            return {name: stored[name] for name in stored.files}


def _apply(tf: Any, operator: FloatOperator, graph: FloatGraph, values: Mapping[str, Any]) -> Any:
    """One operator as TensorFlow writes it."""

    def constant(name: str, order: tuple[int, ...]) -> Any:
        return tf.constant(graph.constants[name].transpose(order).astype(np.float32))

    match operator:
        case Conv2d():
            x, padding = _slid(tf, values[operator.x], operator.pads, operator.stride, graph, operator)
            y = tf.nn.conv2d(x, constant(operator.weight, (1, 2, 3, 0)), operator.stride, padding)
            y = y + constant(operator.bias, (0,))
        case DepthwiseConv2d():
            assert graph.constants[operator.weight].shape[3] == graph.shapes[operator.x][3]
            x, padding = _slid(tf, values[operator.x], operator.pads, operator.stride, graph, operator)
            weight = constant(operator.weight, (1, 2, 3, 0))
            y = tf.nn.depthwise_conv2d(x, weight, (1, *operator.stride, 1), padding)
            y = y + constant(operator.bias, (0,))
        case FullyConnected():
            y = tf.matmul(values[operator.x], constant(operator.weight, (1, 0)))
            y = y + constant(operator.bias, (0,))
        case Pool():
            assert not operator.pads
            pool = tf.nn.max_pool2d if operator.kind is PoolKind.MAX else tf.nn.avg_pool2d
            y = pool(values[operator.x], operator.kernel, operator.stride, "VALID")
        case Add():
            y = values[operator.x] + values[operator.y]
        case Reshape():
            return tf.reshape(values[operator.x], (-1, *graph.shapes[operator.output][1:]))
        case Pad():
            return _padded(tf, values[operator.x], operator.pads)
        case Concat():
            return tf.concat([values[name] for name in operator.xs], operator.axis)
        case _:
            raise AssertionError(f"{operator}: not among the nets that are compared")
    return {Activation.RELU: tf.nn.relu, Activation.RELU6: tf.nn.relu6}.get(operator.activation, lambda z: z)(
        y
    )


def _slid(
    tf: Any,
    x: Any,
    pads: Pads,
    stride: tuple[int, int],
    graph: FloatGraph,
    operator: Conv2d | DepthwiseConv2d,
) -> tuple[Any, str]:
    """SAME where that means the same, as a user of TensorFlow would write it; else zeros in front."""
    height, width = graph.constants[operator.weight].shape[1:3]
    if not pads:
        return x, "VALID"
    whole = Pads((height - 1) // 2, (width - 1) // 2, height // 2, width // 2)
    if stride == (1, 1) and pads == whole:
        return x, "SAME"
    return _padded(tf, x, pads), "VALID"


def _padded(tf: Any, x: Any, pads: Pads) -> Any:
    return tf.pad(x, ((0, 0), (pads.top, pads.bottom), (pads.left, pads.right), (0, 0)))


def converted(tf: Any, graph: FloatGraph, calibration: Mapping[str, F64]) -> bytes:
    """Full int8; every layer is an output, under its own name."""

    def run(**inputs: Any) -> dict[str, Any]:
        values = dict(inputs)
        for operator in graph.operators:
            values[operator.output] = _apply(tf, operator, graph, values)
        return {_key(name): values[name] for name in _outputs(graph)}

    shapes = {name: tf.TensorSpec(graph.shapes[name], tf.float32, name=name) for name in graph.inputs}
    module = tf.Module()
    module.run = tf.function(run)
    signature = module.run.get_concrete_function(**shapes)
    with tempfile.TemporaryDirectory() as saved:  # only a saved model keeps the names of its outputs
        tf.saved_model.save(module, saved, signatures=signature)
        return _int8(tf, tf.lite.TFLiteConverter.from_saved_model(saved), graph, calibration)


def _int8(tf: Any, converter: Any, graph: FloatGraph, calibration: Mapping[str, F64]) -> bytes:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8

    def windows() -> Iterator[dict[str, F32]]:
        for k in range(len(next(iter(calibration.values())))):
            yield {name: calibration[name][k : k + 1].astype(np.float32) for name in graph.inputs}

    converter.representative_dataset = windows
    model: bytes = converter.convert()
    return model


def _outputs(graph: FloatGraph) -> list[str]:
    """Layers that compute; what only moves numbers is not asked for."""
    return [one.output for one in graph.operators if not isinstance(one, Reshape | Pad | Concat)]


def _key(name: str) -> str:
    return f"layer_{name}"


def main(folder: Path) -> int:
    """The other half: what the fresh Python does."""
    import tensorflow as tf

    graph: FloatGraph = pickle.loads((folder / "net.pickle").read_bytes())
    with np.load(folder / "calibration.npz") as stored:
        calibration = {name: stored[name] for name in graph.inputs}
    with np.load(folder / "windows.npz") as stored:
        windows = {name: stored[name] for name in graph.inputs}
    interpreter = tf.lite.Interpreter(
        model_content=converted(tf, graph, calibration),
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    runner = interpreter.get_signature_runner()
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    found: dict[str, list[F64]] = {name: [] for name in _outputs(graph)}
    for k in range(len(next(iter(windows.values())))):
        said = runner(**{name: _codes(windows[name][k : k + 1], inputs[name]) for name in graph.inputs})
        for name in found:
            scale, zero_point = outputs[_key(name)]["quantization"]
            found[name].append(scale * (said[_key(name)].astype(np.float64) - zero_point))
    np.savez(folder / "layers.npz", **{name: np.concatenate(parts) for name, parts in found.items()})
    return 0


def _codes(real: F64, details: Mapping[str, Any]) -> NDArray[np.int8]:
    scale, zero_point = details["quantization"]
    codes: NDArray[np.int8] = np.clip(np.rint(real / scale) + zero_point, -128, 127).astype(np.int8)
    return codes


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
