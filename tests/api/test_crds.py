"""The CRDs: every field of the peer's, none undescribed, structural, small enough, and up to date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rollouts.api import generate
from rollouts.api.schema.kubernetes import Definitions, extract
from rollouts.api.schema.models import docstrings
from rollouts.api.schema.resources import ANNOTATION_LIMIT, RESOURCES, applied_size, definition
from tests.api.samples import DATA

DEFINITIONS = Definitions.committed()
CRDS = {resource.kind.kind: definition(resource, DEFINITIONS) for resource in RESOURCES}
SCHEMAS = {kind: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for kind, crd in CRDS.items()}
OWN_KEYS = {"apiVersion", "kind", "metadata", "spec", "status"}


def paths(schema: dict[str, Any], at: str) -> Iterator[str]:
    yield at
    if "items" in schema:
        yield from paths(schema["items"], f"{at}[]")
    if "additionalProperties" in schema:
        yield from paths(schema["additionalProperties"], f"{at}{{}}")
    for name, inner in schema.get("properties", {}).items():
        yield from paths(inner, f"{at}.{name}")


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a schema (and not what only looks like one: `properties` may hold any name)."""
    yield schema
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from nodes(schema[name])
    for inner in schema.get("properties", {}).values():
        yield from nodes(inner)


def test_every_field_of_the_peer_is_there() -> None:
    wanted = set((DATA / "crd-fields.txt").read_text(encoding="utf-8").split())
    found = {path for kind, schema in SCHEMAS.items() for path in paths(schema, kind)}
    assert len(wanted) == 980
    assert wanted - found == set()


def test_the_committed_files_are_up_to_date() -> None:
    assert generate.stale() == [], "run python -m rollouts.api.generate"


def test_a_difference_is_noticed(tmp_path: Any) -> None:
    (tmp_path / "rollouts.yaml").write_text("old", encoding="utf-8")
    (tmp_path / "widgets.yaml").write_text("superfluous", encoding="utf-8")
    assert generate.stale(tmp_path) == sorted([*generate.files(DEFINITIONS), "widgets.yaml"])


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind.kind)
def test_client_side_apply_has_room(resource: Any) -> None:
    assert applied_size(definition(resource, DEFINITIONS)) < ANNOTATION_LIMIT / 2


def test_every_field_is_described() -> None:
    silent = [
        f"{model.__name__}.{name}"
        for resource in RESOURCES
        for model in models(resource.model)
        for name in set(model.model_fields) - set(docstrings(model))
    ]
    assert silent == []


def models(model: Any, seen: frozenset[Any] = frozenset()) -> set[Any]:
    """The models reachable from a model."""
    found = {model}
    for info in model.model_fields.values():
        for inner in inner_models(info.annotation):
            if inner not in seen:
                found |= models(inner, seen | found)
    return found


