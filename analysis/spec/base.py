"""What every model of this project's API shares: two base classes and a handful of scalar types.

Kubernetes objects are camelCase JSON in which a missing key and `null` mean the same: unset. The models keep that
meaning: a field that is unset is `None`, nothing is ever filled in (defaults are applied by `effective_*` properties,
so an object read and written again is unchanged). Attributes are the snake_case of the API's names.

`Model` is for what people write: it refuses keys it does not know, because a typo silently ignored in a release
strategy costs an outage. `StatusModel` is for what controllers write: it ignores keys it does not know, because the
next version, or another controller, may have added some.

The small marker classes carry what a CRD schema needs and a Python type can't say; the generator of `crds/` reads
them from `Annotated[...]`. Docstrings under the fields become the descriptions there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesType:
    """Marks a plain mapping whose schema is Kubernetes' own, by the name of its definition (`PodTemplateSpec`)."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMap:
    """Marks a list whose items are told apart by `key`, so that server-side apply merges them instead of replacing."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxItems:
    """Marks a list with the most items it may have; the API server limits what a rule on unbounded lists may cost."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A CEL rule that the API server checks; `message` is what people see when it fails.

    A rule about a whole model stands in its class attribute `RULES`, one about a single field in `Annotated`.
    """

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """Marks a mapping whose content belongs to somebody else (a plugin): any key is kept."""


class Model(BaseModel):
    """Base of everything people write: frozen, camelCase outside, unknown keys refused, `null` means unset."""

    RULES: ClassVar[tuple[Rule, ...]] = ()

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        frozen=True,
        extra="forbid",
        defer_build=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_unset(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and None in value.values():
            return {key: item for key, item in value.items() if item is not None}
        return value

    def to_api(self) -> dict[str, Any]:
        """The object as the API knows it: JSON values, camelCase keys, unset keys left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(Model):
    """Base of everything controllers write: as `Model`, but unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore")


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def read_time(value: Any) -> datetime:
    """An RFC 3339 time (`2026-01-02T03:04:05Z`) as an aware datetime in UTC; raises ValueError on anything else.

    A datetime is taken as it is (YAML loaders make them of unquoted times); one without a zone is taken as UTC.
    """
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        value = datetime.fromisoformat(value.upper())
    if not isinstance(value, datetime):
        raise ValueError("must be a time such as 2026-01-02T03:04:05Z")
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be a time between the years 1 and 9999") from error


def write_time(value: datetime) -> str:
    """The inverse of `read_time`, in whole seconds as Kubernetes writes them."""
    return value.astimezone(UTC).isoformat(timespec="seconds")[: -len("+00:00")] + "Z"  # strftime takes twice as long


def _int_or_string(value: Any) -> int | str:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise PydanticCustomError("int_or_string", "must be a whole number or a string")


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Int32 = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
Bool = StrictBool
IntOrString = Annotated[int | str, PlainValidator(_int_or_string)]
Time = Annotated[datetime, PlainValidator(read_time), PlainSerializer(write_time, return_type=str)]
Text = Annotated[str, BeforeValidator(_number_as_text)]
"""A string that tolerates being read as a whole number (`observedGeneration` written by another hand)."""
StringMap = dict[str, str]
