"""Clients that people have: the stubs of tensorflow-serving-api in a process of their own, and requests."""

import gzip
import os
import subprocess
import sys

import requests

from tests.local.modelserver.conformance import harness

STUBS = """
import sys
import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

request = predict_pb2.PredictRequest()
request.model_spec.name = "default"
request.inputs["x"].CopyFrom(tf.make_tensor_proto([[2.0], [4.0]]))
with grpc.insecure_channel(sys.argv[1]) as channel:
    answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=20)
print(tf.make_ndarray(answer.outputs["y"]).tolist())
"""


def test_the_published_stubs_with_tensorflow_itself(default: harness.Server) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUBS, f"localhost:{default.grpc_port}"],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[[3.0], [4.0]]\n", done.stderr


def test_requests_with_its_kept_connection(default: harness.Server) -> None:
    url = f"http://localhost:{default.rest_port}/v1/models/default"
    with requests.Session() as session:
        for number in (2.0, 4.0):
            answer = session.post(f"{url}:predict", json={"instances": [number]}, timeout=20)
            assert answer.json() == {"predictions": [number / 2 + 2]}
        assert answer.headers["Content-Type"] == "application/json"
        body = gzip.compress(b'{"instances": [2.0]}')
        answer = session.post(f"{url}:predict", body, headers={"Content-Encoding": "gzip"}, timeout=20)
        assert answer.json() == {"predictions": [3.0]}
        answer = session.get(f"{url}/versions/9/metadata", timeout=20)
        assert (answer.status_code, answer.json()) == (
            404,
            {"error": "Servable not found for request: Specific(default, 9)"},
        )
