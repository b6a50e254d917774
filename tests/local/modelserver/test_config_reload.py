"""Another configuration while the server runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.modelserver import management, servers

ALL = "model_version_policy { all {} }"
UNAVAILABLE = (
    "Request to assign label to version {} of model m, which is not currently available for inference"
)


@pytest.fixture(scope="module")
def managed(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[management.Managed]:
    folder = tmp_path_factory.mktemp("reload")
    flag = servers.config_file(folder, servers.model("m", models / "line"))
    with management.managed(folder, flag) as running:
        yield running


@pytest.fixture
def line(managed: management.Managed, models: Path) -> str:
    """The model that is served when a test begins."""
    entry = servers.model("m", models / "line")
    assert managed.reload(entry) is None
    servers.wait_for(lambda: managed.server.states("m")[10] == "AVAILABLE", "the model is back")
    return entry


def label(name: str, version: int) -> str:
    return f'version_labels {{ key: "{name}" value: {version} }}'


def predict(managed: management.Managed, label: str) -> servers.Answer:
    return managed.server.request("POST", f"/v1/models/m/labels/{label}:predict", b'{"instances": [0]}')


def serve_all(managed: management.Managed, models: Path, more: str = "") -> management.Failure | None:
    failure = managed.reload(servers.model("m", models / "line", f"{ALL} {more}"))
    wanted = dict.fromkeys((1, 2, 10), "AVAILABLE")
    servers.wait_for(lambda: managed.server.states("m").items() >= wanted.items(), "all are available")
    return failure


def test_a_reload_returns_when_a_new_model_is_available(
    managed: management.Managed, models: Path, line: str
) -> None:
    assert managed.reload(line, servers.model("n", models / "dense")) is None
    assert managed.server.states("n") == {1: "AVAILABLE"}
    assert managed.server.states("m")[10] == "AVAILABLE"


def test_a_model_that_is_not_listed_any_more_is_unloaded(
    managed: management.Managed, models: Path, line: str
) -> None:
    assert managed.reload(servers.model("other", models / "dense")) is None
    servers.wait_for(lambda: managed.server.states("m")[10] == "END", "the old model is unloaded")
    answer = managed.server.predict("m", {"instances": [0]})
    assert (answer.status, answer.error) == (404, "Servable not found for request: Latest(m)")
    assert managed.reload(line) is None
    assert managed.server.predict("m", {"instances": [3]}).json == {"predictions": [3.0]}


def test_a_reload_does_not_wait_for_versions_of_a_model_that_was_served_before(
    managed: management.Managed, models: Path, line: str
) -> None:
    assert managed.reload(servers.model("m", models / "line", ALL)) is None
    assert managed.server.states("m").get(1) in {None, "END"}
    servers.wait_for(lambda: managed.server.states("m").get(1) == "AVAILABLE", "the policy is followed")


def test_a_policy_that_wants_fewer_versions_unloads_the_others(
    managed: management.Managed, models: Path, line: str
) -> None:
    serve_all(managed, models)
    assert (
        managed.reload(
            servers.model("m", models / "line", "model_version_policy { specific { versions: 2 } }")
        )
        is None
    )
    wanted = {1: "END", 2: "AVAILABLE", 10: "END"}
    servers.wait_for(lambda: managed.server.states("m").items() >= wanted.items(), "the others are unloaded")


def test_another_base_path_brings_other_versions_but_not_the_same_ones_anew(
    managed: management.Managed, models: Path, tmp_path: Path, line: str
) -> None:
    (tmp_path / "10").symlink_to(models / "line" / "1")
    assert managed.reload(servers.model("m", tmp_path)) is None
    (tmp_path / "9").symlink_to(models / "line" / "2")
    assert managed.reload(servers.model("m", tmp_path, ALL)) is None
    servers.wait_for(lambda: managed.server.states("m").get(9) == "AVAILABLE", "a version is found there")
    # The number is all that the manager knows a version by: it is still the one of the first base path.
    assert managed.server.predict("m", {"instances": [7]}, version=10).json == {"predictions": [7.0]}


@pytest.mark.parametrize(
    ("more", "want"),
    [
        (("name: 'm' base_path: '/m'",), "Illegal to list model m multiple times in config list"),
        (
            ("name: 'n' base_path: 'n'",),
            "Expected model n to have an absolute path or URI; got base_path()=n",
        ),
        (("name: 'n'",), "Expected model n to have an absolute path or URI; got base_path()="),
    ],
)
def test_a_list_that_is_wrong_in_itself_is_refused(
    managed: management.Managed, line: str, more: tuple[str, ...], want: str
) -> None:
    failure = managed.reload(line, *more)
    assert failure == management.Failure(code="INVALID_ARGUMENT", message=want)
    assert managed.server.states("m")[10] == "AVAILABLE"


@pytest.mark.parametrize(
    ("platform", "want"),
    [
        (
            "model_platform: 'other'",
            "Illegal to change a model's platform. For model m platform was tensorflow and new platform requested is"
            " other",
        ),
        (
            "",
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform.",
        ),
        (
            "model_type: TENSORFLOW model_platform: 'tensorflow'",
            "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform.",
        ),
        ("model_type: OTHER", "ModelServerConfig::model_type choice 2 not supported."),
    ],
)
def test_a_model_keeps_its_platform(
    managed: management.Managed, models: Path, line: str, platform: str, want: str
) -> None:
    failure = managed.reload(f"name: 'm' base_path: '{models / 'line'}' {platform}")
    assert failure == management.Failure(code="INVALID_ARGUMENT", message=want)


def test_the_deprecated_type_says_the_same_as_the_platform(
    managed: management.Managed, models: Path, line: str
) -> None:
    assert managed.reload(f"name: 'm' base_path: '{models / 'line'}' model_type: TENSORFLOW") is None
    assert "Deprecated ModelServerConfig::model_type field used. Prefer" in managed.server.log


@pytest.mark.parametrize("text", ["", "custom_model_config {}"])
def test_only_a_list_of_models_can_be_changed_to(managed: management.Managed, line: str, text: str) -> None:
    failure = managed.reload_text(text)
    assert failure is not None
    assert failure.code == "INVALID_ARGUMENT"
    assert "Only ModelConfigList is currently supported" in failure.message


def test_requests_cannot_be_logged(managed: management.Managed, line: str) -> None:
    failure = managed.reload(f"{line} logging_config {{}}")
    assert failure == management.Failure(
        code="INVALID_ARGUMENT", message="No request-logger-creator provided."
    )
    assert managed.server.states("m")[10] == "AVAILABLE"


def test_a_label_is_given_to_a_version_that_is_available(
    managed: management.Managed, models: Path, line: str
) -> None:
    serve_all(managed, models)
    assert serve_all(managed, models, label("stable", 1) + label("canary", 2)) is None
    assert predict(managed, "stable").json == {"predictions": [2.0]}
    assert predict(managed, "canary").json == {"predictions": [3.0]}
    assert serve_all(managed, models, label("stable", 2)) is None
    assert predict(managed, "stable").json == {"predictions": [3.0]}
    gone = predict(managed, "canary")
    assert (gone.status, gone.error) == (400, "Unrecognized servable version label: canary")


@pytest.mark.parametrize("version", [1, 77])
def test_a_label_is_not_given_to_a_version_that_is_not_available(
    managed: management.Managed, models: Path, line: str, version: int
) -> None:
    servers.wait_for(lambda: managed.server.states("m").get(1) in {None, "END"}, "1 is not served")
    failure = managed.reload(servers.model("m", models / "line", f"{ALL} {label('a', version)}"))
    assert failure == management.Failure(code="FAILED_PRECONDITION", message=UNAVAILABLE.format(version))
    assert predict(managed, "a").status == 400


def test_the_flag_frees_new_labels_but_not_those_that_move(models: Path, tmp_path: Path) -> None:
    specific = "model_version_policy { specific { versions: 10 } }"
    flag = servers.config_file(tmp_path, servers.model("m", models / "line", f"{specific} {label('a', 1)}"))
    free = "--allow_version_labels_for_unavailable_models"
    with management.managed(tmp_path, flag, free) as managed:
        answer = predict(managed, "a")
        assert (answer.status, answer.error) == (404, "Servable not found for request: Specific(m, 1)")
        again = servers.model("m", models / "line", f"{specific} {label('a', 1)} {label('b', 2)}")
        assert managed.reload(again) is None
        failure = managed.reload(servers.model("m", models / "line", f"{specific} {label('a', 2)}"))
        assert failure == management.Failure(code="FAILED_PRECONDITION", message=UNAVAILABLE.format(2))
        moved = servers.model("m", models / "line", f"{specific} {label('a', 10)}")
        assert managed.reload(moved) is None
        assert predict(managed, "a").json == {"predictions": [0.0]}


def test_a_new_model_that_does_not_load_fails_the_reload_and_leaves_the_others(
    managed: management.Managed, models: Path, line: str
) -> None:
    failure = managed.reload(line, servers.model("truncated", models / "truncated"))
    assert failure is not None
    assert failure.code == "UNKNOWN"
    want = "1 model(s) did not become available: {{{name: truncated version: 1} due to error: OUT_OF_RANGE: "
    assert failure.message.startswith(want)
    assert managed.server.states("m")[10] == "AVAILABLE"


def test_a_platform_that_nothing_runs_is_refused_and_poisons_what_follows(
    models: Path, tmp_path: Path
) -> None:
    line = servers.model("m", models / "line")
    with management.managed(tmp_path, servers.config_file(tmp_path, line)) as managed:
        failure = managed.reload(line, "name: 'n' base_path: '/n' model_platform: 'other'")
        assert failure == management.Failure(
            code="INVALID_ARGUMENT", message="Model n requests unsupported platform other"
        )
        # What was refused late has become the configuration that the next one is compared with.
        failure = managed.reload(line, servers.model("n", models / "dense"))
        assert failure is not None
        assert failure.message.startswith(
            "Illegal to change a model's platform. For model n platform was other"
        )
        assert managed.reload(line) is None


def test_a_new_model_without_a_base_path_hangs_this_reload_and_every_later_one(
    models: Path, tmp_path: Path
) -> None:
    line = servers.model("m", models / "line")
    with management.managed(tmp_path, servers.config_file(tmp_path, line)) as managed:
        missing = tmp_path / "missing"
        failure = managed.reload(line, servers.model("n", missing), timeout=2)
        assert failure is not None
        assert failure.code == "DEADLINE_EXCEEDED"
        assert f"Could not find base path {missing} for servable n" in managed.server.log
        failure = managed.reload(line, timeout=1)
        assert failure is not None
        assert failure.code == "DEADLINE_EXCEEDED"
        assert managed.server.predict("m", {"instances": [3]}).json == {"predictions": [3.0]}
        missing.symlink_to(models / "dense")
        assert managed.reload(line) is None


def test_a_new_model_is_never_found_if_the_folders_are_looked_at_once(models: Path, tmp_path: Path) -> None:
    line = servers.model("m", models / "line")
    once = "--file_system_poll_wait_seconds=0"
    with management.managed(tmp_path, servers.config_file(tmp_path, line), once) as managed:
        failure = managed.reload(line, servers.model("n", models / "dense"), timeout=2)
        assert failure is not None
        assert failure.code == "DEADLINE_EXCEEDED"
        assert managed.server.get("/v1/models/n").error == "Could not find any versions of model n"
