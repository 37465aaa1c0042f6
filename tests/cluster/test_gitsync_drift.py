"""Drift is set back long before the next poll: whatever a person does to an object, and whichever kind it is."""

from __future__ import annotations

import json

import pytest

from tests.cluster.gitsyncs import AUTOMATED, Synced, config, everywhere
from tests.cluster.test_sync_options import definition, widget

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {team: shop}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example/web:1}]}
"""
NEVER = "20h"


@pytest.mark.timeout(150)
def test_what_a_person_changes_is_set_back_without_a_poll(syncing: Synced) -> None:
    """R6; a kind the engine watches (Service), one with a generation (Deployment), one without (ConfigMap)."""
    files = {"a.yaml": config("a"), "b.yaml": config("b"), "s.yaml": SERVICE, "d.yaml": DEPLOYMENT}
    commit = syncing.bare.commit(files)
    syncing.create(automated=AUTOMATED, interval=NEVER)
    syncing.until_synced(commit)
    kubectl = syncing.kubectl

    kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"value": "theirs"}}')
    syncing.until("a changed object is set back", lambda: syncing.values() == {"a": "1", "b": "1"})
    kubectl("delete", "configmap", "b")
    syncing.until("a deleted object is made anew", lambda: syncing.values() == {"a": "1", "b": "1"})
    kubectl("label", "deployment", "web", "gitops.rollouts.dev/managed-", "team=theirs", "--overwrite")
    syncing.until(
        "an object out of the watch's sight is fetched back",
        lambda: _labels(syncing) == {"gitops.rollouts.dev/managed": "true", "team": "shop"},
    )
    kubectl("patch", "service", "web", "--type=merge", "-p", '{"spec": {"selector": {"app": "theirs"}}}')
    syncing.until("a Service is set back", lambda: _selector(syncing) == {"app": "web"})


@pytest.mark.timeout(90)
def test_without_self_heal_drift_is_shown_without_a_poll(syncing: Synced) -> None:
    commit = syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(automated={"prune": True}, interval=NEVER)
    syncing.until_synced(commit)
    syncing.kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"value": "theirs"}}')
    syncing.until("it is shown", lambda: syncing.state() == ("OutOfSync", commit))
    assert (syncing.status["plan"]["create"], syncing.status["plan"]["update"]) == (0, 1)
    syncing.kubectl("delete", "configmap", "a")
    syncing.until("what is missing is shown", lambda: (syncing.status.get("plan") or {}).get("create") == 1)


def _labels(syncing: Synced) -> object:
    return syncing.kubectl.json("get", "deployment", "web")["metadata"].get("labels")


def _selector(syncing: Synced) -> object:
    return syncing.kubectl.json("get", "service", "web")["spec"]["selector"]


@pytest.mark.timeout(120)
def test_a_status_that_its_controller_writes_is_shown_without_a_poll(syncing: Synced) -> None:
    """Health of kinds that are not Rollouts: one that is known by a rule, and one that first gets conditions later."""
    everywhere(syncing)
    group = f"{syncing.space.namespace}.example.com"
    crd = definition(group)
    (version,) = crd["spec"]["versions"]
    version["subresources"] = {"status": {}}
    any_status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version["schema"]["openAPIV3Schema"]["properties"]["status"] = any_status
    commit = syncing.bare.commit({"crd.json": json.dumps(crd), "w.json": widget(group, size=1), "a.yaml": config("a")})
    syncing.create(automated=AUTOMATED, interval=NEVER)
    syncing.until_synced(commit)

    def health() -> tuple[str, str]:
        found = syncing.status["health"]
        return found["status"], found.get("message") or ""

    for ready, state in (("False", "Progressing"), ("True", "Healthy"), ("False", "Progressing")):
        row = {"type": "Ready", "status": ready, "message": "it waits"}
        patch = json.dumps({"status": {"conditions": [row]}})
        syncing.kubectl("patch", f"widgets.{group}", "w", "--subresource=status", "--type=merge", "-p", patch)
        syncing.until(f"it is {state}", lambda state=state: health()[0] == state)
    assert health()[1].endswith("/w: it waits")
    assert syncing.state() == ("Synced", commit)
    assert len(syncing.status["history"]) == 1
    syncing.kubectl("delete", "crd", f"widgets.{group}", "--wait=false")
