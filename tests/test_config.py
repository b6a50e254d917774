from pathlib import Path

import pytest

from tfserving_operator import config as configuration

ENVIRON = {"TFSERVING_OPERATOR_IMAGE": "operator:1", "POD_NAMESPACE": "system"}


def test_the_command_line_outranks_the_file_and_the_file_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("inspectImage: operator:2\nlogFormat: console\nallowedImages: ['tensorflow/*']\n")
    config = configuration.Config.load(path, overrides={"logFormat": "json"}, environ=ENVIRON)
    assert (config.inspect_image, config.log_format, config.pod_namespace) == ("operator:2", "json", "system")
    assert config.allowed_images == ("tensorflow/*",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("inspectimage: x", "inspectimage"),
        ("drainSeconds: -1", "drainSeconds"),
        ("- a list", "not a mapping"),
        ("{", "cannot be read"),
        ("logFormat: xml", "logFormat"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(configuration.ConfigError, match=words):
        configuration.Config.load(path, overrides={}, environ=ENVIRON)


def test_the_operators_own_image_must_be_known() -> None:
    with pytest.raises(configuration.ConfigError, match="TFSERVING_OPERATOR_IMAGE"):
        configuration.Config.load(None, overrides={}, environ={})


def test_a_pod_keeps_its_identity_and_processes_outside_have_each_their_own() -> None:
    environ = {"POD_NAME": "operator-1", "POD_UID": "u"}
    assert configuration.identity(environ) == configuration.identity(environ) == "operator-1_u"
    assert configuration.identity({}) != configuration.identity({})
