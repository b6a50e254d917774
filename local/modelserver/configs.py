"""Model configurations: the text-proto file, or the two flags that stand for one model."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import text_format

from local.modelserver import errors, flags, logs, protos

PLATFORM: Final = "tensorflow"
"""The only model platform that there is."""
_URI: Final = re.compile(r"[a-zA-Z][0-9a-zA-Z.]*://")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Latest:
    """Serve the versions with the highest numbers."""

    count: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class All:
    """Serve every version."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Specific:
    """Serve the named versions."""

    versions: tuple[int, ...]


Policy = Latest | All | Specific


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """One model to be served.

    Attributes
    ----------
    name
        What requests call it.
    base_path
        The folder that holds numeric version folders.
    policy
        Which of the versions are wanted.
    labels
        Names for versions.
    """

    name: str
    base_path: str
    policy: Policy = dataclasses.field(default_factory=Latest)
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)


def read_models(given: flags.Flags) -> tuple[Model, ...]:
    """Return the models of a command line."""
    if given.model_config_file:
        return _models(
            _parse_file(given.model_config_file, protos.model_server_config_pb2.ModelServerConfig())
        )
    if not given.model_base_path:
        raise errors.invalid_argument(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )
    logs.log(
        "model_servers/server.cc",
        f"Building single TensorFlow model file config:  model_name: {given.model_name}"
        f" model_base_path: {given.model_base_path}",
    )
    model = Model(name=given.model_name, base_path=given.model_base_path)
    _check_base_path(model)
    return (model,)


def _parse_file(path: str, message: Any) -> Any:
    try:
        text = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise errors.not_found(f"{path}; {error.strerror}") from error
    try:
        return text_format.Parse(text, message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        logs.log("model_servers/server.cc", str(error), severity=logs.Severity.ERROR)
        raise errors.invalid_argument(f"Invalid protobuf file: '{path}'") from error


def _models(config: Any) -> tuple[Model, ...]:
    models: dict[str, Model] = {}
    for listed in config.model_config_list.config:
        if not listed.model_platform and not listed.model_type:
            raise errors.invalid_argument(
                f"Illegal setting neither ModelServerConfig::model_type (deprecated) nor"
                f" ModelServerConfig::model_platform: {listed.name}"
            )
        if listed.model_platform not in {PLATFORM, ""}:
            raise errors.invalid_argument(
                f"No platform config found for model platform: {listed.model_platform}"
            )
        if listed.name in models:
            raise errors.invalid_argument(
                f"Illegal to list model {listed.name} multiple times in config list"
            )
        model = Model(
            name=listed.name,
            base_path=listed.base_path,
            policy=_policy(listed.model_version_policy),
            labels=dict(listed.version_labels),
        )
        _check_base_path(model)
        models[model.name] = model
    return tuple(models.values())


def _check_base_path(model: Model) -> None:
    if not model.base_path.startswith("/") and not _URI.match(model.base_path):
        raise errors.invalid_argument(
            f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
        )


def _policy(proto: Any) -> Policy:
    match proto.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(versions=tuple(proto.specific.versions))
        case _:
            return Latest(count=proto.latest.num_versions or 1)
