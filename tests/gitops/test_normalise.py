"""From files to what is sent (§2.1, step 6): duplicates are errors, namespaces are filled in, noise is dropped."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.kinds import CONFIG_MAP, NAMESPACE
from rollouts.gitops.errors import RenderFailedError
from rollouts.gitops.normalise import normalise
from rollouts.gitops.objects import Manifest

KINDS = {("v1", "ConfigMap"): CONFIG_MAP, ("v1", "Namespace"): NAMESPACE}


def manifest(name: str, line: int, kind: str = "ConfigMap", **more: Any) -> Manifest:
    metadata = {"name": name, **more.pop("metadata", {})}
    return Manifest(body={"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}, file="a.yaml", line=line)


def cleaned(*found: Manifest) -> tuple[Manifest, ...]:
    return normalise(found, kinds=KINDS, namespace="shop", sync="team/shop")


@pytest.mark.parametrize("space", [None, "shop"], ids=["by default", "by name"])
def test_the_same_object_twice_is_refused_with_both_places(space: str | None) -> None:
    """R13: one of them would win, and the other look like an object that was removed."""
    second = manifest("a", 9, metadata={"namespace": space} if space else {})
    with pytest.raises(RenderFailedError, match=r"a\.yaml:9: ConfigMap shop/a is there already, at a\.yaml:1"):
        cleaned(manifest("a", 1), second)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(RenderFailedError) as refused:
        cleaned(manifest("a", 1), manifest("a", 2), manifest("b", 3, kind="Widget"))
    assert [error.line for error in refused.value.errors] == [2, 3]


def test_namespaces_are_filled_in_by_scope() -> None:
    one, other, space = cleaned(
        manifest("a", 1), manifest("a", 2, metadata={"namespace": "x"}), manifest("s", 3, "Namespace")
    )
    assert [found.ref.namespace for found in (one, other, space)] == ["shop", "x", ""]


def test_what_is_not_ours_to_say_is_dropped() -> None:
    noise = {"uid": "u", "resourceVersion": "1", "managedFields": [], "creationTimestamp": None, "generation": 3}
    (found,) = cleaned(manifest("a", 1, metadata=noise, status={"phase": "x"}, data={"k": "v"}))
    assert set(found.body) == {"apiVersion", "kind", "metadata", "data"}
    assert set(found.body["metadata"]) == {"name", "namespace", "labels", "annotations"}
