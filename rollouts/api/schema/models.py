"""From a pydantic model to a structural schema.

pydantic can write JSON schema itself, but with references, `anyOf … null` and titles, none of which the API server
accepts in a CRD. This walks the annotations instead: every type the models use has one row or one branch here, and
an unknown one is an error at generation, not a hole in the CRD.

Descriptions are the docstrings under the fields, read from the source text, so that using the models costs nothing.
"""

from __future__ import annotations

import ast
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from analysis.spec.base import KubernetesType, ListMap, MaxItems, Opaque, Rule, StatusModel
from rollouts.api.schema.kubernetes import Definitions

JSON = dict[str, Any]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
_SCALARS: dict[Any, JSON] = {
    bool: {"type": "boolean"},
    str: {"type": "string"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {PRESERVE: True},
}
_INT32_TOP = 2**31 - 1


def schema_of(model: type[BaseModel], definitions: Definitions) -> JSON:
    """The structural schema of a model: descriptions, required keys, list-map keys, rules."""
    fields = {str(info.alias): info for info in model.model_fields.values()}
    texts = docstrings(model)
    properties = {
        str(info.alias): {**_described(texts.get(name)), **_field(info, model, definitions)}
        for name, info in model.model_fields.items()
    }
    required = [alias for alias, info in fields.items() if info.is_required()]
    return {
        "type": "object",
        **({"properties": properties} if properties else {}),
        **({"required": required} if required else {}),
        **_rules(getattr(model, "RULES", ())),
    }


def _described(text: str | None) -> JSON:
    return {"description": text} if text else {}


def _rules(rules: Iterable[Rule]) -> JSON:
    listed = [{"rule": rule.rule, "message": rule.message} for rule in rules]
    return {"x-kubernetes-validations": listed} if listed else {}


def _field(info: FieldInfo, owner: type[BaseModel], definitions: Definitions) -> JSON:
    schema = _typed(info.annotation, info.metadata, definitions)
    if issubclass(owner, StatusModel):
        schema.pop("enum", None)
    return schema


def _typed(annotation: Any, marks: list[Any], definitions: Definitions) -> JSON:
    """The schema of an annotation; `marks` are what `Annotated` put beside it."""
    for mark in marks:
        if isinstance(mark, KubernetesType):
            return definitions.inline(mark.name)
        if isinstance(mark, Opaque):
            return {"type": "object", PRESERVE: True}
    if annotation in _SCALARS:
        return dict(_SCALARS[annotation])
    if annotation is int:
        return {"type": "integer", "format": _integer_format(marks)}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {**schema_of(annotation, definitions), **_marked(marks)}
    schema = _BRANCHES[typing.get_origin(annotation)](annotation, marks, definitions)
    return {**schema, **_marked(marks)}


def _integer_format(marks: list[Any]) -> str:
    tops = [getattr(mark, "le", None) for mark in _flat(marks)]
    return "int32" if _INT32_TOP in tops else "int64"


def _flat(marks: list[Any]) -> list[Any]:
    """The marks, with those inside a pydantic `Field(...)` unpacked."""
    return [inner for mark in marks for inner in (mark, *getattr(mark, "metadata", ()))]


def _marked(marks: list[Any]) -> JSON:
    found: JSON = {}
    for mark in marks:
        if isinstance(mark, ListMap):
            found |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [mark.key]}
        if isinstance(mark, MaxItems):
            found |= {"maxItems": mark.count}
        if isinstance(mark, Rule):
            found |= _rules([mark])
    return found


def _annotated(annotation: Any, marks: list[Any], definitions: Definitions) -> JSON:
    inner, *more = typing.get_args(annotation)
    return _typed(inner, [*marks, *more], definitions)


def _union(annotation: Any, marks: list[Any], definitions: Definitions) -> JSON:
    choices = [choice for choice in typing.get_args(annotation) if choice is not types.NoneType]
    if set(choices) == {int, str}:
        return {"x-kubernetes-int-or-string": True}
    if len(choices) != 1:
        raise TypeError(f"a CRD can't say {annotation}")
    return _typed(choices[0], marks, definitions)


def _list(annotation: Any, marks: list[Any], definitions: Definitions) -> JSON:
    (item,) = typing.get_args(annotation)
    return {"type": "array", "items": _typed(item, [], definitions)}


def _dict(annotation: Any, marks: list[Any], definitions: Definitions) -> JSON:
    _, value = typing.get_args(annotation)
    return {"type": "object", "additionalProperties": _typed(value, [], definitions)}


def _literal(annotation: Any, marks: list[Any], definitions: Definitions) -> JSON:
    return {"type": "string", "enum": list(typing.get_args(annotation))}


_BRANCHES: dict[Any, Callable[[Any, list[Any], Definitions], JSON]] = {
    typing.Annotated: _annotated,
    typing.Union: _union,
    types.UnionType: _union,
    list: _list,
    dict: _dict,
    Literal: _literal,
}


def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Descriptions of a model's fields by attribute name, those of its base classes included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        found |= _module_docstrings(base.__module__).get(base.__name__, {})
    return found


@cache
def _module_docstrings(module: str) -> dict[str, dict[str, str]]:
    """Class → attribute → the string literal under it."""
    if module not in sys.modules or not module.startswith(("rollouts.", "analysis.")):
        return {}
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: _attribute_docstrings(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _attribute_docstrings(node: ast.ClassDef) -> dict[str, str]:
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in zip(node.body, node.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }
