"""Models of the original's test data that have state, tables, warmup records or faults."""

import shutil
from pathlib import Path

import grpc
import pytest
from tensorflow.core.framework import tensor_pb2, types_pb2

from tests.local.modelserver import servers
from tests.local.modelserver.conformance import harness


def test_a_counter_keeps_its_state_between_requests_without_inputs(several: harness.Server) -> None:
    def ask(signature: str, **inputs: tensor_pb2.TensorProto) -> float:
        answer = several.predict(harness.predict_request("counter", signature, **inputs))
        return answer.outputs["output"].float_val[0]

    ask("reset_counter")
    assert [ask("get_counter"), ask("incr_counter"), ask("incr_counter")] == [0.0, 1.0, 2.0]
    assert ask("incr_counter_by", delta=harness.floats(3.0, shape=())) == 5.0
    assert ask("get_counter") == 5.0


@pytest.mark.parametrize("model", ["table_tf1", "table_tf2"])
def test_a_table_is_filled_from_its_asset_when_the_model_is_loaded(
    several: harness.Server, model: str
) -> None:
    document = {"instances": ["two", "zero", "three"]}
    assert several.rest(f"/v1/models/{model}:predict", document) == (200, {"predictions": [2, 0, -1]})
    words = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[b"one", b"?"])
    words.tensor_shape.dim.add(size=2)
    answer = several.predict(harness.predict_request(model, words=words))
    assert list(answer.outputs["numbers"].int64_val) == [1, -1]


def test_warmup_records_of_every_kind_are_replayed_before_the_model_is_available(
    testdata: Path, tmp_path: Path
) -> None:
    with harness.running(tmp_path, *harness.base_path(testdata / "half_plus_two_warm")) as server:
        harness.assert_predicts(server, 3.0)
        assert "Finished reading warmup data for model at " in server.log
        assert "Number of warmup records read: 4." in server.log


def test_a_warmup_record_that_fails_fails_the_load(testdata: Path, tmp_path: Path) -> None:
    flags = harness.base_path(testdata / "half_plus_two_failing_warmup")
    with harness.launched(tmp_path, *flags, "--max_num_load_retries=0") as server:
        assert server.process.wait(harness.READY_SECONDS) == 255
        assert "1 servable(s) did not become available" in server.output


def test_without_warmup_a_failing_record_is_not_read(testdata: Path, tmp_path: Path) -> None:
    flags = harness.base_path(testdata / "half_plus_two_failing_warmup")
    with harness.running(tmp_path, *flags, "--enable_model_warmup=false") as server:
        harness.assert_predicts(server, 3.0)


def test_a_bad_model_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "model" / "00000123").mkdir(parents=True)
    (tmp_path / "model" / "00000123" / "checkpoint").write_text("no model")
    flags = harness.base_path(tmp_path / "model")
    with harness.launched(tmp_path, *flags, "--max_num_load_retries=0") as server:
        assert server.process.wait(harness.READY_SECONDS) == 255
        assert "{name: default version: 123}" in server.output


def both_are_available(server: harness.Server) -> bool:
    states = [each["state"] for each in server.rest("/v1/models/default")[1]["model_version_status"]]
    return states == ["AVAILABLE", "AVAILABLE"]


def test_two_versions_are_pinned_by_number_and_by_label(testdata: Path, tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "default" base_path: "{testdata / "half_plus_two_2_versions"}"'
        ' model_platform: "tensorflow" model_version_policy { all {} }'
        ' version_labels { key: "stable" value: 123 } version_labels { key: "canary" value: 124 } } }'
    )
    flags = (f"--model_config_file={config}", "--allow_version_labels_for_unavailable_models=true")
    with harness.running(tmp_path, *flags) as server:
        servers.wait_for(lambda: both_are_available(server), "both versions are available")
        for where, version in (("versions/123", 123), ("versions/124", 124), ("labels/stable", 123)):
            document = {"instances": [2.0]}
            found = server.rest(f"/v1/models/default/{where}:predict", document)
            assert found == (200, {"predictions": [3.0]})
            status, metadata = server.rest(f"/v1/models/default/{where}/metadata")
            assert (status, metadata["model_spec"]["version"]) == (200, str(version))
        request = harness.predict_request(x=harness.floats(2.0))
        for label, version in (("stable", 123), ("canary", 124)):
            request.model_spec.version_label = label
            assert server.predict(request).model_spec.version.value == version
        request.model_spec.version_label = "unknown"
        with pytest.raises(grpc.RpcError) as raised:
            server.predict(request)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert raised.value.details() == "Unrecognized servable version label: unknown"


def test_the_status_is_200_also_when_every_version_has_ended(testdata: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(testdata / "half_plus_two", model)
    flags = (*harness.base_path(model), "--max_num_load_retries=0")

    def states(server: harness.Server) -> list[tuple[str, str, str]]:
        code, body = server.rest("/v1/models/default")
        assert code == 200
        listed = body["model_version_status"]
        return [(each["version"], each["state"], each["status"]["error_code"]) for each in listed]

    with harness.running(tmp_path, *flags) as server:
        (model / "00000123").rename(tmp_path / "gone")
        servers.wait_for(lambda: states(server) == [("123", "END", "OK")], "the version is unloaded")
        (model / "124").mkdir()
        want = [("124", "END", "NOT_FOUND"), ("123", "END", "OK")]
        servers.wait_for(lambda: states(server) == want, "the other version has failed")
        found = server.rest("/v1/models/default:predict", {"instances": [2.0]})
        assert found == (404, {"error": "Servable not found for request: Latest(default)"})