def inner_models(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from inner_models(argument)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schema_is_structural(kind: str) -> None:
    for node in nodes(SCHEMAS[kind]):
        assert not {"$ref", "ref", "anyOf", "allOf", "title"} & node.keys()
        typeless = "x-kubernetes-int-or-string" in node or "x-kubernetes-preserve-unknown-fields" in node
        assert "type" in node or typeless, node
        assert not ("properties" in node and "additionalProperties" in node)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_keys_of_a_list_map_are_required_or_have_a_default(kind: str) -> None:
    for node in nodes(SCHEMAS[kind]):
        for key in node.get("x-kubernetes-list-map-keys", ()):
            item = node["items"]
            assert key in item.get("required", ()) or "default" in item["properties"][key]


def test_pod_templates_keep_what_apply_merges_by() -> None:
    pod = SCHEMAS["Rollout"]["properties"]["spec"]["properties"]["template"]["properties"]["spec"]["properties"]
    assert pod["containers"]["x-kubernetes-list-map-keys"] == ["name"]
    ports = pod["containers"]["items"]["properties"]["ports"]
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert ports["items"]["properties"]["protocol"]["default"] == "TCP"
    probe = pod["containers"]["items"]["properties"]["livenessProbe"]["properties"]["httpGet"]["properties"]
    assert probe["port"] == {"x-kubernetes-int-or-string": True}


def test_only_defaults_that_kubernetes_declares_are_kept() -> None:
    """An invented default would change what is stored, and with it the pod hash."""
    template = SCHEMAS["Rollout"]["properties"]["spec"]["properties"]["template"]
    found = {
        (name, repr(inner["default"]))
        for node in nodes(template)
        for name, inner in node.get("properties", {}).items()
        if "default" in inner
    }
    assert found == {
        ("protocol", "'TCP'"),
        ("name", "''"),
        ("service", "''"),
        ("readOnly", "False"),
        ("optional", "False"),
        ("cachingMode", "'ReadWrite'"),
        ("fsType", "'ext4'"),
        ("fsType", "'xfs'"),
        ("kind", "'Shared'"),
        ("iscsiInterface", "'default'"),
        ("keyring", "'/etc/ceph/keyring'"),
        ("pool", "'rbd'"),
        ("user", "'admin'"),
        ("storageMode", "'ThinProvisioned'"),
    }


def test_own_fields_have_no_defaults() -> None:
    spec = SCHEMAS["Rollout"]["properties"]["spec"]["properties"]
    own = [inner for name, field in spec.items() if name != "template" for inner in nodes(field)]
    assert own
    assert [node for node in own if "default" in node] == []


def test_names_columns_and_subresources_are_those_users_know() -> None:
    spec = CRDS["Rollout"]["spec"]
    version = spec["versions"][0]
    assert spec["names"]["shortNames"] == ["ro"]
    columns = [column["name"] for column in version["additionalPrinterColumns"]]
    assert columns == ["Desired", "Current", "Up-to-date", "Available", "Age"]
    assert version["subresources"]["scale"]["statusReplicasPath"] == ".status.HPAReplicas"
    shorts = {kind: crd["spec"]["names"]["shortNames"] for kind, crd in CRDS.items() if kind != "Rollout"}
    assert shorts == {
        "AnalysisTemplate": ["at"],
        "ClusterAnalysisTemplate": ["cat"],
        "AnalysisRun": ["ar"],
        "Experiment": ["exp"],
        "GitSync": ["gs"],
    }
    assert [kind for kind, crd in CRDS.items() if "subresources" in crd["spec"]["versions"][0]] == [
        "Rollout",
        "GitSync",
    ]
    assert CRDS["ClusterAnalysisTemplate"]["spec"]["scope"] == "Cluster"


def test_rules_reach_the_schema() -> None:
    spec = SCHEMAS["Rollout"]["properties"]["spec"]["properties"]
    (immutable,) = spec["selector"]["x-kubernetes-validations"]
    assert immutable == {"rule": "self == oldSelf", "message": "selector is immutable"}
    (one,) = spec["strategy"]["x-kubernetes-validations"]
    assert one["message"] == "set exactly one of canary and blueGreen"
    steps = spec["strategy"]["properties"]["canary"]["properties"]["steps"]
    assert (steps["maxItems"], len(steps["items"]["x-kubernetes-validations"])) == (1000, 1)
    keys = set(steps["items"]["properties"])
    assert keys == {key for key in keys if f"has(self.{key})" in steps["items"]["x-kubernetes-validations"][0]["rule"]}


def test_extracting_again_gives_the_same() -> None:
    """`extract` leaves out what it does not need, resolves wrappers, and keeps declared defaults only."""
    document = {
        "components": {
            "schemas": {
                "io.k8s.api.core.v1.PodTemplateSpec": {
                    "description": "x",
                    "type": "object",
                    "required": ["a"],
                    "properties": {
                        "a": {"type": "string", "default": "", "description": "x", "enum": ["b"]},
                        "b": {"type": "string", "default": ""},
                        "c": {"allOf": [{"$ref": "#/components/schemas/io.k8s.M"}], "default": {}},
                        "d": {"$ref": "#/components/schemas/io.k8s.Quantity"},
                    },
                },
                "io.k8s.M": {"type": "object", "properties": {"n": {"type": "integer", "default": 0}}},
                "io.k8s.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
                "io.k8s.api.batch.v1.JobSpec": {"type": "object"},
                "io.k8s.meta.v1.ObjectMeta": {"type": "object"},
            }
        }
    }
    assert extract(document).inline("PodTemplateSpec") == {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "string"},
            "b": {"type": "string", "default": ""},
            "c": {"type": "object", "properties": {"n": {"type": "integer"}}},
            "d": {"x-kubernetes-preserve-unknown-fields": True},
        },
    }
