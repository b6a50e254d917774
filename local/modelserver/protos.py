"""The protocol buffers of TensorFlow and TensorFlow Serving, without running ``tensorflow/__init__``.

The generated modules lie below the package ``tensorflow``, whose ``__init__`` takes seconds and half a gigabyte.
A bare package object with the same search path lets Python import them alone.
"""

import importlib.util
import pathlib
import sys
import types


def _tensorflow_folder() -> pathlib.Path:
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the tensorflow-cpu wheel is not installed")
    return pathlib.Path(next(iter(spec.submodule_search_locations)))


def _install_bare_package(folder: pathlib.Path) -> None:
    package = types.ModuleType("tensorflow")
    package.__path__ = [str(folder)]
    sys.modules["tensorflow"] = package


if "tensorflow" in sys.modules:
    TENSORFLOW_FOLDER = pathlib.Path(next(iter(sys.modules["tensorflow"].__path__)))
else:
    TENSORFLOW_FOLDER = _tensorflow_folder()
    _install_bare_package(TENSORFLOW_FOLDER)

from tensorflow.core.framework import graph_pb2  # noqa: E402
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2  # noqa: E402
from tensorflow_serving.apis import (  # type: ignore[import-untyped]  # noqa: E402
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2  # type: ignore[import-untyped]  # noqa: E402

__all__ = [
    "TENSORFLOW_FOLDER",
    "classification_pb2",
    "config_pb2",
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "graph_pb2",
    "inference_pb2",
    "input_pb2",
    "meta_graph_pb2",
    "model_management_pb2",
    "model_pb2",
    "model_server_config_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_log_pb2",
    "prediction_service_pb2_grpc",
    "regression_pb2",
]
