"""The base of every model that is written to or read from the Kubernetes API."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from typing_extensions import override


class ApiModel(BaseModel):
    """A frozen object with camelCase names on the wire; unknown fields are refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # pydantic copies defaults deeply for every object that leaves them out: frozen ones can be shared.
        return self


class StatusModel(ApiModel):
    """A part of ``.status``: fields written by a newer operator are left out rather than refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, protected_namespaces=()
    )
