"""One way to run a network, whatever runs it: the core, the twin, or a public runtime."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from device_sim import twin
from device_sim.contract.bundle import Bundle
from device_sim.contract.errors import ContractError
from device_sim.contract.graph import Graph
from device_sim.executor import Executor
from device_sim.requant import Family

I8 = NDArray[np.int8]
UNSIGNED = 128  # ONNX carries the same codes as uint8
TO_FIRST = (0, 3, 1, 2)  # NHWC -> NCHW
TO_LAST = (0, 2, 3, 1)


class Backend(StrEnum):
    """Who runs the network; `-ref` are a runtime's plain reference kernels."""

    CORE = "core"
    TWIN = "twin"
    TFLM = "tflm"
    TFLITE = "tflite"
    TFLITE_REF = "tflite-ref"
    LITERT = "litert"
    LITERT_REF = "litert-ref"
    LITERT_RUY = "litert-ruy"
    ONNX = "onnx"


class FileKind(StrEnum):
    """What a backend reads."""

    GRAPH = "graph"
    TFLITE = "tflite"
    ONNX = "onnx"


FILES = {FileKind.TFLITE: "model.tflite", FileKind.ONNX: "model.onnx"}  # of a bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a backend reads, how it rounds, and which package opens it."""

    file: FileKind
    family: Family
    package: str = ""
    install: str = ""


TFLITE_PACKAGE = "pip install 'wristlead[tflite]' (Python 3.11)"
NEEDS: Mapping[Backend, Needs] = {
    Backend.CORE: Needs(file=FileKind.GRAPH, family=Family.F1),
    Backend.TWIN: Needs(file=FileKind.GRAPH, family=Family.F1),
    Backend.TFLM: Needs(
        file=FileKind.TFLITE,
        family=Family.F1,
        package="tflite_micro",
        install="pip install 'wristlead[tflm]'",
    ),
    Backend.TFLITE_REF: Needs(
        file=FileKind.TFLITE, family=Family.F1, package="tflite_runtime", install=TFLITE_PACKAGE
    ),
    Backend.TFLITE: Needs(
        file=FileKind.TFLITE, family=Family.F3, package="tflite_runtime", install=TFLITE_PACKAGE
    ),
    Backend.LITERT_REF: Needs(
        file=FileKind.TFLITE,
        family=Family.F2,
        package="ai_edge_litert",
        install="pip install 'wristlead[litert]'",
    ),
    Backend.LITERT_RUY: Needs(
        file=FileKind.TFLITE,
        family=Family.F3,
        package="ai_edge_litert",
        install="pip install 'wristlead[litert]'",
    ),
    Backend.LITERT: Needs(
        file=FileKind.TFLITE,
        family=Family.F4,
        package="ai_edge_litert",
        install="pip install 'wristlead[litert]'",
    ),
    Backend.ONNX: Needs(
        file=FileKind.ONNX,
        family=Family.F4_ORT,
        package="onnxruntime",
        install="pip install 'wristlead[onnx]'",
    ),
}


class Runner(Protocol):
    """Int8 windows in the device's order in, int8 outputs by name."""

    def run(self, inputs: Mapping[str, I8]) -> dict[str, I8]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One network in every form; a backend takes the one it reads."""

    graph: Graph
    tflite: bytes = b""
    onnx: bytes = b""


def model_in(bundle: Bundle, backend: Backend) -> Model:
    """The forms that a bundle carries; the one the backend reads must be there."""
    files = {kind: bundle.files.get(name, b"") for kind, name in FILES.items()}
    needed = NEEDS[backend].file
    if needed in FILES and not files[needed]:
        raise ContractError(
            f"{bundle.name}: {FILES[needed]}: expected the file for backend {backend}, found none; "
            "export it again"
        )
    return Model(graph=bundle.graph, tflite=files[FileKind.TFLITE], onnx=files[FileKind.ONNX])


def open_runner(backend: Backend, model: Model) -> Runner:
    """A runner in this process. Runtimes do not tolerate each other: see device_sim.apart."""
    makers: Mapping[Backend, Callable[[Model], Runner]] = {
        Backend.CORE: lambda one: Executor(one.graph),
        Backend.TWIN: lambda one: TwinRunner(one.graph),
        Backend.TFLM: MicroRunner,
        Backend.TFLITE: lambda one: LiteRunner(one, _tflite_runtime(one.tflite, "AUTO")),
        Backend.TFLITE_REF: lambda one: LiteRunner(one, _tflite_runtime(one.tflite, "BUILTIN_REF")),
        Backend.LITERT: lambda one: LiteRunner(one, _litert(one.tflite, "AUTO")),
        Backend.LITERT_REF: lambda one: LiteRunner(one, _litert(one.tflite, "BUILTIN_REF")),
        Backend.LITERT_RUY: lambda one: LiteRunner(
            one, _litert(one.tflite, "BUILTIN_WITHOUT_DEFAULT_DELEGATES")
        ),
        Backend.ONNX: OnnxRunner,
    }
    needs = NEEDS[backend]
    try:
        return makers[backend](model)
    except ModuleNotFoundError as error:
        if needs.package and str(error.name).split(".")[0] == needs.package:
            raise ContractError(
                f"backend {backend}: expected the package `{needs.package}`, found none; {needs.install}"
            ) from None
        raise


@dataclass(frozen=True, slots=True)
class TwinRunner:
    """The twin, in any family."""

    graph: Graph
    family: Family = Family.F1

    def run(self, inputs: Mapping[str, I8]) -> dict[str, I8]:
        return twin.run(self.graph, inputs, self.family)


def _tflite_runtime(file: bytes, resolver: str) -> Any:
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        # It imports under numpy 2 and then dies in its first interpreter.
        raise ContractError(
            f"backend tflite: tflite-runtime 2.14 needs numpy < 2, found {np.__version__}; "
            f"{TFLITE_PACKAGE}, or --backend litert"
        )
    from tflite_runtime import interpreter

    kind = getattr(interpreter.OpResolverType, resolver)
    return interpreter.Interpreter(model_content=file, experimental_op_resolver_type=kind, num_threads=1)


def _litert(file: bytes, resolver: str) -> Any:
    from ai_edge_litert import interpreter

    kind = getattr(interpreter.OpResolverType, resolver)
    return interpreter.Interpreter(model_content=file, experimental_op_resolver_type=kind, num_threads=1)


class LiteRunner:
    """TensorFlow Lite's interpreter, whichever package brings it."""

    def __init__(self, model: Model, interpreter: Any) -> None:
        self._graph = model.graph
        self._interpreter = interpreter
        interpreter.allocate_tensors()
        self._inputs = _by_name(interpreter.get_input_details(), model.graph.inputs)
        self._outputs = _by_name(interpreter.get_output_details(), model.graph.outputs)

    def run(self, inputs: Mapping[str, I8]) -> dict[str, I8]:
        return _one_by_one(self._graph, inputs, self._window)

    def _window(self, window: Mapping[str, I8]) -> dict[str, I8]:
        for name, index in self._inputs.items():
            self._interpreter.set_tensor(index, window[name])
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


