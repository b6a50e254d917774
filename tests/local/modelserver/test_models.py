"""REST status and metadata."""

import json
from concurrent import futures

from tests.local.modelserver import servers


def test_the_status_lists_the_highest_version_first(server: servers.Server) -> None:
    answer = server.get("/v1/models/line")
    versions = [each["version"] for each in answer.json["model_version_status"]]
    assert (answer.status, versions) == (200, ["2", "1"])


def test_the_status_of_one_version_is_printed_as_the_original_prints_it(server: servers.Server) -> None:
    want = """{
 "model_version_status": [
  {
   "version": "1",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}
"""
    answer = server.get("/v1/models/line/versions/1")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", want)


def test_the_status_ignores_labels(server: servers.Server) -> None:
    assert server.get("/v1/models/line/labels/any").body == server.get("/v1/models/line").body


def test_metadata_describe_every_signature(server: servers.Server) -> None:
    answer = server.get("/v1/models/line/versions/1/metadata")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")

    def tensor(name: str) -> dict:
        dims = [{"size": "-1", "name": ""}]
        return {"name": name, "dtype": "DT_FLOAT", "tensor_shape": {"dim": dims, "unknown_rank": False}}

    no_op = {"name": "NoOp", "dtype": "DT_INVALID", "tensor_shape": {"dim": [], "unknown_rank": True}}
    assert answer.json == {
        "model_spec": {"name": "line", "signature_name": "", "version": "1"},
        "metadata": {
            "signature_def": {
                "signature_def": {
                    "serving_default": {
                        "inputs": {"x": tensor("serving_default_x:0")},
                        "outputs": {"y": tensor("StatefulPartitionedCall:0")},
                        "method_name": "tensorflow/serving/predict",
                        "defaults": {},
                    },
                    "__saved_model_init_op": {
                        "inputs": {},
                        "outputs": {"__saved_model_init_op": no_op},
                        "method_name": "",
                        "defaults": {},
                    },
                }
            }
        },
    }


def test_metadata_are_printed_as_the_original_prints_them(server: servers.Server) -> None:
    body = server.get("/v1/models/line/metadata").body
    assert body.startswith('{\n"model_spec":{\n "name": "line",\n')
    assert '\n}\n,\n"metadata": {"signature_def": {\n "signature_def": {\n  "' in body
    assert body.endswith("\n}\n}\n}\n")


def test_metadata_without_a_version_are_those_of_the_highest(server: servers.Server) -> None:
    assert server.get("/v1/models/line/metadata").json["model_spec"]["version"] == "2"


def test_status_and_metadata_are_answered_while_predictions_run(server: servers.Server) -> None:
    with futures.ThreadPoolExecutor(64) as clients:
        running = [clients.submit(server.predict, "slow", {"instances": [300]}) for _ in range(64)]
        assert server.get("/v1/models/slow/metadata").status == 200
        assert server.get("/v1/models/slow").status == 200
        unfinished = sum(not each.done() for each in running)
        assert all(each.result().status == 200 for each in running)
    assert unfinished > 0, "the questions waited for the predictions"


def test_a_connection_is_kept_open_for_further_requests(server: servers.Server) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.connect()
    sock = connection.sock
    for number in range(3):
        connection.request("POST", "/v1/models/line/versions/1:predict", json.dumps({"instances": [number]}))
        assert json.loads(connection.getresponse().read()) == {"predictions": [0.5 * number + 2]}
        assert connection.sock is sock
    connection.close()
