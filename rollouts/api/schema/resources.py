"""CustomResourceDefinitions: names, columns and subresources around a kind's schema.

Names and columns are those that users of kubectl know from Argo Rollouts. Rollout and GitSync have the subresource
`status`, the Rollout `scale` too for autoscalers, which are to count `HPAReplicas`, the pods that get traffic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.spec.base import Model
from rollouts.api import kinds
from rollouts.api.analysis import AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate
from rollouts.api.experiment import Experiment
from rollouts.api.gitsync import GitSync
from rollouts.api.kinds import Kind
from rollouts.api.rollout import Rollout
from rollouts.api.schema.kubernetes import Definitions
from rollouts.api.schema.models import PRESERVE, schema_of

JSON = dict[str, Any]

CATEGORY = "delivery"
ANNOTATION_LIMIT = 262_144
"""Bytes of all annotations of an object; client-side `kubectl apply` puts the whole object into one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    description: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One CRD: the kind, its model, and how kubectl shows it."""

    kind: Kind
    model: type[Model]
    short: str
    columns: tuple[Column, ...] = ()
    scale: Mapping[str, str] | None = None


_AGE = Column(name="Age", path=".metadata.creationTimestamp", type="date", description="Time since it was created")


def _phase(what: str) -> Column:
    return Column(name="Status", path=".status.phase", description=f"Phase of the {what}")


def _wide(name: str, path: str, type: str = "string") -> Column:
    return Column(name=name, path=path, type=type, wide=True)


def _pods(name: str, path: str, description: str) -> Column:
    return Column(name=name, path=path, type="integer", description=description)


RESOURCES: tuple[Resource, ...] = (
    Resource(
        kind=kinds.ROLLOUT,
        model=Rollout,
        short="ro",
        columns=(
            _pods("Desired", ".spec.replicas", "Pods wanted"),
            _pods("Current", ".status.replicas", "Pods that are not going away"),
            _pods("Up-to-date", ".status.updatedReplicas", "Pods of the template wanted"),
            _pods("Available", ".status.availableReplicas", "Pods that were ready for minReadySeconds"),
            _AGE,
        ),
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.HPAReplicas",
            "labelSelectorPath": ".status.selector",
        },
    ),
    Resource(kind=kinds.ANALYSIS_TEMPLATE, model=AnalysisTemplate, short="at", columns=(_AGE,)),
    Resource(kind=kinds.CLUSTER_ANALYSIS_TEMPLATE, model=ClusterAnalysisTemplate, short="cat", columns=(_AGE,)),
    Resource(kind=kinds.ANALYSIS_RUN, model=AnalysisRun, short="ar", columns=(_phase("run"), _AGE)),
    Resource(kind=kinds.EXPERIMENT, model=Experiment, short="exp", columns=(_phase("experiment"), _AGE)),
    Resource(
        kind=kinds.GIT_SYNC,
        model=GitSync,
        short="gs",
        columns=(
            Column(name="Sync", path=".status.sync.status", description="How the cluster compares with Git"),
            Column(name="Health", path=".status.health.status", description="The worst health of all objects"),
            Column(name="Revision", path=".status.summary.shortRevision", description="Branch and commit"),
            Column(name="Waiting", path=".status.plan.waitingFor", description="What it waits for"),
            _AGE,
            _wide("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            _wide("Message", '.status.conditions[?(@.type=="Ready")].message'),
            _wide("Path", ".spec.source.path"),
            _wide("Last-Sync", ".status.operationState.finishedAt", type="date"),
            _wide("Objects", ".status.summary.objects", type="integer"),
            _wide("Hold", ".status.hold.reason"),
        ),
    ),
)


def definition(resource: Resource, definitions: Definitions) -> JSON:
    """The CustomResourceDefinition as the API server wants it."""
    kind = resource.kind
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [resource.short],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [_version(resource, definitions)],
        },
    }


def _version(resource: Resource, definitions: Definitions) -> JSON:
    subresources: JSON = {"status": {}} if resource.kind.status else {}
    if resource.scale:
        subresources["scale"] = dict(resource.scale)
    return {
        "name": resource.kind.version,
        "served": True,
        "storage": True,
        **({"subresources": subresources} if subresources else {}),
        "additionalPrinterColumns": [_column(column) for column in resource.columns],
        "schema": {"openAPIV3Schema": _root(resource.model, definitions)},
    }


def _column(column: Column) -> JSON:
    return {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
        **({"description": column.description} if column.description else {}),
        **({"priority": 1} if column.wide else {}),
    }


def _root(model: type[Model], definitions: Definitions) -> JSON:
    """The schema of the whole object. Its metadata is the API server's; unknown status keys are kept, not pruned."""
    schema = schema_of(model, definitions)
    properties = {**schema["properties"], "metadata": {"type": "object"}}
    if "status" in properties:
        properties["status"] = {**properties["status"], PRESERVE: True}
    return {"description": model.__doc__, **schema, "properties": properties}


def applied_size(crd: Mapping[str, Any]) -> int:
    """Bytes that client-side `kubectl apply` puts into the annotation; less than ANNOTATION_LIMIT or it fails."""
    return len(json.dumps(crd, separators=(",", ":")).encode())
