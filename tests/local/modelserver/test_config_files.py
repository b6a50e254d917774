"""The model config file: at the start, and when it is read again."""

from pathlib import Path

import pytest

from tests.local.modelserver import management, servers

POLL = "--model_config_file_poll_wait_seconds=1"


def write(folder: Path, text: str) -> None:
    """Replace the file at once: no half of it is ever read."""
    (folder / "new").write_text(text)
    (folder / "new").replace(folder / "models.config")


def listed(*models: str) -> str:
    return "model_config_list {" + "".join(f"config {{ {model} }}" for model in models) + "}"


def test_a_file_that_is_polled_changes_what_is_served(models: Path, tmp_path: Path) -> None:
    line, dense = servers.model("line", models / "line"), servers.model("dense", models / "dense")
    flags = (servers.config_file(tmp_path, line), POLL, *management.ONCE)
    with servers.running(tmp_path, *flags) as server:
        write(tmp_path, listed(line, dense))
        servers.wait_for(lambda: server.get("/v1/models/dense").status == 200, "the new model is known")
        servers.wait_for(lambda: server.states("dense") == {1: "AVAILABLE"}, "the new model is served")
        write(tmp_path, listed(dense))
        servers.wait_for(lambda: server.states("line") == {10: "END"}, "the old model is gone")
        assert server.predict("dense", {"instances": [[1, 1, 1, 1]]}).json == {
            "predictions": [[4.0, 4.0, 4.0]]
        }


def test_a_polled_file_that_is_wrong_is_logged_and_the_old_models_are_served_on(
    models: Path, tmp_path: Path
) -> None:
    line = servers.model("line", models / "line")
    flags = (servers.config_file(tmp_path, line), POLL, *management.ONCE)
    with servers.running(tmp_path, *flags) as server:
        path = tmp_path / "models.config"
        cases = {
            "model_config_list {": f"Failed to read ModelServerConfig file: Invalid protobuf file: '{path}'",
            listed(
                line, line
            ): "PollFilesystemAndReloadConfig failed to ReloadConfig: Illegal to list model line"
            " multiple times in config list",
            "": "PollFilesystemAndReloadConfig failed to ReloadConfig: Cannot transition to requested config."
            " It is only legal to transition from one ModelConfigList to another.",
            listed(line + ' version_labels { key: "a" value: 1 }'): "PollFilesystemAndReloadConfig failed to"
            " ReloadConfig: Request to assign label to version 1 of model line, which is not currently available",
        }
        for text, words in cases.items():
            write(tmp_path, text)
            servers.wait_for(lambda words=words: words in server.log, words)
            assert server.predict("line", {"instances": [0]}).status == 200
        path.unlink()
        words = f"Failed to read ModelServerConfig file: {path}; No such file or directory"
        servers.wait_for(lambda: words in server.log, "the file is missed")
        dense = servers.model("dense", models / "dense")
        write(tmp_path, listed(line, dense))
        servers.wait_for(lambda: server.get("/v1/models/dense").status == 200, "the file is read again")


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_file_that_is_not_polled_is_read_once(models: Path, tmp_path: Path, seconds: int) -> None:
    line, dense = servers.model("line", models / "line"), servers.model("dense", models / "dense")
    flags = (servers.config_file(tmp_path, line), f"--model_config_file_poll_wait_seconds={seconds}")
    with servers.running(tmp_path, *flags) as server:
        write(tmp_path, listed(line, dense))
        answers = [server.predict("line", {"instances": [0]}).status for _ in range(300)]
        assert set(answers) == {200}
        assert server.get("/v1/models/dense").status == 404


def test_a_config_file_overrides_the_flags_of_one_model(models: Path, tmp_path: Path) -> None:
    flags = (
        servers.config_file(tmp_path, servers.model("line", models / "line")),
        "--model_name=other",
        "--model_base_path=/none",
    )
    with servers.running(tmp_path, *flags) as server:
        assert server.states("line") == {10: "AVAILABLE"}
        assert server.get("/v1/models/other").status == 404


def test_an_empty_file_is_a_server_without_models_that_can_be_given_some(
    models: Path, tmp_path: Path
) -> None:
    (tmp_path / "models.config").write_text("")
    flag = f"--model_config_file={tmp_path / 'models.config'}"
    with management.managed(tmp_path, flag) as managed:
        assert "Taking no action for empty config." in managed.server.log
        assert managed.server.get("/v1/models/m").error == "Could not find any versions of model m"
        assert managed.reload(servers.model("m", models / "line")) is None
        assert managed.server.states("m") == {10: "AVAILABLE"}


def test_a_list_without_models_is_a_server_without_models(tmp_path: Path) -> None:
    (tmp_path / "models.config").write_text("model_config_list {}")
    with servers.running(tmp_path, f"--model_config_file={tmp_path / 'models.config'}") as server:
        assert server.get("/v1/models/m").status == 404


def test_a_base_path_may_be_a_uri_that_nothing_here_can_read(tmp_path: Path) -> None:
    flag = servers.config_file(tmp_path, "name: 'm' base_path: 's3://bucket/m' model_platform: 'tensorflow'")
    with servers.launched(tmp_path, flag) as server:
        servers.wait_for(
            lambda: "Could not find base path s3://bucket/m for servable m" in server.log, "it is missed"
        )
        assert server.process.poll() is None
        assert not server.is_listening()