def _by_name(details: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, int]:
    found = {str(one["name"]): int(one["index"]) for one in details}
    if set(found) != set(names):
        raise ContractError(f"model.tflite: expected {sorted(names)}, got {sorted(found)}; export it again")
    return {name: found[name] for name in names}


class MicroRunner:
    """TensorFlow Lite Micro, its reference kernels on this machine."""

    def __init__(self, model: Model) -> None:
        from tflite_micro.python.tflite_micro import runtime

        self._graph = model.graph
        # Ten times the model is its default, too little for small nets with large maps.
        largest = sum(tensor.n_bytes for tensor in model.graph.tensors if not tensor.is_constant)
        arena_bytes = 10 * len(model.tflite) + 4 * largest
        self._interpreter = runtime.Interpreter.from_bytes(model.tflite, arena_size=arena_bytes)

    def run(self, inputs: Mapping[str, I8]) -> dict[str, I8]:
        return _one_by_one(self._graph, inputs, self._window)

    def _window(self, window: Mapping[str, I8]) -> dict[str, I8]:
        for index, name in enumerate(self._graph.inputs):
            self._interpreter.set_input(window[name], index)
        self._interpreter.invoke()
        return {name: self._interpreter.get_output(k) for k, name in enumerate(self._graph.outputs)}


class OnnxRunner:
    """ONNX Runtime on one thread; uint8 and channels first outside, the device's order here."""

    def __init__(self, model: Model) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Without VNNI its kernels add pairs of products in 16 bits, which overflow; this takes exact ones.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self._graph = model.graph
        self._session = onnxruntime.InferenceSession(model.onnx, options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, I8]) -> dict[str, I8]:
        return _one_by_one(self._graph, inputs, self._window)

    def _window(self, window: Mapping[str, I8]) -> dict[str, I8]:
        feed = {name: _unsigned(_turned(x, TO_FIRST)) for name, x in window.items()}
        found = self._session.run(list(self._graph.outputs), feed)
        return {
            name: _turned(_signed(y), TO_LAST) for name, y in zip(self._graph.outputs, found, strict=True)
        }


def _turned(x: NDArray[Any], order: tuple[int, ...]) -> NDArray[Any]:
    return x.transpose(order) if x.ndim == 4 else x


def _unsigned(codes: I8) -> NDArray[np.uint8]:
    return np.ascontiguousarray(codes.astype(np.int16) + UNSIGNED, np.uint8)


def _signed(codes: NDArray[np.uint8]) -> I8:
    return (codes.astype(np.int16) - UNSIGNED).astype(np.int8)


def _one_by_one(
    graph: Graph, inputs: Mapping[str, I8], run: Callable[[Mapping[str, I8]], Mapping[str, I8]]
) -> dict[str, I8]:
    """A runtime sees one window at a time, as the device does."""
    n_windows = twin.check_inputs(graph, inputs)
    outputs = {name: np.empty((n_windows, *graph.tensor(name).shape[1:]), np.int8) for name in graph.outputs}
    for k in range(n_windows):
        found = run({name: np.ascontiguousarray(x[k : k + 1]) for name, x in inputs.items()})
        for name, y in found.items():
            outputs[name][k] = np.asarray(y).reshape(outputs[name].shape[1:])
    return outputs
