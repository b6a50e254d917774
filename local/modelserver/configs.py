"""Model configurations: the text-proto file, or the two flags that stand for one model."""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from local.modelserver import errors, flags, logs, protos, textprotos

PLATFORM: Final = "tensorflow"
"""The model platform that there is unless a platform configuration names others."""
_CORE: Final = "model_servers/server_core.cc"
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
    platform, model_type
        What runs the model, by its name or by its deprecated number; exactly one is set.
    is_logged
        Whether requests should be logged, which the original cannot without a collector built in.
    """

    name: str
    base_path: str
    policy: Policy = dataclasses.field(default_factory=Latest)
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    platform: str = PLATFORM
    model_type: int = 0
    is_logged: bool = False


def read_models(given: flags.Flags) -> tuple[Model, ...]:
    """Return the models of a command line."""
    if given.model_config_file:
        config = read_file(given.model_config_file)
        if config.WhichOneof("config") is None:
            logs.log(_CORE, "Taking no action for empty config.")
            return ()
        return from_proto(config)
    if not given.model_base_path:
        raise errors.invalid_argument(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )
    logs.log(
        "model_servers/server.cc",
        f"Building single TensorFlow model file config:  model_name: {given.model_name}"
        f" model_base_path: {given.model_base_path}",
    )
    return (Model(name=given.model_name, base_path=given.model_base_path),)


def read_file(path: str) -> Any:
    """Return the ``ModelServerConfig`` of a text-proto file."""
    return textprotos.read(path, protos.model_server_config_pb2.ModelServerConfig())


def from_proto(config: Any) -> tuple[Model, ...]:
    """Return the models of a ``ModelServerConfig``; whether they can be served is not checked here.

    Raises
    ------
    ServingError
        The configuration is not a list of models.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise errors.ServingError(
            errors.Code.FAILED_PRECONDITION,
            "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to"
            " another.",
        )
    return tuple(
        Model(
            name=listed.name,
            base_path=listed.base_path,
            policy=_policy(listed.model_version_policy),
            labels=dict(listed.version_labels),
            platform=listed.model_platform,
            model_type=listed.model_type,
            is_logged=listed.HasField("logging_config"),
        )
        for listed in config.model_config_list.config
    )


def check(models: Sequence[Model]) -> None:
    """Raise what is wrong with a list of models as such: a name twice, a relative base path."""
    names: set[str] = set()
    for model in models:
        if model.name in names:
            raise errors.invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        names.add(model.name)
    for model in models:
        if not model.base_path.startswith("/") and not _URI.match(model.base_path):
            raise errors.invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )


def platform_of(model: Model) -> str:
    """Return what runs a model, from the field that is set."""
    if model.model_type:
        logs.log(
            _CORE,
            "Deprecated ModelServerConfig::model_type field used. Prefer ModelServerConfig::model_platform.",
            severity=logs.Severity.WARNING,
        )
        if model.platform:
            raise errors.invalid_argument(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and"
                " ModelServerConfig::model_platform."
            )
        if model.model_type != protos.model_server_config_pb2.ModelType.TENSORFLOW:
            raise errors.invalid_argument(
                f"ModelServerConfig::model_type choice {model.model_type} not supported."
            )
        return PLATFORM
    if not model.platform:
        raise errors.invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    return model.platform


def check_unchanged_platforms(old: Sequence[Model], new: Sequence[Model]) -> None:
    """Raise that a model would change what runs it."""
    platforms = {model.name: platform_of(model) for model in old}
    for model in new:
        before = platforms.get(model.name)
        if before is not None and (now := platform_of(model)) != before:
            raise errors.invalid_argument(
                f"Illegal to change a model's platform. For model {model.name} platform was {before} and new platform"
                f" requested is {now}"
            )


def check_platforms(models: Sequence[Model], known: Collection[str]) -> dict[str, str]:
    """Return what runs each model; raise that nothing here can run one."""
    platforms = {model.name: platform_of(model) for model in models}
    for name, platform in platforms.items():
        if platform not in known:
            raise errors.invalid_argument(f"Model {name} requests unsupported platform {platform}")
    return platforms


def _policy(proto: Any) -> Policy:
    match proto.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(versions=tuple(proto.specific.versions))
        case _:
            return Latest(count=proto.latest.num_versions or 1)
