"""R11: whose fields become ours at first contact, and what a dry run that does not know it would have said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollouts.gitops import fieldsets, takeover

DATA = {"f:data": {"f:a": {}, "f:b": {}}}
WEB = 'k:{"name":"web"}'
PORT = 'k:{"containerPort":80,"protocol":"TCP"}'


def entry(manager: str, fields: Any, operation: str = "Update", **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields, **more}


def live(*entries: dict[str, Any], kind: str = "ConfigMap", **metadata: Any) -> dict[str, Any]:
    known = {"name": "a", "resourceVersion": "7", "managedFields": list(entries), **metadata}
    return {"apiVersion": "v1", "kind": kind, "metadata": known, "data": {"a": "1", "b": "2", "c": "3"}}


def owners(found: takeover.Takeover) -> dict[tuple[str, str], Any]:
    return {(row["manager"], row["operation"]): row["fieldsV1"] for row in found.managed}


@pytest.mark.parametrize(
    ("manager", "operation"),
    [
        ("kubectl-client-side-apply", "Update"),
        ("kubectl-create", "Update"),
        ("kubectl", "Apply"),
        ("argocd-controller", "Update"),
        ("argocd-controller", "Apply"),
        ("kustomize-controller", "Apply"),
        ("helm", "Update"),
        ("helm", "Apply"),
        ("kubectl-replace", "Update"),
        ("kubectl-edit", "Update"),
        ("argocd-application-controller", "Update"),
        ("helm-controller", "Apply"),
        ("rollouts-gitops", "Update"),
    ],
)
def test_who_applied_whole_manifests_is_followed(manager: str, operation: str) -> None:
    found = takeover.of(live(entry(manager, DATA, operation), entry("other", {"f:data": {"f:c": {}}})))
    assert found is not None
    assert found.managers == (manager,)
    assert owners(found) == {("rollouts-gitops", "Apply"): DATA, ("other", "Update"): {"f:data": {"f:c": {}}}}
    assert found.patch[0] == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}


def test_a_manager_that_is_named_is_followed_too() -> None:
    """Its updates: what it applies on the server's side it may go on applying."""
    there = live(entry("old-tool", DATA))
    assert takeover.of(there) is None
    found = takeover.of(there, also=frozenset({"old-tool"}))
    assert found is not None
    assert owners(found) == {("rollouts-gitops", "Apply"): DATA}
    answer = live(entry("old-tool", DATA), entry("rollouts-gitops", {"f:data": {"f:a": {}}}, "Apply"))
    assert found.expected(answer)["data"] == {"a": "1", "c": "3"}
    assert takeover.of(live(entry("old-tool", DATA, "Apply")), also=frozenset({"old-tool"})) is None


@pytest.mark.parametrize(
    "theirs",
    [
        entry("kubectl-patch", DATA),
        entry("kubectl-rollout", DATA),
        entry("kube-controller-manager", DATA),
        entry("kubectl-client-side-apply", DATA, subresource="status"),
        entry("kubectl-client-side-apply", DATA, "Apply"),
        entry("before-first-apply", DATA),
        entry("rollouts-gitops", DATA, "Apply"),
    ],
)
def test_what_people_and_controllers_set_stays_theirs(theirs: dict[str, Any]) -> None:
    assert takeover.of(live(theirs)) is None


@pytest.mark.parametrize(
    ("found", "is_so"),
    [
        (entry("rollouts-gitops", DATA), True),
        (entry("rollouts-gitops", DATA, "Apply"), False),
        (entry("rollouts-gitops", DATA, subresource="status"), False),
        (entry("kubectl-client-side-apply", DATA), False),
    ],
)
def test_what_was_sent_as_a_whole_is_not_yet_owned_as_what_is_applied(found: dict[str, Any], is_so: bool) -> None:
    """After `Replace=true`: the next pass makes it ours, whoever's mark there is."""
    assert takeover.unfinished(live(found)) is is_so


def test_what_is_ours_already_is_joined() -> None:
    ours = entry("rollouts-gitops", {"f:data": {"f:a": {}}}, "Apply", time="t")
    found = takeover.of(live(ours, entry("kustomize-controller", {"f:data": {"f:b": {}}}, "Apply")))
    assert found is not None
    assert owners(found) == {("rollouts-gitops", "Apply"): DATA}


def test_of_what_was_there_before_the_first_apply_only_what_was_applied() -> None:
    text = json.dumps({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"b": "2"}})
    annotations = {takeover.LAST_APPLIED: text, "by": "a controller"}
    fields = {**DATA, "f:metadata": {"f:annotations": {f"f:{takeover.LAST_APPLIED}": {}, "f:by": {}}}}
    found = takeover.of(live(entry("before-first-apply", fields), annotations=annotations))
    assert found is not None
    assert owners(found) == {
        ("rollouts-gitops", "Apply"): {
            "f:data": {"f:b": {}},
            "f:metadata": {"f:annotations": {f"f:{takeover.LAST_APPLIED}": {}}},
        },
        ("before-first-apply", "Update"): {"f:data": {"f:a": {}}, "f:metadata": {"f:annotations": {"f:by": {}}}},
    }


def test_a_pause_somebody_edited_in_stays_theirs() -> None:
    edited = entry("kubectl-edit", {"f:spec": {"f:paused": {}, "f:replicas": {}}})
    found = takeover.of(live(edited, kind="Rollout"))
    assert found is not None
    assert owners(found) == {
        ("rollouts-gitops", "Apply"): {"f:spec": {"f:replicas": {}}},
        ("kubectl-edit", "Update"): {"f:spec": {"f:paused": {}}},
    }


def test_a_dry_run_is_told_what_falls_away() -> None:
    """Git has `a` only: `b` was applied by the earlier tool and goes, `c` is somebody else's and stays."""
    theirs = entry("other", {"f:data": {"f:c": {}}})
    before = live(entry("kubectl-client-side-apply", DATA), theirs)
    found = takeover.of(before)
    assert found is not None
    ours = entry("rollouts-gitops", {"f:data": {"f:a": {}}}, "Apply")
    answer = {
        **before,
        "metadata": {**before["metadata"], "managedFields": [*before["metadata"]["managedFields"], ours]},
    }
    assert found.expected(answer)["data"] == {"a": "1", "c": "3"}


CONTAINERS = {"containers": [{"name": "web", "image": "x:1", "ports": [{"containerPort": 80}]}, {"name": "old"}]}


@pytest.mark.parametrize(
    ("gone", "kept", "left"),
    [
        ({"f:a": {}}, {}, {"b": {"c": 1}, "d": [1, 2]}),
        ({"f:b": {"f:c": {}}}, {}, {"a": 1, "d": [1, 2]}),
        ({"f:b": {".": {}, "f:c": {}}}, {"f:b": {"f:c": {}}}, {"a": 1, "b": {"c": 1}, "d": [1, 2]}),
        ({"f:b": {}}, {"f:b": {"f:c": {}}}, {"a": 1, "b": {"c": 1}, "d": [1, 2]}),
        ({"f:d": {"v:1": {}}}, {}, {"a": 1, "b": {"c": 1}, "d": [2]}),
        ({"f:none": {}}, {}, {"a": 1, "b": {"c": 1}, "d": [1, 2]}),
    ],
)
def test_what_is_left_of_an_object(gone: Any, kept: Any, left: Any) -> None:
    assert fieldsets.without({"a": 1, "b": {"c": 1}, "d": [1, 2]}, gone, kept=kept) == left


def test_items_of_lists_go_as_a_whole_unless_somebody_owns_a_part() -> None:
    gone = {"f:containers": {'k:{"name":"old"}': {".": {}, "f:name": {}}, WEB: {".": {}, "f:image": {}}}}
    kept = {"f:containers": {WEB: {".": {}, "f:name": {}}}}
    assert fieldsets.without(CONTAINERS, gone, kept=kept) == {
        "containers": [{"name": "web", "ports": [{"containerPort": 80}]}]
    }


def test_a_key_with_a_default_need_not_be_written() -> None:
    tree = {"f:containers": {WEB: {"f:ports": {PORT: {".": {}}}, "f:args": {}}}}
    assert fieldsets.within(tree, CONTAINERS) == {"f:containers": {WEB: {"f:ports": {PORT: {".": {}}}}}}
