"""TensorFlow Lite models beside SavedModels, run as the original runs them: by a pool of interpreters.

The interpreters are those of the TensorFlow wheel, from the extension module beneath its Python package.
"""

import importlib.util
import queue
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from local.modelserver import dtypes, errors, logs, protos, savedmodel, tensors, tflitefiles

FILE_NAME: Final = "model.tflite"
"""The model in a version's folder."""
_EXTENSION: Final = "_pywrap_tensorflow_interpreter_wrapper"
_BUILTIN_OPS: Final = 1
_SUBGRAPH: Final = 0
_DTYPES: Final = {
    np.float32: dtypes.DType.FLOAT,
    np.int32: dtypes.DType.INT32,
    np.uint8: dtypes.DType.UINT8,
    np.int64: dtypes.DType.INT64,
    np.bytes_: dtypes.DType.STRING,
    np.bool_: dtypes.DType.BOOL,
    np.int16: dtypes.DType.INT16,
    np.complex64: dtypes.DType.COMPLEX64,
    np.int8: dtypes.DType.INT8,
}
"""The element types that the original knows in such models."""


def is_in(folder: str) -> bool:
    """Return whether a version has such a model."""
    return Path(folder, FILE_NAME).is_file()


def load(folder: str, pool_size: int) -> savedmodel.SavedModel:
    """Load the model of a version's folder.

    Raises
    ------
    ServingError
        The file holds no model that can be run.
    """
    content = Path(folder, FILE_NAME).read_bytes()
    extension = _extension()
    interpreters = [_Interpreter(extension, content) for _ in range(max(pool_size, 1))]
    signatures = _signatures(content, interpreters[0])
    return savedmodel.SavedModel(_Session(interpreters), signatures)


def _extension() -> types.ModuleType:
    path = protos.TENSORFLOW_FOLDER / "lite" / "python" / f"{_EXTENSION}.so"
    spec = importlib.util.spec_from_file_location(_EXTENSION, path)
    if spec is None or spec.loader is None:
        raise errors.ServingError(errors.Code.INTERNAL, "The TensorFlow Lite runtime is not installed")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Interpreter:
    """One interpreter, for one run at a time."""

    def __init__(self, extension: Any, content: bytes) -> None:
        try:
            self._wrapped = extension.CreateWrapperFromBuffer(content, _BUILTIN_OPS, [], False, False)  # noqa: FBT003
        except ValueError as error:
            raise errors.invalid_argument("Cannot build FlatBufferModel from buffer.") from error
        self._content = content  # The interpreter reads it where it is.
        self._wrapped.SetNumThreads(1)
        self.inputs = self._places(self._wrapped.InputIndices())
        self.outputs = self._places(self._wrapped.OutputIndices())
        self._attempt(lambda: self._wrapped.AllocateTensors(_SUBGRAPH), "Failed to allocate tensors")

    def _places(self, indices: Sequence[Any]) -> dict[str, int]:
        return {self._wrapped.TensorName(int(i), _SUBGRAPH): int(i) for i in indices}

    def _attempt(self, work: Callable[[], Any], failure: str) -> Any:
        try:
            return work()
        except (RuntimeError, ValueError) as error:
            logs.log("tensorflow/lite", str(error), severity=logs.Severity.ERROR)
            raise errors.ServingError(errors.Code.INTERNAL, failure) from error

    def info(self, name: str, place: int) -> Any:
        """Return the ``TensorInfo`` of a tensor."""
        info = protos.meta_graph_pb2.TensorInfo(name=name, dtype=self.dtype(place))
        for size in self._wrapped.TensorSize(place, _SUBGRAPH):
            info.tensor_shape.dim.add(size=int(size))
        return info

    def dtype(self, place: int) -> dtypes.DType:
        """Return a tensor's element type."""
        kind = self._wrapped.TensorType(place, _SUBGRAPH)
        found = _DTYPES.get(kind)
        if found is None:
            raise errors.ServingError(errors.Code.INTERNAL, f"Unknown TfLite type: {kind.__name__}")
        return found

    def run(self, feeds: Mapping[int, tensors.Tensor], fetches: Sequence[int]) -> list[tensors.Tensor]:
        """Set the inputs, invoke the model and return outputs, by the places of the tensors."""
        rows = next((feed.array.shape[0] for feed in feeds.values() if feed.array.ndim), 1)
        for place in sorted(feeds):
            self._feed(place, feeds[place], rows)
        self._attempt(lambda: self._wrapped.Invoke(_SUBGRAPH), "Failed to invoke TfLite interpreter")
        return [
            tensors.Tensor(dtype=self.dtype(place), array=self._wrapped.GetTensor(place, _SUBGRAPH))
            for place in fetches
        ]

    def _feed(self, place: int, feed: tensors.Tensor, rows: int) -> None:
        is_text = feed.dtype is dtypes.DType.STRING
        # The original gives texts one dimension, the batch.
        array = feed.array.reshape(rows) if is_text and feed.array.size == rows else feed.array
        if tuple(self._wrapped.TensorSize(place, _SUBGRAPH)) != array.shape:
            name = self._wrapped.TensorName(place, _SUBGRAPH)
            shape = np.array(array.shape, dtype=np.int32)
            self._attempt(
                lambda: self._wrapped.ResizeInputTensor(place, shape, False, _SUBGRAPH),  # noqa: FBT003
                f"Failed to resize input tensor: {name}",
            )
            self._attempt(lambda: self._wrapped.AllocateTensors(_SUBGRAPH), "Failed to allocate tensors")
        self._attempt(
            lambda: self._wrapped.SetTensor(place, array, _SUBGRAPH), "Failed to set an input tensor"
        )


