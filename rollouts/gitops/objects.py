"""The values the pipeline passes along: references, manifests, and where they came from.

A `Ref` identifies an object by group and kind, not by version: `apps/v1` and `apps/v1beta1` Deployments of one name
are the same object, and an upgrade of the apiVersion in Git must not look like a deletion. Its text form,
`namespace_name_group_kind`, is the one other GitOps tools store too.

    >>> str(Ref(group="apps", kind="Deployment", namespace="shop", name="web"))
    'shop_web_apps_Deployment'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Ref:
    """Which object. `namespace` is empty for objects of the cluster, `group` for the core group."""

    group: str
    kind: str
    namespace: str = ""
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}_{self.name}_{self.group}_{self.kind}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """The reverse of `str`. ValueError when the text has not four parts."""
        namespace, name, group, kind = text.split("_")
        return cls(group=group, kind=kind, namespace=namespace, name=name)

    @property
    def label(self) -> str:
        """For people: `Deployment shop/web`."""
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object as Git wants it. `line` is where its document starts in `file`."""

    body: JSON
    file: str
    line: int

    @property
    def api_version(self) -> str:
        """`group/version`, or `v1`."""
        return str(self.body["apiVersion"])

    @property
    def ref(self) -> Ref:
        """The identity of the object."""
        metadata = self.body["metadata"]
        return Ref(
            group=group_of(self.api_version),
            kind=str(self.body["kind"]),
            namespace=str(metadata.get("namespace") or ""),
            name=str(metadata["name"]),
        )

    @property
    def place(self) -> str:
        """`file:line`; the file alone where no line is known, as of what a program made."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def with_body(self, body: JSON) -> Manifest:
        """The same place, another body."""
        return replace(self, body=body)

    def with_metadata(self, **values: Any) -> Manifest:
        """The same object with these metadata fields set."""
        return self.with_body({**self.body, "metadata": {**self.body["metadata"], **values}})


def group_of(api_version: str) -> str:
    """The group of an apiVersion: `apps/v1` gives `apps`, `v1` gives the empty string."""
    return api_version.rpartition("/")[0]


def ref_of(body: JSON) -> Ref:
    """The identity of a live object."""
    return Manifest(body=body, file="", line=0).ref


def annotation(body: JSON, key: str) -> str | None:
    """The value of an annotation, None when it is not there."""
    value = (body.get("metadata", {}).get("annotations") or {}).get(key)
    return None if value is None else str(value)
