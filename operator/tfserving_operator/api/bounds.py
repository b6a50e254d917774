"""Building blocks of the spec's fields: every string, list and map is bounded, every scalar strictly typed.

The bounds are what a reader would call generous. They exist because the API server refuses a CRD whose CEL
rules could loop over something without an end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from tfserving_operator.api.base import ApiModel

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1
QUANTITY_MAX_LENGTH: Final = 32
"""Longer ones exceed the CEL cost budget of `request <= limit`; none that is meant has more than 20."""


def _set_entries(raw: object) -> object:
    """The entries of a map that are not null: the API server drops the others before it looks."""
    return {k: v for k, v in raw.items() if v is not None} if isinstance(raw, Mapping) else raw


SetEntries: Final = BeforeValidator(_set_entries)


def _quantity(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        raise ValueError(f'{value} is a fraction without quotes: write "{value}" or {round(value * 1000)}m')  # noqa: TRY004 - pydantic reports ValueError
    return value


@dataclass(frozen=True)
class _Format:
    """The OpenAPI format of an integer."""

    name: str

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core_schema), "format": self.name}


Int32 = Annotated[int, Field(strict=True, le=INT32_MAX), _Format("int32")]
Int64 = Annotated[int, Field(strict=True, le=INT64_MAX), _Format("int64")]
Bool = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=1024)]
Seconds = Annotated[Int32, Field(ge=0)]
Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    Field(max_length=QUANTITY_MAX_LENGTH),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "maxLength": QUANTITY_MAX_LENGTH,
        }
    ),
]
"""A Kubernetes quantity as it was written; `core.quantities` knows what it is worth."""
ResourceList = Annotated[dict[str, Quantity], Field(max_length=16), SetEntries]

OBJECT_NAME: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LABEL_VALUE: Final = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=OBJECT_NAME)]
"""The name of another object in the same namespace."""
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63, pattern=LABEL_VALUE)]
Labels = Annotated[dict[str, LabelValue], Field(max_length=64), SetEntries]
Annotations = Annotated[dict[str, Annotated[str, Field(max_length=16384)]], Field(max_length=64), SetEntries]


class SpecModel(ApiModel):
    """A part of ``.spec``: unknown fields are refused, and a null counts as absent, as the API server has it."""

    model_config = ConfigDict(protected_namespaces=())

    nullable: ClassVar[frozenset[str]] = frozenset()
    """Wire names of fields whose null means something."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, raw: Any) -> Any:
        if isinstance(raw, Mapping) and None in raw.values():
            known = {field.alias for field in cls.model_fields.values()} - cls.nullable
            return {key: value for key, value in raw.items() if value is not None or key not in known}
        return raw


class Mode(StrEnum):
    """What a finding leads to."""

    Enforce = "Enforce"
    """means the revision is rejected"""
    Warn = "Warn"
    """means it is reported, and the revision goes on"""
    Off = "Off"
    """means nobody looks"""
