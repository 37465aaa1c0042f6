"""What a GitSync at rest leaves alone, and what it never writes into others' objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.cluster.controllers import OwnController
from tests.cluster.gitsyncs import AUTOMATED, Synced
from tests.cluster.space import rollout

LABELS = {"app": "other"}


def deployment() -> dict[str, Any]:
    pod = {"containers": [{"name": "main", "image": "example/app:1"}]}
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "other"}, "spec": spec}


def scaler() -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "other"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5},
    }


def test_what_the_server_writes_differently_is_no_drift(syncing: Synced) -> None:
    """R37: quantities in any spelling, in a kind whose schema does not know them. R22, R24: nothing is added."""
    web = rollout(replicas=1)
    (container,) = web["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"requests": {"cpu": 0.1, "memory": "1024Mi"}, "limits": {"cpu": "1000m", "memory": "2G"}}
    container["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": ""}]
    commit = syncing.bare.commit({"web.json": json.dumps(web), "other.json": json.dumps(deployment())})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(commit)
    syncing.space.until_phase("Healthy")
    generation = syncing.space.rollout()["metadata"]["generation"]
    for stamp in ("1", "2"):
        syncing.ask(stamp)
        assert syncing.state() == ("Synced", commit)
    assert syncing.space.rollout()["metadata"]["generation"] == generation
    for kind in ("rollout/app", "deployment/other"):
        written = set(syncing.kubectl.json("get", kind)["metadata"]["annotations"])
        assert {key for key in written if "gitops" in key} == {"gitops.rollouts.dev/tracking"}
        assert not any("kopf" in key or "last-applied" in key for key in written)


def remarked(syncing: Synced) -> list[tuple[str, int]]:
    """What was remarked, and how often."""
    found = syncing.kubectl.json("get", "events", "--field-selector", "reason=Remark")["items"]
    return [(row["message"], row.get("count") or 1) for row in found]


def test_replicas_under_an_autoscaler_are_not_set_back(opened: Synced, syncer: Callable[..., OwnController]) -> None:
    """R8: without any configuration or self-heal, though Git names a number. It is told once, not by the next passes
    and not by the next process, that the number should go; and told no more when it has gone."""
    commit = opened.bare.commit({"other.json": json.dumps(deployment())})
    opened.kubectl.apply(scaler())
    opened.create(automated={"prune": True})
    first = syncer()
    opened.until_synced(commit)
    where = f"Deployment {opened.space.namespace}/other"
    scaled = f"HorizontalPodAutoscaler {opened.space.namespace}/other"
    remark = f"other.json: {where}: {scaled} decides on spec.replicas, so the number in Git is not used: remove it"
    assert opened.status["remarks"] == [remark]
    opened.until("it was told", lambda: remarked(opened) == [(remark, 1)])
    opened.kubectl("scale", "deployment", "other", "--replicas=3")
    opened.ask("1")
    assert opened.state() == ("Synced", commit)
    first.stop()
    syncer()
    opened.ask("2")
    assert opened.kubectl.json("get", "deployment", "other")["spec"]["replicas"] == 3
    assert remarked(opened) == [(remark, 1)]
    silent = deployment()
    del silent["spec"]["replicas"]
    second = opened.bare.commit({"other.json": json.dumps(silent)})
    opened.ask("3")
    opened.until_synced(second)
    assert "remarks" not in opened.status
    assert opened.kubectl.json("get", "deployment", "other")["spec"]["replicas"] == 3
