"""Clients of the gRPC API, made of the published package's stubs."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
import numpy as np

from local.modelserver import protos  # first: it keeps TensorFlow's own package from being run

# isort: split
from tensorflow.core.framework import tensor_pb2, types_pb2  # noqa: F401 - for those who import this module
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc


class Client:
    """The stubs of both services on one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)


@contextlib.contextmanager
def connected(
    address: int | str,
    credentials: grpc.ChannelCredentials | None = None,
    options: Sequence[tuple[str, Any]] = (),
) -> Iterator[Client]:
    """A client of a port on loopback or of another address."""
    target = f"127.0.0.1:{address}" if isinstance(address, int) else address
    # Without a pool of its own a channel would share its connection with those of other tests.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0), *options]
    channel = (
        grpc.secure_channel(target, credentials, options)
        if credentials
        else grpc.insecure_channel(target, options)
    )
    with channel:
        yield Client(channel)


def failure(call: Callable[..., Any], request: Any, **more: Any) -> tuple[str, str]:
    """The code and the words of a call that fails."""
    try:
        answer = call(request, timeout=60, **more)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError(f"the call did not fail: {answer}")


def fill_spec(
    spec: Any, name: str, signature: str = "", *, version: int | None = None, label: str = ""
) -> None:
    spec.name, spec.signature_name = name, signature
    if version is not None:
        spec.version.value = version
    if label:
        spec.version_label = label


def floats(proto: Any, values: Any) -> None:
    """Write float32 numbers into a ``TensorProto``."""
    array = np.asarray(values, dtype=np.float32)
    proto.dtype = types_pb2.DT_FLOAT
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    proto.float_val.extend(array.ravel().tolist())


def predict_request(model: str, signature: str = "", **inputs: Any) -> Any:
    """A request with float inputs for the latest version."""
    request = protos.predict_pb2.PredictRequest()
    fill_spec(request.model_spec, model, signature)
    for name, values in inputs.items():
        floats(request.inputs[name], values)
    return request


def classify_request(model: str, signature: str, xs: Sequence[float]) -> Any:
    return _with_examples(protos.classification_pb2.ClassificationRequest(), model, signature, xs)


def regress_request(model: str, signature: str, xs: Sequence[float]) -> Any:
    return _with_examples(protos.regression_pb2.RegressionRequest(), model, signature, xs)


def _with_examples(request: Any, model: str, signature: str, xs: Sequence[float]) -> Any:
    fill_spec(request.model_spec, model, signature)
    add_examples(request.input.example_list.examples, xs)
    return request


def add_examples(examples: Any, xs: Sequence[float]) -> None:
    for x in xs:
        examples.add().features.feature["x"].float_list.value.append(x)


def predict_line(client: Client, model: str = "line") -> list[float]:
    """Ask a line for its value at 2."""
    answer = client.prediction.Predict(predict_request(model, x=[2]), timeout=60)
    return list(answer.outputs["y"].float_val)