class _Session:
    """Runs a model on whichever of its interpreters is free."""

    def __init__(self, interpreters: Sequence[_Interpreter]) -> None:
        self._inputs, self._outputs = interpreters[0].inputs, interpreters[0].outputs
        self._free: queue.SimpleQueue[_Interpreter] = queue.SimpleQueue()
        for interpreter in interpreters:
            self._free.put(interpreter)

    def run(
        self,
        feeds: Mapping[str, tensors.Tensor],
        fetches: Sequence[str],
        *,
        timeout_ms: int | None = None,  # noqa: ARG002 - nothing ends an interpreter's run
    ) -> list[tensors.Tensor]:
        """Run the model on tensors by their names in it."""
        places = {self._inputs[_input_name(name, self._inputs)]: feed for name, feed in feeds.items()}
        wanted = [self._outputs[_output_name(name, self._outputs)] for name in fetches]
        interpreter = self._free.get()
        try:
            return interpreter.run(places, wanted)
        finally:
            self._free.put(interpreter)

    def close(self) -> None:
        """Give the memory back."""
        while not self._free.empty():
            self._free.get()


def _input_name(name: str, places: Mapping[str, int]) -> str:
    try:
        return _fixed_name(name, places)
    except errors.ServingError as error:
        message = f"{error.message}\n\tMissing input TFLite tensor: {name}"
        raise errors.ServingError(errors.Code.INTERNAL, message) from error


def _output_name(name: str, places: Mapping[str, int]) -> str:
    try:
        return _fixed_name(name, places)
    except errors.ServingError as error:
        message = f"Missing output TFLite tensor: {name}: {error.message}"
        raise errors.ServingError(errors.Code.INTERNAL, message) from error


def _fixed_name(name: str, places: Mapping[str, int]) -> str:
    """Return a tensor's name as the model has it: early converters left the ``:0`` away."""
    for known in (name, _legacy_name(name)):
        if known in places:
            return known
    raise errors.ServingError(errors.Code.INTERNAL, f"Unknown tensor '{name}'.")


def _legacy_name(name: str) -> str:
    return name.partition(":")[0]


def _signatures(content: bytes, interpreter: _Interpreter) -> Any:
    signatures = protos.get_model_metadata_pb2.SignatureDefMap().signature_def
    found = tflitefiles.signature_defs(content)
    for name, proto in found.items():
        signatures[name].CopyFrom(proto)
        _fix_names(signatures[name].inputs, interpreter.inputs, "input")
        _fix_names(signatures[name].outputs, interpreter.outputs, "output")
    if not found:
        logs.log(
            "servables/tensorflow/tflite_session.cc",
            "No signature def found in TFLite model. Generating one.",
            severity=logs.Severity.WARNING,
        )
        made = signatures[savedmodel.DEFAULT_SIGNATURE]
        made.method_name = "tensorflow/serving/predict"
        # Of tensors that differ behind the colon alone the last one stays, in the order of their names.
        for kind, places in ((made.inputs, interpreter.inputs), (made.outputs, interpreter.outputs)):
            for name in sorted(places):
                kind[_legacy_name(name)].CopyFrom(interpreter.info(name, places[name]))
    return signatures


def _fix_names(infos: Any, places: Mapping[str, int], what: str) -> None:
    for alias, info in infos.items():
        try:
            info.name = _fixed_name(info.name, places)
        except errors.ServingError as error:
            raise errors.ServingError(
                errors.Code.INTERNAL,
                f"{error.message}\n\tSignature {what} {alias} references an unknown tensor",
            ) from error
