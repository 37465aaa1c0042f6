"""Schemas of Kubernetes' own types, taken from the OpenAPI v3 document every API server publishes.

`extract` cuts the few definitions out of the document that a pod template and a Job need, without descriptions. The
result is committed (`definitions.json`), so that generating needs no cluster and no network. `Definitions.inline`
resolves it into one structural schema without references.

Three things differ from the document. Quantities take any scalar, as Kubernetes does (`cpu: 0.5` is a number, `"500m"`
a string), and no structural type says that. Enumerations are left out: a later Kubernetes adds values, and refuses
wrong ones itself. And of the defaults only those are kept that Kubernetes' types declare (`protocol: TCP`); the
document is full of empty ones, which would change what is stored, and with it the pod hash.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

JSON = dict[str, Any]

ROOTS = ("PodTemplateSpec", "JobSpec", "ObjectMeta")
_KEPT = (
    "type",
    "format",
    "required",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)
_SPECIAL: Mapping[str, JSON] = {
    "Quantity": {"x-kubernetes-preserve-unknown-fields": True},
    "IntOrString": {"x-kubernetes-int-or-string": True},
    "FieldsV1": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "Time": {"type": "string", "format": "date-time"},
    "MicroTime": {"type": "string", "format": "date-time"},
}
# A Rollout with a workloadRef, written by a Go client, carries an empty template: `{"spec": {"containers": null}}`.
_OPTIONAL = {("PodSpec", "containers")}


@dataclass(frozen=True, slots=True)
class Definitions:
    """The definitions by short name (`PodSpec`), as `extract` gives them."""

    by_name: Mapping[str, JSON]

    @classmethod
    def committed(cls) -> Definitions:
        """The definitions that come with this package."""
        text = resources.files(__package__).joinpath("definitions.json").read_text(encoding="utf-8")
        return cls(json.loads(text))

    def inline(self, name: str) -> JSON:
        """The structural schema of a type, all references resolved."""
        return self._resolved(self.by_name[name])

    def _resolved(self, node: JSON) -> JSON:
        if "ref" in node:
            return {**self.inline(node["ref"]), **{key: value for key, value in node.items() if key != "ref"}}
        below: JSON = {key: self._resolved(node[key]) for key in ("items", "additionalProperties") if key in node}
        properties = {name: self._resolved(field) for name, field in node.get("properties", {}).items()}
        return {**node, **below, **({"properties": properties} if properties else {})}


def extract(document: Mapping[str, Any]) -> Definitions:
    """The definitions under `ROOTS` of an OpenAPI v3 document that has them (`/openapi/v3/apis/batch/v1`)."""
    schemas = {_short(name): schema for name, schema in document["components"]["schemas"].items()}
    found: dict[str, JSON] = {}
    open_names = list(ROOTS)
    while open_names:
        name = open_names.pop()
        if name not in found:
            found[name] = _definition(name, schemas[name])
            open_names.extend(_references(found[name]))
    return Definitions(dict(sorted(found.items())))


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _definition(name: str, schema: Mapping[str, Any]) -> JSON:
    if name in _SPECIAL:
        return dict(_SPECIAL[name])
    return _optional(name, _compact(schema))


def _compact(schema: Mapping[str, Any]) -> JSON:
    """A schema with only what a structural schema needs; a reference as `{"ref": name}`."""
    for wrapped in schema.get("allOf", ()):
        return _compact({**wrapped, **{key: value for key, value in schema.items() if key != "allOf"}})
    if "$ref" in schema:
        return {"ref": _short(schema["$ref"].rpartition("/")[2])}
    kept = {key: schema[key] for key in _KEPT if key in schema}
    below = {key: _compact(schema[key]) for key in ("items", "additionalProperties") if key in schema}
    fields = schema.get("properties", {})
    properties = {name: _field(name, field, schema) for name, field in fields.items()}
    return {**kept, **below, **({"properties": properties} if properties else {})}


def _field(name: str, field: Mapping[str, Any], owner: Mapping[str, Any]) -> JSON:
    default = field.get("default")
    empty = default == "" or default is False
    declared = bool(default) or (empty and name not in owner.get("required", ()))
    return {**_compact(field), **({"default": default} if declared else {})}


def _optional(name: str, definition: JSON) -> JSON:
    required = [field for field in definition.get("required", ()) if (name, field) not in _OPTIONAL]
    rest = {key: value for key, value in definition.items() if key != "required"}
    return {**rest, "required": required} if required else rest


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "ref" in node:
            yield node["ref"]
        for value in node.values():
            yield from _references(value)
