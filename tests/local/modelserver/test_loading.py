"""From the start of the process to available versions, and what happens when they do not become so."""

import re
import shutil
import socket
import time
from pathlib import Path

import pytest

from tests.local.modelserver import servers

ONCE = ("--max_num_load_retries=0", "--load_retry_interval_micros=0")


def copy_version(source: Path, target: Path) -> None:
    """Publish a version by a rename, so that no half of it is ever seen."""
    work = target.parent / f"tmp-{target.name}"
    shutil.copytree(source, work)
    work.rename(target)


def test_the_flags_for_one_model_serve_its_highest_version(models: Path, tmp_path: Path) -> None:
    with servers.running(tmp_path, "--model_name=m", f"--model_base_path={models / 'line'}") as server:
        assert server.states("m") == {10: "AVAILABLE"}
        assert server.predict("m", {"instances": [7]}).json == {"predictions": [7.0]}
        want = (
            f"Building single TensorFlow model file config:  model_name: m model_base_path: {models / 'line'}"
        )
        assert want in server.log


def test_a_model_without_a_name_is_called_default(models: Path, tmp_path: Path) -> None:
    with servers.running(tmp_path, f"--model_base_path={models / 'line'}") as server:
        assert server.states("default") == {10: "AVAILABLE"}


@pytest.mark.parametrize(
    ("policy", "want"),
    [
        ("", {10}),
        ("model_version_policy { latest { num_versions: 2 } }", {2, 10}),
        ("model_version_policy { all {} }", {1, 2, 10}),
        ("model_version_policy { specific { versions: 1 } }", {1}),
        ("model_version_policy { specific { versions: 1 versions: 7 } }", {1}),
    ],
)
def test_the_policy_chooses_the_versions(models: Path, tmp_path: Path, policy: str, want: set[int]) -> None:
    flag = servers.config_file(tmp_path, servers.model("m", models / "line", policy))
    with servers.running(tmp_path, flag) as server:
        servers.wait_for(lambda: server.states("m") == dict.fromkeys(want, "AVAILABLE"), "all are available")


def test_labels_name_versions(models: Path, tmp_path: Path) -> None:
    labels = 'model_version_policy { all {} } version_labels { key: "stable" value: 1 }'
    flag = servers.config_file(tmp_path, servers.model("m", models / "line", labels))
    with servers.running(tmp_path, flag, "--allow_version_labels_for_unavailable_models") as server:
        servers.wait_for(lambda: len(server.states("m")) == 3, "all are loaded")
        servers.wait_for(lambda: set(server.states("m").values()) == {"AVAILABLE"}, "all are available")
        answer = server.request("POST", "/v1/models/m/labels/stable:predict", b'{"instances": [0]}')
        assert answer.json == {"predictions": [2.0]}
        assert server.get("/v1/models/m/labels/stable/metadata").json["model_spec"]["version"] == "1"


def test_labels_in_the_first_configuration_need_a_flag(models: Path, tmp_path: Path) -> None:
    flag = servers.config_file(
        tmp_path, servers.model("m", models / "line", 'version_labels { key: "a" value: 10 }')
    )
    with servers.launched(tmp_path, flag) as server:
        assert server.wait_for_exit() == 255
        assert "FAILED_PRECONDITION: Request to assign label to version 10 of model m" in server.output


def grpc_answers(server: servers.Server) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", server.grpc_port)) == 0


def test_the_port_is_closed_until_the_first_version_is_loaded(models: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    with servers.launched(tmp_path, f"--model_base_path={base}") as server:
        servers.wait_for(lambda: "Could not find base path" in server.log, "the base path is missed")
        assert not server.is_listening()
        assert not grpc_answers(server)
        base.mkdir()
        servers.wait_for(
            lambda: "No versions of servable default found under base path" in server.log, "it is empty"
        )
        assert not server.is_listening()
        (base / "not-a-version").mkdir()
        copy_version(models / "line" / "1", base / "0001")
        server.wait_until_listening()
        assert server.states("default") == {1: "AVAILABLE"}
        assert grpc_answers(server)


def test_a_base_path_that_is_looked_at_once_and_missing_is_waited_for_for_ever(tmp_path: Path) -> None:
    flags = (f"--model_base_path={tmp_path / 'base'}", "--file_system_poll_wait_seconds=0")
    with servers.launched(tmp_path, *flags) as server:
        servers.wait_for(lambda: "Could not find base path" in server.log, "the base path is missed")
        (tmp_path / "base" / "1").mkdir(parents=True)
        time.sleep(1.5)
        assert server.process.poll() is None
        assert not server.is_listening()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("truncated", r"OUT_OF_RANGE: Read less bytes than requested\n\t \[\[.*RestoreV2\}\}\]\]"),
        (
            "nograph",
            "NOT_FOUND: Could not find SavedModel .pb or .pbtxt at supplied export directory path: .*",
        ),
    ],
)
def test_a_first_version_that_does_not_load_ends_the_process(
    models: Path, tmp_path: Path, model: str, words: str
) -> None:
    with servers.launched(tmp_path, "--model_name=m", f"--model_base_path={models / model}", *ONCE) as server:
        assert server.wait_for_exit() == 255
        want = (
            r"Failed to start server\. Error: UNKNOWN: 1 servable\(s\) did not become available:"
            rf" \{{\{{\{{name: m version: 1\}} due to error: {words}\}}, \}}\n"
        )
        assert re.fullmatch(want, server.output), server.output


def test_tags_that_no_graph_has_end_the_process(models: Path, tmp_path: Path) -> None:
    flags = (f"--model_base_path={models / 'line'}", "--saved_model_tags=serve,gpu", *ONCE)
    with servers.launched(tmp_path, *flags) as server:
        assert server.wait_for_exit() == 255
        assert "Could not find meta graph def matching supplied tags: { gpu serve }" in server.output


def test_a_failed_load_is_tried_again_as_often_as_the_flag_says(models: Path, tmp_path: Path) -> None:
    flags = ("--max_num_load_retries=2", "--load_retry_interval_micros=50000")
    with servers.launched(
        tmp_path, "--model_name=m", f"--model_base_path={models / 'nograph'}", *flags
    ) as server:
        assert server.wait_for_exit() == 255
        assert server.log.count("Loading servable: {name: m version: 1} failed: NOT_FOUND") == 3
        assert "Retrying of Loading servable: {name: m version: 1} retry: 2" in server.log


def test_a_load_that_is_to_be_tried_again_stays_loading_with_the_port_closed(
    models: Path, tmp_path: Path
) -> None:
    with servers.launched(tmp_path, f"--model_base_path={models / 'nograph'}") as server:
        servers.wait_for(lambda: "failed: NOT_FOUND" in server.log, "the first attempt has failed")
        time.sleep(0.5)
        assert server.process.poll() is None
        assert not server.is_listening()


def test_a_new_version_replaces_the_old_one_without_a_failed_request(models: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    copy_version(models / "line" / "1", base / "1")
    with servers.running(tmp_path, "--model_name=m", f"--model_base_path={base}") as server:
        copy_version(models / "line" / "2", base / "2")
        answers = []
        while not answers or answers[-1].json != {"predictions": [3.0]}:
            answers.append(server.predict("m", {"instances": [0]}))
        assert {answer.status for answer in answers} == {200}
        servers.wait_for(lambda: server.states("m") == {2: "AVAILABLE", 1: "END"}, "the old one is unloaded")
        assert server.get("/v1/models/m/versions/1").json["model_version_status"][0]["status"] == {
            "error_code": "OK",
            "error_message": "",
        }
        assert server.predict("m", {"instances": [0]}, version=1).status == 404


def test_a_new_version_that_does_not_load_leaves_the_old_one_in_service(models: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    copy_version(models / "line" / "1", base / "1")
    with servers.running(tmp_path, "--model_name=m", f"--model_base_path={base}", *ONCE) as server:
        copy_version(models / "truncated" / "1", base / "2")
        servers.wait_for(lambda: server.states("m") == {2: "END", 1: "AVAILABLE"}, "the new one has failed")
        status = server.get("/v1/models/m/versions/2").json["model_version_status"][0]["status"]
        assert status["error_code"] == "OUT_OF_RANGE"
        assert status["error_message"].startswith("Read less bytes than requested")
        assert server.get("/v1/models/m/versions/2").status == 200
        time.sleep(1.5)  # another look at the base path: what failed is not tried again
        assert server.log.count("Loading servable version {name: m version: 2}") == 1
        assert server.predict("m", {"instances": [0]}).json == {"predictions": [2.0]}


def test_versions_that_go_away_are_unloaded_only_while_the_folder_is_watched(
    models: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    copy_version(models / "line" / "1", base / "1")
    flags = ("--model_name=m", f"--model_base_path={base}")
    (tmp_path / "once").mkdir()
    with (
        servers.running(tmp_path, *flags) as watching,
        servers.running(tmp_path / "once", *flags, "--file_system_poll_wait_seconds=0") as once,
    ):
        shutil.rmtree(base / "1")
        servers.wait_for(lambda: watching.states("m") == {1: "END"}, "the version is unloaded")
        assert once.states("m") == {1: "AVAILABLE"}
        assert watching.predict("m", {"instances": [0]}).error == "Servable not found for request: Latest(m)"
        assert once.predict("m", {"instances": [0]}).status == 200
